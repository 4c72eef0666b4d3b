//! Why an end does not go on.

use core::fmt;

/// Why nothing was sent or received. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no room now. The consumer will make some.
    Full,
    /// There is nothing now. The producer may send more.
    Empty,
    /// The other end is closed or gone, and everything that it has sent was received. It stays so.
    Closed,
    /// The other end has written what cannot be. The pipe is of no use any more, whatever is written later.
    Corrupt,
    /// Of the caller's making: more than fits into the buffer at any time, or a frame that does not fit into the memory that it was to be put into.
    TooLong,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => "the pipe is full",
            Self::Empty => "the pipe is empty",
            Self::Closed => "the other end of the pipe is closed",
            Self::Corrupt => "the other end has corrupted the pipe",
            Self::TooLong => "this is too long for the pipe or for the memory given",
        })
    }
}

impl core::error::Error for Error {}
