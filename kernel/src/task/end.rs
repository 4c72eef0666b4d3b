//! Tasks that fault, and tasks that are destroyed.

use flatmk_abi::Error;
use x86_64::registers::control::Cr2;

use super::object::{State, TaskRef};
use super::scheduler;
use crate::arch::interrupts::TrapFrame;
use crate::capability::delete_slot;
use crate::interrupts::exceptions::{self, PAGE_FAULT};
use crate::memory::{Frame, explain};
use crate::{arch, print, println};

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
    task.state.set(State::Stopped);
    scheduler::clear_current();
    end_calls(task, Error::CalleeFaulted);
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

/// Takes a task apart: its last capability is gone.
pub(super) fn destroy(page: Frame) {
    let Some(task) = TaskRef::at(page) else { return };
    match task.state() {
        State::Ready => scheduler::remove_ready(task),
        State::Running => scheduler::clear_current(),
        _ => {}
    }
    task.state.set(State::Stopped);
    end_calls(task, Error::CalleeGone);
    for slot in [&task.table_slot, &task.space_slot] {
        if !slot.is_empty() {
            delete_slot(slot);
        }
    }
}

/// Tells everybody who waits for the task that it will not answer. Calls come with chapter 6.
fn end_calls(task: TaskRef, error: Error) {
    #[cfg(feature = "chapter6")]
    crate::ipc::end_calls(task, error);
    #[cfg(not(feature = "chapter6"))]
    let _ = (task, error);
}
