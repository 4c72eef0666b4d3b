//! The end that sends items.

use core::ptr::{self, NonNull};

use crate::bell::{Bell, NoBell};
use crate::error::Error;
use crate::item::{Item, saturated};
use crate::memory::{Data, Memory, SizeError};
use crate::writer::Writer;

/// The end of a pipe that sends items. When it goes, the pipe is closed.
pub struct Producer<'a, T: Item, B: Bell = NoBell> {
    writer: Writer<'a, B>,
    data: Data<T>,
}

impl<'a, T: Item, B: Bell> Producer<'a, T, B> {
    /// The producer of a pipe whose memory is new.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if an item is larger than the buffer.
    pub fn new(memory: Memory<'a>, bell: B) -> Result<Self, SizeError> {
        let (own, peer, capacity) = (memory.own, memory.peer, memory.capacity::<T>());
        let data = memory.into_data(size_of::<T>())?;
        Ok(Self { writer: Writer::new(own, peer, capacity, bell), data })
    }

    /// Sends an item.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Closed`] at the latest when there is no room, [`Error::Corrupt`].
    #[inline(always)]
    pub fn push(&mut self, item: T) -> Result<(), Error> {
        let data = &self.data;
        // SAFETY: so much is free there; the data is mapped twice, so it does not wrap.
        self.writer.write(|position| unsafe {
            data.at(position).write_volatile(item);
        })
    }

    /// Sends an item. Sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn push_waiting(&mut self, item: T) -> Result<(), Error> {
        loop {
            match self.push(item) {
                Err(Error::Full) => self.writer.wait(1)?,
                outcome => return outcome,
            }
        }
    }

    /// Sends the first items of a slice, as many as there is room for, at least one if there are any. Returns how many.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push).
    #[inline(always)]
    pub fn push_slice(&mut self, items: &[T]) -> Result<usize, Error> {
        let mut reserved = self.reserve_up_to(items.len())?;
        let count = reserved.len();
        let items = items.get(..count).unwrap_or(items);
        reserved.copy_from_slice(items);
        reserved.commit();
        Ok(count)
    }

    /// Sends all items of a slice. Sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// As for [`push_waiting`](Self::push_waiting); some of the items may have been sent.
    pub fn push_slice_waiting(&mut self, mut items: &[T]) -> Result<(), Error> {
        while !items.is_empty() {
            match self.push_slice(items) {
                Ok(count) => items = items.get(count..).unwrap_or_default(),
                Err(Error::Full) => self.writer.wait(1)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reserves room for so many items, to be filled in place.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push), where there is not room for all; [`Error::TooLong`] where there never will be.
    #[inline(always)]
    pub fn reserve(&mut self, count: usize) -> Result<Reserved<'_, 'a, T, B>, Error> {
        self.writer.reserve(saturated(count), saturated(count))?;
        Ok(self.reserved(count))
    }

    /// Reserves room for up to so many items, as many as there are places, at least one.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push).
    #[inline(always)]
    pub fn reserve_up_to(&mut self, count: usize) -> Result<Reserved<'_, 'a, T, B>, Error> {
        let most = saturated(count);
        let granted = self.writer.reserve(most.min(1), most)?;
        Ok(self.reserved(granted as usize))
    }

    /// So much is free.
    #[inline(always)]
    fn reserved(&mut self, count: usize) -> Reserved<'_, 'a, T, B> {
        let first = self.data.at(self.writer.position());
        Reserved { producer: self, first, count }
    }

    /// The bell with which this end was made.
    #[must_use]
    pub fn bell(&self) -> &B {
        self.writer.bell()
    }

    /// How many times this end has gone to sleep, and how many times it has rung for the other one.
    #[must_use]
    pub fn kernel_events(&self) -> (u32, u32) {
        self.writer.kernel_events()
    }
}

/// Room for items that were not sent yet. Without [`commit`](Self::commit) none is.
pub struct Reserved<'b, 'a, T: Item, B: Bell> {
    producer: &'b mut Producer<'a, T, B>,
    first: NonNull<T>,
    count: usize,
}

impl<T: Item, B: Bell> Reserved<'_, '_, T, B> {
    /// For how many items there is room.
    #[must_use]
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Writes one item.
    ///
    /// # Panics
    ///
    /// If the index is not less than [`len`](Self::len).
    #[inline(always)]
    pub fn set(&mut self, index: usize, item: T) {
        assert!(index < self.count, "an item is written outside of what was reserved");
        // SAFETY: so many items are free from there on.
        unsafe { self.first.add(index).write_volatile(item) }
    }

    /// Writes the first items.
    ///
    /// # Panics
    ///
    /// If there are more than [`len`](Self::len).
    #[inline(always)]
    pub fn copy_from_slice(&mut self, items: &[T]) {
        assert!(items.len() <= self.count, "more items are written than were reserved");
        // SAFETY: so many items are free from there on, and no slice of the program's is there.
        unsafe { ptr::copy_nonoverlapping(items.as_ptr(), self.first.as_ptr(), items.len()) }
    }

    /// Sends all. What was not written has the bytes that were there.
    #[inline(always)]
    pub fn commit(self) {
        let count = self.count;
        self.commit_first(count);
    }

    /// Sends the first ones only.
    ///
    /// # Panics
    ///
    /// If that is more than [`len`](Self::len).
    #[inline(always)]
    pub fn commit_first(self, count: usize) {
        assert!(count <= self.count, "more items are sent than were reserved");
        if count > 0 {
            // It fits into the buffer.
            self.producer.writer.publish(count as u32);
        }
    }
}
