//! Calls between tasks.
//!
//! A call suspends the caller and continues in the callee, at the endpoint's entry; a return does the reverse. The callee begins each
//! time afresh, so its registers are neither saved nor loaded. Faults and interrupts are calls, too, which the kernel makes.
//!
//! - `call`: calls and returns, for every case; [`fast_path`] does the usual one faster, with the same result.
//! - `endpoint`: making endpoints; `window`: capabilities that move along.
//! - `answer`: what becomes of a caller; `reply`: reply capabilities that were moved into a table.
//! - `fault`: fault handlers; `interrupt`: handlers of interrupts; `ports`: their access to devices.
//! - `end`: what the others are told when a task ends.

mod answer;
mod call;
mod end;
mod endpoint;
pub mod fast_path;
mod fault;
mod interrupt;
mod later;
mod ports;
mod reply;
mod window;

use core::cell::Cell;

#[cfg(feature = "chapter7")]
pub(crate) use call::LONGEST_CHAIN;
#[cfg(feature = "chapter7")]
pub(crate) use call::accept;
pub(crate) use call::{call, return_to_caller};
pub(crate) use end::{end_calls, tell_all};
pub use endpoint::EndpointRequest;
pub(crate) use fault::{call_fault_handler, set_fault_handler};
pub(crate) use interrupt::{bind, give_devices, is_interrupt_bound, next_handler};
pub(crate) use ports::{read_port, write_port};
pub(crate) use reply::{reply, take_reply};

use crate::capability::{CallSteps, Slot, set_call_steps};
use crate::task::{Fault, Queue, TaskRef};

/// A task's part in calls.
pub(crate) struct Calls {
    /// The task that it serves, and to which it can return.
    pub(super) caller: Cell<Option<TaskRef>>,
    /// The task that serves it, or will.
    callee: Cell<Option<TaskRef>>,
    /// Where the callee begins, and with which context: the words of the endpoint that was called.
    entry: Cell<u64>,
    context: Cell<u64>,
    /// What moves along when its turn comes.
    window: Cell<window::Window>,
    /// Why it has faulted, while its fault handler is called.
    fault: Cell<Option<Fault>>,
    /// Where the capability to return to it is, if its callee has moved it into a table.
    reply: Cell<Option<core::ptr::NonNull<Slot>>>,
    /// Whether somebody waits for this task, or an interrupt does. It may be set when nobody does any more.
    has_more: Cell<bool>,
    /// The tasks that wait for this one.
    waiters: Queue,
    /// The interrupt lines whose handler it is just now, one bit each.
    lines: Cell<u16>,
    /// Whether a system call without capability is a fault.
    reports_missing: Cell<bool>,
    /// The endpoint that is called when it faults.
    pub(crate) fault_slot: Slot,
}

impl Calls {
    /// The task that serves it, or will.
    #[cfg(feature = "chapter7")]
    pub(crate) fn callee(&self) -> Option<TaskRef> {
        self.callee.get()
    }

    /// The first of those who wait for it.
    #[cfg(feature = "chapter7")]
    pub(crate) fn first_waiter(&self) -> Option<TaskRef> {
        self.waiters.first.get()
    }

    /// Whether it serves a caller.
    #[cfg(feature = "chapter7")]
    pub(crate) fn has_caller(&self) -> bool {
        self.caller.get().is_some()
    }

    /// Whom it serves, if nobody waits for it, and no interrupt.
    #[cfg(feature = "chapter10")]
    #[inline(always)]
    pub(crate) fn only_caller(&self) -> Option<TaskRef> {
        if self.has_more.get() { None } else { self.caller.get() }
    }

    /// It serves this task, or none.
    #[cfg(feature = "chapter10")]
    #[inline(always)]
    pub(crate) fn set_caller(&self, caller: Option<TaskRef>) {
        self.caller.set(caller);
    }

    /// This task serves it, or none.
    #[cfg(feature = "chapter10")]
    #[inline(always)]
    pub(crate) fn set_callee(&self, callee: Option<TaskRef>) {
        self.callee.set(callee);
    }

    /// Whether it has faulted, and waits for its handler.
    pub(crate) fn has_faulted(&self) -> bool {
        self.fault.get().is_some()
    }

    /// Why it has faulted, if it has; and the context word of the endpoint that it calls, or that is called for that.
    #[cfg(feature = "chapter11")]
    pub(crate) fn fault_and_context(&self) -> (Option<Fault>, u64) {
        (self.fault.get(), self.context.get())
    }

    /// Whether it wants a fault where a system call names no capability.
    pub(crate) fn reports_missing(&self) -> bool {
        self.reports_missing.get()
    }
}

/// Lets calls take the fast path, unless a boot option says otherwise.
pub(crate) fn initialize() {
    if crate::boot::options().fast_path {
        fast_path::initialize();
    }
    interrupt::initialize();
    set_call_steps(CallSteps {
        reply_moved: reply::note_place,
        reply_goes: reply::give_up,
        binding_goes: interrupt::unbind,
    });
}
