//! Starting anew.

use acpi::address::AddressSpace;

use crate::fault::Fault;
use crate::machine::{Machine, Width};
use crate::registers::Register;
use crate::tables;

/// The reset register of PC chip sets (Intel I/O Controller Hub 10, 13.7.5), and the values that reset everything, one after the other.
const RESET_PORT: u16 = 0xcf9;
const RESET_VALUES: [u32; 2] = [0x02, 0x06];

/// The command port of the keyboard controller, and the command that pulses the processor's reset line.
const KEYBOARD_PORT: u16 = 0x64;
const PULSE_RESET: u32 = 0xfe;

/// How long each way may take.
const RESET_NS: u64 = 50_000_000;

// ANCHOR: start_anew
/// Starts the machine anew: as the tables at this address say, else as most machines of the last decades do. Returns why it is still on.
pub fn start_anew<M: Machine>(machine: &M, rsdp: u64) -> Fault {
    let fault = by_tables(machine, rsdp).err().unwrap_or(Fault::NothingHappened);
    machine.wait_until(RESET_NS, || false);
    for value in RESET_VALUES {
        machine.write_port(RESET_PORT, Width::Byte, value);
    }
    machine.wait_until(RESET_NS, || false);
    machine.write_port(KEYBOARD_PORT, Width::Byte, PULSE_RESET);
    machine.wait_until(RESET_NS, || false);
    fault
}
// ANCHOR_END: start_anew

/// The reset register (ACPI 6.5, 4.8.4.6), where there is one.
fn by_tables<M: Machine>(machine: &M, rsdp: u64) -> Result<(), Fault> {
    let tables = tables::open(machine, rsdp)?;
    let fadt = tables::fixed_features(&tables)?;
    if !{ fadt.flags }.supports_system_reset_via_fadt() {
        return Err(Fault::BadRegister);
    }
    let place = fadt.reset_register()?;
    // It may also be a register of a PCI device, but nobody has seen that.
    if !matches!(place.address_space, AddressSpace::SystemIo | AddressSpace::SystemMemory) {
        return Err(Fault::BadRegister);
    }
    Register { machine, place, width: Width::Byte }.write(fadt.reset_value.into())
}
