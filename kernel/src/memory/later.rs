//! Where chapters 9 and 10 come in: what they do at these points, and what is done without them.

use flatmk_abi::Access;

#[cfg(feature = "chapter9")]
pub(super) use super::isolation::upper_half;
#[cfg(feature = "chapter9")]
pub(super) use crate::pcid::{activate, forget, top_table};

#[cfg(not(feature = "chapter9"))]
use super::flush::Old;
#[cfg(not(feature = "chapter9"))]
use super::kernel::kernel_space;
use super::space::AddressSpace;
#[cfg(not(feature = "chapter9"))]
use super::window::Frame;
#[cfg(not(feature = "chapter9"))]
use crate::arch::paging;
#[cfg(not(feature = "chapter9"))]
pub(super) use crate::arch::paging::top_table;

/// The top-level table whose upper half a new space has.
#[cfg(not(feature = "chapter9"))]
pub(super) fn upper_half() -> Frame {
    kernel_space().top()
}

/// Makes the processor use a space.
#[cfg(not(feature = "chapter9"))]
pub(super) fn activate(space: AddressSpace) {
    // SAFETY: the space has the kernel's upper half, and nothing of the kernel is in the lower one.
    unsafe { paging::load_top_table(space.top().address()) };
}

// ANCHOR: forget
/// Makes the processor forget an address. Where the space is not the current one there is nothing to forget: loading CR3 has
/// dropped everything but global translations, and there are none in the lower half (Intel SDM vol. 3A, 4.10.4.1).
#[cfg(not(feature = "chapter9"))]
pub(super) fn forget(space: AddressSpace, address: u64, _: Old) {
    if space.is_current() {
        paging::flush(address);
    }
}
// ANCHOR_END: forget

/// A mapping has changed. If its page was executable it is not any more, or not here.
#[cfg(feature = "chapter10")]
#[inline(always)]
pub(super) fn note_change(space: AddressSpace, address: u64, access: Access) {
    space.note_change(address, access);
}

/// A mapping has changed.
#[cfg(not(feature = "chapter10"))]
#[inline(always)]
pub(super) fn note_change(_: AddressSpace, _: u64, _: Access) {}
