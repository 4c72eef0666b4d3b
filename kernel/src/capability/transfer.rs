//! Copy, mint and move: how capabilities get from slot to slot.

use core::ops::RangeInclusive;

use flatmk_abi::{Error, Kind, Rights};

use super::slot::{Content, DeviceWords, Slot};
use super::table::Table;
use super::{destroy, frame, memory, removal};
use crate::planted::{Bug, planted};

// ANCHOR: copy
/// A copy or mint that has been checked.
pub struct TransferRequest<'a> {
    destination: &'a Slot,
    source: &'a Slot,
    rights: Rights,
    words: [u64; 3],
    /// Of device memory.
    first_page: u32,
}

impl<'a> TransferRequest<'a> {
    /// Checks a copy: `rights` are what the copy keeps of the source's.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Copy`.
    pub fn decode_copy(table: &'a Table, destination: u64, source: &'a Slot, rights: u64) -> Result<Self, Error> {
        let (destination, rights) = decode_target(table, destination, source, rights)?;
        // A mapping belongs to the capability it was made with.
        let (first_page, words) = match source.kind() {
            Kind::Frame | Kind::LargeFrame => (0, frame::NOT_MAPPED),
            Kind::DeviceMemory => destroy::copy_device(source),
            _ => (0, source.words()),
        };
        Ok(Self { destination, source, rights, words, first_page })
    }

    /// Checks a mint: a copy of an endpoint with a context word of its own, or of lines, ports or device memory of which it has a part.
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
        let (destination, rights) = decode_target(table, destination, source, rights)?;
        let kind = source.kind();
        let has_parts = matches!(kind, Kind::Interrupts | Kind::Ports | Kind::DeviceMemory);
        if !has_parts && !matches!(kind, Kind::Endpoint | Kind::SoftuserEndpoint) {
            return Err(Error::WrongKind);
        }
        if !source.rights().contains(Rights::MANAGE) {
            return Err(Error::MissingRight);
        }
        let (first_page, words) = if has_parts {
            part_of(source, context).ok_or(Error::InvalidArgument)?
        } else {
            (0, [source.word::<0>(), context, 0])
        };
        Ok(Self { destination, source, rights, words, first_page })
    }

    /// Does it.
    pub fn perform(self) {
        let Self { destination, source, rights, words, first_page } = self;
        let content = source.content();
        destination.fill_below(source, Content { rights, words, ..content });
        if content.kind == Kind::DeviceMemory {
            destination.set_device(DeviceWords { first_page, words });
        }
    }
}
// ANCHOR_END: copy

/// What is checked for copy and mint alike: where it goes, and with which rights.
#[inline(always)]
fn decode_target<'a>(
    table: &'a Table,
    destination: u64,
    source: &Slot,
    rights: u64,
) -> Result<(&'a Slot, Rights), Error> {
    // ANCHOR: exercise-4-5
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
    Ok((destination, source.rights() & rights))
    // ANCHOR_END: exercise-4-5
}

/// The words of a capability to a part of what another leads to, and of device memory its first page.
#[cold]
#[inline(never)]
fn part_of(source: &Slot, context: u64) -> Option<(u32, [u64; 3])> {
    let [first, second, _] = source.words();
    match source.kind() {
        Kind::Interrupts if context != 0 && context & !first == 0 => Some((0, [context, 0, 0])),
        Kind::Ports => some_ports(context, first..=second).map(|words| (0, words)),
        Kind::DeviceMemory => destroy::part_of_device(source, context),
        _ => None,
    }
}

/// The words of a capability to some of these ports: the first in bits 0 to 15, the last in bits 16 to 31.
fn some_ports(context: u64, ports: RangeInclusive<u64>) -> Option<[u64; 3]> {
    let (first, last) = (context & 0xffff, context >> 16);
    (first <= last && ports.contains(&first) && ports.contains(&last)).then_some([first, last, 0])
}

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
        removal::note_move(self.source, self.destination);
        if !planted(Bug::OwnerIsNotNoted) {
            memory::note_owner(self.destination);
        }
        if self.destination.kind() == Kind::Reply {
            destroy::reply_moved(self.destination);
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
