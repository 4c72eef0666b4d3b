//! Switching off.

use alloc::sync::Arc;
use alloc::vec;
use core::str::FromStr;

use acpi::aml::namespace::AmlName;
use acpi::aml::object::Object;
use acpi::aml::{AmlError, Interpreter};
use acpi::registers::FixedRegisters;
use acpi::sdt::fadt::Fadt;
use acpi::{AcpiTables, AmlTable};

use crate::fault::Fault;
use crate::handler::MachineHandler;
use crate::machine::{Machine, Width};
use crate::registers::Register;
use crate::tables;

/// Bits of the PM1 control registers (ACPI 6.5, 4.8.3.2.1): the firmware has handed over; the sleep type; go to sleep.
const SCI_ENABLE: u16 = 1 << 0;
const SLEEP_TYPE_SHIFT: u32 = 10;
const SLEEP_TYPE: u16 = 7 << SLEEP_TYPE_SHIFT;
const SLEEP_ENABLE: u16 = 1 << 13;

/// The same of the sleep control register of machines without those (ACPI 6.5, 4.8.3.7).
const REDUCED_SLEEP_TYPE_SHIFT: u32 = 2;
const REDUCED_SLEEP_ENABLE: u16 = 1 << 5;

/// The sleep state that is off.
const SOFT_OFF: u64 = 5;

/// How long the firmware may take to hand over, and the machine to go off.
const HAND_OVER_NS: u64 = 3_000_000_000;
const OFF_NS: u64 = 1_000_000_000;

/// Where in a table its code begins.
const HEADER_BYTES: usize = 36;

type Code<M> = Interpreter<MachineHandler<M>>;

/// The values that mean off, for the two control registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SleepTypes {
    first: u8,
    second: u8,
}

// ANCHOR: switch_off
/// Switches the machine off, as the tables at this address say. Returns why it is still on.
pub fn switch_off<M: Machine>(machine: &M, rsdp: u64) -> Fault {
    match try_to_switch_off(machine, rsdp) {
        Ok(()) => Fault::NothingHappened,
        Err(fault) => fault,
    }
}

fn try_to_switch_off<M: Machine>(machine: &M, rsdp: u64) -> Result<(), Fault> {
    let tables = tables::open(machine, rsdp)?;
    let fadt = tables::fixed_features(&tables)?;
    let types = sleep_types(machine, &tables, &fadt)?;
    if { fadt.flags }.system_is_hw_reduced_acpi() {
        let place = fadt.sleep_control_register()?.ok_or(Fault::BadRegister)?;
        let register = Register { machine, place, width: Width::Byte };
        register.write(u16::from(types.first) << REDUCED_SLEEP_TYPE_SHIFT | REDUCED_SLEEP_ENABLE)?;
    } else {
        enter_sleep(machine, &fadt, types)?;
    }
    machine.wait_until(OFF_NS, || false);
    Ok(())
}
// ANCHOR_END: switch_off

/// Runs the code of the tables, as far as it is needed, and asks it for the values that mean off. It is told that the machine goes off.
fn sleep_types<M: Machine>(
    machine: &M,
    tables: &AcpiTables<MachineHandler<M>>,
    fadt: &Fadt,
) -> Result<SleepTypes, Fault> {
    let handler = MachineHandler(machine.clone());
    let dsdt = tables.dsdt()?;
    let registers = Arc::new(FixedRegisters::new(fadt, handler.clone())?);
    let code = Interpreter::new(handler, dsdt.revision, registers, None);
    // A table of which a part fails may say it all the same.
    let mut loaded = load(machine, &code, &dsdt);
    let mut types = types_of(&code);
    if types.is_err() {
        for table in tables.ssdts() {
            loaded = loaded.and(load(machine, &code, &table));
        }
        types = types_of(&code);
    }
    let types = types.map_err(|fault| loaded.err().unwrap_or(fault))?;
    prepare(&code);
    Ok(types)
}

/// Runs a table's code, which makes the objects that it names.
fn load<M: Machine>(machine: &M, code: &Code<M>, table: &AmlTable) -> Result<(), Fault> {
    let physical = table.phys_address as u64;
    let length = tables::check(machine, physical, &[*b"DSDT", *b"SSDT"], HEADER_BYTES)?;
    let run = |bytes: &[u8]| code.load_table(bytes.get(HEADER_BYTES..).unwrap_or_default()).map_err(Fault::Code);
    machine.with_memory(physical, length, run).ok_or(Fault::BadTable)?
}

/// The value of `\_S5`: a package whose first two elements are for the two registers (ACPI 6.5, 7.4.2).
fn types_of<M: Machine>(code: &Code<M>) -> Result<SleepTypes, Fault> {
    let name = AmlName::from_str("\\_S5").map_err(Fault::Code)?;
    let value = code.evaluate(name, vec![]).map_err(|error| match error {
        AmlError::ObjectDoesNotExist(_) => Fault::NoSleepType,
        error => Fault::Code(error),
    })?;
    let Object::Package(elements) = &*value else { return Err(Fault::NoSleepType) };
    let number = |index: usize| match elements.get(index).map(|element| &**element) {
        Some(&Object::Integer(number)) => Ok(number),
        _ => Err(Fault::NoSleepType),
    };
    let [first, second] = match elements.len() {
        // Old firmware has both in one.
        1 => number(0)?.to_le_bytes().first_chunk().copied().unwrap_or_default(),
        _ => [number(0)? as u8, number(1)? as u8],
    };
    Ok(SleepTypes { first: first & 7, second: second & 7 })
}

/// Tells the tables' code what is to come (ACPI 6.5, 7.4.1). Most have nothing to do then, and what fails is no reason to stay on.
fn prepare<M: Machine>(code: &Code<M>) {
    if let Ok(name) = AmlName::from_str("\\_PTS") {
        let _ = code.evaluate_if_present(name, vec![Object::Integer(SOFT_OFF).wrap()]);
    }
}

/// Writes the values to the registers (ACPI 6.5, 16.1.6).
fn enter_sleep<M: Machine>(machine: &M, fadt: &Fadt, types: SleepTypes) -> Result<(), Fault> {
    let register = |place| Register { machine, place, width: Width::Word };
    let first = register(fadt.pm1a_control_block()?);
    let second = fadt.pm1b_control_block()?.map(register);
    take_over(machine, fadt, &first)?;
    let value_for = |register: &Register<'_, M>, sleep_type: u8| {
        let kept = register.read()? & !(SLEEP_TYPE | SLEEP_ENABLE);
        Ok::<u16, Fault>(kept | u16::from(sleep_type) << SLEEP_TYPE_SHIFT)
    };
    let first_value = value_for(&first, types.first)?;
    let second_value = second.as_ref().map(|register| value_for(register, types.second)).transpose()?;
    for enable in [0, SLEEP_ENABLE] {
        first.write(first_value | enable)?;
        if let (Some(register), Some(value)) = (&second, second_value) {
            register.write(value | enable)?;
        }
    }
    Ok(())
}

/// The registers are the firmware's until it has handed them over (ACPI 6.5, 5.2.9, `SMI_CMD`).
fn take_over<M: Machine>(machine: &M, fadt: &Fadt, control: &Register<'_, M>) -> Result<(), Fault> {
    let (command_port, enable) = ({ fadt.smi_cmd_port }, fadt.acpi_enable);
    if control.read()? & SCI_ENABLE != 0 || command_port == 0 || enable == 0 {
        return Ok(());
    }
    let command_port = u16::try_from(command_port).map_err(|_| Fault::BadRegister)?;
    machine.write_port(command_port, Width::Byte, enable.into());
    // Some never say so, and go off all the same.
    machine.wait_until(HAND_OVER_NS, || control.read().is_ok_and(|value| value & SCI_ENABLE != 0));
    Ok(())
}
