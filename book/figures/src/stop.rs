//! What the kernel's files need where the kernel stops.

use core::fmt;

/// Why.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StopCode {
    /// There are too few pages to begin with.
    TooLittleMemory,
}

/// A figure that cannot go on is a mistake in this crate: its machine is always the same.
pub(crate) fn stop(code: StopCode, reason: fmt::Arguments<'_>) -> ! {
    panic!("{code:?}: {reason}")
}
