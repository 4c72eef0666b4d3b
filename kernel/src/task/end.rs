//! Tasks that are stopped, and tasks that are destroyed.

use flatmk_abi::{Error, Kind};

use super::fault::Fault;
use super::object::{State, TaskRef};
use super::{floating_point, later, scheduler};
use crate::capability::{Progress, Slot, TaskSteps, empty_task_slot};
use crate::memory::Frame;
use crate::{interrupts, print, println};

/// The steps that capabilities take for tasks.
pub(super) const STEPS: TaskSteps = TaskSteps { destroy, release_slot };

/// A task has faulted and nobody mends it: the report goes to the console, and it is stopped.
pub(crate) fn stop_faulting(task: TaskRef, fault: Fault) {
    report(task, fault);
    stop_now(task, Error::CalleeFaulted);
}

/// Tells the console about a task that has faulted.
pub(crate) fn report(task: TaskRef, fault: Fault) {
    later::note_stop(task, fault);
    print!("task at {:#x} stopped: ", task.page().map_or(0, Frame::address));
    println!("{fault}");
    if !later::show(task) {
        print!("{}", task.context);
    }
}

/// Stops a task. Interrupts are served in between.
pub(super) fn stop_now(task: TaskRef, error: Error) {
    while stop(task, error) == Progress::More {
        interrupts::let_in();
    }
}

// ANCHOR: destroy
/// Takes a task apart, step by step: its last capability is gone.
fn destroy(page: Frame) -> Progress {
    let Some(task) = TaskRef::at(page) else { return Progress::Done };
    if stop(task, Error::CalleeGone) == Progress::More {
        return Progress::More;
    }
    match task.slots().find(|slot| !slot.is_empty()) {
        Some(slot) => {
            // The page is no task's any more, so nobody else does this.
            if release_slot(page, slot) == Progress::Done {
                empty_task_slot(slot);
            }
            Progress::More
        }
        None => Progress::Done,
    }
}

/// A slot of a task is about to be emptied. Without its table or its space it cannot go on.
fn release_slot(page: Frame, slot: &Slot) -> Progress {
    let Some(task) = TaskRef::at(page) else { return Progress::Done };
    match slot.kind() {
        Kind::Table => stop(task, Error::CalleeGone),
        Kind::AddressSpace => {
            later::lose_space(task);
            stop(task, Error::CalleeGone)
        }
        Kind::FloatingPoint => floating_point::release(task, slot),
        #[cfg(feature = "chapter10")]
        Kind::Softuser => crate::softuser::release(task, slot),
        _ => Progress::Done,
    }
}

/// Stops a task, and tells everybody who waits for it, some at a time.
fn stop(task: TaskRef, error: Error) -> Progress {
    scheduler::withdraw(task);
    later::forget_waiting(task);
    task.state.set(State::Stopped);
    later::end_calls(task, error)
}
// ANCHOR_END: destroy
