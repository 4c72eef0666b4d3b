//! The firmware's tables, as far as they tell where counters are (ACPI specification, 5.2).
//!
//! Two fields are all that is needed of them. The crate `acpi`, with which the power driver reads them in user mode, wants every table mapped before
//! it can be looked at, wherever the firmware says it is. Here an address that is nowhere, a length that is too large or a sum that is wrong must
//! cost no more than the table, so each byte is fetched with a check.

use crate::memory::{Frame, kernel_frame, read_frame};

const PAGE_SIZE: u64 = flatmk_abi::layout::PAGE_SIZE;

/// The length of a table's header: signature, length, revision, checksum and names.
const HEADER_BYTES: u64 = 36;

/// The longest table that is looked at, and the most tables.
const MOST_BYTES: u64 = 64 * 1024;
const MOST_TABLES: u64 = 256;

/// Where the tables say that counters are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tables {
    /// The physical address of the registers of the high precision event timer.
    pub(super) event_timer: Option<u64>,
    /// The I/O port of the power management timer.
    pub(super) power_timer: Option<u16>,
}

/// A table in physical memory whose sum is right.
struct Table {
    address: u64,
    length: u64,
    signature: [u8; 4],
}

impl Tables {
    /// Looks through the tables, from the pointer that the bootloader has found.
    pub(super) fn find(root_pointer: Option<u64>) -> Self {
        let mut found = Self::default();
        for table in root_pointer.and_then(tables).into_iter().flatten() {
            match &table.signature {
                b"HPET" => found.event_timer = table.event_timer(),
                b"FACP" => found.power_timer = table.power_timer(),
                _ => {}
            }
        }
        found
    }
}

/// The tables that the root table lists (5.2.5.3, 5.2.7, 5.2.8).
fn tables(pointer: u64) -> Option<impl Iterator<Item = Table>> {
    (&read::<8>(pointer)? == b"RSD PTR ").then_some(())?;
    let [revision] = read(pointer + 15)?;
    let (root, width) = if revision == 0 { (word(pointer + 16)?, 4) } else { (long(pointer + 24)?, 8) };
    let root = Table::at(root)?;
    let count = ((root.length - HEADER_BYTES) / width).min(MOST_TABLES);
    let entries = (0..count).map(move |index| root.address + HEADER_BYTES + index * width);
    Some(entries.filter_map(move |entry| Table::at(if width == 4 { word(entry)? } else { long(entry)? })))
}

impl Table {
    /// The table at an address, if its sum is right (5.2.6).
    fn at(address: u64) -> Option<Self> {
        // ANCHOR: exercise-12-1
        let (signature, length) = (read(address)?, word(address + 4)?);
        if !(HEADER_BYTES..=MOST_BYTES).contains(&length) {
            return None;
        }
        let mut sum = 0_u8;
        for offset in 0..length {
            let [byte] = read(address + offset)?;
            sum = sum.wrapping_add(byte);
        }
        (sum == 0).then_some(Self { address, length, signature })
        // ANCHOR_END: exercise-12-1
    }

    /// The address of a field, if the table is long enough to have it.
    fn field(&self, offset: u64, bytes: u64) -> Option<u64> {
        (offset + bytes <= self.length).then_some(self.address + offset)
    }

    /// The address of the event timer's registers, which are in memory (IA-PC HPET specification, 3.2.4).
    fn event_timer(&self) -> Option<u64> {
        let [space] = read(self.field(40, 12)?)?;
        long(self.field(44, 8)?).filter(|&address| space == 0 && address.is_multiple_of(1024))
    }

    /// The port of the power management timer: the fixed field, which is there where the timer is (5.2.9).
    fn power_timer(&self) -> Option<u16> {
        let [length] = read(self.field(91, 1)?)?;
        let port = u16::try_from(word(self.field(76, 4)?)?).ok()?;
        (length == 4 && port != 0).then_some(port)
    }
}

fn word(address: u64) -> Option<u64> {
    read(address).map(|bytes| u32::from_le_bytes(bytes).into())
}

fn long(address: u64) -> Option<u64> {
    read(address).map(u64::from_le_bytes)
}

/// Bytes of physical memory, where the window has them.
fn read<const COUNT: usize>(address: u64) -> Option<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    for (address, byte) in (address..).zip(&mut bytes) {
        let frame = Frame::containing(address)?;
        if kernel_frame(frame.window_address()) != Some(frame) {
            return None;
        }
        read_frame(frame, address % PAGE_SIZE, core::slice::from_mut(byte));
    }
    Some(bytes)
}
