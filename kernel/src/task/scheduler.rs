//! Which task runs. In this chapter a task runs until it gives the processor up.

use core::cell::Cell;

use super::object::{Queue, State, TaskRef};
use crate::arch;
use crate::memory::{AddressSpace, Frame};
use crate::stop::{StopCode, stop};

/// The task that runs. The stubs read it, too.
#[repr(transparent)]
pub(crate) struct Current(Cell<Option<TaskRef>>);

// SAFETY: there is one processor, and system calls and exceptions of user mode are handled with interrupts off.
unsafe impl Sync for Current {}

pub(crate) static CURRENT: Current = Current(Cell::new(None));

struct Ready(Queue);

// SAFETY: as for `Current`.
unsafe impl Sync for Ready {}

static READY: Ready = Ready(Queue::new());

/// The task that runs.
///
/// # Panics
///
/// Before the root task is started, and where the current task was destroyed and none is chosen yet.
#[inline]
pub(crate) fn current() -> TaskRef {
    CURRENT.0.get().expect("a task is running")
}

/// The task that runs, during a system call.
#[cfg(feature = "chapter6")]
#[inline(always)]
pub(crate) fn current_unchecked() -> TaskRef {
    debug_assert!(try_current().is_some());
    // SAFETY: a system call comes from a task that runs.
    unsafe { CURRENT.0.get().unwrap_unchecked() }
}

/// The task that runs, if one does.
pub(crate) fn try_current() -> Option<TaskRef> {
    CURRENT.0.get()
}

/// No task runs: the current one has ended.
pub(crate) fn clear_current() {
    CURRENT.0.set(None);
}

/// Makes a task the one that runs, without touching its address space.
#[inline]
pub(crate) fn set_current(task: TaskRef) {
    task.state.set(State::Running);
    CURRENT.0.set(Some(task));
}

/// Makes a task the one that runs, in its address space; the stub that is told of it loads its registers.
pub(crate) fn switch_to(task: TaskRef) -> TaskRef {
    set_current(task);
    if let Some(top) = Frame::containing(task.space.get()) {
        let space = AddressSpace::from_top(top);
        if !space.is_current() {
            space.activate();
        }
    }
    task
}

/// Puts a task at the end of the queue of those that could run.
pub(crate) fn make_ready(task: TaskRef) {
    task.state.set(State::Ready);
    READY.0.push(task);
}

/// Takes a task that is ready out of the queue.
pub(crate) fn remove_ready(task: TaskRef) {
    READY.0.remove(task);
}

// ANCHOR: yield
/// The current task lets the others run, each once. Returns the task to go on with.
pub(crate) fn yield_now() -> TaskRef {
    let task = current();
    match READY.0.pop() {
        None => task,
        Some(next) => {
            make_ready(task);
            switch_to(next)
        }
    }
}
// ANCHOR_END: yield

/// The current task cannot go on. Returns the next one.
pub(crate) fn next() -> TaskRef {
    match READY.0.pop() {
        Some(task) => switch_to(task),
        None => stop(StopCode::NothingToRun, format_args!("every task waits for another, and nothing can wake one")),
    }
}

/// Goes on with the next task that is ready, and leaves the kernel's stack behind.
pub(crate) fn leave() -> ! {
    arch::syscall::resume(next())
}
