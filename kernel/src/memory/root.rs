//! What a task keeps of its address space, to use it without looking for it.

use core::cell::Cell;

use super::space::AddressSpace;
use crate::arch::paging;

/// What goes into CR3: the address of the top-level page table.
pub(crate) struct SpaceRoot(Cell<u64>);

impl SpaceRoot {
    /// From now on the task's space is this one.
    pub(crate) fn set(&self, space: Option<AddressSpace>) {
        self.0.set(space.map_or(0, |space| space.top().address()));
    }

    /// Whether another task has the same space.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }

    /// Makes the processor use the space, which is there: the task has a capability to it.
    #[inline(always)]
    pub(crate) fn load(&self) {
        // SAFETY: as in `AddressSpace::activate`.
        unsafe { paging::load_top_table(self.0.get()) };
    }
}
