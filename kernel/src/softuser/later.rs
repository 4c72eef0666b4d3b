//! Where chapter 11 comes in: tracing.

#[cfg(feature = "chapter11")]
pub(super) use crate::trace::{
    is_on as is_traced, note_enter, note_failed, note_outcome, note_return, note_switch, note_system_call,
};
#[cfg(not(feature = "chapter11"))]
use crate::{syscall::Request, task::TaskRef};

/// Whether the kernel traces.
#[cfg(not(feature = "chapter11"))]
#[inline(always)]
pub(super) fn is_traced() -> bool {
    false
}

/// A task has made a system call.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_system_call(_: TaskRef, _: &Request) {}

/// The system call of the first task is over, with this status.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_failed(_: TaskRef, _: i64) {}

/// A system call of the first task is done, and the second goes on.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_outcome(_: TaskRef, _: TaskRef) {}

/// After the first task the second goes on.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_switch(_: TaskRef, _: TaskRef) {}

/// A task enters RISC-V code of its own.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_enter(_: TaskRef, _: u64) {}

/// The first task has answered the second.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_return(_: TaskRef, _: TaskRef) {}
