//! What a task keeps of its address space, to use it without looking for it.

use core::cell::Cell;
use core::ptr;

use super::{identifiers, isolation};
use crate::arch::paging;
use crate::memory::AddressSpace;

// ANCHOR: root
/// What goes into CR3, and where it stands whether that is still so.
pub(crate) struct SpaceRoot {
    /// The address of the top-level page table; from the first switch on with the identifier, and the bit that keeps translations, but not
    /// where the kernel is isolated.
    cr3: Cell<u64>,
    /// What the identifier was last given for, see [`identifiers::load`]: as long as it says the same, `cr3` can be loaded as it is.
    valid: Cell<*const Cell<u64>>,
}

impl SpaceRoot {
    /// From now on the task's space is this one.
    pub(crate) fn set(&self, space: Option<AddressSpace>) {
        self.cr3.set(space.map_or(0, |space| space.top().address()));
        let can_load = !identifiers::are_on() && !isolation::is_on();
        self.valid.set(if can_load { &raw const self.cr3 } else { identifiers::never_valid() });
    }

    /// Whether another task, which runs, has the same space, and what it keeps is up to date.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.cr3.get() == other.cr3.get()
    }

    /// Makes the processor use the space, which is there: the task has a capability to it.
    #[inline(always)]
    pub(crate) fn load(&self) {
        let cr3 = self.cr3.get();
        // SAFETY: the task was configured, so `set` or `update` has set the pointer, to a static or to a field of this task.
        if unsafe { (*self.valid.get()).get() } == cr3 {
            // SAFETY: as in `AddressSpace::activate`.
            unsafe { paging::load_top_table(cr3) };
        } else {
            self.update();
        }
    }

    /// The identifier was taken, or something is to be forgotten, or the space has none yet.
    #[cold]
    #[inline(never)]
    extern "rust-cold" fn update(&self) {
        let valid = identifiers::load(AddressSpace::of_cr3(self.cr3.get()));
        // Where the way out loads CR3 the task must not.
        if !isolation::is_on() {
            self.cr3.set(valid.get());
            self.valid.set(ptr::from_ref(valid));
        }
    }
}
// ANCHOR_END: root
