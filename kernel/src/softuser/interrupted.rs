//! What comes between while RISC-V code runs: page faults of its own, and interrupts.

use core::cell::Cell;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;

use flatmk_softuser::engine::{Hart, recover};
use x86_64::registers::control::Cr2;

use crate::arch::interrupts::TrapFrame;
use crate::interrupts::exceptions::{self, PAGE_FAULT};
use crate::interrupts::{self, Handler, set_handler};

struct Running {
    /// The hart that runs, or none.
    hart: Cell<*mut Hart>,
    /// The address and the error code of its last page fault.
    fault: Cell<(u64, u64)>,
    /// Who handles page faults that are the kernel's own.
    next: Cell<Option<Handler>>,
}

// SAFETY: there is one processor; the fields are used with interrupts off, and `hart` is written then only.
unsafe impl Sync for Running {}

static RUNNING: Running = Running { hart: Cell::new(ptr::null_mut()), fault: Cell::new((0, 0)), next: Cell::new(None) };

/// Registers the handlers.
pub(super) fn initialize() {
    RUNNING.next.set(set_handler(PAGE_FAULT, Some(on_page_fault)));
    interrupts::set_kernel_handler(on_interrupt);
}

/// From now on this hart runs, or none.
pub(super) fn set_running(hart: *mut Hart) {
    RUNNING.hart.set(hart);
}

/// The address and the error code of the last page fault of a hart.
pub(super) fn last_fault() -> (u64, u64) {
    RUNNING.fault.get()
}

// ANCHOR: page_fault
/// A page fault in the kernel. If the instruction is one by which a guest accesses its memory, the engine stops there; any other is a
/// mistake of the kernel's.
fn on_page_fault(frame: &mut TrapFrame) {
    let hart = NonNull::new(RUNNING.hart.get());
    // SAFETY: the hart runs: it is there, and whoever runs it lets the engine recover.
    let recovery = hart.and_then(|mut hart| recover(unsafe { hart.as_mut() }, frame.rip, frame.rdi));
    match (recovery, RUNNING.next.get()) {
        (Some(recovery), _) => {
            /// Bit 2 of the error code: user mode has tried (Intel SDM vol. 3A, figure 4-12). For the task it has.
            const USER: u64 = 1 << 2;
            RUNNING.fault.set((Cr2::read_raw(), frame.error | USER));
            (frame.rip, frame.rsp, frame.rax) = (recovery.rip, recovery.rsp, recovery.rax);
        }
        (None, Some(next)) => next(frame),
        (None, None) => exceptions::stop_unhandled(frame),
    }
}
// ANCHOR_END: page_fault

// ANCHOR: interrupt
/// An interrupt has come in the kernel, and was served. If a hart runs it stops soon: at its next jump that is indirect or leads back, at the latest.
fn on_interrupt(_: &mut TrapFrame) {
    // SAFETY: as above. The flag is all that is used, and it is shared.
    if let Some(pending) = NonNull::new(RUNNING.hart.get()).map(|hart| unsafe { hart.as_ref() }.pending()) {
        pending.store(1, Relaxed);
    }
}
// ANCHOR_END: interrupt
