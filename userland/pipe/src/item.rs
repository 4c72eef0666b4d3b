//! What can be an item.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::Error;

/// A type whose values are plain data: all bytes are valid as one, so nothing that the other end writes breaks it, and it has no padding, so sending one
/// tells nothing else of the sender's memory. It is implemented for each such type, which `zerocopy` checks when it derives its traits.
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

/// The size of so many items in bytes.
#[inline(always)]
pub(crate) fn bytes_of<T: Item>(count: usize) -> Result<u32, Error> {
    count.checked_mul(size_of::<T>()).and_then(|size| u32::try_from(size).ok()).ok_or(Error::TooLong)
}

/// The same, or more than any buffer has.
#[inline(always)]
pub(crate) fn bytes_up_to<T: Item>(count: usize) -> u32 {
    bytes_of::<T>(count).unwrap_or(u32::MAX)
}
