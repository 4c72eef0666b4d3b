//! At whose priority a task runs: its own while it runs for itself, its caller's while it serves. Whoever waits for a busy task lends it, and all for
//! whom that one waits, its priority, so that a task in between cannot hold it up.

use flatmk_abi::{Error, MAX_PRIORITY};

use crate::ipc::LONGEST_CHAIN;
use crate::planted::{Bug, planted};
use crate::task::{State, TaskRef, scheduler};

/// A new task is as urgent as whoever configures it; the first one, as can be.
pub(crate) fn inherit_priority(task: TaskRef) {
    let base = scheduler::try_current().map_or(MAX_PRIORITY, |maker| maker.scheduling.base.get());
    task.scheduling.base.set(base);
    task.scheduling.priority.set(base);
}

/// The task runs for itself from now on. It stands in no queue.
pub(crate) fn reset_priority(task: TaskRef) {
    task.scheduling.priority.set(task.scheduling.base.get().max(lent_to(task)));
}

/// A callee runs at its caller's priority.
#[inline(always)]
pub(crate) fn lend(caller: TaskRef, callee: TaskRef) {
    callee.scheduling.priority.set(caller.scheduling.priority.get());
}

// ANCHOR: lend
/// The caller waits for a task that is busy: that one, and those for whom it waits, become as urgent as the caller.
///
/// The caller stands in the callee's queue already.
pub(crate) fn lend_to_busy(caller: TaskRef, callee: TaskRef) {
    if callee.calls.first_waiter() == Some(caller) {
        // Nobody else waits: what others have lent it before is over.
        callee.scheduling.waiters_priority.set(0);
    }
    lend_on(caller, callee);
}

fn lend_on(caller: TaskRef, callee: TaskRef) {
    // ANCHOR: exercise-7-5
    let priority = caller.scheduling.priority.get();
    let mut waiter = caller;
    for task in core::iter::successors(Some(callee), |task| task.calls.callee()).take(LONGEST_CHAIN) {
        if waiter.state() == State::Waiting {
            let waiters = &task.scheduling.waiters_priority;
            waiters.set(waiters.get().max(priority));
        }
        if task.scheduling.priority.get() < priority && !planted(Bug::PriorityIsNotLent) {
            change(task, priority);
        }
        waiter = task;
    }
    // ANCHOR_END: exercise-7-5
}

/// The task serves one of those who waited for it. The others lend it their priority still.
pub(crate) fn lend_to_next(task: TaskRef) {
    let priority = &task.scheduling.priority;
    priority.set(priority.get().max(lent_to(task)));
}

/// What those who wait for the task lend it; 0 where nobody does.
fn lent_to(task: TaskRef) -> u8 {
    task.calls.first_waiter().map_or(0, |_| task.scheduling.waiters_priority.get())
}
// ANCHOR_END: lend

/// Changes the priority at which a task runs, and with it its queue.
fn change(task: TaskRef, priority: u8) {
    let is_ready = task.state() == State::Ready;
    if is_ready {
        scheduler::remove_ready(task);
    }
    task.scheduling.priority.set(priority);
    if is_ready {
        scheduler::make_ready(task);
    }
}

/// Sets the priority of a task. `invoker` asks for it.
///
/// # Errors
///
/// Those that the interface lists for `SetPriority`.
pub(super) fn set(invoker: TaskRef, task: TaskRef, priority: u64) -> Result<(), Error> {
    let priority =
        u8::try_from(priority).ok().filter(|&priority| priority <= MAX_PRIORITY).ok_or(Error::InvalidArgument)?;
    if priority > invoker.scheduling.base.get() {
        return Err(Error::MissingRight);
    }
    task.scheduling.base.set(priority);
    if !task.calls.has_caller() {
        // Those who wait for it lend it their priority still, and it lends its own to those for whom it waits.
        change(task, priority.max(lent_to(task)));
        if let Some(callee) = task.calls.callee() {
            lend_on(task, callee);
        }
    }
    Ok(())
}
