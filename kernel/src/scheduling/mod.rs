//! Scheduling: who runs how long, and who waits for what.
//!
//! Fixed priorities, 0 to 63; the most urgent task that is ready runs, tasks of one priority take turns. A task that is called runs at its caller's
//! priority, and in its time slice.
//!
//! - `run_queue`: the tasks that are ready, by priority.
//! - `priority`: whose priority a task runs at.
//! - `timer_queue`: the tasks that wait for a time, by that time; `clock`: ticks, time slices, sleeping.
//! - `notification`: words of bits that tasks signal and wait for; `fast_path`: the same, faster where nothing special is to be done.
//! - `inspect`: what a task is doing, and the time, from chapter 11 on.
//! - `host`: what the tests on the host need to look into the queues.

mod clock;
mod fast_path;
#[cfg(not(target_os = "none"))]
pub mod host;
#[cfg(feature = "chapter11")]
mod inspect;
mod notification;
mod priority;
mod run_queue;
mod timer_queue;

use core::cell::Cell;

use flatmk_abi::{Error, Kind, Operation, Rights};

#[cfg(feature = "chapter10")]
pub(crate) use clock::rest;
pub(crate) use clock::{fill_slice, has_ticked, is_timer_running, keep_slice, tick, use_slice};
pub(crate) use fast_path::further_fast_entry;
#[cfg(feature = "chapter11")]
pub(crate) use inspect::{inspect, read_clock};
pub(crate) use notification::poll;
pub(crate) use priority::{inherit_priority, lend, lend_to_busy, lend_to_next, reset_priority};
pub(crate) use run_queue::RunQueue;

use crate::capability::set_notification_step;
use crate::syscall::{Request, lookup, require_self, task_to_manage};
use crate::task::{self, TaskRef, scheduler};

/// A task's priority, and what it waits for other than calls.
pub(crate) struct Scheduling {
    /// What it was given: it runs at this priority when it serves nobody.
    base: Cell<u8>,
    /// The priority at which it runs, or would.
    pub(super) priority: Cell<u8>,
    /// While somebody waits for this task: the highest priority of those who did, since last nobody did.
    waiters_priority: Cell<u8>,
    /// How many ticks are left of its time slice, while it is ready.
    slice: Cell<u8>,
    /// The notification for which it waits.
    notification: Cell<Option<notification::NotificationRef>>,
    timer: timer_queue::Node,
}

/// Registers what notifications need.
pub(crate) fn initialize() {
    set_notification_step(notification::destroy);
}

// ANCHOR: perform
/// The operations of this chapter after which another task may go on. Returns the task to go on with.
pub(crate) fn perform(operation: Operation, task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    let &Request { pointer, arguments: [argument, ..], .. } = request;
    match operation {
        Operation::Sleep => {
            require_self(task, pointer)?;
            Ok(clock::sleep(task, argument))
        }
        Operation::Wait => {
            let slot = lookup(&task, pointer)?.require(Kind::Notification, Rights::READ)?;
            notification::wait(task, slot, argument)
        }
        Operation::Signal => {
            let slot = lookup(&task, pointer)?.require(Kind::Notification, Rights::WRITE)?;
            notification::signal(slot, argument)?;
            Ok(done(task))
        }
        Operation::Stop => {
            let stopped = task_to_manage(lookup(&task, pointer)?)?;
            if stopped == task {
                task.context.set_result(Ok([0; 4]));
            }
            task::stop(stopped)?;
            // It was the task itself; or what the other one was to take away was this one's.
            scheduler::leave_if_gone(task);
            Ok(done(task))
        }
        Operation::Resume => {
            task::resume(task_to_manage(lookup(&task, pointer)?)?)?;
            Ok(done(task))
        }
        Operation::SetPriority => {
            priority::set(task, task_to_manage(lookup(&task, pointer)?)?, argument)?;
            Ok(done(task))
        }
        _ => Err(Error::UnknownOperation),
    }
}
// ANCHOR_END: perform

/// The operation has succeeded. The current task goes on, unless it has made a more urgent one ready.
fn done(task: TaskRef) -> TaskRef {
    task.context.set_result(Ok([0; 4]));
    scheduler::settle(task)
}

/// The task waits for no time and no notification any more.
pub(crate) fn forget_waiting(task: TaskRef) {
    notification::leave(task);
    timer_queue::remove(task);
}
