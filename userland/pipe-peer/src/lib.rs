//! The other end of the pipes that the benchmark measures, as the benchmark sees it.
#![no_std]
#![warn(missing_docs)]

use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Error, Rights};
use flatmk_runtime::object::{Done, Endpoint, OWN_TABLE};

/// How many bytes a frame of a measured pipe has, and how many are written at once.
pub const FRAME_BYTES: usize = 64;

/// How many items a slice has.
pub const SLICE_ITEMS: usize = 64;

/// What the peer is asked: word 0 of the message. Word 0 of the answer is 0 if all went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum PeerRequest {
    /// Open the consumer's end that is in the first slot of the window. Word 1: a [`Stream`].
    Open = 0,
    /// Receive. Word 1: how often. The answer comes at once; further calls wait until all is received.
    Take = 1,
    /// The same, with slices of items.
    TakeSlices = 2,
    /// What was received by the last request? Answer: word 1: the sum of the first 8 bytes of each, as a number; word 2: how often the peer has slept or
    /// rung since the end was opened.
    Report = 3,
    /// Close the end.
    Close = 4,
}

impl PeerRequest {
    /// The request with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        use PeerRequest::{Close, Open, Report, Take, TakeSlices};
        [Open, Take, TakeSlices, Report, Close].into_iter().find(|&request| request as u64 == number)
    }
}

/// What comes through a pipe, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Items of 8 bytes, in shared memory.
    Items = 0,
    /// Items of 8 bytes, through the server.
    MediatedItems = 1,
    /// Frames, in shared memory.
    Frames = 2,
    /// Bytes, through the server.
    MediatedBytes = 3,
}

impl Stream {
    /// The stream with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        use Stream::{Frames, Items, MediatedBytes, MediatedItems};
        [Items, MediatedItems, Frames, MediatedBytes].into_iter().find(|&stream| stream as u64 == number)
    }
}

/// What the peer has received, and how often it has called the kernel for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sum of the first 8 bytes of each item, slice or frame, modulo 2^64.
    pub sum: u64,
    /// How often it has slept or rung since the end was opened.
    pub kernel_events: u64,
}

/// An endpoint of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub Endpoint);

impl Peer {
    /// Lets it open an end.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] where the peer could not; what the kernel says.
    pub fn open(self, stream: Stream, end: Endpoint) -> Done {
        OWN_TABLE.copy(WINDOW, end.0, Rights::CALL | Rights::TRANSFER | Rights::GRANT)?;
        let (answer, _) = self.0.call_with_window([PeerRequest::Open as u64, stream as u64, 0, 0], 1)?;
        check(answer).map(|_| ())
    }

    /// Lets it receive so often.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    #[inline(always)]
    pub fn take(self, how: PeerRequest, count: u64) -> Done {
        self.0.call([how as u64, count, 0, 0]).map(|_| ())
    }

    /// Waits until it has received everything.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] where it has not received everything; what the kernel says.
    #[inline(always)]
    pub fn report(self) -> Result<Report, Error> {
        let [_, sum, kernel_events, _] = check(self.0.call([PeerRequest::Report as u64, 0, 0, 0])?)?;
        Ok(Report { sum, kernel_events })
    }

    /// Lets it close the end.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] where the peer could not; what the kernel says.
    pub fn close(self) -> Done {
        check(self.0.call([PeerRequest::Close as u64, 0, 0, 0])?).map(|_| ())
    }
}

#[inline(always)]
fn check(answer: [u64; 4]) -> Result<[u64; 4], Error> {
    if answer[0] == 0 { Ok(answer) } else { Err(Error::InvalidState) }
}
