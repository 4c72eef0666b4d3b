//! How a task with RISC-V code goes on: at an entry, behind a system call, where it was.

use flatmk_abi::layout::{SOFTUSER_END, USER_START};
use flatmk_abi::{Error, Kind, Operation, SOFTUSER_ENTRY};

use super::later;
use crate::capability::Slot;
use crate::syscall::Request;
use crate::task::{Context, State, TaskRef, Way, check_code_address};

/// The lengths of `syscall` and of `ecall`.
const SYSCALL_LENGTH: u64 = 2;
const ECALL_LENGTH: u64 = 4;

/// Whether an entry is one of RISC-V code.
pub(super) fn is_softuser_entry(entry: u64) -> bool {
    entry & SOFTUSER_ENTRY != 0
}

/// Checks an address of RISC-V code.
fn check_softuser_address(address: u64) -> Result<u64, Error> {
    let is_code = (USER_START..SOFTUSER_END).contains(&address) && address.is_multiple_of(2);
    if is_code { Ok(address) } else { Err(Error::InvalidAddress) }
}

/// Checks that an address can be an entry.
pub(crate) fn check_entry(entry: u64) -> Result<u64, Error> {
    if is_softuser_entry(entry) {
        check_softuser_address(entry & !SOFTUSER_ENTRY).map(|_| entry)
    } else {
        check_code_address(entry)
    }
}

/// Checks that a task can go on at an address.
pub(crate) fn check_way(context: &Context, address: u64) -> Result<u64, Error> {
    if context.is_softuser() { check_softuser_address(address) } else { check_code_address(address) }
}

/// The kind of an endpoint with this entry.
pub(crate) fn endpoint_kind(entry: u64) -> Kind {
    if is_softuser_entry(entry) { Kind::SoftuserEndpoint } else { Kind::Endpoint }
}

impl Context {
    /// Whether the task runs RISC-V code.
    #[inline(always)]
    pub(super) fn is_softuser(&self) -> bool {
        self.way.get() >= Way::Softuser
    }
}

/// A task goes on at an entry: where, and how.
pub(crate) fn set_entry(context: &Context, entry: u64) {
    context.way.set(if is_softuser_entry(entry) { Way::SoftuserEntry } else { Way::Returned });
    context.rip.set(entry & !SOFTUSER_ENTRY);
    context.entered_from.set(0);
}

/// The task has nothing to do. The fast path of calls, by which it may be called, does not set how it goes on.
#[inline(always)]
pub(crate) fn forget_way(context: &Context) {
    context.way.set(Way::Returned);
    context.entered_from.set(0);
}

/// The length of the instruction with which a task makes system calls.
fn system_call_length(context: &Context) -> u64 {
    if context.is_softuser() { ECALL_LENGTH } else { SYSCALL_LENGTH }
}

/// The task goes on with its system call once more.
pub(crate) fn step_back(context: &Context) {
    context.rip.set(context.rip.get() - system_call_length(context));
    if context.is_softuser() {
        context.way.set(Way::Softuser);
    }
}

/// It goes on behind it.
pub(crate) fn step_over(context: &Context) {
    context.rip.set(context.rip.get() + system_call_length(context));
    if context.is_softuser() {
        context.way.set(Way::SoftuserReturned);
    }
}

/// What a task is doing that has called: the fast path of returns, which looks for this, goes on in user mode only.
#[inline(always)]
pub(crate) fn calling(caller: TaskRef) -> State {
    if caller.context.is_softuser() { State::SoftuserCalling } else { State::Calling }
}

// ANCHOR: enter
/// The current task calls an endpoint. Where that is one of its own RISC-V code, and it runs native code itself, it enters that code: its
/// native half waits. Returns the task to go on with.
pub(crate) fn enter(task: TaskRef, endpoint: &Slot, request: &Request) -> Option<TaskRef> {
    let context = &task.context;
    let is_own = endpoint.kind() == Kind::SoftuserEndpoint && TaskRef::of(endpoint) == Ok(task);
    // Without flags: there is nobody else, neither to wait for nor to move capabilities to.
    if !is_own || context.is_softuser() || request.operation != Operation::Call as u64 {
        return None;
    }
    later::note_enter(task, endpoint.word::<1>());
    context.entered_from.set(context.rip.get());
    context.rip.set(endpoint.word::<0>() & !SOFTUSER_ENTRY);
    context.way.set(Way::SoftuserEntry);
    context.rdi.set(endpoint.word::<1>());
    context.rsi.set(0);
    context.set_words(request.arguments);
    Some(task)
}

/// The current task returns. Where its native half waits, that goes on, with the answer. Returns the task to go on with then.
pub(crate) fn leave(task: TaskRef, request: &Request) -> Result<Option<TaskRef>, Error> {
    let context = &task.context;
    let at = context.entered_from.get();
    if at == 0 {
        return Ok(None);
    }
    if request.operation != Operation::Return as u64 {
        return Err(Error::InvalidState);
    }
    later::note_return(task, task);
    context.entered_from.set(0);
    context.rip.set(at);
    context.way.set(Way::Returned);
    context.set_result(Ok(request.arguments));
    Ok(Some(task))
}
// ANCHOR_END: enter
