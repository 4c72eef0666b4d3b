//! Ends that exchange frames: messages of bytes, each received as it was sent.

use core::ptr;

use crate::bell::{Bell, NoBell};
use crate::error::Error;
use crate::item::read_once;
use crate::memory::{Data, Memory, SizeError};
use crate::reader::Reader;
use crate::writer::Writer;

/// What comes before the bytes of a frame: their number, as a 32-bit word with 4 bytes behind it that say nothing.
pub const HEADER_BYTES: usize = 8;

/// For a pipe of frames the items are words: the header is one, and the bytes take as many as they need.
type Word = u64;

/// How many words a frame with so many bytes takes.
#[inline(always)]
fn words(length: u32) -> u32 {
    1 + length.div_ceil(8)
}

/// How many bytes a frame can have in a pipe that holds so many words.
fn longest(capacity: u32) -> u32 {
    (capacity - 1) * 8
}

/// The end of a pipe that sends frames. When it goes, the pipe is closed.
pub struct FrameProducer<'a, B: Bell = NoBell> {
    writer: Writer<'a, B>,
    data: Data<Word>,
    /// How many bytes a frame can have.
    longest: u32,
}

impl<'a, B: Bell> FrameProducer<'a, B> {
    /// The producer of a pipe whose memory is new.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if there is no room for a frame with a byte.
    pub fn new(memory: Memory<'a>, bell: B) -> Result<Self, SizeError> {
        let (own, peer, capacity) = (memory.own, memory.peer, memory.capacity::<Word>());
        let data = memory.into_data(2 * HEADER_BYTES)?;
        Ok(Self { writer: Writer::new(own, peer, capacity, bell), data, longest: longest(capacity) })
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Closed`] at the latest when there is no room, [`Error::Corrupt`]; [`Error::TooLong`] for a frame that is longer than the
    /// buffer without its header.
    #[inline(always)]
    pub fn push(&mut self, frame: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(frame.len()).ok().filter(|&length| length <= self.longest).ok_or(Error::TooLong)?;
        let words = words(length);
        self.writer.reserve(words, words)?;
        let start = self.data.at(self.writer.position()).cast::<u8>();
        // SAFETY: there is room for so much; the data is mapped twice, so it does not wrap.
        unsafe {
            start.cast::<u32>().write_volatile(length);
            ptr::copy_nonoverlapping(frame.as_ptr(), start.add(HEADER_BYTES).as_ptr(), frame.len());
        }
        self.writer.publish(words);
        Ok(())
    }

    /// Sends a frame. Sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`]; [`Error::TooLong`] as for [`push`](Self::push).
    #[inline(always)]
    pub fn push_waiting(&mut self, frame: &[u8]) -> Result<(), Error> {
        loop {
            match self.push(frame) {
                Err(Error::Full) => self.writer.wait(words(frame.len() as u32))?,
                outcome => return outcome,
            }
        }
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

/// The end of a pipe that receives frames. When it goes, the pipe is closed.
pub struct FrameConsumer<'a, B: Bell = NoBell> {
    reader: Reader<'a, B>,
    data: Data<Word>,
    /// How many bytes a frame can have.
    longest: u32,
}

impl<'a, B: Bell> FrameConsumer<'a, B> {
    /// The consumer of a pipe whose memory is new.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if there is no room for a frame with a byte.
    pub fn new(memory: Memory<'a>, bell: B) -> Result<Self, SizeError> {
        let (own, peer, capacity) = (memory.own, memory.peer, memory.capacity::<Word>());
        let data = memory.into_data(2 * HEADER_BYTES)?;
        Ok(Self { reader: Reader::new(own, peer, capacity, bell), data, longest: longest(capacity) })
    }

    // ANCHOR: pop_frame
    /// Receives a frame, and returns its length.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::Closed`], [`Error::Corrupt`]; [`Error::TooLong`] if it does not fit into `frame`. It stays in the pipe then.
    #[inline(always)]
    pub fn pop(&mut self, frame: &mut [u8]) -> Result<usize, Error> {
        // ANCHOR: exercise-8-5
        self.reader.require(1, 1)?;
        let start = self.data.at(self.reader.position()).cast::<u8>();
        // SAFETY: a word is there. It is read once: the other end may still change it.
        let length = unsafe { start.cast::<u32>().read_volatile() };
        // A frame is published whole, so all of it came with its header.
        if length > self.longest || words(length) > self.reader.known() {
            return Err(self.reader.give_up());
        }
        let frame = frame.get_mut(..length as usize).ok_or(Error::TooLong)?;
        // SAFETY: the whole frame is there; the data is mapped twice, so it does not wrap. A producer may race with this as with `Consumer::pop`.
        unsafe { ptr::copy_nonoverlapping(start.add(HEADER_BYTES).as_ptr(), frame.as_mut_ptr(), frame.len()) };
        read_once();
        self.reader.release(words(length));
        Ok(frame.len())
        // ANCHOR_END: exercise-8-5
    }
    // ANCHOR_END: pop_frame

    /// Receives a frame, and returns its length. Sleeps while there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`]; [`Error::TooLong`] as for [`pop`](Self::pop).
    #[inline(always)]
    pub fn pop_waiting(&mut self, frame: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.pop(frame) {
                Err(Error::Empty) => self.reader.wait(1)?,
                outcome => return outcome,
            }
        }
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
