//! Address spaces: four levels of page tables (Intel SDM vol. 3A, 4.5).
//!
//! The lower half belongs to user programs and is empty in a new space; the upper half is the kernel's and the same in all, or, from chapter 9
//! on, all but empty where the kernel is isolated.

use flatmk_abi::Access;
use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, SOFTUSER_END, USER_END, USER_START};

use super::flush::{Flush, Old};
use super::later;
use super::pages::PageKind;
use super::region::Region;
use super::table::{ENTRIES, Entry, TOP_LEVEL, UPPER_HALF, index, read, write};
use super::window::Frame;
use crate::planted::{Bug, planted};

/// Why a mapping was not made or changed. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The address is not a multiple of the frame's size or not in user space. The caller is to blame.
    InvalidAddress,
    /// Something is mapped there. The caller is to blame.
    AlreadyMapped,
    /// Nothing is mapped there. The caller is to blame.
    NotMapped,
    /// No page left for a page table. The caller may come back with more memory.
    OutOfMemory,
}

/// What an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The frame; within a large frame, that of the address.
    pub frame: Frame,
    /// How it may be used.
    pub access: Access,
}

/// How much one mapping covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameSize {
    /// 4 KiB, mapped by a page table of level 1.
    Small,
    /// 2 MiB, mapped by one of level 2 (Intel SDM vol. 3A, table 4-18).
    Large,
}

impl FrameSize {
    pub(super) fn level(self) -> u8 {
        match self {
            FrameSize::Small => 1,
            FrameSize::Large => 2,
        }
    }

    fn at_level(level: u8) -> Self {
        if level == 1 { FrameSize::Small } else { FrameSize::Large }
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            FrameSize::Small => PAGE_SIZE,
            FrameSize::Large => LARGE_FRAME_SIZE,
        }
    }
}

/// A page or large page of the lower half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Where it begins.
    pub address: u64,
    /// The first frame.
    pub frame: Frame,
    /// How much it covers.
    pub size: FrameSize,
    /// How it may be used.
    pub access: Access,
}

/// An address space, by its top-level page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct AddressSpace(Frame);

/// Where the walk through the tables for an address ended.
pub(super) struct Walk {
    pub(super) table: Frame,
    pub(super) level: u8,
}

impl AddressSpace {
    /// A space with nothing in its lower half. Takes one page.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfMemory`].
    pub fn new(region: &mut Region) -> Result<Self, MapError> {
        let top = region.take(PageKind::AddressSpace).ok_or(MapError::OutOfMemory)?;
        Ok(Self::on(top))
    }

    /// Makes a space of a zeroed page that was taken for it.
    pub(crate) fn on(top: Frame) -> Self {
        let upper_half = later::upper_half();
        for index in UPPER_HALF..ENTRIES {
            // SAFETY: `top` is not in use as a page table yet.
            unsafe { write(top, index, read(upper_half, index)) };
        }
        Self(top)
    }

    /// The space whose top-level table this is.
    pub(crate) const fn from_top(top: Frame) -> Self {
        Self(top)
    }

    /// The top-level table.
    #[must_use]
    pub fn top(self) -> Frame {
        self.0
    }

    /// The space that the processor uses now.
    ///
    /// # Panics
    ///
    /// If its tables were above 16 TiB, where there are no frames.
    #[must_use]
    pub fn current() -> Self {
        Self(Frame::containing(later::top_table()).expect("page tables are in memory"))
    }

    /// Whether the processor uses this space now.
    #[must_use]
    pub fn is_current(self) -> bool {
        Self::current() == self
    }

    /// Makes the processor use this space. The kernel goes on, since its half is the same in all.
    pub fn activate(self) {
        later::activate(self);
    }

    // ANCHOR: map
    /// Maps a frame at a user address. Missing page tables come from the region. The processor need not be told: it remembers nothing of
    /// entries that were not present (Intel SDM vol. 3A, 4.10.4.3).
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`], [`MapError::AlreadyMapped`] and [`MapError::OutOfMemory`], with nothing changed.
    pub fn map(
        self,
        address: u64,
        frame: Frame,
        size: FrameSize,
        access: Access,
        region: &mut Region,
    ) -> Result<(), MapError> {
        // ANCHOR: exercise-3-3
        check_new(address, size)?;
        let Walk { mut table, mut level } = self.walk(address, size.level());
        read(table, index(address, level)).require_empty()?;
        // One table for each level below the one where the walk ended. With enough pages nothing can fail from here on.
        if region.free_pages() < u32::from(level - size.level()) && !planted(Bug::TableStaysAfterFailure) {
            return Err(MapError::OutOfMemory);
        }
        while level > size.level() {
            let lower = region.take(PageKind::PageTable).ok_or(MapError::OutOfMemory)?;
            // SAFETY: the entry was not present and is in the lower half.
            unsafe { write(table, index(address, level), Entry::to_table(lower)) };
            (table, level) = (lower, level - 1);
        }
        // SAFETY: the entry was not present and is in the lower half.
        unsafe { write(table, index(address, level), Entry::to_page(frame, size, access)) };
        Ok(())
        // ANCHOR_END: exercise-3-3
    }

    /// The same where all page tables are there. Tells whether they are; where one is missing, nothing has changed.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`] and [`MapError::AlreadyMapped`].
    pub fn map_without_tables(
        self,
        address: u64,
        frame: Frame,
        size: FrameSize,
        access: Access,
    ) -> Result<bool, MapError> {
        check_new(address, size)?;
        let Walk { table, level } = self.walk(address, size.level());
        read(table, index(address, level)).require_empty()?;
        if level > size.level() {
            return Ok(false);
        }
        // SAFETY: the entry was not present and is in the lower half.
        unsafe { write(table, index(address, level), Entry::to_page(frame, size, access)) };
        Ok(true)
    }
    // ANCHOR_END: map

    /// Takes out a page table in which nothing is mapped any more, where a large frame is to be mapped instead.
    #[must_use]
    pub fn remove_empty_table(self, address: u64) -> Option<Frame> {
        let Walk { table, level } = self.walk(address, FrameSize::Large.level());
        let lower = read(table, index(address, level)).table().filter(|_| level == FrameSize::Large.level())?;
        if (0..ENTRIES).any(|index| read(lower, index).is_present()) {
            return None;
        }
        // SAFETY: an entry of the lower half, under which nothing is mapped.
        unsafe { write(table, index(address, level), Entry::EMPTY) };
        // The processor may remember the table, too. It forgets it with any address under it (Intel SDM vol. 3A, 4.10.4.1).
        Flush::new(self, address, Old::Table).now();
        Some(lower)
    }

    /// Removes the mapping that begins at a user address, and tells what was there.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`] and [`MapError::NotMapped`].
    pub fn unmap(self, address: u64) -> Result<(Mapping, Flush), MapError> {
        // ANCHOR: exercise-3-4
        let (place, mapping) = self.mapping_at(address)?;
        // SAFETY: a page of the lower half.
        unsafe { write(place.table, index(address, place.level), Entry::EMPTY) };
        later::note_change(self, address, mapping.access);
        Ok((mapping, Flush::new(self, address, Old::Page)))
        // ANCHOR_END: exercise-3-4
    }

    /// Changes how the mapping that begins at an address may be used.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`] and [`MapError::NotMapped`].
    pub fn protect(self, address: u64, access: Access) -> Result<Flush, MapError> {
        let (place, mapping) = self.mapping_at(address)?;
        let entry = Entry::to_page(mapping.frame, mapping.size, access);
        // SAFETY: a page of the lower half.
        unsafe { write(place.table, index(address, place.level), entry) };
        later::note_change(self, address, mapping.access);
        Ok(Flush::new(self, address, Old::Page))
    }

    /// What a user address leads to.
    #[must_use]
    pub fn translate(self, address: u64) -> Option<Translation> {
        let (_, Mapping { address: start, frame, access, .. }) = self.leaf(address & !(PAGE_SIZE - 1)).ok()?;
        let offset = u32::try_from((address - start) / PAGE_SIZE).ok()?;
        Some(Translation { frame: Frame::from_number(frame.number() + offset), access })
    }

    /// Calls `visit` with each page of the lower half.
    pub fn for_each_page(self, mut visit: impl FnMut(Mapping)) {
        visit_tables(self.0, TOP_LEVEL, 0, &mut |item| {
            if let Item::Page(mapping) = item {
                visit(mapping);
            }
        });
    }

    /// Calls `give` with each lower page table, after what is below it.
    pub fn for_each_table(self, mut give: impl FnMut(Frame)) {
        visit_tables(self.0, TOP_LEVEL, 0, &mut |item| {
            if let Item::Table(table) = item {
                give(table);
            }
        });
    }

    /// Gives all page tables back to the region they came from. The pages that were mapped stay whose they are.
    pub fn destroy(self, region: &mut Region) {
        assert!(!self.is_current(), "the current address space cannot be destroyed");
        self.for_each_table(|table| region.give(table));
        region.give(self.0);
    }

    /// Follows the tables as far as they go, not below a level.
    pub(super) fn walk(self, address: u64, lowest: u8) -> Walk {
        // ANCHOR: exercise-3-2
        let (mut table, mut level) = (self.0, TOP_LEVEL);
        while level > lowest {
            let Some(lower) = read(table, index(address, level)).table() else { break };
            (table, level) = (lower, level - 1);
        }
        Walk { table, level }
        // ANCHOR_END: exercise-3-2
    }

    /// The mapping that covers an address.
    pub(super) fn leaf(self, address: u64) -> Result<(Walk, Mapping), MapError> {
        check_address(address, FrameSize::Small)?;
        let walk = self.walk(address, FrameSize::Small.level());
        let entry = read(walk.table, index(address, walk.level));
        let frame = entry.frame().ok_or(MapError::NotMapped)?;
        let size = FrameSize::at_level(walk.level);
        Ok((walk, Mapping { address: address & !(size.bytes() - 1), frame, size, access: entry.access() }))
    }

    /// The mapping that begins at an address.
    fn mapping_at(self, address: u64) -> Result<(Walk, Mapping), MapError> {
        let (walk, mapping) = self.leaf(address)?;
        if mapping.address == address { Ok((walk, mapping)) } else { Err(MapError::NotMapped) }
    }
}

/// The tables under some entries of a table of a space that is being taken apart.
#[cfg(feature = "chapter4")]
pub(crate) fn tables_below(table: Frame, entries: core::ops::Range<u64>) -> impl Iterator<Item = Frame> {
    entries.filter_map(move |index| read(table, index).table())
}

enum Item {
    Page(Mapping),
    Table(Frame),
}

/// Visits what is below a table: at most four levels deep, so the recursion is bounded.
fn visit_tables(table: Frame, level: u8, base: u64, visit: &mut impl FnMut(Item)) {
    let entries = if level == TOP_LEVEL { UPPER_HALF } else { ENTRIES };
    for index in 0..entries {
        let entry = read(table, index);
        let address = base + (index << (12 + 9 * (u32::from(level) - 1)));
        match (entry.table(), entry.frame()) {
            (Some(lower), _) if level > 1 => {
                visit_tables(lower, level - 1, address, visit);
                visit(Item::Table(lower));
            }
            (_, Some(frame)) => {
                visit(Item::Page(Mapping { address, frame, size: FrameSize::at_level(level), access: entry.access() }));
            }
            _ => {}
        }
    }
}

/// Checks where something is to be mapped.
fn check_new(address: u64, size: FrameSize) -> Result<(), MapError> {
    check_address(address, size)?;
    // The last page below 4 GiB is in no mapping.
    if (address..address + size.bytes()).contains(&SOFTUSER_END) { Err(MapError::InvalidAddress) } else { Ok(()) }
}

fn check_address(address: u64, size: FrameSize) -> Result<(), MapError> {
    let in_range = address >= USER_START && address.checked_add(size.bytes()).is_some_and(|end| end <= USER_END);
    if in_range && address.is_multiple_of(size.bytes()) { Ok(()) } else { Err(MapError::InvalidAddress) }
}
