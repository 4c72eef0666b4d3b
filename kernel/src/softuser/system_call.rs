//! `ecall`: the same system calls, with the same capabilities.

use flatmk_abi::{Operation, slots};
use flatmk_softuser::engine::Hart;

use super::registers::{A0, A1, set_words, words};
use super::way::step_over;
use super::{fast_path, later};
use crate::syscall::{self, FAULT, Request};
use crate::task::{TaskRef, Way};

/// What is in `a0` and `a1` for a return to the caller.
const RETURN: u64 = slots::REPLY | (Operation::Return as u64) << 32;

// ANCHOR: system_call
/// The current task, whose hart has stopped at an `ecall`, makes a system call. Returns the task to go on with.
#[inline(always)]
pub(super) fn system_call(task: TaskRef, hart: &mut Hart) -> TaskRef {
    if hart.register_pair(A0) == RETURN
        && let Some(next) = fast_path::return_to_caller(task, hart)
    {
        return next;
    }
    any_system_call(task, hart)
}

/// The same, where the code may have been running for longer than since a call by the fast path: by now the kernel may trace.
#[inline(always)]
pub(super) fn later_system_call(task: TaskRef, hart: &mut Hart) -> TaskRef {
    if later::is_traced() { any_system_call(task, hart) } else { system_call(task, hart) }
}

#[cold]
#[inline(never)]
fn any_system_call(task: TaskRef, hart: &mut Hart) -> TaskRef {
    let [pointer, operation] = [A0, A1].map(|index| u64::from(hart.register(index)));
    let request = Request { pointer, operation, arguments: words(hart) };
    task.context.rip.set(hart.pc().into());
    step_over(&task.context);
    later::note_system_call(task, &request);
    let next = perform(task, hart, &request);
    later::note_outcome(task, next);
    next
}

fn perform(task: TaskRef, hart: &mut Hart, request: &Request) -> TaskRef {
    let &Request { pointer, operation, arguments } = request;
    if operation as u8 <= Operation::LAST_SWITCHING {
        // What it returns comes into the registers of the task, and from there into those of the hart when that goes on.
        return syscall::switch(request);
    }
    let (mut results, [a, b, c, d]) = ([0; 4], arguments);
    let status = syscall::plain(pointer, operation, a, b, c, d, &mut results);
    if status == FAULT {
        return syscall::report_missing(task);
    }
    later::note_failed(task, status);
    hart.set_register(A0, status as u32);
    hart.set_register(A1, 0);
    set_words(hart, results);
    task.context.way.set(Way::Softuser);
    task
}
// ANCHOR_END: system_call
