//! The host: tasks that make system calls and are interrupted, without a processor.

use flatmk_abi::{Operation, Words};

use super::object::{State, TaskRef};
use super::scheduler;
#[cfg(feature = "chapter9")]
use crate::memory::AddressSpace;
use crate::syscall::{self, Request};

/// A task runs, and nobody is ready.
pub fn begin(task: TaskRef) {
    scheduler::begin_with(task);
    task.state.set(State::Running);
}

/// Nobody runs, or is ready: the tasks are those of a test that is over.
pub fn reset() {
    scheduler::forget_all();
}

/// From now on the address space of a task is this one.
#[cfg(feature = "chapter9")]
pub fn set_space(task: TaskRef, space: AddressSpace) {
    task.space.set(Some(space));
}

/// The processor uses a task's address space, whatever it used before.
#[cfg(feature = "chapter9")]
pub fn load_space(task: TaskRef) {
    task.space.load();
}

/// Another task runs.
#[cfg(feature = "chapter9")]
pub fn switch(from: TaskRef, to: TaskRef) {
    scheduler::switch(from, to);
}

/// The current task makes a system call after which another may go on. Returns that one.
#[must_use]
pub fn switching_call(pointer: u64, operation: Operation, flags: u64, arguments: Words) -> TaskRef {
    debug_assert!(operation as u8 <= Operation::LAST_SWITCHING);
    // Not by the stub's way in, which nothing can unwind through: a test that fails is told so.
    let _ = syscall::switch(&Request { pointer, operation: operation as u64 | flags, arguments });
    scheduler::current()
}

/// The timer has interrupted the current task. Returns the task that goes on.
#[must_use]
pub fn interrupt() -> TaskRef {
    scheduler::catch_up(scheduler::current())
}

/// The task that a task has called, or waits to call.
#[must_use]
pub fn callee(task: TaskRef) -> Option<TaskRef> {
    task.calls.callee()
}

/// Whether a task serves a caller.
#[must_use]
pub fn has_caller(task: TaskRef) -> bool {
    task.calls.has_caller()
}
