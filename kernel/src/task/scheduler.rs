//! Which task runs.
//!
//! Operations say who becomes ready and who cannot go on; what is returned here is the task to go on with, which the stub that
//! called the operation then loads.

use core::cell::Cell;

#[cfg(not(feature = "chapter7"))]
use super::RunQueue;
use super::object::{State, TaskRef};
use super::{floating_point, later};
use crate::arch;
use crate::interrupts;
#[cfg(feature = "chapter7")]
use crate::scheduling::RunQueue;
use crate::stop::{StopCode, stop};

/// A task that the kernel keeps in mind, or none.
#[repr(transparent)]
pub(crate) struct OneTask(Cell<Option<TaskRef>>);

// SAFETY: there is one processor, and system calls and exceptions of user mode are handled with interrupts off.
unsafe impl Sync for OneTask {}

impl OneTask {
    /// None.
    pub(crate) const fn none() -> Self {
        Self(Cell::new(None))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Option<TaskRef> {
        self.0.get()
    }

    #[inline(always)]
    pub(crate) fn set(&self, task: Option<TaskRef>) {
        self.0.set(task);
    }

    pub(crate) fn take(&self) -> Option<TaskRef> {
        self.0.take()
    }
}

/// The task that runs. The stubs read it, too.
pub(crate) static CURRENT: OneTask = OneTask::none();

struct Ready(RunQueue);

// SAFETY: as for `Current`.
unsafe impl Sync for Ready {}

static READY: Ready = Ready(RunQueue::new());

/// The task that runs. Called at the beginning of a system call or an exception of user mode, so there is one.
#[inline(always)]
pub(crate) fn current() -> TaskRef {
    debug_assert!(try_current().is_some());
    // SAFETY: user mode is entered by `switch` only, which sets the current task.
    unsafe { CURRENT.get().unwrap_unchecked() }
}

/// The task that runs, if one does.
#[inline(always)]
pub(crate) fn try_current() -> Option<TaskRef> {
    CURRENT.get()
}

// ANCHOR: switch
/// Makes a task the one that runs. Whoever calls this has put away the floating-point state.
#[inline(always)]
pub(crate) fn switch(from: TaskRef, to: TaskRef) -> TaskRef {
    to.state.set(State::Running);
    CURRENT.set(Some(to));
    // Within one address space CR3 stays as it is.
    if !from.space.is(&to.space) {
        to.space.load();
    }
    to
}
// ANCHOR_END: switch

/// Makes a task, which stands in no queue, the one that runs.
pub(crate) fn run(from: TaskRef, to: TaskRef) -> TaskRef {
    if from != to {
        floating_point::put_away();
    }
    switch(from, to)
}

/// Puts a task at the end of the queue of those that could run.
#[inline]
pub(crate) fn make_ready(task: TaskRef) {
    task.state.set(State::Ready);
    READY.0.push(task);
}

/// Puts a task before all others that are as urgent.
pub(crate) fn make_ready_first(task: TaskRef) {
    task.state.set(State::Ready);
    READY.0.push_first(task);
}

/// Takes a task that is ready out of the queue.
pub(crate) fn remove_ready(task: TaskRef) {
    READY.0.remove(task);
}

/// A task that runs, or is ready, does neither any more.
pub(crate) fn withdraw(task: TaskRef) {
    match task.state() {
        State::Ready => remove_ready(task),
        State::Running => {
            floating_point::put_away();
            CURRENT.set(None);
        }
        _ => {}
    }
}

// ANCHOR: yield
/// The current task lets the others run, each once. Returns the task to go on with.
pub(crate) fn yield_now(task: TaskRef) -> TaskRef {
    rotate(task).map_or(task, |next| run(task, next))
}

/// The first of those who are as urgent as the current task, in whose place that one stands in the queue; `None` where there is nobody.
#[inline(always)]
pub(crate) fn rotate(task: TaskRef) -> Option<TaskRef> {
    READY.0.rotate(task).inspect(|_| task.state.set(State::Ready))
}
// ANCHOR_END: yield

/// Takes the first of the tasks that are ready, if there is one.
#[cfg(feature = "chapter7")]
#[inline(always)]
pub(crate) fn take_ready() -> Option<TaskRef> {
    READY.0.pop()
}

// ANCHOR: settle
/// Tasks have become ready: the current one goes on, unless one of them is more urgent.
pub(crate) fn settle(task: TaskRef) -> TaskRef {
    if !READY.0.is_above(task) {
        return task;
    }
    make_ready_first(task);
    run(task, pop())
}

/// What interrupts have brought is dealt with: sleepers wake, handlers begin, a time slice may be over.
#[inline(always)]
pub(crate) fn catch_up(task: TaskRef) -> TaskRef {
    let slice_is_over = later::tick();
    let Some(handler) = later::next_handler() else {
        return if slice_is_over { end_slice(task) } else { settle(task) };
    };
    if slice_is_over {
        make_ready(task);
    } else {
        make_ready_first(task);
    }
    while let Some(other) = later::next_handler() {
        make_ready_first(other);
    }
    // A handler comes before those who are as urgent.
    next_after(task, handler)
}

/// The same between two steps of long work for the current task: the task to go on with, if that is another one now.
#[inline(always)]
pub(crate) fn give_way(task: TaskRef) -> Option<TaskRef> {
    let is_due = later::has_ticked() || interrupts::have_arrived() || READY.0.is_above(task);
    is_due.then(|| catch_up_late(task)).filter(|&next| next != task)
}

/// The same after long work in the kernel.
#[inline(never)]
pub(crate) fn catch_up_late(task: TaskRef) -> TaskRef {
    catch_up(task)
}

/// The current task has used up its time slice.
#[inline(never)]
fn end_slice(task: TaskRef) -> TaskRef {
    make_ready(task);
    run(task, pop())
}
// ANCHOR_END: settle

/// The current task cannot go on. Returns the next one.
#[cfg(feature = "chapter6")]
pub(crate) fn next(task: TaskRef) -> TaskRef {
    run(task, pop())
}

/// The current task does not go on; another one can, which stands in no queue. It does, unless somebody is more urgent.
#[inline(always)]
pub(crate) fn next_after(task: TaskRef, other: TaskRef) -> TaskRef {
    if READY.0.is_above(other) {
        make_ready_first(other);
        run(task, pop())
    } else {
        run(task, other)
    }
}

// ANCHOR: idle
/// The first of the tasks that are ready. While there is none, the processor rests until the next interrupt.
fn pop() -> TaskRef {
    loop {
        if let Some(task) = READY.0.pop() {
            return task;
        }
        if !later::can_wake() {
            stop(StopCode::NothingToRun, format_args!("no task is left that can run, and nothing can wake one"));
        }
        floating_point::put_away();
        arch::interrupts::rest();
        later::tick();
        while let Some(handler) = later::next_handler() {
            make_ready_first(handler);
        }
    }
}
// ANCHOR_END: idle

/// Goes on with the next task that is ready, whatever ran before, and leaves the kernel's stack behind.
pub(crate) fn leave() -> ! {
    let task = pop();
    later::note_start(task);
    task.space.load();
    arch::syscall::resume(run(task, task))
}

/// What was done for a task may have taken away what it needs to run, or the task itself. If it is not the current one any more it does not go on.
#[inline(always)]
pub(crate) fn leave_if_gone(task: TaskRef) {
    if try_current() != Some(task) {
        leave();
    }
}

/// A task is the current one, and nobody is ready.
#[cfg(all(feature = "chapter7", not(target_os = "none")))]
pub(super) fn begin_with(task: TaskRef) {
    forget_all();
    CURRENT.0.set(Some(task));
}

/// Nobody runs or is ready any more.
#[cfg(all(feature = "chapter7", not(target_os = "none")))]
pub(super) fn forget_all() {
    CURRENT.0.set(None);
    READY.0.forget_all();
}
