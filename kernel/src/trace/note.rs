//! The points at which there is an event.
//!
//! Those in `note_...` are called where a lower chapter's `later` leads here. While nobody traces each of them is one test, and a jump that is not taken.

use flatmk_abi::{Error, Event, EventKind};

use super::{TRACE, end, is_on};
use crate::arch::{self, interrupts::TrapFrame};
use crate::interrupts::{Handler, Line};
use crate::memory::Frame;
use crate::syscall::Request;
use crate::task::{Fault, TaskRef, Way, scheduler, take_exception, take_interrupt};

/// The number of a task: that of its page.
fn number(task: TaskRef) -> u32 {
    task.page().map_or(0, Frame::number)
}

/// Writes an event down, while the kernel traces. Where the frame is gone tracing ends.
fn write(kind: EventKind, task: TaskRef, detail: u64, [first, second]: [u64; 2]) {
    let event = Event { time: arch::time_stamp(), kind, detail: detail as u32, task: number(task), first, second };
    if is_on() && !TRACE.ring.write(event) {
        end();
    }
}

/// Makes of each the function that is called at the point itself: a test and, behind a jump that is not taken, a call that loses no register, so that
/// whoever calls it need not make room for it.
macro_rules! points {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),*) $body:block)+) => {$(
        $(#[$attribute])*
        #[inline(always)]
        $visibility fn $name($($argument: $kind),*) {
            #[cold]
            #[inline(never)]
            extern "rust-cold" fn note($($argument: $kind),*) $body

            if is_on() {
                note($($argument),*);
            }
        }
    )+};
}

// ANCHOR: points
points! {
    /// The caller's call begins in the callee; or its fault handler does.
    pub(crate) fn note_call(caller: TaskRef, callee: TaskRef) {
        let callee = number(callee).into();
        match caller.calls.fault_and_context() {
            (None, context) => write(EventKind::Call, caller, 0, [callee, context]),
            (Some(fault), _) => write(EventKind::Fault, caller, fault.reason, [callee, fault.address]),
        }
    }

    /// A task enters RISC-V code of its own.
    pub(crate) fn note_enter(task: TaskRef, context: u64) {
        write(EventKind::Call, task, 0, [number(task).into(), context]);
    }

    /// The caller's call waits for its turn.
    pub(crate) fn note_wait(caller: TaskRef, callee: TaskRef) {
        write(EventKind::Wait, caller, 0, [number(callee).into(), 0]);
    }

    /// The first task has answered the second.
    pub(crate) fn note_return(from: TaskRef, to: TaskRef) {
        write(EventKind::Return, from, 0, [number(to).into(), 0]);
    }

    /// The task's call has failed.
    pub(crate) fn note_failure(task: TaskRef, error: Error) {
        note_failed(task, error.status());
    }

    /// The task's system call is over, with this status.
    pub(crate) fn note_failed(task: TaskRef, status: i64) {
        if status < 0 {
            write(EventKind::Failure, task, status.unsigned_abs(), [0; 2]);
        }
    }

    /// The task begins to handle an interrupt.
    pub(crate) fn note_handler(task: TaskRef, line: Line) {
        write(EventKind::Handle, task, line.index() as u64, [0; 2]);
    }

    /// The task has faulted, and nobody mends that.
    pub(crate) fn note_stop(task: TaskRef, fault: Fault) {
        write(EventKind::Stop, task, fault.reason, [0, fault.address]);
    }

    /// After the first task the second goes on.
    pub(crate) fn note_switch(from: TaskRef, to: TaskRef) {
        if from != to {
            write(EventKind::Switch, to, 0, [number(from).into(), 0]);
        }
    }

    /// A task goes on, whatever ran before: that may be gone.
    pub(crate) fn note_start(task: TaskRef) {
        write(EventKind::Switch, task, 0, [number(task).into(), 0]);
    }

    /// A task has made a system call.
    pub(crate) fn note_system_call(task: TaskRef, request: &Request) {
        let [argument, ..] = request.arguments;
        write(EventKind::SystemCall, task, request.operation & 0xff, [request.pointer, argument]);
    }

    /// A system call of the first task is done, and the second goes on.
    pub(crate) fn note_outcome(task: TaskRef, next: TaskRef) {
        if next != task {
            note_switch(task, next);
        } else if matches!(task.context.way.get(), Way::Returned | Way::SoftuserReturned) {
            note_failed(task, task.context.rax.get().cast_signed());
        }
    }
}
// ANCHOR_END: points

// ANCHOR: handlers
/// In the place of the handlers of exceptions in user mode, of what comes after an interrupt there, and after one in the kernel.
pub(super) const HANDLERS: [Handler; 3] = [on_exception, on_interrupt, on_interrupt_in_kernel];

fn on_exception(frame: &mut TrapFrame) {
    go_on(scheduler::current(), take_exception(frame));
}

fn on_interrupt(frame: &mut TrapFrame) {
    note_interrupt(frame);
    go_on(scheduler::current(), take_interrupt(frame));
}

fn on_interrupt_in_kernel(frame: &mut TrapFrame) {
    // The trace may end with this event.
    let usual = TRACE.handlers.get().map(|[.., usual]| usual);
    note_interrupt(frame);
    if let Some(usual) = usual {
        usual(frame);
    }
}

fn go_on(task: TaskRef, next: Option<TaskRef>) {
    if let Some(next) = next {
        note_switch(task, next);
        arch::syscall::resume(next)
    }
}
// ANCHOR_END: handlers

fn note_interrupt(frame: &TrapFrame) {
    if let (Some(line), Some(task)) = (Line::from_vector(frame.vector()), scheduler::try_current()) {
        write(EventKind::Interrupt, task, line.index() as u64, [0; 2]);
    }
}
