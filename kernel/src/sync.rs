//! One processor, one owner at a time.
//!
//! FlatMk runs on one processor, so mutual exclusion needs no lock that spins: whoever holds a value keeps interrupts off,
//! and nothing else runs. What remains is a borrow that is still open when somebody, an exception handler say, asks again:
//! that is found and refused, where a spin lock would hang.

use core::cell::{Cell, UnsafeCell};

use crate::arch::without_interrupts;

// ANCHOR: exclusive
/// A value that is lent to one borrower at a time, with interrupts off.
pub struct Exclusive<T> {
    lent: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: there is one processor, and `try_with` lends the value only while interrupts are off and to one borrower.
unsafe impl<T: Send> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self { lent: Cell::new(false), value: UnsafeCell::new(value) }
    }

    /// Lends the value to `use_it`; `None` if it is lent already, further up the stack.
    pub fn try_with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> Option<R> {
        // ANCHOR: exercise-1-1
        without_interrupts(|| {
            if self.lent.replace(true) {
                return None;
            }
            // SAFETY: `lent` was false, so no other borrow exists, and none can begin before it is false again.
            let result = use_it(unsafe { &mut *self.value.get() });
            self.lent.set(false);
            Some(result)
        })
        // ANCHOR_END: exercise-1-1
    }

    /// Lends the value to `use_it`.
    ///
    /// # Panics
    ///
    /// If it is lent already, further up the stack: a mistake in the kernel.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
        self.try_with(use_it).expect("a value was borrowed twice")
    }
}
// ANCHOR_END: exclusive

impl<T> Exclusive<T> {
    /// Ends a borrow whose borrower will never come back.
    ///
    /// # Safety
    ///
    /// The code that holds the borrow must never run again: the caller is about to stop the machine, or to drop the stack
    /// on which the borrower stands.
    pub unsafe fn reclaim(&self) {
        self.lent.set(false);
    }
}
