//! Variables of a program that is one task.

use core::cell::RefCell;

/// A variable for the functions of a program that is one task: it is entered by one call after the other, so they do not meet.
///
/// ```ignore
/// // SAFETY: this program is one task.
/// static CALLS: OneTask<u64> = unsafe { OneTask::new(0) };
/// ```
pub struct OneTask<T>(RefCell<T>);

// SAFETY: whoever made it vouches for it.
unsafe impl<T> Sync for OneTask<T> {}

impl<T> OneTask<T> {
    /// The variable with its first value.
    ///
    /// # Safety
    ///
    /// The program is one task.
    pub const unsafe fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Uses it.
    ///
    /// # Panics
    ///
    /// If it is in use already, further up in the same call.
    pub fn with<R>(&self, function: impl FnOnce(&mut T) -> R) -> R {
        function(&mut self.0.borrow_mut())
    }
}
