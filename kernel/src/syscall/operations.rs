//! The operations after which the caller goes on.

use flatmk_abi::{Error, Kind, Operation, Rights, Words};

use super::lookup;
use super::user_memory::UserRange;
use crate::capability::{
    MakeRequest, MapRequest, Memory, MoveRequest, ProtectRequest, Slot, SlotRange, SplitRequest, Table,
    TransferRequest, UnmapRequest, measure,
};
use crate::memory::AddressSpace;
use crate::power::{self, Outcome};
use crate::task::{ConfigureRequest, StartRequest, TaskRef};
use crate::{console, interrupts};

/// The task that a capability with the manage right leads to.
pub(super) fn task_to_manage(slot: &Slot) -> Result<TaskRef, Error> {
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
        Operation::Move => {
            let table = Table::of(slot, Rights::MANAGE)?;
            MoveRequest::decode(table, a, lookup(&task, b)?)?.perform();
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
            MapRequest::decode(space, lookup(&task, a)?, b, c)?.perform()?;
        }
        Operation::Unmap => UnmapRequest::decode(slot)?.perform()?,
        Operation::Protect => ProtectRequest::decode(slot, a)?.perform()?,
        Operation::Configure => {
            let configured = task_to_manage(slot)?;
            ConfigureRequest::decode(configured, lookup(&task, a)?, lookup(&task, b)?, c)?.perform();
        }
        Operation::Start => StartRequest::decode(task_to_manage(slot)?, a, b)?.perform(),
        #[cfg(feature = "chapter6")]
        Operation::MakeEndpoint => {
            slot.require(Kind::Task, Rights::MANAGE)?;
            let table = Table::of(lookup(&task, c)?, Rights::MANAGE)?;
            crate::ipc::EndpointRequest::decode(slot, a, b, table, d)?.perform();
        }
        Operation::Write => {
            slot.require(Kind::Console, Rights::WRITE)?;
            let [written, ..] = results;
            *written = write(task, a, b)?;
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
        _ => return Err(Error::UnknownOperation),
    }
    Ok(())
}
// ANCHOR_END: perform

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
