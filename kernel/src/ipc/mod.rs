//! Calls between tasks.
//!
//! A call suspends the caller and continues in the callee, at the endpoint's entry; a return does the reverse. The callee begins each
//! time afresh, so its registers are neither saved nor loaded. Here is the whole of it, for every case; [`fast_path`] does the usual
//! one faster, with the same result.

mod endpoint;
pub mod fast_path;

use flatmk_abi::{Error, FLAG_NO_WAIT, Kind, Rights};

pub use endpoint::EndpointRequest;

use crate::capability::{Progress, Slot};
use crate::syscall::{Request, is_reply_slot, lookup};
use crate::task::{State, TaskRef, scheduler};

/// Lets calls take the fast path, unless a boot option says otherwise.
pub(crate) fn initialize() {
    if crate::boot::options().fast_path {
        fast_path::initialize();
    }
}

// ANCHOR: call
/// The current task calls an endpoint. Returns the task to go on with.
pub(crate) fn call(caller: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    let endpoint = lookup(&caller, request.pointer)?.require(Kind::Endpoint, Rights::CALL)?;
    let callee = TaskRef::of(endpoint)?;
    match callee.state() {
        State::Inactive | State::Stopped => Err(Error::InvalidState),
        State::Accepting => {
            caller.context.set_words(request.arguments);
            prepare(caller, callee, endpoint);
            begin(caller, callee);
            Ok(scheduler::switch(caller, callee))
        }
        _ if waits_for(callee, caller) => Err(Error::WouldDeadlock),
        _ if request.operation & FLAG_NO_WAIT != 0 => Err(Error::Busy),
        _ => {
            caller.context.set_words(request.arguments);
            prepare(caller, callee, endpoint);
            caller.state.set(State::Waiting);
            callee.waiters.push(caller);
            Ok(scheduler::next(caller))
        }
    }
}
// ANCHOR_END: call

/// Notes in the caller where the callee shall begin, for now or for when its turn comes.
fn prepare(caller: TaskRef, callee: TaskRef, endpoint: &Slot) {
    caller.callee.set(Some(callee));
    caller.call_entry.set(endpoint.word::<0>());
    caller.call_context.set(endpoint.word::<1>());
}

/// The callee is set to begin at its entry, with the caller's message, on behalf of the caller.
fn begin(caller: TaskRef, callee: TaskRef) {
    caller.state.set(State::Calling);
    callee.caller.set(Some(caller));
    let message = caller.context.words();
    callee.context.enter(caller.call_entry.get(), callee.stack.get(), caller.call_context.get(), message);
}

/// Whether a task waits, directly or through those it called, for `other`.
fn waits_for(task: TaskRef, other: TaskRef) -> bool {
    core::iter::successors(Some(task), |task| task.callee.get()).any(|task| task == other)
}

// ANCHOR: return
/// The current task has served its caller, or has come to the end of its start. Returns the task to go on with.
pub(crate) fn return_to_caller(task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    if !is_reply_slot(request.pointer) {
        return Err(Error::InvalidCapability);
    }
    let caller = task.caller.take();
    match task.waiters.pop() {
        Some(waiter) => {
            begin(waiter, task);
            scheduler::make_ready(task);
        }
        None => task.state.set(State::Accepting),
    }
    match caller {
        Some(caller) => {
            caller.callee.set(None);
            caller.context.set_result(Ok(request.arguments));
            Ok(scheduler::switch(task, caller))
        }
        None => Ok(scheduler::next(task)),
    }
}
// ANCHOR_END: return

/// A task has ended: whoever it serves, and whoever waits for it, gets the error, some at a time; whoever serves it has no caller
/// any more.
pub(crate) fn end_calls(task: TaskRef, error: Error) -> Progress {
    const PER_STEP: usize = 16;
    let served = task.caller.take();
    let waiting = core::iter::from_fn(|| task.waiters.pop()).take(PER_STEP);
    for caller in served.into_iter().chain(waiting) {
        caller.callee.set(None);
        caller.context.set_result(Err(error));
        scheduler::make_ready(caller);
    }
    if let Some(callee) = task.callee.take() {
        if callee.caller.get() == Some(task) {
            callee.caller.set(None);
        } else {
            callee.waiters.remove(task);
        }
    }
    if task.waiters.first.get().is_some() { Progress::More } else { Progress::Done }
}
