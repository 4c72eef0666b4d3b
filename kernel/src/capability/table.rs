//! Capability tables: pages of 64 slots.

use core::ptr::NonNull;

use flatmk_abi::slots::{POINTER_LIMIT, SLOTS_PER_TABLE};
use flatmk_abi::{Error, Kind, Rights};

use super::slot::Slot;
use crate::memory::{Frame, PageKind, entry_of};

const SLOTS: usize = SLOTS_PER_TABLE as usize;

/// How many bits of a pointer choose a slot of one table.
const BITS: u32 = SLOTS_PER_TABLE.trailing_zeros();

/// Pointers below this are slots of the first table; from there on, below the next, of the tables in it.
const NEAR: u64 = SLOTS_PER_TABLE;
const FAR: u64 = NEAR << BITS;

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
    #[inline(always)]
    pub fn of(slot: &Slot, rights: Rights) -> Result<&'static Table, Error> {
        slot.require(Kind::Table, rights).map(Table::behind)
    }

    /// The table behind a slot that holds a capability to one.
    #[inline(always)]
    fn behind(slot: &Slot) -> &'static Table {
        debug_assert_eq!(slot.kind(), Kind::Table);
        // SAFETY: such a capability leads to a table, which lives as long as there is a capability to it. The reference is dropped
        // before the kernel leaves the system call in which that can go.
        unsafe { NonNull::new_unchecked(slot.page_address() as *mut Table).as_ref() }
    }

    /// All slots, slot 0 with them.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    // ANCHOR: lookup
    /// The slot that a capability pointer names: six bits a step, at most three steps. It may be empty.
    #[inline(always)]
    pub fn find(&self, pointer: u64) -> Option<&Slot> {
        // ANCHOR: exercise-4-1
        let mut table = self;
        if pointer >= NEAR {
            if pointer >= FAR {
                let in_range = (pointer < POINTER_LIMIT).then_some(pointer)?;
                table = table.step(in_range >> (2 * BITS))?;
            }
            table = table.step(pointer >> BITS)?;
        }
        Some(table.at(pointer))
        // ANCHOR_END: exercise-4-1
    }

    /// The table in a slot of this one. What it holds can be used, and taken out of it, so its capability needs the manage right.
    #[inline(always)]
    fn step(&self, index: u64) -> Option<&'static Table> {
        let slot = self.at(index);
        slot.is(Kind::Table, Rights::MANAGE).then(|| Table::behind(slot))
    }

    /// The slot that the lowest six bits name.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
    fn at(&self, index: u64) -> &Slot {
        &self.slots[(index % SLOTS_PER_TABLE) as usize]
    }
    // ANCHOR_END: lookup

    /// The same, as a result.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] where the pointer leads nowhere.
    pub fn lookup(&self, pointer: u64) -> Result<&Slot, Error> {
        self.find(pointer).ok_or(Error::InvalidCapability)
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
