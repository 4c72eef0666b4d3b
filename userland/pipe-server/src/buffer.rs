//! What is in a pipe: a circular buffer, as pipes of bytes need it. Items are 8 bytes of it.

use core::ptr::{self, NonNull};

use flatmk_runtime::mediated::BUFFER_BYTES;

const WORDS: usize = BUFFER_BYTES / 8;

const _: () = assert!(BUFFER_BYTES.is_power_of_two());

pub(crate) struct Buffer {
    words: [u64; WORDS],
    /// Where what is there begins, and how many bytes it has.
    start: usize,
    count: usize,
}

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self { words: [0; WORDS], start: 0, count: 0 }
    }

    pub(crate) fn clear(&mut self) {
        (self.start, self.count) = (0, 0);
    }

    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    #[inline(always)]
    pub(crate) fn room(&self) -> usize {
        BUFFER_BYTES - self.count
    }

    /// Puts an item in, if there is room. Only for a pipe in which all are items.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: u64) -> Option<()> {
        if self.room() < 8 {
            return None;
        }
        *self.words.get_mut((self.start + self.count) % BUFFER_BYTES / 8)? = item;
        self.count += 8;
        Some(())
    }

    /// Takes an item out, if there is one.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<u64> {
        if self.count < 8 {
            return None;
        }
        let item = *self.words.get(self.start / 8)?;
        self.took(8);
        Some(item)
    }

    #[inline(always)]
    fn took(&mut self, count: usize) {
        self.start = (self.start + count) % BUFFER_BYTES;
        self.count -= count;
    }

    fn bytes(&mut self) -> *mut u8 {
        self.words.as_mut_ptr().cast()
    }

    /// Copies bytes in.
    ///
    /// # Panics
    ///
    /// If there is not room for so many.
    ///
    /// # Safety
    ///
    /// So many can be read there.
    pub(crate) unsafe fn write(&mut self, from: NonNull<u8>, count: usize) {
        assert!(count <= self.room(), "the buffer is full");
        let end = (self.start + self.count) % BUFFER_BYTES;
        let first = count.min(BUFFER_BYTES - end);
        let bytes = self.bytes();
        // SAFETY: the first ones fit behind the end, and the others, for which there is room, at the beginning; the caller vouches for where they
        // come from.
        unsafe {
            ptr::copy_nonoverlapping(from.as_ptr(), bytes.add(end), first);
            ptr::copy_nonoverlapping(from.as_ptr().add(first), bytes, count - first);
        }
        self.count += count;
    }

    /// Copies bytes out.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    ///
    /// # Safety
    ///
    /// So many can be written there.
    pub(crate) unsafe fn read(&mut self, to: NonNull<u8>, count: usize) {
        assert!(count <= self.count, "there is not so much in the buffer");
        let (start, first) = (self.start, count.min(BUFFER_BYTES - self.start));
        let bytes = self.bytes();
        // SAFETY: the first ones lie before the end, the others at the beginning; the caller vouches for where they go.
        unsafe {
            ptr::copy_nonoverlapping(bytes.add(start), to.as_ptr(), first);
            ptr::copy_nonoverlapping(bytes, to.as_ptr().add(first), count - first);
        }
        self.took(count);
    }
}
