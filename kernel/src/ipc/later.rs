//! Where chapter 7 comes in: priorities.

#[cfg(feature = "chapter7")]
pub(super) use crate::scheduling::{further_fast_entry, lend, lend_to_busy, lend_to_next, reset_priority};
#[cfg(not(feature = "chapter7"))]
use crate::task::TaskRef;

// Operations that have no fast path.
#[cfg(not(feature = "chapter7"))]
unsafe extern "C" {
    #[link_name = "syscall_slow"]
    pub(super) fn further_fast_entry();
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
