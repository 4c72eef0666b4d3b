//! Copy, mint, move and delete: how capabilities get from slot to slot.

use flatmk_abi::{Error, Kind, Rights};

use super::destroy::destroy;
use super::slot::{Content, Slot};
use super::table::Table;
use super::{mapping, memory};

// ANCHOR: copy
/// A copy or mint that has been checked.
pub struct TransferRequest<'a> {
    destination: &'a Slot,
    content: Content,
}

impl<'a> TransferRequest<'a> {
    /// Checks a copy: `rights` are what the copy keeps of the source's.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Copy`.
    pub fn decode_copy(table: &'a Table, destination: u64, source: &Slot, rights: u64) -> Result<Self, Error> {
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
        let mut content = Content { rights: source.rights() & rights, ..source.content() };
        if content.kind == Kind::Frame {
            // The mapping belongs to the capability it was made with.
            content.words = mapping::NOT_MAPPED;
        }
        Ok(Self { destination, content })
    }

    /// Checks a mint: a copy of an endpoint with a context word of its own.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Mint`.
    pub fn decode_mint(
        table: &'a Table,
        destination: u64,
        source: &Slot,
        rights: u64,
        context: u64,
    ) -> Result<Self, Error> {
        let mut request = Self::decode_copy(table, destination, source, rights)?;
        source.require(Kind::Endpoint, Rights::MANAGE)?;
        let [entry, _] = request.content.words;
        request.content.words = [entry, context];
        Ok(request)
    }

    /// Does it.
    pub fn perform(self) {
        self.destination.fill(self.content);
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
        Ok(Self { destination, source })
    }

    /// Does it.
    pub fn perform(self) {
        // The destination is filled first, so that the object is never without a capability.
        self.destination.fill(self.source.content());
        self.source.clear();
        memory::note_owner(self.destination);
    }
}

/// Puts a new capability into an empty slot. For the kernel's own use, at boot and in `make`.
pub fn insert_new(slot: &Slot, content: Content) {
    slot.fill(content);
    memory::note_owner(slot);
}

/// Empties slot `index` of the table.
///
/// # Errors
///
/// Those that the interface lists for `Delete`.
pub fn delete(table: &Table, index: u64) -> Result<(), Error> {
    let slot = table.own_slot(index)?;
    match slot.kind() {
        Kind::Empty => Err(Error::InvalidCapability),
        // Its pages would be lost; taking memory back is what revocation is for.
        Kind::Memory => Err(Error::InvalidState),
        _ => {
            delete_slot(slot);
            Ok(())
        }
    }
}

/// Empties a slot; the object goes with its last capability.
pub fn delete_slot(slot: &Slot) {
    if slot.kind() == Kind::Frame {
        // A frame that is not mapped has nothing to undo.
        mapping::unmap(slot).unwrap_or_default();
    }
    memory::forget_owner(slot);
    let page = slot.page();
    if slot.clear()
        && let Some(page) = page
    {
        destroy(page);
    }
}
