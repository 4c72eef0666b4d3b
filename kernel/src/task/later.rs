//! Where later chapters come in: what happens at these points, with each chapter and without it.

#[cfg(feature = "chapter6")]
pub(super) use crate::ipc::{call_fault_handler, end_calls, next_handler, tell_all};
#[cfg(feature = "chapter7")]
pub(super) use crate::scheduling::{forget_waiting, has_ticked, inherit_priority, reset_priority, tick};
#[cfg(feature = "chapter10")]
pub(crate) use crate::softuser::{check_entry, check_way, forget_way, set_entry, step_back, step_over};
#[cfg(feature = "chapter10")]
pub(super) use crate::softuser::{check_start, is_register, lose_space, read_register, settle, show, write_register};
#[cfg(feature = "chapter11")]
pub(super) use crate::trace::{note_start, note_stop};

/// A task has faulted, and nobody mends that.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_stop(_: super::TaskRef, _: super::Fault) {}

/// A task goes on, whatever ran before.
#[cfg(not(feature = "chapter11"))]
pub(super) fn note_start(_: super::TaskRef) {}

/// Tells those who wait for the task that it will not answer.
#[cfg(not(feature = "chapter6"))]
pub(super) fn end_calls(_: super::TaskRef, _: flatmk_abi::Error) -> crate::capability::Progress {
    crate::capability::Progress::Done
}

/// Tells those who wait for tasks that have faulted and that nobody mends.
#[cfg(not(feature = "chapter6"))]
pub(super) fn tell_all() {}

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

/// Whether there are ticks that were not dealt with.
#[cfg(not(feature = "chapter7"))]
pub(super) fn has_ticked() -> bool {
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

/// A task goes on at an entry: where, and how.
#[cfg(not(feature = "chapter10"))]
pub(crate) fn set_entry(context: &super::Context, entry: u64) {
    context.way.set(super::Way::Returned);
    context.rip.set(entry);
}

/// The task has nothing to do. Whoever calls it need not ask how it went on last.
#[cfg(all(feature = "chapter6", not(feature = "chapter10")))]
#[inline(always)]
pub(crate) fn forget_way(_: &super::Context) {}

/// Checks that a task can go on at an address.
///
/// # Errors
///
/// [`Error::InvalidAddress`](flatmk_abi::Error::InvalidAddress).
#[cfg(not(feature = "chapter10"))]
pub(crate) fn check_way(_: &super::Context, address: u64) -> Result<u64, flatmk_abi::Error> {
    super::check_code_address(address)
}

/// Checks that an address can be an entry.
#[cfg(not(feature = "chapter10"))]
pub(crate) use super::check_code_address as check_entry;

/// Checks that a task has what it needs to begin at an entry.
#[cfg(not(feature = "chapter10"))]
pub(super) fn check_start(_: super::TaskRef, _: u64) -> Result<(), flatmk_abi::Error> {
    Ok(())
}

/// The length of the instruction `syscall`.
#[cfg(not(feature = "chapter10"))]
const SYSCALL_LENGTH: u64 = 2;

/// The task goes on with its system call once more.
#[cfg(not(feature = "chapter10"))]
pub(crate) fn step_back(context: &super::Context) {
    context.rip.set(context.rip.get() - SYSCALL_LENGTH);
}

/// It goes on behind it.
#[cfg(not(feature = "chapter10"))]
pub(crate) fn step_over(context: &super::Context) {
    context.rip.set(context.rip.get() + SYSCALL_LENGTH);
}

/// Whether a task has a register with this number, beside those that every task has.
#[cfg(not(feature = "chapter10"))]
pub(super) fn is_register(_: super::TaskRef, _: u64) -> bool {
    false
}

/// The content of such a register; 0 where there is none.
#[cfg(not(feature = "chapter10"))]
pub(super) fn read_register(_: super::TaskRef, _: u64) -> u64 {
    0
}

/// Sets such a register.
///
/// # Errors
///
/// Those that the interface lists for `WriteRegister`.
#[cfg(not(feature = "chapter10"))]
pub(super) fn write_register(_: super::TaskRef, _: u64, _: u64) -> Result<(), flatmk_abi::Error> {
    Err(flatmk_abi::Error::InvalidArgument)
}

/// All registers of a task are where they belong.
#[cfg(not(feature = "chapter10"))]
pub(super) fn settle(_: super::TaskRef) -> bool {
    false
}

/// Shows the registers of a task, if it does not run code of the processor. Tells whether it did.
#[cfg(not(feature = "chapter10"))]
pub(super) fn show(_: super::TaskRef) -> bool {
    false
}

/// The task loses its address space, and with it whatever belongs to that.
#[cfg(not(feature = "chapter10"))]
pub(super) fn lose_space(_: super::TaskRef) {}
