//! Frames, small and large, and the address spaces in which they are mapped.
//!
//! A frame capability keeps where it is mapped, in its words: the page of the space, that page's generation, and the user address.
//! One capability, one mapping; copies are mapped on their own. When a space ends, its page gets another generation, and so all
//! capabilities that were mapped there no longer are, without anybody looking for them.

use flatmk_abi::{Access, Error, Kind, Rights};

use super::memory::{attached_to, give_back, with_region};
use super::slot::Slot;
#[cfg(feature = "chapter11")]
use crate::memory::Region;
use crate::memory::{AddressSpace, Frame, FrameSize, MapError, PageKind, entry_of};

/// The words of a frame capability that is not mapped.
pub(super) const NOT_MAPPED: [u64; 3] = [0; 3];

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

/// The size of the frame of a capability.
pub(super) fn size_of_frame(kind: Kind) -> Option<FrameSize> {
    match kind {
        Kind::Frame => Some(FrameSize::Small),
        Kind::LargeFrame => Some(FrameSize::Large),
        _ => None,
    }
}

/// Checks that a slot holds a frame, small or large, with these rights.
fn require_frame(slot: &Slot, rights: Rights) -> Result<(Frame, FrameSize), Error> {
    let (kind, size) = match size_of_frame(slot.kind()) {
        Some(size) => (slot.kind(), size),
        None => (Kind::Frame, FrameSize::Small),
    };
    let frame = slot.require(kind, rights)?.page().ok_or(Error::InvalidCapability)?;
    Ok((frame, size))
}

/// Where the frame of a capability is mapped.
///
/// # Errors
///
/// [`Error::NotMapped`].
pub(super) fn mapping_of(slot: &Slot) -> Result<(AddressSpace, u64), Error> {
    let [space, generation, address] = slot.words();
    let top = (space != 0).then(|| Frame::at_window_address(space)).ok_or(Error::NotMapped)?;
    let entry = entry_of(top).filter(|entry| entry.kind() == PageKind::AddressSpace);
    match entry {
        Some(entry) if entry.generation() == generation => Ok((AddressSpace::from_top(top), address)),
        _ => Err(Error::NotMapped),
    }
}

// ANCHOR: map
/// A mapping that has been checked.
pub struct MapRequest<'a> {
    space: AddressSpace,
    frame_slot: &'a Slot,
    frame: Frame,
    size: FrameSize,
    address: u64,
    access: Access,
}

impl<'a> MapRequest<'a> {
    /// Checks rights and arguments.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Map`, but for those of [`perform`](Self::perform).
    #[inline(always)]
    pub fn decode(space: AddressSpace, frame_slot: &'a Slot, address: u64, access: u64) -> Result<Self, Error> {
        let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
        let (frame, size) = require_frame(frame_slot, access.needed_rights())?;
        if mapping_of(frame_slot).is_ok() {
            return Err(Error::AlreadyMapped);
        }
        Ok(Self { space, frame_slot, frame, size, address, access })
    }

    /// Maps the frame. The walk through the page tables is both check and change, so it can fail here; then nothing has changed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAddress`], [`Error::AlreadyMapped`] and [`Error::OutOfMemory`].
    #[inline(always)]
    pub fn perform(self) -> Result<(), Error> {
        let Self { space, frame_slot, frame, size, address, access } = self;
        match space.map_without_tables(address, frame, size, access) {
            Ok(true) => {}
            Ok(false) => {
                let memory = attached_to(space.top()).ok_or(Error::OutOfMemory)?;
                with_region(memory, |region| space.map(address, frame, size, access, region))?;
            }
            Err(MapError::AlreadyMapped) if size == FrameSize::Large => {
                // Small frames were mapped here once, and their page table is left.
                give_back(space.remove_empty_table(address).ok_or(Error::AlreadyMapped)?);
                let mapped = space.map_without_tables(address, frame, size, access)?;
                debug_assert!(mapped, "the table above it is there");
            }
            Err(error) => return Err(error.into()),
        }
        let top = space.top();
        let generation = entry_of(top).map_or(0, |entry| entry.generation());
        frame_slot.set_words([top.window_address(), generation, address]);
        Ok(())
    }
}
// ANCHOR_END: map

/// Lends the memory from which a space takes its page tables.
#[cfg(feature = "chapter11")]
pub(crate) fn page_tables_from<R>(
    space: AddressSpace,
    use_it: impl FnOnce(&mut Region) -> Result<R, MapError>,
) -> Result<R, Error> {
    let memory = attached_to(space.top()).ok_or(Error::OutOfMemory)?;
    Ok(with_region(memory, use_it)?)
}

/// The end of a mapping, checked.
pub struct UnmapRequest<'a> {
    frame_slot: &'a Slot,
    space: AddressSpace,
    address: u64,
}

impl<'a> UnmapRequest<'a> {
    /// Checks it.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Unmap`.
    pub fn decode(frame_slot: &'a Slot) -> Result<Self, Error> {
        require_frame(frame_slot, Rights::empty())?;
        let (space, address) = mapping_of(frame_slot)?;
        Ok(Self { frame_slot, space, address })
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// None: what the capability says is mapped is mapped.
    pub fn perform(self) -> Result<(), Error> {
        let (_, flush) = self.space.unmap(self.address)?;
        flush.now();
        self.frame_slot.set_words(NOT_MAPPED);
        Ok(())
    }
}

/// A change of the access of a mapping, checked.
pub struct ProtectRequest {
    space: AddressSpace,
    address: u64,
    access: Access,
}

impl ProtectRequest {
    /// Checks it.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Protect`.
    pub fn decode(slot: &Slot, access: u64) -> Result<Self, Error> {
        require_frame(slot, Rights::empty())?;
        let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
        require_frame(slot, access.needed_rights())?;
        let (space, address) = mapping_of(slot)?;
        Ok(Self { space, address, access })
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// None: what the capability says is mapped is mapped.
    pub fn perform(self) -> Result<(), Error> {
        self.space.protect(self.address, self.access)?.now();
        Ok(())
    }
}

/// Undoes the mapping of a slot that is about to be emptied, if its frame is mapped. Tells that this is done.
#[inline]
pub(super) fn release(slot: &Slot) -> bool {
    let [space, ..] = slot.words();
    if space != 0 {
        release_mapped(slot);
    }
    true
}

#[inline(never)]
fn release_mapped(slot: &Slot) {
    // The space may be gone by now, and the mapping with it.
    UnmapRequest::decode(slot).and_then(UnmapRequest::perform).unwrap_or_default();
}
