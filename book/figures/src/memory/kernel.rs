//! The kernel's own address space, which is empty here.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::space::AddressSpace;
use super::window::Frame;

static TOP: AtomicU32 = AtomicU32::new(0);

/// The space of the kernel itself.
pub(crate) fn kernel_space() -> AddressSpace {
    AddressSpace::from_top(Frame::from_number(TOP.load(Relaxed)))
}

/// Makes this top-level table that of the kernel's own space.
pub(super) fn use_kernel_space(top: Frame) {
    TOP.store(top.number(), Relaxed);
}
