//! The memory-sharing daemon, as its clients see it.
//!
//! A client holds an endpoint to the daemon, minted with a number of its own. It attaches its address space, and makes regions: some frames of the
//! daemon's, mapped into its space. A region is an endpoint itself, which comes by capability transfer: whoever has it can map the same frames, or be
//! handed the frames. What a client has made goes, from all spaces, when it gives it up, or when its address space is gone.
//!
//! It also makes pipes, which are described in [`pipe`](crate::pipe).

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Access, Error, Rights, Words};

use crate::object::{Endpoint, Frame, OWN_TABLE, identify};

/// The most frames of a region.
pub const REGION_FRAMES: u64 = 8;

/// What the daemon is asked: word 0 of the message. Word 0 of the answer is 0 or an [`Error`]'s status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum SharingRequest {
    /// How many frames does the client have? Answer: word 1.
    Query = 0,
    /// Here is my address space, in the first slot of the window. It does not come back.
    Attach = 1,
    /// Make a region. Word 1: how many frames; word 2: the address at which they are mapped for the client. The region comes in the first slot of the window.
    Create = 2,
    /// Take back all regions of the client, and its space.
    Detach = 3,
    /// To a region: map it into the space in the first slot of the window, which does not come back. Word 1: the address; word 2: how, an [`Access`].
    Map = 4,
    /// To a region: word 1: the number of a frame, whose capability comes in the first slot of the window.
    Frame = 5,
    /// Make a pipe. Word 1: how many frames of data. The ends come in the first two slots of the window.
    CreatePipe = 6,
    /// To a new end of a pipe: map it into the space in the first slot of the window, which does not come back. Word 1: the address. Answer: word 1: the size of
    /// the buffer in bytes; in the first three slots of the window what to wait on, what to signal, and the open end.
    OpenPipe = 7,
    /// To an open end, or to one that is still new: close it.
    ClosePipe = 8,
    /// To an open end: is the other one there? [`Error::CalleeGone`] if not.
    LookForPeer = 9,
}

impl SharingRequest {
    /// The request with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<SharingRequest> {
        SharingRequest::ALL.into_iter().find(|&request| request as u64 == number)
    }

    /// All requests.
    pub const ALL: [SharingRequest; 10] = {
        use SharingRequest::{Attach, ClosePipe, Create, CreatePipe, Detach, Frame, LookForPeer, Map, OpenPipe, Query};
        [Query, Attach, Create, Detach, Map, Frame, CreatePipe, OpenPipe, ClosePipe, LookForPeer]
    };
}

/// Word 1 of an answer, unless word 0 says that the request has failed.
#[inline(always)]
pub(crate) fn outcome([status, word, ..]: Words) -> Result<u64, Error> {
    match status.cast_signed() {
        0 => Ok(word),
        status => Err(Error::from_status(status).unwrap_or(Error::UnknownOperation)),
    }
}

/// The first slot of the window, as a bit.
const FIRST: u64 = 1;

// ANCHOR: window
/// Calls with a copy of the client's space in the window.
fn call_with_space(endpoint: Endpoint, message: Words) -> Result<(), Error> {
    OWN_TABLE.copy(WINDOW, slots::SPACE, Rights::MANAGE | Rights::GRANT)?;
    let result = endpoint.call_with_window(message, FIRST).and_then(|(answer, _)| outcome(answer));
    // It is in the window still if the call was refused.
    OWN_TABLE.delete(WINDOW).or_else(|error| if error == Error::InvalidCapability { Ok(()) } else { Err(error) })?;
    result.map(|_| ())
}

/// Whether a slot can take what will come.
pub(crate) fn check_is_free(slot: u64) -> Result<(), Error> {
    match identify(slot) {
        Ok(_) => Err(Error::SlotOccupied),
        // What comes, comes through the window.
        Err(_) if !(1..WINDOW).contains(&slot) => Err(Error::InvalidArgument),
        Err(_) => Ok(()),
    }
}

/// Calls, and puts what comes in the window into a slot.
fn call_for(endpoint: Endpoint, message: Words, slot: u64) -> Result<(), Error> {
    // What has come must have somewhere to go.
    check_is_free(slot)?;
    let (answer, window) = endpoint.call_with_window(message, 0)?;
    outcome(answer)?;
    if window & FIRST == 0 { Err(Error::InvalidCapability) } else { OWN_TABLE.move_here(slot, WINDOW) }
}
// ANCHOR_END: window

/// A client's endpoint to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing(pub Endpoint);

impl Sharing {
    /// How many frames the client has.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    #[inline(always)]
    pub fn query(self) -> Result<u64, Error> {
        self.0.call([SharingRequest::Query as u64, 0, 0, 0]).and_then(outcome)
    }

    /// Tells the daemon the client's address space. It is the client's as long as this capability to it exists: revoking what it was derived from, or the
    /// memory it was made from, is how the daemon learns that the client is gone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] where it was told before, [`Error::WrongKind`], [`Error::MissingRight`] and [`Error::InvalidCapability`] where the window
    /// brings no address space that the daemon can map into.
    pub fn attach(self) -> Result<(), Error> {
        call_with_space(self.0, [SharingRequest::Attach as u64, 0, 0, 0])
    }

    /// Makes a region, mapped at an address, and puts its endpoint into a slot.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] before [`attach`](Self::attach), [`Error::InvalidArgument`] for no frame or more than [`REGION_FRAMES`],
    /// [`Error::OutOfMemory`] also where there are too many regions, [`Error::SlotOccupied`] where the slot or the first slot of the window is not
    /// empty, and those of mapping. Nothing has changed then.
    pub fn create(self, frame_count: u64, address: u64, slot: u64) -> Result<Region, Error> {
        call_for(self.0, [SharingRequest::Create as u64, frame_count, address, 0], slot)?;
        Ok(Region(Endpoint(slot)))
    }

    /// Gives up all regions, and the space.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] before [`attach`](Self::attach).
    pub fn detach(self) -> Result<(), Error> {
        self.0.call([SharingRequest::Detach as u64, 0, 0, 0]).and_then(outcome).map(|_| ())
    }
}

/// A region: some frames that several tasks can map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(pub Endpoint);

impl Region {
    /// Maps it into the caller's space.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] where the region is gone, [`Error::CalleeGone`] where it went while the call waited, [`Error::OutOfMemory`] where
    /// it is mapped into too many spaces, and those of mapping. Nothing has changed then.
    pub fn map(self, address: u64, access: Access) -> Result<(), Error> {
        call_with_space(self.0, [SharingRequest::Map as u64, address, access as u64, 0])
    }

    /// Puts the capability to one of its frames into a slot.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where there is no such frame, [`Error::SlotOccupied`] where the slot or the first slot of the window is not empty;
    /// [`Error::InvalidCapability`] and [`Error::CalleeGone`] as for [`map`](Self::map).
    pub fn frame(self, index: u64, slot: u64) -> Result<Frame, Error> {
        call_for(self.0, [SharingRequest::Frame as u64, index, 0, 0], slot)?;
        Ok(Frame(slot))
    }
}
