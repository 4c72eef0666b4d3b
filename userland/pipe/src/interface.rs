//! The two ends of a pipe for programs that do not mind what is in between: shared memory, or a server that is called.

use crate::bell::Bell;
use crate::consumer::Consumer;
use crate::error::Error;
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
