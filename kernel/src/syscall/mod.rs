//! System calls: from the stub to the operation.
//!
//! Every operation is two functions: *decode* reads and checks, without side effect, and *perform* acts. They live with the
//! objects; this module finds the capabilities and puts the two together.

mod later;
mod operations;
mod removal;
mod user_memory;

use flatmk_abi::{Error, FaultReason, Operation, Words, slots};

pub(crate) use operations::task_to_manage;
pub(crate) use removal::finish_suspended_of;
pub use user_memory::UserRange;

use crate::capability::{Extent, Slot};
use crate::task::later::{step_back, step_over};
use crate::task::{Fault, TaskRef, raise, scheduler};

/// A system call after which another task may go on, as it came in.
pub struct Request {
    /// The capability pointer.
    pub pointer: u64,
    /// The operation, with its flags.
    pub operation: u64,
    /// The arguments.
    pub arguments: Words,
}

/// The operation in a word with flags, if it is known and takes them.
#[inline(always)]
fn operation_in(word: u64) -> Result<Operation, Error> {
    Operation::from_word(word).ok_or(Error::UnknownOperation)
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

/// What [`plain`] returns where the task is to fault.
pub(crate) const FAULT: i64 = 1;

// ANCHOR: plain
/// Called by the stub for operations after which the caller goes on. Returns the status, or [`FAULT`].
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
    let arguments = [argument_0, argument_1, argument_2, argument_3];
    let Some(slot) = find(&task, pointer) else {
        return refuse(task, &Request { pointer, operation, arguments });
    };
    let Ok(operation) = operation_in(operation) else { return Error::UnknownOperation.status() };
    operations::perform(operation, slot, arguments, task, results).map_or_else(Error::status, |()| 0)
}
// ANCHOR_END: plain

/// A system call names no capability: an error, or a fault if the task has asked for that.
#[cold]
fn refuse(task: TaskRef, request: &Request) -> i64 {
    if operation_in(request.operation).is_err() {
        Error::UnknownOperation.status()
    } else if wants_fault(task) {
        note_request(task, request);
        FAULT
    } else {
        Error::InvalidCapability.status()
    }
}

/// Whether a task has asked for a fault where a system call names no capability.
fn wants_fault(_task: TaskRef) -> bool {
    #[cfg(feature = "chapter6")]
    return _task.calls.reports_missing();
    #[cfg(not(feature = "chapter6"))]
    false
}

/// When the task goes on it makes its system call again. Its other registers are saved.
fn make_again(task: TaskRef, request: &Request) {
    note_request(task, request);
    step_back(&task.context);
}

/// The system call that the task would make again was made for it.
fn made_again(task: TaskRef) {
    step_over(&task.context);
    task.context.set_result(Ok([0; 4]));
}

/// The registers with which a system call was made.
fn note_request(task: TaskRef, request: &Request) {
    task.context.rdi.set(request.pointer);
    task.context.rsi.set(request.operation);
    task.context.set_words(request.arguments);
}

/// Called by the stub after [`FAULT`]: the current task's registers are saved. Returns the task to go on with.
pub(crate) extern "C" fn missing_capability() -> *const crate::task::Task {
    report_missing(scheduler::current()).as_ptr()
}

pub(crate) fn report_missing(task: TaskRef) -> TaskRef {
    let context = &task.context;
    step_back(context);
    raise(task, Fault { reason: FaultReason::MissingCapability as u64, address: context.rdi.get(), error: 0 })
}

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

pub(crate) fn switch(request: &Request) -> TaskRef {
    let task = scheduler::current();
    let next = match operation_in(request.operation) {
        Ok(_) if wants_fault(task) && !is_reply_slot(request.pointer) && find(&task, request.pointer).is_none() => {
            note_request(task, request);
            return report_missing(task);
        }
        Ok(operation) => perform(operation, task, request),
        Err(error) => Err(error),
    };
    next.unwrap_or_else(|error| {
        task.context.set_result(Err(error));
        task
    })
}

fn perform(operation: Operation, task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    let pointer = request.pointer;
    match operation {
        Operation::Yield => yield_now(task, pointer),
        Operation::Delete => removal::perform(task, request, Extent::Itself),
        Operation::Revoke => removal::perform(task, request, Extent::Derived),
        Operation::Start => operations::start(task, request),
        Operation::SetFloatingPoint | Operation::SetFaultHandler | Operation::Bind => {
            operations::set(operation, task, request)
        }
        #[cfg(feature = "chapter6")]
        Operation::Call => crate::ipc::call(task, request),
        #[cfg(feature = "chapter6")]
        Operation::Return => crate::ipc::return_to_caller(task, request),
        #[cfg(feature = "chapter6")]
        Operation::Reply => crate::ipc::reply(task, request),
        #[cfg(feature = "chapter7")]
        _ => crate::scheduling::perform(operation, task, request),
        #[cfg(not(feature = "chapter7"))]
        _ => Err(Error::UnknownOperation),
    }
}

fn yield_now(task: TaskRef, pointer: u64) -> Result<TaskRef, Error> {
    require_self(task, pointer)?;
    task.context.set_result(Ok([0; 4]));
    Ok(scheduler::yield_now(task))
}

/// Checks that a pointer names the caller itself.
///
/// # Errors
///
/// Those of [`Slot::require`], and [`Error::InvalidState`] for another task.
pub(crate) fn require_self(task: TaskRef, pointer: u64) -> Result<(), Error> {
    require_is(task, lookup(&task, pointer)?)
}

/// The same of a capability that was found.
fn require_is(task: TaskRef, slot: &Slot) -> Result<(), Error> {
    if task_to_manage(slot)? == task { Ok(()) } else { Err(Error::InvalidState) }
}

/// Whether a pointer names the caller's own reply slot.
#[must_use]
pub fn is_reply_slot(pointer: u64) -> bool {
    pointer == slots::REPLY
}
