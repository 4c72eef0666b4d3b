//! The memory of a pipe: two pages, and data that is mapped twice in a row.

use std::cell::Cell;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicU32;

use flatmk_pipe::{Bell, Consumer, EndPage, FrameConsumer, FrameProducer, Item, Memory, NoBell, Producer};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// The smallest buffer that can be mapped twice.
pub(crate) const PAGE_BYTES: usize = size_of::<EndPage>();

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Producer,
    Consumer,
}

/// The memory of one pipe: the producer's page, the consumer's, the data, the data again.
pub(crate) struct PipeMemory {
    start: NonNull<u8>,
    size_bytes: usize,
    has_ends: Cell<bool>,
}

impl PipeMemory {
    pub(crate) fn new(size_bytes: usize) -> Self {
        let file = memfd_create("pipe", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&file, (2 * PAGE_BYTES + size_bytes) as u64).unwrap();
        let length = 2 * PAGE_BYTES + 2 * size_bytes;
        // SAFETY: new memory, where the kernel finds room.
        let start = unsafe { mmap_anonymous(null_mut(), length, ProtFlags::empty(), MapFlags::PRIVATE) }.unwrap();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        for (place, bytes) in [(0, 2 * PAGE_BYTES + size_bytes), (2 * PAGE_BYTES + size_bytes, size_bytes)] {
            // All but the second time the file begins where the memory does.
            let offset = if place == 0 { 0 } else { 2 * PAGE_BYTES };
            // SAFETY: this replaces a part of what was just mapped, which nobody uses yet.
            let at = unsafe { start.byte_add(place) };
            // SAFETY: as above.
            unsafe { mmap(at, bytes, access, MapFlags::SHARED | MapFlags::FIXED, &file, offset as u64) }.unwrap();
        }
        Self { start: NonNull::new(start.cast()).unwrap(), size_bytes, has_ends: Cell::new(false) }
    }

    fn at<T>(&self, offset: usize) -> NonNull<T> {
        // SAFETY: all offsets are within.
        unsafe { self.start.add(offset) }.cast()
    }

    /// The page of an end.
    pub(crate) fn page(&self, end: End) -> &EndPage {
        // SAFETY: it is mapped as long as this is there.
        unsafe { self.at::<EndPage>(if end == End::Producer { 0 } else { PAGE_BYTES }).as_ref() }
    }

    fn word(&self, end: End, index: usize) -> &AtomicU32 {
        const APART: usize = 128;
        let offset = if end == End::Producer { 0 } else { PAGE_BYTES } + index * APART;
        // SAFETY: it is mapped as long as this is there, and all that use it use it as an atomic word.
        unsafe { self.at::<AtomicU32>(offset).as_ref() }
    }

    /// Where an end says how far it is. Whoever has mapped the page can write it.
    pub(crate) fn position(&self, end: End) -> &AtomicU32 {
        self.word(end, 0)
    }

    /// Where an end says how many times it has gone to sleep.
    pub(crate) fn sleeps(&self, end: End) -> &AtomicU32 {
        self.word(end, 1)
    }

    /// Where an end says that it is closed.
    pub(crate) fn closed(&self, end: End) -> &AtomicU32 {
        self.word(end, 2)
    }

    /// Writes a byte of the data.
    pub(crate) fn poke(&self, offset: usize, byte: u8) {
        assert!(offset < self.size_bytes);
        // SAFETY: it is within, and no end has a reference to it.
        unsafe { self.at::<u8>(2 * PAGE_BYTES + offset).write_volatile(byte) };
    }

    fn memory(&self, own: End, peer: End) -> Memory<'_> {
        let data = self.at(2 * PAGE_BYTES);
        // SAFETY: the data is mapped twice, and `take` sees to it that there is one end of each kind.
        unsafe { Memory::new(self.page(own), self.page(peer), data, self.size_bytes) }.unwrap()
    }

    /// The memory for both ends, once.
    fn take(&self) -> (Memory<'_>, Memory<'_>) {
        assert!(!self.has_ends.replace(true), "there is one end of each kind");
        (self.memory(End::Producer, End::Consumer), self.memory(End::Consumer, End::Producer))
    }

    pub(crate) fn ends<T: Item, P: Bell, C: Bell>(&self, p: P, c: C) -> (Producer<'_, T, P>, Consumer<'_, T, C>) {
        let (producer, consumer) = self.take();
        (Producer::new(producer, p).unwrap(), Consumer::new(consumer, c).unwrap())
    }

    pub(crate) fn frame_ends(&self) -> (FrameProducer<'_>, FrameConsumer<'_>) {
        let (producer, consumer) = self.take();
        (FrameProducer::new(producer, NoBell).unwrap(), FrameConsumer::new(consumer, NoBell).unwrap())
    }
}

impl Drop for PipeMemory {
    fn drop(&mut self) {
        // SAFETY: the ends borrow this, so they are gone.
        unsafe { munmap(self.start.as_ptr().cast(), 2 * PAGE_BYTES + 2 * self.size_bytes) }.unwrap();
    }
}
