//! Ends that exchange frames: messages of bytes, each received as it was sent.

use core::ptr;

use crate::bell::{Bell, NoBell};
use crate::error::Error;
use crate::memory::{Data, Memory, SizeError};
use crate::reader::Reader;
use crate::writer::Writer;

/// What comes before the bytes of a frame: their number, as a 32-bit word with 4 bytes behind it that say nothing.
pub const HEADER_BYTES: usize = 8;

const HEADER: u32 = HEADER_BYTES as u32;

/// How much a frame with so many bytes takes: its header, and the bytes up to the next multiple of 8.
#[inline(always)]
const fn size_of_frame(length: u32) -> u32 {
    HEADER + ((length + 7) & !7)
}

/// How long a frame can be.
#[inline(always)]
const fn longest(size: u32) -> u32 {
    size - HEADER
}

/// The end of a pipe that sends frames. When it goes, the pipe is closed.
pub struct FrameProducer<'a, B: Bell = NoBell> {
    writer: Writer<'a, B>,
    data: Data,
}

impl<'a, B: Bell> FrameProducer<'a, B> {
    /// The producer of a pipe whose memory is new.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if there is no room for a frame with a byte.
    pub fn new(memory: Memory<'a>, bell: B) -> Result<Self, SizeError> {
        let writer = Writer::new(&memory, bell);
        Ok(Self { writer, data: memory.into_data_for(size_of_frame(1))? })
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Closed`] at the latest when there is no room, [`Error::Corrupt`]; [`Error::TooLong`] for a frame that is longer than the
    /// buffer without its header.
    #[inline(always)]
    pub fn push(&mut self, frame: &[u8]) -> Result<(), Error> {
        let length = self.checked_length(frame)?;
        let data = self.data;
        // SAFETY: so much is free there; the data is mapped twice, so it does not wrap. Positions are multiples of 8.
        self.writer.write(size_of_frame(length), |position| unsafe {
            let start = data.at::<u8>(position);
            start.cast::<u32>().write_volatile(length);
            ptr::copy_nonoverlapping(frame.as_ptr(), start.add(HEADER_BYTES).as_ptr(), frame.len());
        })
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
                Err(Error::Full) => self.writer.wait(size_of_frame(frame.len() as u32))?,
                outcome => return outcome,
            }
        }
    }

    #[inline(always)]
    fn checked_length(&self, frame: &[u8]) -> Result<u32, Error> {
        u32::try_from(frame.len()).ok().filter(|&length| length <= longest(self.data.size())).ok_or(Error::TooLong)
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
    data: Data,
}

impl<'a, B: Bell> FrameConsumer<'a, B> {
    /// The consumer of a pipe whose memory is new.
    ///
    /// # Errors
    ///
    /// [`SizeError`] if there is no room for a frame with a byte.
    pub fn new(memory: Memory<'a>, bell: B) -> Result<Self, SizeError> {
        let reader = Reader::new(&memory, bell);
        Ok(Self { reader, data: memory.into_data_for(size_of_frame(1))? })
    }

    // ANCHOR: pop_frame
    /// Receives a frame, and returns its length.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::Closed`], [`Error::Corrupt`]; [`Error::TooLong`] if it does not fit into `frame`. It stays in the pipe then.
    #[inline(always)]
    pub fn pop(&mut self, frame: &mut [u8]) -> Result<usize, Error> {
        self.reader.require(HEADER)?;
        let start = self.data.at::<u8>(self.reader.position());
        // SAFETY: so many bytes are there; the data is mapped twice, so they do not wrap. Positions are multiples of 8. It is read once: the
        // other end may still change it.
        let length = unsafe { start.cast::<u32>().read_volatile() };
        // A frame is published whole.
        if length > longest(self.data.size()) || self.reader.require(size_of_frame(length)).is_err() {
            return Err(self.reader.give_up());
        }
        let frame = frame.get_mut(..length as usize).ok_or(Error::TooLong)?;
        // SAFETY: the whole frame is there.
        unsafe { ptr::copy_nonoverlapping(start.add(HEADER_BYTES).as_ptr(), frame.as_mut_ptr(), frame.len()) };
        self.reader.release(size_of_frame(length));
        Ok(frame.len())
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
                Err(Error::Empty) => self.reader.wait(HEADER)?,
                outcome => return outcome,
            }
        }
    }

    /// How many times this end has gone to sleep, and how many times it has rung for the other one.
    #[must_use]
    pub fn kernel_events(&self) -> (u32, u32) {
        self.reader.kernel_events()
    }
}
