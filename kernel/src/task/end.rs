//! Tasks that fault, and tasks that are destroyed.

use flatmk_abi::Error;
use x86_64::registers::control::Cr2;

use super::object::{State, TaskRef};
use super::scheduler;
use crate::arch::interrupts::TrapFrame;
use crate::capability::{Progress, TaskSteps, empty_task_slot};
use crate::interrupts::exceptions::{self, PAGE_FAULT};
use crate::memory::{Frame, explain};
use crate::{arch, interrupts, print, println};

// ANCHOR: fault
/// The handler of exceptions in user mode: the report goes to the console, the task stops, and the others go on.
pub(super) fn stop_faulting_task(frame: &mut TrapFrame) {
    let task = scheduler::current();
    print!("task at {:#x} stopped: ", task.page().map_or(0, Frame::address));
    if frame.vector() == PAGE_FAULT {
        println!("{}", explain(Cr2::read_raw(), frame.error));
    } else {
        println!("{}, error code {:#x}", exceptions::name(frame.vector()), frame.error);
    }
    print!("{frame}");
    while stop(task, Error::CalleeFaulted) == Progress::More {
        interrupts::let_in();
    }
    scheduler::leave()
}
// ANCHOR_END: fault

// ANCHOR: step
/// The handler of debug exceptions in the kernel. A user program that executes `syscall` in single steps has one raised before the
/// kernel's first instruction on some processors, on others when it is back in user mode: only there it counts.
pub(super) fn step_into_kernel(frame: &mut TrapFrame) {
    // `syscall` has cleared the flag for single steps, so returning goes on.
    if frame.rip != arch::syscall::entry() {
        exceptions::stop_unhandled(frame);
    }
}
// ANCHOR_END: step

/// The steps that capabilities take for tasks.
pub(super) const STEPS: TaskSteps = TaskSteps { destroy, stop: stop_without_slot };

// ANCHOR: destroy
/// Takes a task apart, step by step: its last capability is gone.
fn destroy(page: Frame) -> Progress {
    let Some(task) = TaskRef::at(page) else { return Progress::Done };
    if stop(task, Error::CalleeGone) == Progress::More {
        return Progress::More;
    }
    match [&task.table_slot, &task.space_slot].into_iter().find(|slot| !slot.is_empty()) {
        Some(slot) => {
            empty_task_slot(slot);
            Progress::More
        }
        None => Progress::Done,
    }
}

/// A task is losing its table or its space: without them it cannot go on.
fn stop_without_slot(page: Frame) -> Progress {
    TaskRef::at(page).map_or(Progress::Done, |task| stop(task, Error::CalleeGone))
}

/// Stops a task for good, and tells everybody who waits for it, some at a time.
fn stop(task: TaskRef, error: Error) -> Progress {
    match task.state() {
        State::Ready => scheduler::remove_ready(task),
        State::Running => scheduler::clear_current(),
        _ => {}
    }
    task.state.set(State::Stopped);
    end_calls(task, error)
}
// ANCHOR_END: destroy

/// Tells those who wait for the task that it will not answer. Calls come with chapter 6.
fn end_calls(task: TaskRef, error: Error) -> Progress {
    #[cfg(feature = "chapter6")]
    return crate::ipc::end_calls(task, error);
    #[cfg(not(feature = "chapter6"))]
    {
        let _ = (task, error);
        Progress::Done
    }
}
