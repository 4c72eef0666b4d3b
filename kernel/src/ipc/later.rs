//! Where later chapters come in: priorities, and tasks that run RISC-V code.

#[cfg(feature = "chapter10")]
pub(super) use crate::arch::softuser::call_otherwise;
#[cfg(feature = "chapter7")]
pub(super) use crate::scheduling::{further_fast_entry, lend, lend_to_busy, lend_to_next, reset_priority};
#[cfg(feature = "chapter10")]
pub(super) use crate::softuser::{calling, endpoint_kind, enter, leave};
#[cfg(not(feature = "chapter11"))]
use crate::task::TaskRef;
#[cfg(feature = "chapter11")]
pub(super) use crate::trace::{note_call, note_failure, note_handler, note_return, note_wait};
#[cfg(not(feature = "chapter10"))]
use crate::{capability::Slot, syscall::Request, task::State};

// Operations that have no fast path.
#[cfg(not(feature = "chapter7"))]
unsafe extern "C" {
    #[link_name = "syscall_slow"]
    pub(super) fn further_fast_entry();
}

// There is no other kind of calls.
#[cfg(not(feature = "chapter10"))]
unsafe extern "C" {
    #[link_name = "syscall_saved"]
    pub(super) fn call_otherwise();
}

/// A callee runs at its caller's priority.
#[cfg(not(feature = "chapter7"))]
#[inline(always)]
pub(super) fn lend(_: TaskRef, _: TaskRef) {}

/// The first task waits for the second.
#[cfg(not(feature = "chapter7"))]
pub(super) fn lend_to_busy(_: TaskRef, _: TaskRef) {}

/// A task has begun to serve one of those who waited for it.
#[cfg(not(feature = "chapter7"))]
pub(super) fn lend_to_next(_: TaskRef) {}

/// The task runs for itself from now on.
#[cfg(not(feature = "chapter7"))]
pub(super) fn reset_priority(_: TaskRef) {}

/// The kind of an endpoint with this entry.
#[cfg(not(feature = "chapter10"))]
pub(super) fn endpoint_kind(_: u64) -> flatmk_abi::Kind {
    flatmk_abi::Kind::Endpoint
}

/// What a task is doing that has called.
#[cfg(not(feature = "chapter10"))]
#[inline(always)]
pub(super) fn calling(_: TaskRef) -> State {
    State::Calling
}

/// The current task calls an endpoint of its own. Returns the task to go on with, where that is no mistake.
#[cfg(not(feature = "chapter10"))]
pub(super) fn enter(_: TaskRef, _: &Slot, _: &Request) -> Option<TaskRef> {
    None
}

/// The current task returns. Returns the task to go on with, where it does so to itself.
///
/// # Errors
///
/// Those that the interface lists for `Return`.
#[cfg(not(feature = "chapter10"))]
#[inline(always)]
pub(super) fn leave(_: TaskRef, _: &Request) -> Result<Option<TaskRef>, flatmk_abi::Error> {
    Ok(None)
}

/// The caller's call begins in the callee; or its fault handler does.
#[cfg(not(feature = "chapter11"))]
#[inline(always)]
pub(super) fn note_call(_: TaskRef, _: TaskRef) {}

/// The caller's call waits.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_wait(_: TaskRef, _: TaskRef) {}

/// The first task has answered the second.
#[cfg(not(feature = "chapter11"))]
#[inline(always)]
pub(super) fn note_return(_: TaskRef, _: TaskRef) {}

/// The task's call has failed.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_failure(_: TaskRef, _: flatmk_abi::Error) {}

/// The task begins to handle an interrupt.
#[cfg(not(feature = "chapter11"))]
#[inline(always)]
pub(super) fn note_handler(_: TaskRef, _: crate::interrupts::Line) {}
