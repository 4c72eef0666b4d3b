//! Calls and returns, for every case.

use flatmk_abi::{Error, FLAG_NO_WAIT, Rights};

use super::answer::Answer;
use super::window::Window;
use super::{Calls, interrupt, later};
use crate::capability::Slot;
use crate::interrupts;
use crate::syscall::{Request, is_reply_slot, lookup};
use crate::task::later::forget_way;
use crate::task::{State, TaskRef, scheduler};

/// How many tasks may wait for each other in a row when one more waits for the first of them. So the kernel need not look further,
/// neither for a deadlock nor for those to whom a priority is lent.
pub(crate) const LONGEST_CHAIN: usize = 1000;

// ANCHOR: call
/// The current task calls an endpoint. Returns the task to go on with.
pub(crate) fn call(caller: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    // ANCHOR: exercise-6-2
    let endpoint = lookup(&caller, request.pointer)?.require_endpoint(Rights::CALL)?;
    let window = Window::from_flags(request.operation);
    if !window.is_empty() {
        endpoint.require_endpoint(Rights::TRANSFER)?;
    }
    let callee = TaskRef::of(endpoint)?;
    match callee.state() {
        State::Stopped => return Err(Error::InvalidState),
        State::Accepting => window.check(caller, callee)?,
        _ => {
            if let Some(next) = later::enter(caller, endpoint, request) {
                return Ok(next);
            }
            check_wait(callee, caller)?;
            if request.operation & FLAG_NO_WAIT != 0 {
                return Err(Error::Busy);
            }
        }
    }
    caller.context.set_words(request.arguments);
    caller.calls.window.set(window);
    Ok(enter_or_wait(caller, callee, endpoint))
    // ANCHOR_END: exercise-6-2
}

/// The current task calls, or waits for its turn. What is to be said or asked is noted in it already.
#[inline(always)]
pub(super) fn enter_or_wait(caller: TaskRef, callee: TaskRef, endpoint: &Slot) -> TaskRef {
    caller.calls.callee.set(Some(callee));
    caller.calls.entry.set(endpoint.word::<0>());
    caller.calls.context.set(endpoint.word::<1>());
    if callee.state() == State::Accepting {
        begin(caller, callee);
        scheduler::run(caller, callee)
    } else {
        caller.state.set(State::Waiting);
        callee.calls.waiters.push(caller);
        callee.calls.has_more.set(true);
        later::note_wait(caller, callee);
        later::lend_to_busy(caller, callee);
        scheduler::next(caller)
    }
}
// ANCHOR_END: call

/// The callee is set to begin at its entry, with the caller's message, on behalf of the caller.
#[inline(always)]
fn begin(caller: TaskRef, callee: TaskRef) {
    let Calls { entry, context, window, fault, .. } = &caller.calls;
    let window = window.get();
    let (state, message) = match fault.get() {
        Some(fault) => (State::Faulting, fault.message(caller.context.rip.get())),
        None => (later::calling(caller), caller.context.words()),
    };
    callee.context.enter(entry.get(), callee.stack.get(), context.get(), message);
    caller.state.set(state);
    callee.calls.caller.set(Some(caller));
    window.transfer(caller, callee);
    callee.context.rsi.set(window.bits());
    later::lend(caller, callee);
    later::note_call(caller, callee);
}

/// Checks that the callee does not wait, directly or through those it called, for the caller.
///
/// # Errors
///
/// [`Error::WouldDeadlock`]; [`Error::Busy`] where so many wait for each other that it is not known.
pub(super) fn check_wait(callee: TaskRef, caller: TaskRef) -> Result<(), Error> {
    // ANCHOR: exercise-6-3
    let mut chain = core::iter::successors(Some(callee), |task| task.calls.callee.get());
    if chain.by_ref().take(LONGEST_CHAIN).any(|task| task == caller) {
        Err(Error::WouldDeadlock)
    } else if chain.next().is_some() {
        Err(Error::Busy)
    } else {
        Ok(())
    }
    // ANCHOR_END: exercise-6-3
}

// ANCHOR: return
/// The current task has served its caller, or has come to the end of its start. Returns the task to go on with.
pub(crate) fn return_to_caller(task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    // ANCHOR: exercise-6-1
    if !is_reply_slot(request.pointer) {
        return Err(Error::InvalidCapability);
    }
    if let Some(next) = later::leave(task, request)? {
        return Ok(next);
    }
    let window = Window::from_flags(request.operation);
    let answered = match task.calls.caller.get() {
        Some(caller) => {
            let answer = Answer::decode(caller, task, request.arguments, window)?;
            task.calls.caller.set(None);
            answer.perform()
        }
        None if !window.is_empty() => return Err(Error::InvalidState),
        None => None,
    };
    interrupt::finish(task);
    accept(task);
    Ok(answered.map_or_else(|| scheduler::next(task), |caller| scheduler::next_after(task, caller)))
    // ANCHOR_END: exercise-6-1
}
// ANCHOR_END: return

// ANCHOR: accept
/// The task can be called: it begins with an interrupt that waits for it, or with the first of its waiters, or has nothing to do.
pub(crate) fn accept(task: TaskRef) {
    task.state.set(State::Accepting);
    forget_way(&task.context);
    if task.calls.has_more.replace(false) {
        begin_next(task);
    }
}

/// The task begins with what waits for it.
#[inline(never)]
fn begin_next(task: TaskRef) {
    // ANCHOR: exercise-6-4
    let calls = &task.calls;
    if interrupt::begin_waiting(task) {
        calls.has_more.set(true);
        return;
    }
    while let Some(waiter) = calls.waiters.pop() {
        match waiter.calls.window.get().check(waiter, task) {
            Ok(()) => {
                begin(waiter, task);
                later::lend_to_next(task);
                scheduler::make_ready(task);
                break;
            }
            Err(error) => waiter.fail(error),
        }
        interrupts::let_in();
    }
    calls.has_more.set(!calls.waiters.is_empty() || interrupt::waits_for(task));
    // ANCHOR_END: exercise-6-4
}
// ANCHOR_END: accept
