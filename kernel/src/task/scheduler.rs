//! Which task runs. In this chapter a task runs until it gives the processor up.

use core::cell::Cell;

use super::object::{Queue, State, TaskRef};
use crate::arch;
use crate::memory::load_space;
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

/// The task that runs. Called at the beginning of a system call or an exception of user mode, so there is one.
#[inline(always)]
pub(crate) fn current() -> TaskRef {
    debug_assert!(try_current().is_some());
    // SAFETY: user mode is entered by `switch` only, which sets the current task.
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

// ANCHOR: switch
/// Makes a task the one that runs. The stub that is told of it loads its registers.
#[inline(always)]
pub(crate) fn switch(from: TaskRef, to: TaskRef) -> TaskRef {
    to.state.set(State::Running);
    CURRENT.0.set(Some(to));
    // Within one address space CR3 stays as it is.
    if from.space.get() != to.space.get() {
        load_space(to.space.get());
    }
    to
}
// ANCHOR_END: switch

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
pub(crate) fn yield_now(task: TaskRef) -> TaskRef {
    match READY.0.pop() {
        None => task,
        Some(next) => {
            make_ready(task);
            switch(task, next)
        }
    }
}
// ANCHOR_END: yield

/// The current task cannot go on. Returns the next one.
#[cfg(feature = "chapter6")]
pub(crate) fn next(task: TaskRef) -> TaskRef {
    switch(task, pop())
}

fn pop() -> TaskRef {
    match READY.0.pop() {
        Some(task) => task,
        None => stop(StopCode::NothingToRun, format_args!("no task is left that can run, and nothing can wake one")),
    }
}

/// Goes on with the next task that is ready, whatever ran before, and leaves the kernel's stack behind.
pub(crate) fn leave() -> ! {
    let task = pop();
    load_space(task.space.get());
    arch::syscall::resume(switch(task, task))
}
