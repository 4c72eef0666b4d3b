//! Copy, mint and move: how capabilities get from slot to slot.

use flatmk_abi::{Error, Kind, Rights};

use super::slot::{Content, Slot};
use super::table::Table;
use super::{frame, memory};
use crate::planted::{Bug, planted};

// ANCHOR: copy
/// A copy or mint that has been checked.
pub struct TransferRequest<'a> {
    destination: &'a Slot,
    source: &'a Slot,
    rights: Rights,
    words: [u64; 3],
}

impl<'a> TransferRequest<'a> {
    /// Checks a copy: `rights` are what the copy keeps of the source's.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Copy`.
    pub fn decode_copy(table: &'a Table, destination: u64, source: &'a Slot, rights: u64) -> Result<Self, Error> {
        let destination = table.free_slot(destination)?;
        let rights = u8::try_from(rights).ok().and_then(Rights::from_bits).ok_or(Error::InvalidArgument)?;
        if source.is_empty() {
            return Err(Error::InvalidCapability);
        }
        // There is one capability to a range of memory, so that its pages cannot be handed out twice; and one to return.
        if matches!(source.kind(), Kind::Memory | Kind::Reply) {
            return Err(Error::WrongKind);
        }
        if !source.rights().contains(Rights::GRANT) {
            return Err(Error::MissingRight);
        }
        let rights = if planted(Bug::CopyKeepsRights) { Rights::all() } else { rights };
        // A mapping belongs to the capability it was made with.
        let is_frame = matches!(source.kind(), Kind::Frame | Kind::LargeFrame);
        let words = if is_frame { frame::NOT_MAPPED } else { source.words() };
        Ok(Self { destination, source, rights: source.rights() & rights, words })
    }

    /// Checks a mint: a copy of an endpoint with a context word of its own.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Mint`.
    pub fn decode_mint(
        table: &'a Table,
        destination: u64,
        source: &'a Slot,
        rights: u64,
        context: u64,
    ) -> Result<Self, Error> {
        let mut request = Self::decode_copy(table, destination, source, rights)?;
        source.require(Kind::Endpoint, Rights::MANAGE)?;
        let [entry, ..] = request.words;
        request.words = [entry, context, 0];
        Ok(request)
    }

    /// Does it.
    pub fn perform(self) {
        let Self { destination, source, rights, words } = self;
        destination.fill_below(source, Content { rights, words, ..source.content() });
    }
}
// ANCHOR_END: copy

/// A move that has been checked.
pub struct MoveRequest<'a> {
    destination: &'a Slot,
    source: &'a Slot,
}

impl<'a> MoveRequest<'a> {
    /// Checks a move.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Move`.
    pub fn decode(table: &'a Table, destination: u64, source: &'a Slot) -> Result<Self, Error> {
        let destination = table.free_slot(destination)?;
        if source.is_empty() {
            return Err(Error::InvalidCapability);
        }
        if !source.rights().contains(Rights::GRANT) {
            return Err(Error::MissingRight);
        }
        if source.kind() == Kind::Memory && memory::covers(source, destination) {
            return Err(Error::InvalidState);
        }
        Ok(Self { destination, source })
    }

    /// Does it.
    pub fn perform(self) {
        self.destination.take_over(self.source);
        if !planted(Bug::OwnerIsNotNoted) {
            memory::note_owner(self.destination);
        }
    }
}

/// Puts a new capability, derived from none, into an empty slot. For the kernel's own use, at boot.
pub fn insert_new(slot: &Slot, content: Content) {
    slot.fill_alone(content);
}

/// Puts a capability that is derived from another into an empty slot. For the kernel's own use.
pub fn insert_below(slot: &Slot, parent: &Slot, content: Content) {
    slot.fill_below(parent, content);
}
