//! Where later chapters come in: what happens at these points, with each chapter and without it.

#[cfg(feature = "chapter6")]
pub(super) use crate::ipc::{call_fault_handler, end_calls, next_handler};
#[cfg(feature = "chapter7")]
pub(super) use crate::scheduling::{forget_waiting, inherit_priority, reset_priority, tick};

/// Tells those who wait for the task that it will not answer.
#[cfg(not(feature = "chapter6"))]
pub(super) fn end_calls(_: super::TaskRef, _: flatmk_abi::Error) -> crate::capability::Progress {
    crate::capability::Progress::Done
}

/// Lets the handler of an interrupt that has come begin. `None` if there is no more of them.
#[cfg(not(feature = "chapter6"))]
pub(super) fn next_handler() -> Option<super::TaskRef> {
    None
}

/// Calls the task's fault handler; without one, gives the task back.
#[cfg(not(feature = "chapter6"))]
pub(super) fn call_fault_handler(_: super::TaskRef, _: super::Fault) -> Option<super::TaskRef> {
    None
}

/// The timer's ticks since the last time count. Tells whether a time slice is over.
#[cfg(not(feature = "chapter7"))]
pub(super) fn tick() -> bool {
    false
}

/// The task waits for no time and no notification any more.
#[cfg(not(feature = "chapter7"))]
pub(super) fn forget_waiting(_: super::TaskRef) {}

/// A new task is as urgent as whoever configures it.
#[cfg(not(feature = "chapter7"))]
pub(super) fn inherit_priority(_: super::TaskRef) {}

/// The task runs for itself from now on.
#[cfg(not(feature = "chapter7"))]
pub(super) fn reset_priority(_: super::TaskRef) {}

/// Whether the task has faulted and waits for its fault handler, or for that one's turn.
pub(super) fn has_faulted(_task: super::TaskRef) -> bool {
    #[cfg(feature = "chapter6")]
    return _task.calls.has_faulted();
    #[cfg(not(feature = "chapter6"))]
    false
}

/// Whether an interrupt could make a task ready.
pub(super) fn can_wake() -> bool {
    #[cfg(feature = "chapter6")]
    if crate::ipc::is_interrupt_bound() {
        return true;
    }
    #[cfg(feature = "chapter7")]
    if crate::scheduling::is_timer_running() {
        return true;
    }
    false
}
