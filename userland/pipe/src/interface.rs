//! The two ends of a pipe for programs that do not mind what is in between: shared memory, or a server that is called.

use crate::bell::Bell;
use crate::consumer::Consumer;
use crate::error::Error;
use crate::frames::{FrameConsumer, FrameProducer};
use crate::item::Item;
use crate::producer::Producer;

/// Where items can be sent to.
pub trait Sink<T> {
    /// Sends an item.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Closed`], [`Error::Corrupt`].
    fn push(&mut self, item: T) -> Result<(), Error>;

    /// Sends an item. Sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    fn push_waiting(&mut self, item: T) -> Result<(), Error>;
}

/// Where items come from.
pub trait Source<T> {
    /// Receives an item.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::Closed`], [`Error::Corrupt`].
    fn pop(&mut self) -> Result<T, Error>;

    /// Receives an item. Sleeps while there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    fn pop_waiting(&mut self) -> Result<T, Error>;
}

impl<T: Item, B: Bell> Sink<T> for Producer<'_, T, B> {
    #[inline(always)]
    fn push(&mut self, item: T) -> Result<(), Error> {
        self.push(item)
    }

    #[inline(always)]
    fn push_waiting(&mut self, item: T) -> Result<(), Error> {
        self.push_waiting(item)
    }
}

impl<T: Item, B: Bell> Source<T> for Consumer<'_, T, B> {
    #[inline(always)]
    fn pop(&mut self) -> Result<T, Error> {
        self.pop()
    }

    #[inline(always)]
    fn pop_waiting(&mut self) -> Result<T, Error> {
        self.pop_waiting()
    }
}

/// Where bytes can be sent to, in pieces.
pub trait ByteSink {
    /// Sends a piece, all of it or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Closed`], [`Error::Corrupt`]; [`Error::TooLong`] for a piece that never fits.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Sends a piece. Sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`], [`Error::TooLong`].
    fn send_waiting(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

/// Where bytes come from. They come in the order in which they were sent. Whether also in the same pieces is up to the pipe: frames do, what goes through a
/// server does not.
pub trait ByteSource {
    /// Receives bytes, and returns how many.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`], [`Error::Closed`], [`Error::Corrupt`]; [`Error::TooLong`] if `bytes` has no room for the piece, where pieces are kept.
    fn receive(&mut self, bytes: &mut [u8]) -> Result<usize, Error>;

    /// Receives bytes, and returns how many. Sleeps while there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`], [`Error::TooLong`].
    fn receive_waiting(&mut self, bytes: &mut [u8]) -> Result<usize, Error>;
}

impl<B: Bell> ByteSink for FrameProducer<'_, B> {
    #[inline(always)]
    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.push(bytes)
    }

    #[inline(always)]
    fn send_waiting(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.push_waiting(bytes)
    }
}

impl<B: Bell> ByteSource for FrameConsumer<'_, B> {
    #[inline(always)]
    fn receive(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        self.pop(bytes)
    }

    #[inline(always)]
    fn receive_waiting(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        self.pop_waiting(bytes)
    }
}
