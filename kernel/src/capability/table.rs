//! Capability tables: pages of 64 slots.

use flatmk_abi::slots::{POINTER_LIMIT, SLOTS_PER_TABLE};
use flatmk_abi::{Error, Kind, Rights};

use super::slot::Slot;
use crate::memory::{Frame, PageKind, entry_of};

const SLOTS: usize = SLOTS_PER_TABLE as usize;

/// A capability table.
#[repr(C)]
pub struct Table {
    slots: [Slot; SLOTS],
}

const _: () = assert!(size_of::<Table>() == flatmk_abi::layout::PAGE_SIZE as usize);

impl Table {
    /// The table on this page.
    ///
    /// # Errors
    ///
    /// [`Error::WrongKind`] where the page is none.
    pub fn on(page: Frame) -> Result<&'static Table, Error> {
        let is_table = entry_of(page).is_some_and(|entry| entry.kind() == PageKind::Table);
        // SAFETY: the page's kind says that it holds a table: 64 slots, zeroed when the page was taken and changed only as
        // slots since. The reference is dropped before the kernel leaves the system call in which a table can go.
        if is_table { Ok(unsafe { &*(page.window_address() as *const Table) }) } else { Err(Error::WrongKind) }
    }

    /// The table on a page that is being taken apart. The page's kind is no longer that of a table, so nobody else finds it.
    pub(super) fn on_dying(page: Frame) -> &'static Table {
        // SAFETY: the caller took this page off the list of dying pages as that of a table, and gives it back afterwards only.
        unsafe { &*(page.window_address() as *const Table) }
    }

    /// The table that a capability leads to, if the capability has these rights.
    ///
    /// # Errors
    ///
    /// Those of [`Slot::require`].
    pub fn of(slot: &Slot, rights: Rights) -> Result<&'static Table, Error> {
        let page = slot.require(Kind::Table, rights)?.page().ok_or(Error::InvalidCapability)?;
        Table::on(page)
    }

    /// All slots, slot 0 with them.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    // ANCHOR: lookup
    /// The slot that a capability pointer names: six bits a step, at most three steps.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] where the pointer leads nowhere. The slot may be empty.
    #[inline(always)]
    pub fn lookup(&self, pointer: u64) -> Result<&Slot, Error> {
        self.near(pointer).map_or_else(|| self.lookup_far(pointer), Ok)
    }

    #[cold]
    fn lookup_far(&self, pointer: u64) -> Result<&Slot, Error> {
        const BITS: u32 = SLOTS_PER_TABLE.trailing_zeros();
        if pointer >= POINTER_LIMIT {
            return Err(Error::InvalidCapability);
        }
        let outer = if pointer < 1 << (2 * BITS) { self } else { self.step(pointer >> (2 * BITS))? };
        outer.step((pointer >> BITS) % SLOTS_PER_TABLE)?.slot(pointer % SLOTS_PER_TABLE)
    }
    // ANCHOR_END: lookup

    /// The table in a slot of this one. What it holds can be used, and taken out of it, so its capability needs the manage right.
    fn step(&self, index: u64) -> Result<&'static Table, Error> {
        Table::of(self.slot(index)?, Rights::MANAGE).map_err(|_| Error::InvalidCapability)
    }

    /// One of the first 64 slots of the capabilities that begin with this table.
    #[inline(always)]
    pub fn near(&self, pointer: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(pointer).ok()?)
    }

    fn slot(&self, index: u64) -> Result<&Slot, Error> {
        self.near(index).ok_or(Error::InvalidCapability)
    }

    /// A slot of this very table that may be filled or emptied: any but slot 0.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`].
    pub fn own_slot(&self, index: u64) -> Result<&Slot, Error> {
        if index == 0 {
            return Err(Error::InvalidArgument);
        }
        self.slot(index).map_err(|_| Error::InvalidArgument)
    }

    /// The same, for a slot to be filled.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] and [`Error::SlotOccupied`].
    pub fn free_slot(&self, index: u64) -> Result<&Slot, Error> {
        let slot = self.own_slot(index)?;
        if slot.is_empty() { Ok(slot) } else { Err(Error::SlotOccupied) }
    }
}

/// Consecutive empty slots of a table.
pub struct SlotRange<'a> {
    slots: &'a [Slot],
}

impl<'a> SlotRange<'a> {
    /// Checks that `count` slots from `first` on exist and are empty.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] and [`Error::SlotOccupied`].
    pub fn decode(table: &'a Table, first: u64, count: u64) -> Result<Self, Error> {
        let first = usize::try_from(first).ok().filter(|&first| first > 0).ok_or(Error::InvalidArgument)?;
        let count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::InvalidArgument)?;
        let slots =
            first.checked_add(count).and_then(|end| table.slots.get(first..end)).ok_or(Error::InvalidArgument)?;
        if slots.iter().all(Slot::is_empty) { Ok(Self { slots }) } else { Err(Error::SlotOccupied) }
    }

    /// The slots.
    #[must_use]
    pub fn slots(&self) -> &'a [Slot] {
        self.slots
    }
}
