//! The memory of a pipe, as one end sees it.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::atomic::{AtomicU32, Ordering};
use crate::item::{Item, size_of_item};

/// A value with two cache lines of its own: processors fetch them in pairs.
#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

// ANCHOR: end_page
/// The page of one end. The end writes it; the other one can only read it. New ones are all zeros.
#[repr(C, align(4096))]
pub struct EndPage {
    /// How far this end is: how many items it has published or taken, modulo 2^32.
    pub(crate) position: Line<AtomicU32>,
    /// How many times this end has gone to sleep. A change asks the other end to ring the bell, once.
    pub(crate) sleeps: Line<AtomicU32>,
    /// Not 0 once this end is closed: it will not publish or take anything any more.
    pub(crate) closed: Line<AtomicU32>,
}
// ANCHOR_END: end_page

impl Default for EndPage {
    /// The page of an end that has done nothing yet.
    fn default() -> Self {
        Self { position: Line(AtomicU32::new(0)), sleeps: Line(AtomicU32::new(0)), closed: Line(AtomicU32::new(0)) }
    }
}

impl EndPage {
    /// Says that this end is closed, for one that can not say so any more. Whoever does this wakes the other end afterwards. It must be sure that
    /// the end is gone: what that would still write is not received.
    pub fn close_for_the_dead(&self) {
        self.closed.0.store(1, Ordering::Release);
        // An end that publishes looks at this word, so it learns of it early. Nobody else changes it any more.
        let sleeps = self.sleeps.0.load(Ordering::Relaxed);
        self.sleeps.0.store(sleeps.wrapping_add(1), Ordering::Release);
    }
}

/// A size that a buffer can not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeError;

impl fmt::Display for SizeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the size of a pipe's buffer is a power of two, up to 2^30 bytes, with room for an item")
    }
}

impl core::error::Error for SizeError {}

/// The memory of a pipe, as one end has mapped it.
pub struct Memory<'a> {
    pub(crate) own: &'a EndPage,
    pub(crate) peer: &'a EndPage,
    pub(crate) size: u32,
    data: NonNull<u8>,
}

impl<'a> Memory<'a> {
    /// The pages of this end and of the other one, and the data: `size_bytes` at `data`, and the same once more behind it. All are zeros before the first end
    /// begins. The size comes from whoever has set up the pipe, never from shared memory.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if the size is not a power of two from 8 to 2^30.
    ///
    /// # Safety
    ///
    /// - `data` is aligned to a page, and points to twice the size, whose halves are the same memory. For as long as the lifetime
    ///   it can be read; where this is for a producer, it can be written.
    /// - It is for one producer or one consumer, and the same memory for no other one. Nobody else in this program touches it, except that
    ///   one end of the other kind may be in the same program.
    pub unsafe fn new(
        own: &'a EndPage,
        peer: &'a EndPage,
        data: NonNull<u8>,
        size_bytes: usize,
    ) -> Result<Self, SizeError> {
        match u32::try_from(size_bytes) {
            Ok(size) if size.is_power_of_two() && (8..=1 << 30).contains(&size) => Ok(Self { own, peer, size, data }),
            _ => Err(SizeError),
        }
    }

    /// The size of the buffer in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.size as usize
    }

    /// How many items fit.
    pub(crate) fn capacity<T: Item>(&self) -> u32 {
        self.size / size_of_item::<T>()
    }

    /// The data, for an end with such items, which needs room for so many bytes at least.
    pub(crate) fn into_data<T: Item>(self, least_size: usize) -> Result<Data<T>, SizeError> {
        let mask = self.size - 1;
        let mask = if Data::<T>::IS_IN_ITEMS { mask / size_of_item::<T>() } else { mask };
        let data = Data { start: self.data, mask, items: PhantomData };
        if least_size <= self.size_bytes() { Ok(data) } else { Err(SizeError) }
    }
}

/// The bytes of a pipe with such items.
pub(crate) struct Data<T> {
    start: NonNull<u8>,
    /// The size, which is a power of two, less one: in items where it is a number of them, otherwise in bytes.
    mask: u32,
    items: PhantomData<fn() -> T>,
}

// SAFETY: the memory does not belong to a thread.
unsafe impl<T> Send for Data<T> {}

impl<T: Item> Data<T> {
    const IS_IN_ITEMS: bool = size_of::<T>().is_power_of_two();

    /// The place of an item. As many bytes as the buffer has follow it: it is mapped twice. So the place need not begin anew where the data do; it is enough that
    /// all positions of an item are the same place, and as the size divides 2^32 they are.
    #[inline(always)]
    pub(crate) fn at(&self, position: u32) -> NonNull<T> {
        let offset = if Self::IS_IN_ITEMS {
            (position & self.mask) as usize * size_of::<T>()
        } else {
            (position.wrapping_mul(size_of_item::<T>()) & self.mask) as usize
        };
        // SAFETY: it is within the first of the two. It is aligned: the size of an item is a multiple of its alignment, and so is 2^32.
        unsafe { self.start.add(offset).cast() }
    }
}
