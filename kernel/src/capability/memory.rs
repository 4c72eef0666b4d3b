//! Memory capabilities: all pages come from one, and go back to it.

use flatmk_abi::{Error, Kind, Rights};

use super::slot::{Content, Slot};
use super::table::SlotRange;
use super::transfer::insert_new;
use crate::memory::{AddressSpace, Frame, PageKind, Region, entry_of};

/// All rights.
const ALL: Rights = Rights::all();

/// The region in a memory capability.
fn region_of(slot: &Slot) -> Region {
    let Content { words: [range, unused], more: [returned, count], .. } = slot.content();
    Region::from_words([range, unused, returned, count])
}

fn set_region(slot: &Slot, region: Region) {
    let [range, unused, returned, count] = region.to_words();
    slot.set_words([range, unused]);
    slot.set_more([returned, count]);
}

/// Lends the region of a memory capability, and keeps what has changed.
pub(super) fn with_region<R>(slot: &Slot, use_it: impl FnOnce(&mut Region) -> R) -> R {
    let mut region = region_of(slot);
    let result = use_it(&mut region);
    set_region(slot, region);
    result
}

/// Puts a region into an empty slot, as a memory capability. At boot.
pub fn adopt_region(slot: &Slot, region: Region) {
    slot.fill(Content::to_device(Kind::Memory, ALL));
    set_region(slot, region);
    note_owner(slot);
}

/// A memory capability has come into this slot: the entry of its region's first page says so, for pages that come back.
pub(super) fn note_owner(slot: &Slot) {
    set_owner(slot, core::ptr::from_ref(slot) as u64);
}

/// A memory capability is about to leave this slot for good: pages that come back later have nowhere to go.
pub(super) fn forget_owner(slot: &Slot) {
    set_owner(slot, 0);
}

fn set_owner(slot: &Slot, owner: u64) {
    if slot.kind() == Kind::Memory
        && let Some(entry) = entry_of(Frame::from_number(region_of(slot).start()))
    {
        entry.set_owner(owner);
    }
}

/// Gives a page back to the memory it came from. A page that was taken at boot has no such memory; it is not used again.
pub(super) fn give_back(page: Frame) {
    let Some(entry) = entry_of(page) else { return };
    match Slot::owner_of(entry.region()) {
        Some(slot) => with_region(slot, |region| region.give(page)),
        None => entry.set_kind(PageKind::Reserved),
    }
}

/// Free pages and all pages of a memory capability.
pub fn measure(slot: &Slot) -> (u64, u64) {
    let region = region_of(slot);
    (u64::from(region.free_pages()), u64::from(region.pages()))
}

// ANCHOR: make
/// The making of objects, checked.
pub struct MakeRequest<'a> {
    memory: &'a Slot,
    kind: Kind,
    destination: SlotRange<'a>,
}

impl<'a> MakeRequest<'a> {
    /// Checks that the memory has a page for each destination.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Make`.
    pub fn decode(memory: &'a Slot, kind: u64, destination: SlotRange<'a>) -> Result<Self, Error> {
        let memory = memory.require(Kind::Memory, Rights::MANAGE)?;
        let kind = Kind::from_number(kind).ok_or(Error::InvalidArgument)?;
        if page_kind(kind).is_none() {
            return Err(Error::InvalidArgument);
        }
        let free_pages = region_of(memory).free_pages() as usize;
        if free_pages < destination.slots().len() {
            return Err(Error::OutOfMemory);
        }
        Ok(Self { memory, kind, destination })
    }

    /// Makes an object of a page for each destination.
    pub fn perform(self) {
        for slot in self.destination.slots() {
            let page = page_kind(self.kind).and_then(|kind| with_region(self.memory, |region| region.take(kind)));
            if let Some(page) = page {
                adopt_page(slot, self.kind, page);
            }
        }
    }
}

/// What a page becomes as an object of a kind; `None` for kinds that are not made of a page.
fn page_kind(kind: Kind) -> Option<PageKind> {
    match kind {
        Kind::Table => Some(PageKind::Table),
        Kind::AddressSpace => Some(PageKind::AddressSpace),
        Kind::Frame => Some(PageKind::Frame),
        Kind::Task => Some(PageKind::Task),
        _ => None,
    }
}
// ANCHOR_END: make

/// Puts the first capability to a zeroed page that was taken for this kind into an empty slot.
pub fn adopt_page(slot: &Slot, kind: Kind, page: Frame) {
    if kind == Kind::AddressSpace {
        AddressSpace::on(page);
    }
    insert_new(slot, Content::to_page(kind, ALL, page));
}
