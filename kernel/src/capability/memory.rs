//! Memory capabilities: all pages come from one, and go back to it.

use flatmk_abi::{Error, Kind, Rights};

use super::slot::{Content, Slot};
use super::table::{SlotRange, Table};
use crate::interrupts;
use crate::memory::{AddressSpace, Frame, OwnedPage, Owner, PageKind, Region, entry_of};
use crate::planted::{Bug, planted};

/// All rights.
const ALL: Rights = Rights::all();

/// How deep memory can be split. Revocation goes down to the innermost memory in one step, so there must be an end.
pub const MOST_SPLITS: u8 = 32;

/// How many pages a memory that ends gives to the one it was split off, in one step.
const PAGES_PER_STEP: u32 = 64;

/// The region in a memory capability.
#[inline]
pub(super) fn region_of(slot: &Slot) -> Region {
    Region::from_words(slot.page().unwrap_or(Frame::from_number(0)), slot.words())
}

/// Lends the region of a memory capability, and keeps what has changed.
#[inline]
pub(super) fn with_region<R>(slot: &Slot, use_it: impl FnOnce(&mut Region) -> R) -> R {
    let mut region = region_of(slot);
    let result = use_it(&mut region);
    slot.set_words(region.to_words());
    result
}

fn content_of(region: &Region) -> Content {
    Content { words: region.to_words(), ..Content::to_page(Kind::Memory, ALL, Frame::from_number(region.start())) }
}

/// Puts a region into an empty slot, as a memory capability that is derived from none. At boot.
pub fn adopt_region(slot: &Slot, region: Region) {
    slot.fill_alone(content_of(&region));
    slot.set_origin(0, None);
    note_owner(slot);
}

/// A memory capability has come into this slot: the entry of its region's first page says so, for pages that come back.
#[inline]
pub(super) fn note_owner(slot: &Slot) {
    set_owner(slot, Owner::Slot(core::ptr::from_ref(slot) as u64));
}

fn set_owner(slot: &Slot, owner: Owner) {
    if slot.kind() == Kind::Memory
        && let Some(entry) = slot.page().and_then(entry_of)
    {
        entry.set_owner(owner);
    }
}

/// Gives a page back to the memory it came from. A page that was taken at boot has no such memory; it is not used again.
pub(super) fn give_back(page: Frame) {
    let Some(entry) = entry_of(page) else { return };
    match Slot::owner_of(entry.region()) {
        Some(_) if planted(Bug::PageIsKept) => {}
        Some(slot) => {
            // The region that it was taken from may have gone into another.
            entry.set_region(slot.page().unwrap_or(entry.region()));
            with_region(slot, |region| region.give(page));
        }
        None => entry.set_kind(PageKind::Reserved),
    }
}

// ANCHOR: give_home
/// A memory capability from which nothing is made any more is about to go: its free pages go to the memory it was split off, some at a
/// time. Pages of objects that are still being taken apart follow by themselves. Tells whether all free ones have gone.
#[inline(never)]
pub(super) fn give_home(slot: &Slot) -> bool {
    let (_, parent) = slot.origin();
    let left = parent
        .and_then(Slot::owner_of)
        .and_then(|parent| with_region(parent, |region| region.absorb(region_of(slot), PAGES_PER_STEP)));
    match left {
        Some(left) => slot.set_words(left.to_words()),
        None => set_owner(slot, parent.map_or(Owner::Nobody, Owner::Region)),
    }
    left.is_none()
}
// ANCHOR_END: give_home

/// Whether a slot lies in a page of this memory: a memory capability there would keep itself alive.
pub(super) fn covers(memory: &Slot, slot: &Slot) -> bool {
    let region = region_of(memory);
    (region.start()..region.end()).contains(&slot.home().number())
}

/// A memory capability from which something may be made.
#[derive(Clone, Copy)]
pub struct Memory<'a>(&'a Slot);

impl<'a> Memory<'a> {
    /// Checks that a slot holds one.
    ///
    /// # Errors
    ///
    /// Those of [`Slot::require`], with the manage right.
    pub fn of(slot: &'a Slot) -> Result<Self, Error> {
        slot.require(Kind::Memory, Rights::MANAGE).map(Self)
    }
}

/// Free pages and all pages of a memory capability.
pub fn measure(slot: &Slot) -> (u64, u64) {
    let region = region_of(slot);
    (u64::from(region.free_pages()), u64::from(region.pages()))
}

// ANCHOR: split
/// A split, checked.
pub struct SplitRequest<'a> {
    memory: &'a Slot,
    pages: u32,
    destination: &'a Slot,
}

impl<'a> SplitRequest<'a> {
    /// Checks that the memory has so many pages that were never handed out.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Split`.
    pub fn decode(Memory(memory): Memory<'a>, pages: u64, table: &'a Table, index: u64) -> Result<Self, Error> {
        let destination = table.free_slot(index)?;
        let pages = u32::try_from(pages).ok().filter(|&pages| pages > 0).ok_or(Error::InvalidArgument)?;
        if memory.origin().0 == MOST_SPLITS {
            return Err(Error::InvalidState);
        }
        if !region_of(memory).can_split(pages) {
            return Err(Error::OutOfMemory);
        }
        Ok(Self { memory, pages, destination })
    }

    /// Makes the memory capability to the pages.
    pub fn perform(self) {
        let Self { memory, pages, destination } = self;
        if let Some(region) = with_region(memory, |region| region.split(pages)) {
            destination.fill_below(memory, content_of(&region));
            destination.set_origin(memory.origin().0 + 1, memory.page());
            note_owner(destination);
        }
    }
}
// ANCHOR_END: split

// ANCHOR: make
/// The making of objects, checked.
pub struct MakeRequest<'a> {
    memory: &'a Slot,
    kind: Kind,
    destination: SlotRange<'a>,
}

impl<'a> MakeRequest<'a> {
    /// Checks that the memory has the pages for each destination.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Make`.
    pub fn decode(Memory(memory): Memory<'a>, kind: u64, destination: SlotRange<'a>) -> Result<Self, Error> {
        let kind = Kind::from_number(kind).ok_or(Error::InvalidArgument)?;
        let available = match kind {
            Kind::LargeFrame => region_of(memory).large_frames(),
            Kind::Table
            | Kind::AddressSpace
            | Kind::Frame
            | Kind::Task
            | Kind::Notification
            | Kind::FloatingPoint
            | Kind::Softuser => region_of(memory).free_pages(),
            _ => return Err(Error::InvalidArgument),
        };
        if (available as usize) < destination.slots().len() {
            return Err(Error::OutOfMemory);
        }
        Ok(Self { memory, kind, destination })
    }

    /// Makes an object for each destination. Zeroing pages takes time, so interrupts are let in between two of them.
    pub fn perform(self) {
        for slot in self.destination.slots() {
            if let Some(page) = take(self.memory, self.kind) {
                slot.fill_below(self.memory, Content::to_page(self.kind, ALL, page));
                slot.anchor();
            }
            interrupts::let_in();
        }
    }
}

/// Takes the pages of an object from the memory and prepares them.
fn take(memory: &Slot, kind: Kind) -> Option<Frame> {
    let kind = match kind {
        Kind::LargeFrame => {
            let large = with_region(memory, Region::take_large)?;
            let first = large.frame();
            large.into_pages().for_each(|mut page| {
                page.zero();
                interrupts::let_in();
            });
            return Some(first);
        }
        Kind::Table => PageKind::Table,
        Kind::AddressSpace => PageKind::AddressSpace,
        Kind::Task => PageKind::Task,
        Kind::Notification => PageKind::Notification,
        Kind::FloatingPoint => PageKind::FloatingPoint,
        Kind::Softuser => PageKind::Softuser,
        _ => PageKind::Frame,
    };
    let page = with_region(memory, |region| region.take_owned(kind)).map(|page: OwnedPage| page.frame())?;
    if kind == PageKind::AddressSpace {
        AddressSpace::on(page);
        attach(page, memory);
    }
    Some(page)
}
// ANCHOR_END: make

/// The page tables of a space come from this memory from now on.
pub fn attach(space: Frame, memory: &Slot) {
    if let Some(entry) = entry_of(space) {
        entry.set_next(memory.page());
    }
}

/// The memory from which a space takes its page tables.
pub(super) fn attached_to(space: Frame) -> Option<&'static Slot> {
    entry_of(space)?.next().and_then(Slot::owner_of)
}

/// Puts the first capability to a zeroed page that was taken at boot into an empty slot. It is derived from none.
pub fn adopt_page(slot: &Slot, kind: Kind, page: Frame) {
    if kind == Kind::AddressSpace {
        AddressSpace::on(page);
    }
    slot.fill_alone(Content::to_page(kind, ALL, page));
    slot.anchor();
}
