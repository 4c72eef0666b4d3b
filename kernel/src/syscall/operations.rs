//! The operations after which the caller goes on.

use flatmk_abi::{Error, Kind, Operation, Rights, Words};

use super::user_memory::UserRange;
use super::{Request, later, lookup, removal};
use crate::capability::{
    MakeRequest, MapRequest, Memory, MoveRequest, ProtectRequest, Slot, SlotRange, SplitRequest, Table,
    TransferRequest, UnmapRequest, measure,
};
use crate::memory::AddressSpace;
use crate::power::{self, Outcome};
use crate::task::{ConfigureRequest, StartRequest, TaskRef, floating_point, registers, scheduler};
use crate::{console, interrupts};

/// The task that a capability with the manage right leads to.
pub(crate) fn task_to_manage(slot: &Slot) -> Result<TaskRef, Error> {
    TaskRef::of(slot.require(Kind::Task, Rights::MANAGE)?)
}

// ANCHOR: perform
/// Does what is asked of a capability that was found.
#[inline(never)]
pub(super) fn perform(
    operation: Operation,
    slot: &Slot,
    arguments: Words,
    task: TaskRef,
    results: &mut Words,
) -> Result<(), Error> {
    let [a, b, c, d] = arguments;
    match operation {
        Operation::Copy => {
            let table = Table::of(slot, Rights::MANAGE)?;
            TransferRequest::decode_copy(table, a, lookup(&task, b)?, c)?.perform();
        }
        Operation::Mint => {
            let table = Table::of(slot, Rights::MANAGE)?;
            TransferRequest::decode_mint(table, a, lookup(&task, b)?, c, d)?.perform();
        }
        Operation::Identify => *results = [slot.kind() as u64, u64::from(slot.rights().bits()), 0, 0],
        Operation::Move => {
            let table = Table::of(slot, Rights::MANAGE)?;
            move_here(task, table, a, b)?;
        }
        Operation::Make => {
            let memory = Memory::of(slot)?;
            let table = Table::of(lookup(&task, c)?, Rights::MANAGE)?;
            MakeRequest::decode(memory, a, SlotRange::decode(table, d, b)?)?.perform();
        }
        Operation::Split => {
            let memory = Memory::of(slot)?;
            let table = Table::of(lookup(&task, b)?, Rights::MANAGE)?;
            SplitRequest::decode(memory, a, table, c)?.perform();
        }
        Operation::Measure => {
            let (free, pages) = measure(slot.require(Kind::Memory, Rights::empty())?);
            *results = [free, pages, 0, 0];
        }
        Operation::Map => {
            let space = AddressSpace::from_capability(slot)?;
            let frame = lookup(&task, a)?;
            match MapRequest::decode(space, frame, b, c) {
                Err(Error::WrongKind) => later::map(space, frame, b, c)?,
                request => request?.perform()?,
            }
        }
        Operation::Unmap => match UnmapRequest::decode(slot) {
            Err(Error::WrongKind) => later::unmap(slot)?,
            request => request?.perform()?,
        },
        Operation::Protect => match ProtectRequest::decode(slot, a) {
            Err(Error::WrongKind) => later::protect(slot, a)?,
            request => request?.perform()?,
        },
        Operation::Configure => {
            let configured = task_to_manage(slot)?;
            ConfigureRequest::decode(configured, lookup(&task, a)?, lookup(&task, b)?, c)?.perform();
        }
        Operation::ReadRegisters => *results = registers::read(task_to_manage(slot)?, a)?,
        Operation::WriteRegister => registers::write(task_to_manage(slot)?, a, b)?,
        #[cfg(feature = "chapter6")]
        Operation::MakeEndpoint => {
            let task_slot = slot.require(Kind::Task, Rights::MANAGE)?;
            let table = Table::of(lookup(&task, c)?, Rights::MANAGE)?;
            crate::ipc::EndpointRequest::decode(task_slot, a, b, table, d)?.perform();
        }
        Operation::Write => {
            slot.require(Kind::Console, Rights::WRITE)?;
            *results = [write(task, a, b)?, 0, 0, 0];
        }
        Operation::Read => {
            slot.require(Kind::Console, Rights::READ)?;
            let byte = interrupts::keyboard::read().or_else(console::read_serial);
            *results = [u64::from(byte.is_some()), u64::from(byte.unwrap_or(0)), 0, 0];
        }
        Operation::PowerOff => {
            slot.require(Kind::Power, Rights::MANAGE)?;
            match a {
                0 => power::end(Outcome::Success),
                1 => power::end(Outcome::Failure),
                _ => return Err(Error::InvalidArgument),
            }
        }
        #[cfg(feature = "chapter6")]
        Operation::ReadPort => *results = crate::ipc::read_port(slot, a, b)?,
        #[cfg(feature = "chapter6")]
        Operation::WritePort => crate::ipc::write_port(slot, a, b, c)?,
        #[cfg(feature = "chapter7")]
        Operation::Poll => *results = crate::scheduling::poll(slot)?,
        #[cfg(feature = "chapter11")]
        Operation::Describe => *results = crate::devices::describe(slot)?,
        #[cfg(feature = "chapter11")]
        Operation::ReadClock => {
            super::require_is(task, slot)?;
            *results = crate::scheduling::read_clock();
        }
        #[cfg(feature = "chapter11")]
        Operation::Inspect => *results = crate::scheduling::inspect(task_to_manage(slot)?),
        #[cfg(feature = "chapter10")]
        Operation::SetSoftuser => {
            crate::softuser::SetRequest::decode(task_to_manage(slot)?, a, b, c, |pointer| lookup(&task, pointer))?
                .perform();
        }
        #[cfg(feature = "chapter11")]
        Operation::SetTrace => crate::trace::SetRequest::decode(slot, optional(&task, a)?)?.perform(),
        #[cfg(feature = "chapter11")]
        Operation::ReadTrace => *results = crate::trace::read(slot)?,
        _ => return Err(Error::UnknownOperation),
    }
    Ok(())
}
// ANCHOR_END: perform

/// The slot that a pointer names; for pointer 0, which names no capability in a table, none.
fn optional(task: &TaskRef, pointer: u64) -> Result<Option<&Slot>, Error> {
    if pointer == 0 { Ok(None) } else { lookup(task, pointer).map(Some) }
}

/// Moves a capability into a table: from a slot, or from the reply slot.
fn move_here(task: TaskRef, table: &Table, index: u64, source: u64) -> Result<(), Error> {
    #[cfg(feature = "chapter6")]
    if super::is_reply_slot(source) {
        return crate::ipc::take_reply(task, table, index);
    }
    MoveRequest::decode(table, index, lookup(&task, source)?)?.perform();
    Ok(())
}

/// The operations that put a capability into a slot outside of the tables, in the place of one that may have been the last to its object. What
/// is gone by that is taken apart. Returns the task to go on with.
pub(super) fn set(operation: Operation, task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    // What is gone by this must not be a task in the middle of a removal.
    removal::finish_suspended_before(task);
    let slot = lookup(&task, request.pointer)?;
    let [a, ..] = request.arguments;
    #[cfg(feature = "chapter6")]
    let [_, b, ..] = request.arguments;
    match operation {
        Operation::SetFloatingPoint => floating_point::set(task_to_manage(slot)?, optional(&task, a)?)?,
        #[cfg(feature = "chapter6")]
        Operation::SetFaultHandler => crate::ipc::set_fault_handler(task_to_manage(slot)?, optional(&task, a)?, b)?,
        #[cfg(feature = "chapter6")]
        Operation::Bind => crate::ipc::bind(slot, a, optional(&task, b)?)?,
        _ => return Err(Error::UnknownOperation),
    }
    Ok(removal::finish_destruction(task))
}

/// Starts a task. Returns the task to go on with.
pub(super) fn start(task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    let [entry, argument, ..] = request.arguments;
    StartRequest::decode(task_to_manage(lookup(&task, request.pointer)?)?, entry, argument)?.perform();
    task.context.set_result(Ok([0; 4]));
    Ok(scheduler::settle(task))
}

/// Writes user memory to the console. Returns how many bytes.
fn write(task: TaskRef, address: u64, length: u64) -> Result<u64, Error> {
    const LIMIT: usize = flatmk_abi::WRITE_LIMIT_BYTES as usize;

    let length = usize::try_from(length).ok().filter(|&length| length <= LIMIT).ok_or(Error::InvalidArgument)?;
    let range = UserRange::claim(address, length)?;
    let mut buffer = [0; LIMIT];
    let bytes = buffer.get_mut(..length).ok_or(Error::InvalidArgument)?;
    range.read(task.address_space().ok_or(Error::InvalidState)?, bytes)?;
    console::write_bytes(bytes);
    Ok(length as u64)
}
