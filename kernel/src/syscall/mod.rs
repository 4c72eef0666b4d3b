//! System calls: from the stub to the operation.
//!
//! Every operation is two functions: *decode* reads and checks, without side effect, and *perform* acts. They live with the
//! objects; this module finds the capabilities and puts the two together.

mod operations;
mod removal;
mod user_memory;

use flatmk_abi::{Error, Operation, Words, slots};

pub use user_memory::UserRange;

use crate::capability::{Extent, Slot};
use crate::task::{TaskRef, scheduler};

/// A system call after which another task may go on, as it came in.
pub struct Request {
    /// The capability pointer.
    pub pointer: u64,
    /// The operation, with its flags.
    pub operation: u64,
    /// The arguments.
    pub arguments: Words,
}

/// The operation in a word with flags, if its number is known.
#[inline(always)]
fn operation_in(word: u64) -> Result<Operation, Error> {
    Operation::from_number(word & 0xff).ok_or(Error::UnknownOperation)
}

/// The slot that a pointer of a task names, if it holds a capability.
#[inline(always)]
fn find(task: &TaskRef, pointer: u64) -> Option<&Slot> {
    task.table().find(pointer).filter(|slot| !slot.is_empty())
}

/// The same, as a result.
///
/// # Errors
///
/// [`Error::InvalidCapability`].
#[inline(always)]
pub fn lookup(task: &TaskRef, pointer: u64) -> Result<&Slot, Error> {
    find(task, pointer).ok_or(Error::InvalidCapability)
}

// ANCHOR: plain
/// Called by the stub for operations after which the caller goes on. Returns the status.
pub(crate) extern "C" fn plain(
    pointer: u64,
    operation: u64,
    argument_0: u64,
    argument_1: u64,
    argument_2: u64,
    argument_3: u64,
    results: &mut Words,
) -> i64 {
    *results = [0; 4];
    let task = scheduler::current();
    let Ok(operation) = operation_in(operation) else { return Error::UnknownOperation.status() };
    let Some(slot) = find(&task, pointer) else { return Error::InvalidCapability.status() };
    if operation == Operation::Identify {
        let [kind, rights, ..] = results;
        (*kind, *rights) = (slot.kind() as u64, u64::from(slot.rights().bits()));
        return 0;
    }
    let arguments = [argument_0, argument_1, argument_2, argument_3];
    operations::perform(operation, slot, arguments, task, results).map_or_else(Error::status, |()| 0)
}
// ANCHOR_END: plain

/// Called by the stub for operations after which another task may go on. The current task's registers are saved. Returns the
/// task to go on with.
pub(crate) extern "C" fn switching(
    pointer: u64,
    operation: u64,
    argument_0: u64,
    argument_1: u64,
    argument_2: u64,
    argument_3: u64,
) -> *const crate::task::Task {
    let arguments = [argument_0, argument_1, argument_2, argument_3];
    switch(&Request { pointer, operation, arguments }).as_ptr()
}

fn switch(request: &Request) -> TaskRef {
    let task = scheduler::current();
    let [index, ..] = request.arguments;
    let next = match operation_in(request.operation) {
        Ok(Operation::Yield) => yield_now(task, request.pointer),
        Ok(Operation::Delete) => removal::perform(task, request.pointer, index, Extent::Itself),
        Ok(Operation::Revoke) => removal::perform(task, request.pointer, index, Extent::Derived),
        #[cfg(feature = "chapter6")]
        Ok(Operation::Call) => crate::ipc::call(task, request),
        #[cfg(feature = "chapter6")]
        Ok(Operation::Return) => crate::ipc::return_to_caller(task, request),
        _ => Err(Error::UnknownOperation),
    };
    next.unwrap_or_else(|error| {
        task.context.set_result(Err(error));
        task
    })
}

fn yield_now(task: TaskRef, pointer: u64) -> Result<TaskRef, Error> {
    let named = operations::task_to_manage(lookup(&task, pointer)?)?;
    if named != task {
        return Err(Error::InvalidState);
    }
    task.context.set_result(Ok([0; 4]));
    Ok(scheduler::yield_now(task))
}

/// Whether a pointer names the caller's own reply slot.
#[must_use]
pub fn is_reply_slot(pointer: u64) -> bool {
    pointer == slots::REPLY
}
