//! Operations on the kernel, put together as its system calls do. The root table stands for the caller's.

use flatmk_abi::{Error, Kind, Rights};
use kernel::capability::{
    MakeRequest, MapRequest, Memory, MoveRequest, Progress, ProtectRequest, Removal, Slot, SlotRange, SplitRequest,
    Table, TransferRequest, UnmapRequest, finish_destruction_step, measure,
};
use kernel::ipc::EndpointRequest;
use kernel::memory::AddressSpace;
use kernel::task::{ConfigureRequest, TaskRef};

use crate::machine::stopped_tasks;
use crate::operation::Operation;

/// More steps than any removal takes on a machine of this size.
const MOST_STEPS: u32 = 100_000;

fn lookup(root: &'static Table, pointer: u64) -> Result<&'static Slot, Error> {
    let slot = root.lookup(pointer)?;
    if slot.is_empty() { Err(Error::InvalidCapability) } else { Ok(slot) }
}

fn table(root: &'static Table, pointer: u64) -> Result<&'static Table, Error> {
    Table::of(lookup(root, pointer)?, Rights::MANAGE)
}

/// Checks a removal that the kernel is to do.
pub(crate) fn decode_removal(root: &'static Table, operation: &Operation) -> Result<Removal<'static>, Error> {
    let &Operation::Remove { table: pointer, index, extent } = operation else { return Err(Error::UnknownOperation) };
    Removal::decode(table(root, pointer)?, index, extent)
}

/// Does all steps of something.
///
/// # Panics
///
/// If there is no end to them.
pub(crate) fn finish(mut step: impl FnMut() -> Progress) {
    let steps = (0..MOST_STEPS).take_while(|_| step() == Progress::More).count();
    assert!(steps < MOST_STEPS as usize, "a removal that does not end");
}

/// One step for objects that are being taken apart.
pub(crate) fn destruction_step() -> Progress {
    if finish_destruction_step() { Progress::More } else { Progress::Done }
}

/// Does an operation.
pub(crate) fn perform(root: &'static Table, operation: &Operation) -> Result<[u64; 2], Error> {
    match *operation {
        Operation::Identify { pointer } => {
            let slot = lookup(root, pointer)?;
            return Ok([slot.kind() as u64, u64::from(slot.rights().bits())]);
        }
        Operation::Copy { table: to, index, source, rights } => {
            TransferRequest::decode_copy(table(root, to)?, index, lookup(root, source)?, rights)?.perform();
        }
        Operation::Mint { table: to, index, source, rights, context } => {
            TransferRequest::decode_mint(table(root, to)?, index, lookup(root, source)?, rights, context)?.perform();
        }
        Operation::Move { table: to, index, source } => {
            MoveRequest::decode(table(root, to)?, index, lookup(root, source)?)?.perform();
        }
        Operation::Remove { .. } => {
            let removal = decode_removal(root, operation)?;
            finish(|| removal.step());
        }
        Operation::Make { memory, kind, count, table: to, index } => {
            let memory = Memory::of(lookup(root, memory)?)?;
            let range = SlotRange::decode(table(root, to)?, index, count)?;
            MakeRequest::decode(memory, kind, range)?.perform();
        }
        Operation::Split { memory, pages, table: to, index } => {
            let memory = Memory::of(lookup(root, memory)?)?;
            SplitRequest::decode(memory, pages, table(root, to)?, index)?.perform();
        }
        Operation::Measure { memory } => {
            return Ok(measure(lookup(root, memory)?.require(Kind::Memory, Rights::empty())?).into());
        }
        Operation::Map { space, frame, address, access } => {
            let space = AddressSpace::from_capability(lookup(root, space)?)?;
            MapRequest::decode(space, lookup(root, frame)?, address, access)?.perform()?;
        }
        Operation::Unmap { frame } => UnmapRequest::decode(lookup(root, frame)?)?.perform()?,
        Operation::Protect { frame, access } => ProtectRequest::decode(lookup(root, frame)?, access)?.perform()?,
        Operation::Configure { task, table, space, stack } => {
            let task = TaskRef::of(lookup(root, task)?.require(Kind::Task, Rights::MANAGE)?)?;
            let (table, space) = (lookup(root, table)?, lookup(root, space)?);
            let page = task.page().ok_or(Error::InvalidCapability)?.number();
            // The kernel would know by the task's state, which the steps for tasks set.
            if stopped_tasks(|stopped| stopped.contains(&page)) {
                return Err(Error::InvalidState);
            }
            ConfigureRequest::decode(task, table, space, stack)?.perform();
        }
        Operation::MakeEndpoint { task, entry, context, table: to, index } => {
            let task = lookup(root, task)?.require(Kind::Task, Rights::MANAGE)?;
            EndpointRequest::decode(task, entry, context, table(root, to)?, index)?.perform();
        }
        Operation::Activate { space } => AddressSpace::from_capability(lookup(root, space)?)?.activate(),
    }
    Ok([0; 2])
}
