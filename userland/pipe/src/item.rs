//! What can be an item.

use core::sync::atomic::{Ordering, compiler_fence};

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A type whose values are plain data: all bytes are valid as one, so nothing that the other end writes breaks it, and it has no padding, so sending one
/// tells nothing else of the sender's memory. It is implemented for each such type, which `zerocopy` checks when it derives its traits.
///
/// ```
/// use zerocopy::{FromBytes, Immutable, IntoBytes};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
/// #[repr(C)]
/// struct Reading(u32, u32);
///
/// fn send(item: impl flatmk_pipe::Item) {}
/// send(Reading(1, 2));
/// ```
///
/// A structure with padding is refused,
///
/// ```compile_fail,E0277
/// use zerocopy::{FromBytes, Immutable, IntoBytes};
///
/// #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
/// #[repr(C)]
/// struct Reading(u32, u64);
/// ```
///
/// and so is a type of which some bytes are no value.
///
/// ```compile_fail,E0277
/// fn send(item: impl flatmk_pipe::Item) {}
/// send(true);
/// ```
pub trait Item: Copy + FromBytes + IntoBytes + Immutable {}

impl<T: Copy + FromBytes + IntoBytes + Immutable> Item for T {}

/// The size of an item in bytes. Items of no size would say nothing.
pub(crate) const fn size_of_item<T: Item>() -> u32 {
    const {
        assert!(size_of::<T>() > 0 && size_of::<T>() <= 1 << 30, "an item has a size that fits into a pipe");
        assert!(align_of::<T>() <= 4096, "the data begins at a page");
    }
    size_of::<T>() as u32
}

/// A number of items, or more than any buffer holds.
#[inline(always)]
pub(crate) fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Comes after a copy out of shared memory: the compiler must not make another one from there later, instead of one of the copy.
#[inline(always)]
pub(crate) fn read_once() {
    compiler_fence(Ordering::SeqCst);
}
