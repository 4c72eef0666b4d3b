//! What the others are told when a task ends, is stopped, or has faulted for good.

use flatmk_abi::Error;

use super::{interrupt, reply};
use crate::capability::Progress;
use crate::interrupts;
use crate::task::{Queue, State, TaskRef, report};

/// How many tasks are told in one step.
const PER_STEP: usize = 16;

/// Tasks that have faulted and whose handler will not mend them, while the console and those who wait for them are not told yet.
struct Unmended(Queue);

// SAFETY: there is one processor, and calls are handled with interrupts off.
unsafe impl Sync for Unmended {}

static UNMENDED: Unmended = Unmended(Queue::new());

/// A task has faulted, and nobody mends it. Those who wait for it are told in the steps of [`end_calls`].
pub(super) fn stop_soon(task: TaskRef) {
    task.state.set(State::Stopped);
    UNMENDED.0.push(task);
}

/// Tells those who wait for such tasks. Then none of them stands in this queue, and each can be started again.
pub(crate) fn tell_all() {
    while step_on_unmended() == Progress::More {
        interrupts::let_in();
    }
}

// ANCHOR: end
/// A task has ended: whoever it serves, and whoever waits for it, gets the error, some at a time; whoever serves it has no caller
/// any more.
pub(crate) fn end_calls(task: TaskRef, error: Error) -> Progress {
    if step_on_unmended() == Progress::More || release(task, error) == Progress::More || !UNMENDED.0.is_empty() {
        Progress::More
    } else {
        Progress::Done
    }
}

fn step_on_unmended() -> Progress {
    let Some(task) = UNMENDED.0.first.get() else { return Progress::Done };
    // The console is slow, so a report is a step of its own.
    if let Some(fault) = task.calls.fault.take() {
        report(task, fault);
        return Progress::More;
    }
    if release(task, Error::CalleeFaulted) == Progress::Done {
        UNMENDED.0.remove(task);
    }
    Progress::More
}

fn release(task: TaskRef, error: Error) -> Progress {
    leave_callee(task);
    task.calls.fault.set(None);
    interrupt::finish(task);
    let served = task.calls.caller.take();
    let waiting = core::iter::from_fn(|| task.calls.waiters.pop()).take(PER_STEP);
    served.into_iter().chain(waiting).for_each(|caller| caller.fail(error));
    if task.calls.waiters.is_empty() { Progress::Done } else { Progress::More }
}

/// The task waits for no answer any more: there is nobody to return to, or one less in the queue.
fn leave_callee(task: TaskRef) {
    reply::forget_place(task);
    if let Some(callee) = task.calls.callee.take() {
        if callee.calls.caller.get() == Some(task) {
            callee.calls.caller.set(None);
        } else {
            callee.calls.waiters.remove(task);
        }
    }
}
// ANCHOR_END: end
