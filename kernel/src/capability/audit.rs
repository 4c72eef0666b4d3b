//! Whether all capabilities, objects and pages are in order. For tests: it looks at everything there is.

use core::ptr;

use flatmk_abi::Kind;
use flatmk_abi::layout::PAGE_SIZE;

use super::destroy::{device_steps, dying_table};
use super::frame::{mapping_of, size_of_frame};
use super::memory::region_of;
use super::slot::Slot;
use super::table::Table;
use crate::memory::{AddressSpace, Frame, PageEntry, PageKind, entry_of, page_count};

/// What is not in order, and where: the slot by its address, the page by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the places")]
pub enum Disorder {
    /// The links of two neighbors in the tree do not agree.
    Links { slot: u64 },
    /// A slot leads to a page of another kind.
    WrongPage { slot: u64 },
    /// A capability has a right that the one it was derived from has not.
    GrownRights { slot: u64 },
    /// An object has no capability.
    NoCapability { page: u32 },
    /// A page is not what the memory that covers it takes it for.
    Lost { page: u32, counted: u32 },
    /// There are more or fewer free pages than all memory capabilities count.
    FreePages { counted: u64, found: u64 },
    /// What a frame capability says of its mapping is not what the page tables say.
    Mapping { slot: u64 },
    /// More or fewer pages are mapped than capabilities say.
    MappingCount { said: u64, found: u64 },
    /// A memory capability is not the owner of its region.
    Owner { slot: u64 },
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Slots with a capability in them.
    pub capabilities: u64,
    /// Free pages of all memory capabilities.
    pub free_pages: u64,
    /// Pages that are objects, page tables or dying.
    pub used_pages: u64,
    /// Mappings of frames, large ones counted once.
    pub mappings: u64,
    /// Mapped pages of device memory.
    pub device_pages: u64,
}

// ANCHOR: audit
/// Looks at every page and every slot.
///
/// # Errors
///
/// The first thing that is not in order.
pub fn audit() -> Result<Totals, Disorder> {
    let mut totals = Totals::default();
    let (mut mapped, mut device_pages, mut free) = (0, 0, 0);
    for (page, entry) in pages() {
        match entry.kind() {
            PageKind::Reserved | PageKind::Free => continue,
            PageKind::AddressSpace => AddressSpace::from_top(page).for_each_page(|mapping| {
                // What the kernel has mapped for the root task at boot is its own.
                let region = entry_of(mapping.frame).map(PageEntry::region);
                mapped += u64::from(region.and_then(Slot::owner_of).is_some());
                let is_device = device_steps().is_some_and(|steps| !(steps.is_memory)(mapping.frame));
                device_pages += if is_device { mapping.size.bytes() / PAGE_SIZE } else { 0 };
            }),
            _ => {}
        }
        for slot in table_on(page).map_or(&[][..], Table::slots).iter().filter(|slot| !slot.is_empty()) {
            audit_slot(slot, &mut totals)?;
            free += free_pages_below(slot)?;
        }
        totals.used_pages += 1;
        audit_object(page, entry)?;
    }
    if free != totals.free_pages {
        Err(Disorder::FreePages { counted: totals.free_pages, found: free })
    } else if (mapped, device_pages) != (totals.mappings, totals.device_pages) {
        let (said, found) = (totals.mappings + totals.device_pages, mapped + device_pages);
        Err(Disorder::MappingCount { said, found })
    } else {
        Ok(totals)
    }
}
// ANCHOR_END: audit

/// The table on a page, if it is one, or is being taken apart.
fn table_on(page: Frame) -> Option<&'static Table> {
    Table::on(page).ok().or_else(|| dying_table(page))
}

fn pages() -> impl Iterator<Item = (Frame, &'static PageEntry)> {
    let count = u32::try_from(page_count()).unwrap_or(u32::MAX);
    (0..count).map(Frame::from_number).filter_map(|page| Some((page, entry_of(page)?)))
}

/// Every object is anchored to a capability that leads to it. Frames that the kernel has mapped at boot have none.
fn audit_object(page: Frame, entry: &PageEntry) -> Result<(), Disorder> {
    let needs_capability = matches!(
        entry.kind(),
        PageKind::AddressSpace
            | PageKind::Table
            | PageKind::Task
            | PageKind::Notification
            | PageKind::FloatingPoint
            | PageKind::Softuser
    );
    match Slot::anchor_of(page) {
        Some(slot) if slot.page() == Some(page) && !slot.is_empty() => Ok(()),
        None if !needs_capability || Slot::owner_of(entry.region()).is_none() => Ok(()),
        _ => Err(Disorder::NoCapability { page: page.number() }),
    }
}

fn audit_slot(slot: &Slot, totals: &mut Totals) -> Result<(), Disorder> {
    let here = ptr::from_ref(slot) as u64;
    totals.capabilities += 1;
    audit_links(slot).then_some(()).ok_or(Disorder::Links { slot: here })?;
    // Looked at once for all children, at the first.
    if slot.is_first_child()
        && let Some(parent) = slot.back()
        && parent.kind() != Kind::Memory
        && !parent.children().all(|child| parent.rights().contains(child.rights()))
    {
        return Err(Disorder::GrownRights { slot: ptr::from_ref(parent) as u64 });
    }
    leads_to_its_kind(slot).then_some(()).ok_or(Disorder::WrongPage { slot: here })?;
    match slot.kind() {
        Kind::Memory => {
            totals.free_pages += u64::from(region_of(slot).free_pages());
            audit_memory(slot)
        }
        Kind::Frame | Kind::LargeFrame => audit_frame(slot, totals),
        Kind::DeviceMemory => {
            let pages = device_steps().and_then(|steps| (steps.audit)(slot));
            totals.device_pages += pages.ok_or(Disorder::Mapping { slot: here })?;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn audit_links(slot: &Slot) -> bool {
    let leads_back =
        |other: Option<&Slot>| other.is_none_or(|other| other.back().is_some_and(|back| ptr::eq(back, slot)));
    let is_led_to = |back: &Slot| [back.child(), back.next()].into_iter().flatten().any(|other| ptr::eq(other, slot));
    leads_back(slot.child()) && leads_back(slot.next()) && slot.back().is_none_or(is_led_to)
}

fn leads_to_its_kind(slot: &Slot) -> bool {
    let expected = match slot.kind() {
        Kind::Table => PageKind::Table,
        Kind::AddressSpace => PageKind::AddressSpace,
        Kind::Frame => PageKind::Frame,
        Kind::LargeFrame => PageKind::LargeFrame,
        Kind::Task | Kind::Endpoint | Kind::SoftuserEndpoint => PageKind::Task,
        Kind::Notification => PageKind::Notification,
        Kind::FloatingPoint => PageKind::FloatingPoint,
        Kind::Softuser => PageKind::Softuser,
        _ => return true,
    };
    slot.page().and_then(entry_of).is_some_and(|entry| entry.kind() == expected)
}

/// The counts of a region agree with the kinds of its pages, and it is where pages come back to.
fn audit_memory(slot: &Slot) -> Result<(), Disorder> {
    let region = region_of(slot);
    let owner = slot.page().and_then(Slot::owner_of);
    if !owner.is_some_and(|owner| ptr::eq(owner, slot)) {
        return Err(Disorder::Owner { slot: ptr::from_ref(slot) as u64 });
    }
    let is_free = |page: Frame| entry_of(page).is_some_and(|entry| entry.kind() == PageKind::Free);
    let mut listed = 0;
    for page in region.returned() {
        listed += 1;
        is_free(page).then_some(()).ok_or(Disorder::Lost { page: page.number(), counted: listed })?;
    }
    let unused = region.unused();
    for page in unused.clone().map(Frame::from_number) {
        is_free(page).then_some(()).ok_or(Disorder::Lost { page: page.number(), counted: 0 })?;
    }
    let counted = listed + unused.end.saturating_sub(unused.start);
    if counted == region.free_pages() { Ok(()) } else { Err(Disorder::Lost { page: region.start(), counted }) }
}

/// How many pages that a first memory covers are free; none may be lost to the kernel. What was split off lies within it.
fn free_pages_below(slot: &Slot) -> Result<u64, Disorder> {
    if slot.kind() != Kind::Memory || slot.origin().1.is_some() {
        return Ok(0);
    }
    let region = region_of(slot);
    let mut free = 0;
    for number in region.start()..region.end() {
        match entry_of(Frame::from_number(number)).map_or(PageKind::Reserved, PageEntry::kind) {
            PageKind::Free => free += 1,
            PageKind::Reserved => return Err(Disorder::Lost { page: number, counted: 0 }),
            _ => {}
        }
    }
    Ok(free)
}

fn audit_frame(slot: &Slot, totals: &mut Totals) -> Result<(), Disorder> {
    let (Some(size), Ok((space, address))) = (size_of_frame(slot.kind()), mapping_of(slot)) else { return Ok(()) };
    totals.mappings += 1;
    let agrees = space.translate(address).is_some_and(|translation| {
        Some(translation.frame) == slot.page()
            && slot.rights().contains(translation.access.needed_rights())
            && address.is_multiple_of(size.bytes())
    });
    if agrees { Ok(()) } else { Err(Disorder::Mapping { slot: ptr::from_ref(slot) as u64 }) }
}
