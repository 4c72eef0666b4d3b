//! The kernel-mediated pipe, as its ends see it: a server keeps what is in the pipe, and each item goes to it by a call and comes from it by a call.
//! It is there to be compared with pipes in shared memory ([`flatmk_pipe`]), so its ends are a [`Sink`] and a [`Source`], too, and those of a
//! pipe of bytes a [`ByteSink`] and a [`ByteSource`].
//!
//! An end is an endpoint of the server, whose context word says which end of which pipe it is. Before anything else it is connected: the server is handed
//! a notification, at which it signals when an end that was told "full" or "empty" may try again. Pipes are of items, 8 bytes each, which travel in the
//! message; or of bytes. For these the server answers with a frame of its own: what is written is copied from there into the server's buffer, what is read is
//! copied from the buffer to there, as a Unix pipe copies from and to the memory of its users.
//!
//! An end is gone when it says so, or when its notification is gone. So that is to be made from memory that goes with the program. The server
//! looks for it when the other end would have to wait; an end that waits asks again from time to time. An end that nobody has connected yet is
//! not gone. Once both are gone, both can be connected anew.
//!
//! Where the time slice of an end is over while the server works for it, the other end finds the server busy, and waits for its turn. From then on the two may
//! go on in step, with a switch for each item, until one has to wait for the other: a *convoy* (Blasgen, Gray, Mitoma, Price: "The Convoy Phenomenon", 1979).
//! An item costs several times as much meanwhile. A pipe in shared memory has nobody to stand in line for.

use core::ptr::{self, NonNull};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Access, Error, Rights};
use flatmk_pipe::{ByteSink, ByteSource, Error as PipeError, Sink, Source};

use crate::object::{Endpoint, Frame, Notification, OWN_SPACE, OWN_TABLE};

/// How many bytes fit into a pipe of the server.
pub const BUFFER_BYTES: usize = 4 * PAGE_SIZE as usize;

/// How many bytes are written or read at once, at most: the shared frame has no more.
pub const MOST_BYTES: usize = PAGE_SIZE as usize;

/// How many pipes the server has.
pub const PIPES: u64 = 4;

/// What the server is asked: word 0 of the message. Word 0 of the answer is a [`PipeStatus`], or else an [`Error`]'s status, which is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum PipeRequest {
    /// Connect this end. The first slot of the window has a notification to signal at, which does not come back. Word 1: a [`PipeKind`], the same for
    /// both ends. For a pipe of bytes the frame comes in the first slot of the window.
    Connect = 0,
    /// Send word 1.
    Push = 1,
    /// Receive an item. Answer: word 1.
    Pop = 2,
    /// Send the first bytes of the frame, all or none. Word 1: how many.
    Write = 3,
    /// Receive bytes into the frame. Word 1: how many at most. Answer: word 1: how many.
    Read = 4,
    /// This end is not used any more.
    Close = 5,
}

impl PipeRequest {
    /// The request with this number, if there is one.
    #[must_use]
    #[inline(always)]
    pub fn from_number(number: u64) -> Option<PipeRequest> {
        use PipeRequest::{Close, Connect, Pop, Push, Read, Write};
        [Connect, Push, Pop, Write, Read, Close].into_iter().find(|&request| request as u64 == number)
    }
}

/// What a pipe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum PipeKind {
    /// Items of 8 bytes.
    Items = 0,
    /// Any number of bytes.
    Bytes = 1,
}

impl PipeKind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<PipeKind> {
        [PipeKind::Items, PipeKind::Bytes].into_iter().find(|&kind| kind as u64 == number)
    }
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum PipeStatus {
    /// It was done.
    Done = 0,
    /// There is no room now. The end is signalled when there is.
    Full = 1,
    /// There is nothing now. The end is signalled when there is.
    Empty = 2,
    /// The other end is gone, and there is nothing left.
    Closed = 3,
    /// More bytes than fit into the frame.
    TooLong = 4,
}

/// What the context word of an end's endpoint is: the number of the pipe, and which end.
#[must_use]
pub const fn producer_context(pipe: u64) -> u64 {
    pipe * 2
}

/// The same for the other end.
#[must_use]
pub const fn consumer_context(pipe: u64) -> u64 {
    pipe * 2 + 1
}

/// How long an end sleeps before it asks on its own account whether the other one is still there.
const PATIENCE_NS: u64 = 100_000_000;

/// The first slot of the window, as a bit.
const FIRST: u64 = 1;

/// An end that is connected. When it goes, it is closed.
struct End {
    endpoint: Endpoint,
    bell: Notification,
}

impl End {
    /// Connects an end. Returns also which slots of the window have come along.
    fn connect(endpoint: Endpoint, bell: Notification, kind: PipeKind) -> Result<(Self, u64), Error> {
        OWN_TABLE.copy(WINDOW, bell.0, Rights::WRITE | Rights::GRANT)?;
        match endpoint.call_with_window([PipeRequest::Connect as u64, kind as u64, 0, 0], FIRST) {
            Ok(([0, ..], window)) => Ok((Self { endpoint, bell }, window)),
            Ok(([status, ..], _)) => Err(Error::from_status(status.cast_signed()).unwrap_or(Error::UnknownOperation)),
            Err(error) => {
                // The notification may be in the window still.
                OWN_TABLE.delete(WINDOW).unwrap_or_default();
                Err(error)
            }
        }
    }

    /// Connects an end of a pipe of bytes. Its frame goes into a slot, and is mapped.
    fn connect_bytes(endpoint: Endpoint, bell: Notification, slot: u64, address: u64) -> Result<(Self, Bytes), Error> {
        let (end, window) = Self::connect(endpoint, bell, PipeKind::Bytes)?;
        if window & FIRST == 0 {
            return Err(Error::InvalidCapability);
        }
        OWN_TABLE.move_here(slot, WINDOW).or_else(|error| OWN_TABLE.delete(WINDOW).and(Err(error)))?;
        OWN_SPACE.map(Frame(slot), address, Access::ReadWrite)?;
        let start = NonNull::new(ptr::with_exposed_provenance_mut(address as usize)).ok_or(Error::InvalidAddress)?;
        Ok((end, Bytes { start, slot }))
    }

    /// Asks the server, and returns word 1 of its answer.
    #[inline(always)]
    fn request(&self, request: PipeRequest, word: u64) -> Result<u64, PipeError> {
        const DONE: u64 = PipeStatus::Done as u64;
        match self.endpoint.call([request as u64, word, 0, 0]) {
            Ok([DONE, word, ..]) => Ok(word),
            Ok([status, ..]) => Err(error_of(status)),
            // Nobody else has what was in the pipe. Where the task was only stopped meanwhile, nobody can tell whether the item was taken.
            Err(_) => Err(PipeError::Closed),
        }
    }

    /// Asks until the answer is another one than `meanwhile`.
    #[inline(always)]
    fn request_waiting(&self, request: PipeRequest, word: u64, meanwhile: PipeError) -> Result<u64, PipeError> {
        loop {
            match self.request(request, word) {
                Err(error) if error == meanwhile => self.wait()?,
                outcome => return outcome,
            }
        }
    }

    /// Sleeps until the server signals, or it is time to ask again.
    #[cold]
    fn wait(&self) -> Result<(), PipeError> {
        match self.bell.wait_for(PATIENCE_NS) {
            Ok(_) | Err(Error::TimedOut | Error::Interrupted) => Ok(()),
            Err(_) => Err(PipeError::Closed),
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A server that is gone has closed it.
        self.request(PipeRequest::Close, 0).unwrap_or_default();
    }
}

/// What an answer means. One that is none of these comes from a server that is not honest, or does not know this end.
fn error_of(status: u64) -> PipeError {
    const ERRORS: [(PipeStatus, PipeError); 4] = [
        (PipeStatus::Full, PipeError::Full),
        (PipeStatus::Empty, PipeError::Empty),
        (PipeStatus::Closed, PipeError::Closed),
        (PipeStatus::TooLong, PipeError::TooLong),
    ];
    let found = ERRORS.into_iter().find(|&(known, _)| known as u64 == status);
    found.map_or(PipeError::Corrupt, |(_, error)| error)
}

/// The end of a kernel-mediated pipe that sends items.
pub struct MediatedProducer(End);

impl MediatedProducer {
    /// Connects this end. `bell` is a notification of this program's own, for nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] where the end is connected already, was and the other one still is, or the other one is for bytes; [`Error::SlotOccupied`] where
    /// the first slot of the window is not empty; [`Error::InvalidArgument`] where the server has no such end; what the kernel says.
    pub fn connect(endpoint: Endpoint, bell: Notification) -> Result<Self, Error> {
        End::connect(endpoint, bell, PipeKind::Items).map(|(end, _)| Self(end))
    }
}

impl Sink<u64> for MediatedProducer {
    #[inline(always)]
    fn push(&mut self, item: u64) -> Result<(), PipeError> {
        self.0.request(PipeRequest::Push, item).map(|_| ())
    }

    #[inline(always)]
    fn push_waiting(&mut self, item: u64) -> Result<(), PipeError> {
        self.0.request_waiting(PipeRequest::Push, item, PipeError::Full).map(|_| ())
    }
}

/// The end of a kernel-mediated pipe that receives items.
pub struct MediatedConsumer(End);

impl MediatedConsumer {
    /// Connects this end; see [`MediatedProducer::connect`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn connect(endpoint: Endpoint, bell: Notification) -> Result<Self, Error> {
        End::connect(endpoint, bell, PipeKind::Items).map(|(end, _)| Self(end))
    }
}

impl Source<u64> for MediatedConsumer {
    #[inline(always)]
    fn pop(&mut self) -> Result<u64, PipeError> {
        self.0.request(PipeRequest::Pop, 0)
    }

    #[inline(always)]
    fn pop_waiting(&mut self) -> Result<u64, PipeError> {
        self.0.request_waiting(PipeRequest::Pop, 0, PipeError::Empty)
    }
}

/// The frame that an end of a pipe of bytes shares with the server. The server touches it while it is called.
struct Bytes {
    start: NonNull<[u8; MOST_BYTES]>,
    slot: u64,
}

impl Bytes {
    fn get(&self) -> &[u8; MOST_BYTES] {
        // SAFETY: the frame was mapped there, where nothing else was. The server is trusted not to write there while it is not called: whoever
        // uses a kernel-mediated pipe trusts it with all that goes through.
        unsafe { self.start.as_ref() }
    }

    fn get_mut(&mut self) -> &mut [u8; MOST_BYTES] {
        // SAFETY: as above.
        unsafe { self.start.as_mut() }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // The server may have taken it back.
        OWN_TABLE.delete(self.slot).unwrap_or_default();
    }
}

/// The end of a kernel-mediated pipe that sends bytes.
pub struct MediatedWriter {
    end: End,
    bytes: Bytes,
}

impl MediatedWriter {
    /// Connects this end; see [`MediatedProducer::connect`]. The frame goes into a slot, and is mapped at an address.
    ///
    /// # Errors
    ///
    /// The same, and those of mapping. The end is closed then.
    pub fn connect(endpoint: Endpoint, bell: Notification, slot: u64, address: u64) -> Result<Self, Error> {
        End::connect_bytes(endpoint, bell, slot, address).map(|(end, bytes)| Self { end, bytes })
    }

    /// The memory from which bytes are sent: what a Unix program would give to `write`.
    pub fn bytes(&mut self) -> &mut [u8; MOST_BYTES] {
        self.bytes.get_mut()
    }

    /// Sends the first bytes, so many.
    ///
    /// # Errors
    ///
    /// [`PipeError::Full`] where there is not room for all, [`PipeError::Closed`], [`PipeError::TooLong`] for more than [`MOST_BYTES`],
    /// [`PipeError::Corrupt`].
    #[inline(always)]
    pub fn write(&mut self, count: usize) -> Result<(), PipeError> {
        self.end.request(PipeRequest::Write, count as u64).map(|_| ())
    }

    /// Sends the first bytes, so many. Sleeps while there is not room for all.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    #[inline(always)]
    pub fn write_waiting(&mut self, count: usize) -> Result<(), PipeError> {
        self.end.request_waiting(PipeRequest::Write, count as u64, PipeError::Full).map(|_| ())
    }
}

impl MediatedWriter {
    /// Copies bytes to where they are sent from. Returns how many.
    fn fill(&mut self, bytes: &[u8]) -> Result<usize, PipeError> {
        self.bytes().get_mut(..bytes.len()).ok_or(PipeError::TooLong)?.copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl ByteSink for MediatedWriter {
    fn send(&mut self, bytes: &[u8]) -> Result<(), PipeError> {
        let count = self.fill(bytes)?;
        self.write(count)
    }

    fn send_waiting(&mut self, bytes: &[u8]) -> Result<(), PipeError> {
        let count = self.fill(bytes)?;
        self.write_waiting(count)
    }
}

/// The end of a kernel-mediated pipe that receives bytes.
pub struct MediatedReader {
    end: End,
    bytes: Bytes,
}

impl MediatedReader {
    /// Connects this end; see [`MediatedWriter::connect`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn connect(endpoint: Endpoint, bell: Notification, slot: u64, address: u64) -> Result<Self, Error> {
        End::connect_bytes(endpoint, bell, slot, address).map(|(end, bytes)| Self { end, bytes })
    }

    /// Receives bytes: up to so many, as many as there are, at least one if any is asked for.
    ///
    /// # Errors
    ///
    /// [`PipeError::Empty`], [`PipeError::Closed`], [`PipeError::TooLong`] for more than [`MOST_BYTES`], [`PipeError::Corrupt`].
    #[inline(always)]
    pub fn read(&mut self, most: usize) -> Result<&[u8], PipeError> {
        let count = self.end.request(PipeRequest::Read, most as u64)?;
        self.bytes.get().get(..count as usize).ok_or(PipeError::Corrupt)
    }

    /// Receives bytes. Sleeps while there are none.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    #[inline(always)]
    pub fn read_waiting(&mut self, most: usize) -> Result<&[u8], PipeError> {
        let count = self.end.request_waiting(PipeRequest::Read, most as u64, PipeError::Empty)?;
        self.bytes.get().get(..count as usize).ok_or(PipeError::Corrupt)
    }
}

/// Copies what was received to where it is wanted. Returns how much that is.
fn copy_out(received: &[u8], bytes: &mut [u8]) -> Result<usize, PipeError> {
    // The server gives no more than was asked for, if it is honest.
    bytes.get_mut(..received.len()).ok_or(PipeError::Corrupt)?.copy_from_slice(received);
    Ok(received.len())
}

impl ByteSource for MediatedReader {
    fn receive(&mut self, bytes: &mut [u8]) -> Result<usize, PipeError> {
        copy_out(self.read(bytes.len().min(MOST_BYTES))?, bytes)
    }

    fn receive_waiting(&mut self, bytes: &mut [u8]) -> Result<usize, PipeError> {
        copy_out(self.read_waiting(bytes.len().min(MOST_BYTES))?, bytes)
    }
}
