//! Frames and the address spaces in which they are mapped.
//!
//! A frame capability keeps where it is mapped, in its two words: the top-level table's address in the window, and the user address.
//! One capability, one mapping; copies are mapped on their own.

use flatmk_abi::{Access, Error, Kind, Rights};

use super::memory::with_region;
use super::slot::Slot;
use crate::memory::{AddressSpace, Frame, MapError, PageKind, entry_of};

/// The words of a frame capability that is not mapped.
pub(super) const NOT_MAPPED: [u64; 2] = [0; 2];

impl From<MapError> for Error {
    fn from(error: MapError) -> Error {
        match error {
            MapError::InvalidAddress => Error::InvalidAddress,
            MapError::AlreadyMapped => Error::AlreadyMapped,
            MapError::NotMapped => Error::NotMapped,
            MapError::OutOfMemory => Error::OutOfMemory,
        }
    }
}

impl AddressSpace {
    /// The space that a capability leads to.
    ///
    /// # Errors
    ///
    /// Those of [`Slot::require`], with the manage right.
    pub fn from_capability(slot: &Slot) -> Result<Self, Error> {
        let top = slot.require(Kind::AddressSpace, Rights::MANAGE)?.page().ok_or(Error::InvalidCapability)?;
        Ok(Self::from_top(top))
    }
}

/// A mapping that has been checked.
pub struct MapRequest<'a> {
    space: AddressSpace,
    frame_slot: &'a Slot,
    frame: Frame,
    address: u64,
    access: Access,
    memory: &'a Slot,
}

impl<'a> MapRequest<'a> {
    /// Checks rights and arguments.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Map`, but for those of [`perform`](Self::perform).
    pub fn decode(space: &Slot, frame: &'a Slot, address: u64, access: u64, memory: &'a Slot) -> Result<Self, Error> {
        let space = AddressSpace::from_capability(space)?;
        let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
        let frame_slot = frame.require(Kind::Frame, access.needed_rights())?;
        let frame = frame_slot.page().ok_or(Error::InvalidCapability)?;
        let memory = memory.require(Kind::Memory, Rights::MANAGE)?;
        if frame_slot.content().words != NOT_MAPPED {
            return Err(Error::AlreadyMapped);
        }
        Ok(Self { space, frame_slot, frame, address, access, memory })
    }

    /// Maps the frame. The walk through the page tables is both check and change, so it can fail here; then nothing has changed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`], [`Error::AlreadyMapped`] and [`Error::OutOfMemory`].
    pub fn perform(self) -> Result<(), Error> {
        let Self { space, frame_slot, frame, address, access, memory } = self;
        with_region(memory, |region| space.map(address, frame, access, region))?.now();
        frame_slot.set_words([space.top().window_address(), address]);
        Ok(())
    }
}

/// Undoes the mapping of a frame capability.
///
/// # Errors
///
/// [`Error::NotMapped`].
pub fn unmap(slot: &Slot) -> Result<(), Error> {
    let [space, address] = slot.content().words;
    if [space, address] == NOT_MAPPED {
        return Err(Error::NotMapped);
    }
    let top = Frame::from_window_address(space).ok_or(Error::NotMapped)?;
    let (_, flush) = AddressSpace::from_top(top).unmap(address)?;
    flush.now();
    slot.set_words(NOT_MAPPED);
    Ok(())
}

/// An address space is about to go: the frames that are mapped in it no longer are.
pub(super) fn forget_mappings(space: AddressSpace) {
    let space_address = space.top().window_address();
    space.for_each_page(|address, frame| {
        let is_frame = entry_of(frame).is_some_and(|entry| entry.kind() == PageKind::Frame);
        let mapped = is_frame.then(|| Slot::all_of(frame)).into_iter().flatten();
        mapped
            .filter(|slot| slot.kind() == Kind::Frame && slot.content().words == [space_address, address])
            .for_each(|slot| slot.set_words(NOT_MAPPED));
    });
}
