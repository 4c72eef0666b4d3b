//! What interrupts a task: its own faults, and interrupts of devices.

use core::fmt;

use flatmk_abi::{FaultReason, Words};
use x86_64::registers::control::Cr2;

use super::object::TaskRef;
use super::{end, floating_point, later, scheduler};
use crate::arch::{self, interrupts::TrapFrame};
use crate::interrupts::exceptions::{self, DEVICE_NOT_AVAILABLE, PAGE_FAULT};
use crate::memory::explain;
use crate::syscall::finish_suspended_of;

/// What a task has done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The processor's vector, or a number of [`FaultReason`] above.
    pub reason: u64,
    /// Of a page fault, what was accessed; of a missing capability, the pointer; else the instruction's address.
    pub address: u64,
    /// The processor's error code; 0 where there is none.
    pub error: u64,
}

impl Fault {
    /// The message to the fault handler of a task that is at this instruction.
    #[must_use]
    pub fn message(self, rip: u64) -> Words {
        [self.reason, self.address, self.error, rip]
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MISSING: u64 = FaultReason::MissingCapability as u64;
        let Self { reason, address, error } = *self;
        match (reason, u8::try_from(reason)) {
            (MISSING, _) => write!(formatter, "no capability at pointer {address:#x}"),
            (_, Ok(PAGE_FAULT)) => write!(formatter, "{}", explain(address, error)),
            (_, Ok(vector)) => write!(formatter, "{}, error code {error:#x}", exceptions::name(vector)),
            _ => write!(formatter, "unknown fault {reason}"),
        }
    }
}

// ANCHOR: fault
/// The handler of exceptions in user mode: the task's fault handler is called. Without one the report goes to the console, the task stops, and
/// the others go on.
pub(super) fn handle_exception(frame: &mut TrapFrame) {
    if let Some(next) = take_exception(frame) {
        arch::syscall::resume(next)
    }
}

/// What it does. Returns the task to go on with; `None` where the interrupted one goes on as it was.
#[inline(always)]
pub(crate) fn take_exception(frame: &mut TrapFrame) -> Option<TaskRef> {
    // ANCHOR: exercise-5-5
    let task = scheduler::current();
    if frame.vector() == DEVICE_NOT_AVAILABLE && floating_point::bring_out(task) {
        return None;
    }
    let is_page_fault = frame.vector() == PAGE_FAULT;
    let address = if is_page_fault { Cr2::read_raw() } else { frame.rip };
    arch::syscall::save(frame, &task.context);
    let fault = Fault { reason: frame.vector().into(), address, error: frame.error };
    Some(raise(task, fault))
    // ANCHOR_END: exercise-5-5
}

/// The current task, whose registers are saved, has done wrong. Returns the task to go on with.
pub(crate) fn raise(task: TaskRef, fault: Fault) -> TaskRef {
    // It may have lost its code by the very removal that it was to go on with.
    finish_suspended_of(task);
    scheduler::leave_if_gone(task);
    later::call_fault_handler(task, fault).unwrap_or_else(|| {
        end::stop_faulting(task, fault);
        scheduler::leave()
    })
}
// ANCHOR_END: fault

/// Interrupts have come while a task ran: perhaps another one is to go on.
pub(super) fn handle_interrupt(frame: &mut TrapFrame) {
    if let Some(next) = take_interrupt(frame) {
        arch::syscall::resume(next)
    }
}

/// What it does. Returns the task to go on with; `None` where the interrupted one goes on as it was.
#[inline(always)]
pub(crate) fn take_interrupt(frame: &mut TrapFrame) -> Option<TaskRef> {
    let task = scheduler::current();
    let next = scheduler::catch_up(task);
    if next == task {
        return None;
    }
    arch::syscall::save(frame, &task.context);
    Some(next)
}

// ANCHOR: step
/// The handler of debug exceptions in the kernel. A user program that executes `syscall` in single steps has one raised before the
/// kernel's first instruction on some processors, on others when it is back in user mode: only there it counts.
pub(super) fn step_into_kernel(frame: &mut TrapFrame) {
    // `syscall` has cleared the flag for single steps, so returning goes on.
    if frame.rip != arch::syscall::entry() {
        exceptions::stop_unhandled(frame);
    }
}
// ANCHOR_END: step
