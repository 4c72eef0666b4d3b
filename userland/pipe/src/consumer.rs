//! The end that receives items.

use core::ptr::{self, NonNull};

use crate::bell::{Bell, NoBell};
use crate::error::Error;
use crate::item::{Item, read_once, saturated};
use crate::memory::{Data, Memory, SizeError};
use crate::reader::Reader;

/// The end of a pipe that receives items. When it goes, the pipe is closed.
pub struct Consumer<'a, T: Item, B: Bell = NoBell> {
    reader: Reader<'a, B>,
    data: Data<T>,
}

impl<'a, T: Item, B: Bell> Consumer<'a, T, B> {
    /// The consumer of a pipe whose memory is new.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if an item is larger than the buffer.
    pub fn new(memory: Memory<'a>, bell: B) -> Result<Self, SizeError> {
        let (own, peer, capacity) = (memory.own, memory.peer, memory.capacity::<T>());
        let data = memory.into_data(size_of::<T>())?;
        Ok(Self { reader: Reader::new(own, peer, capacity, bell), data })
    }

    /// Receives an item.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::Closed`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn pop(&mut self) -> Result<T, Error> {
        let data = &self.data;
        // SAFETY: so many bytes are there; the data is mapped twice, so they do not wrap, and all bytes are valid as an item. Positions are
        // multiples of the item's size, modulo a multiple of its alignment. A producer that is not honest may race with this: see "Trust" in the crate's
        // documentation.
        self.reader.read(|position| unsafe { data.at(position).read_volatile() })
    }

    /// Receives an item. Sleeps while there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn pop_waiting(&mut self) -> Result<T, Error> {
        loop {
            match self.pop() {
                Err(Error::Empty) => self.reader.wait(1)?,
                outcome => return outcome,
            }
        }
    }

    /// Receives up to so many items as the slice has, as many as there are, at least one if any is asked for. Returns how many.
    ///
    /// # Errors
    ///
    /// As for [`pop`](Self::pop).
    #[inline(always)]
    pub fn pop_slice(&mut self, items: &mut [T]) -> Result<usize, Error> {
        let filled = self.peek_up_to(items.len())?;
        let count = filled.len();
        filled.copy_to_slice(items.get_mut(..count).unwrap_or_default());
        filled.release();
        Ok(count)
    }

    /// Receives as many items as the slice has. Sleeps while there are too few.
    ///
    /// # Errors
    ///
    /// As for [`pop_waiting`](Self::pop_waiting); some of the items may have been received.
    pub fn pop_slice_waiting(&mut self, items: &mut [T]) -> Result<(), Error> {
        let mut done = 0;
        while let Some(rest) = items.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.pop_slice(rest) {
                Ok(count) => done += count,
                Err(Error::Empty) => self.reader.wait(1)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks at the next items, so many, where they are.
    ///
    /// # Errors
    ///
    /// As for [`pop`](Self::pop), where there are not so many; [`Error::Closed`] also where there are fewer left, which can still be received;
    /// [`Error::TooLong`] where there never will be.
    #[inline(always)]
    pub fn peek(&mut self, count: usize) -> Result<Filled<'_, 'a, T, B>, Error> {
        self.reader.require(saturated(count), saturated(count))?;
        Ok(self.filled(count))
    }

    /// Looks at the next items, up to so many, at least one.
    ///
    /// # Errors
    ///
    /// As for [`pop`](Self::pop).
    #[inline(always)]
    pub fn peek_up_to(&mut self, count: usize) -> Result<Filled<'_, 'a, T, B>, Error> {
        let most = saturated(count);
        let granted = self.reader.require(most.min(1), most)?;
        Ok(self.filled(granted as usize))
    }

    /// So many are there.
    #[inline(always)]
    fn filled(&mut self, count: usize) -> Filled<'_, 'a, T, B> {
        let first = self.data.at(self.reader.position());
        Filled { consumer: self, first, count }
    }

    /// The bell with which this end was made.
    #[must_use]
    pub fn bell(&self) -> &B {
        self.reader.bell()
    }

    /// How many times this end has gone to sleep, and how many times it has rung for the other one.
    #[must_use]
    pub fn kernel_events(&self) -> (u32, u32) {
        self.reader.kernel_events()
    }
}

/// Items that are still in the pipe. They are copied out to be read: a producer that is not honest may still write there.
pub struct Filled<'b, 'a, T: Item, B: Bell> {
    consumer: &'b mut Consumer<'a, T, B>,
    first: NonNull<T>,
    count: usize,
}

impl<T: Item, B: Bell> Filled<'_, '_, T, B> {
    /// How many items there are.
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

    /// A copy of one item. Two of the same need not be equal.
    #[must_use]
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<T> {
        // SAFETY: so many items are there, and all bytes are valid as one. A producer may race with this as with `Consumer::pop`.
        (index < self.count).then(|| unsafe { self.first.add(index).read_volatile() })
    }

    /// Copies the first items.
    ///
    /// # Panics
    ///
    /// If the slice has more than [`len`](Self::len).
    #[inline(always)]
    pub fn copy_to_slice(&self, items: &mut [T]) {
        assert!(items.len() <= self.count, "more items are read than there are");
        // SAFETY: so many items are there, all bytes are valid as one, and no slice of the program's is there. A producer may race with this as with
        // `Consumer::pop`.
        unsafe { ptr::copy_nonoverlapping(self.first.as_ptr(), items.as_mut_ptr(), items.len()) }
        read_once();
    }

    /// Takes all out of the pipe.
    #[inline(always)]
    pub fn release(self) {
        let count = self.count;
        self.release_first(count);
    }

    /// Takes the first ones out of the pipe.
    ///
    /// # Panics
    ///
    /// If that is more than [`len`](Self::len).
    #[inline(always)]
    pub fn release_first(self, count: usize) {
        assert!(count <= self.count, "more items are taken than there are");
        if count > 0 {
            // They fit into the buffer.
            self.consumer.reader.release(count as u32);
        }
    }
}
