//! Whether the tables can be given to a reader that trusts them.

use acpi::sdt::Signature;
use acpi::sdt::fadt::Fadt;
use acpi::{AcpiError, AcpiTables, PhysicalMapping};

use crate::fault::Fault;
use crate::handler::MachineHandler;
use crate::machine::Machine;

/// Lengths: of the structure at the beginning, in its first version and later; of the header of every table; of the shortest table of fixed features.
const RSDP_BYTES: usize = 20;
const RSDP_2_BYTES: usize = 36;
const HEADER_BYTES: usize = 36;
const FADT_BYTES: usize = 116;

/// No table is longer. Those of large machines have some hundred KiB.
const MOST_TABLE_BYTES: usize = 8 << 20;

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// All bytes of a table together are 0 (ACPI 6.5, 5.2.6).
fn is_whole(bytes: &[u8]) -> bool {
    bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte)) == 0
}

/// The length of a table that has one of these names, is whole, and has at least so many bytes.
pub(crate) fn check(
    machine: &impl Machine,
    physical: u64,
    names: &[[u8; 4]],
    least_bytes: usize,
) -> Result<usize, Fault> {
    let length_of = |header: &[u8]| {
        let is_named = names.iter().any(|name| header.starts_with(name));
        word(header, 4).filter(|_| is_named)
    };
    let length = machine.with_memory(physical, HEADER_BYTES, length_of).flatten();
    let length = length.ok_or(Fault::BadTable)? as usize;
    if !(least_bytes.max(HEADER_BYTES)..=MOST_TABLE_BYTES).contains(&length) {
        return Err(Fault::BadTable);
    }
    match machine.with_memory(physical, length, is_whole) {
        Some(true) => Ok(length),
        _ => Err(Fault::BadTable),
    }
}

// ANCHOR: open
/// The tables, and among them that of fixed features, as far as what they are found by is whole.
pub(crate) fn open<M: Machine>(machine: &M, rsdp: u64) -> Result<AcpiTables<MachineHandler<M>>, Fault> {
    if rsdp == 0 {
        return Err(Fault::NoTables);
    }
    let root = root_table(machine, rsdp)?;
    check(machine, root, &[*b"XSDT", *b"RSDT"], HEADER_BYTES)?;
    // SAFETY: the address is that of the structure, as was just found.
    let tables = unsafe { AcpiTables::from_rsdp(MachineHandler(machine.clone()), rsdp as usize) }?;
    let fixed = tables.table_headers().find(|(_, header)| header.signature == Signature::FADT);
    let (address, _) = fixed.ok_or(Fault::Tables(AcpiError::TableNotFound(Signature::FADT)))?;
    check(machine, address as u64, &[*b"FACP"], FADT_BYTES)?;
    Ok(tables)
}
// ANCHOR_END: open

/// The table of fixed features. It was checked when the tables were opened.
pub(crate) fn fixed_features<M: Machine>(
    tables: &AcpiTables<MachineHandler<M>>,
) -> Result<PhysicalMapping<MachineHandler<M>, Fadt>, Fault> {
    tables.find_table::<Fadt>().ok_or(Fault::Tables(AcpiError::TableNotFound(Signature::FADT)))
}

/// The address of the table of tables (ACPI 6.5, 5.2.5.3).
fn root_table(machine: &impl Machine, rsdp: u64) -> Result<u64, Fault> {
    let first = machine.with_memory(rsdp, RSDP_BYTES, |bytes| {
        let is_good = bytes.starts_with(b"RSD PTR ") && is_whole(bytes);
        is_good.then(|| Some((*bytes.get(15)?, word(bytes, 16)?))).flatten()
    });
    let (revision, short_address) = first.flatten().ok_or(Fault::BadTable)?;
    if revision == 0 {
        return Ok(short_address.into());
    }
    let address = machine.with_memory(rsdp, RSDP_2_BYTES, |bytes| {
        Some(u64::from(word(bytes, 24)?) | u64::from(word(bytes, 28)?) << 32).filter(|_| is_whole(bytes))
    });
    address.flatten().ok_or(Fault::BadTable)
}
