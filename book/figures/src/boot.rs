//! What the kernel's files need of where the kernel is.

/// The kernel's stack, which no figure has, is not in user space.
pub(crate) const STACK_BOTTOM: u64 = 1 << 63;
