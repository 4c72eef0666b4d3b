//! Running a hart until it stops, and what that means for its task.

use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use flatmk_softuser::engine::Stop;
use x86_64::instructions::interrupts;

use super::interrupted::{last_fault, set_running};
use super::part::Hardware;
use super::registers::take_over;
use super::system_call::system_call;
use crate::interrupts::exceptions::{ALIGNMENT_CHECK, BREAKPOINT, INVALID_OPCODE, PAGE_FAULT};
use crate::scheduling;
use crate::task::{Fault, Task, TaskRef, raise, scheduler};

/// Called by the stub, with interrupts off: the current task, in its address space, goes on with RISC-V code. Returns the first task that goes on
/// in user mode.
pub(crate) extern "C" fn run(task: TaskRef) -> *const Task {
    let mut task = task;
    while task.context.is_softuser() {
        task = resume(task);
    }
    task.as_ptr()
}

/// The current task goes on with its code, with whatever has come for it meanwhile. Returns the task to go on with when that stops.
fn resume(task: TaskRef) -> TaskRef {
    let Some(mut hardware) = task.softuser.hardware() else {
        return raise(task, fault(task, INVALID_OPCODE));
    };
    // SAFETY: the hart is the task's own, and the task does not run elsewhere.
    let hardware = unsafe { hardware.as_mut() };
    take_over(&task.context, hardware);
    hardware.hart.set_pc(task.context.rip.get() as u32);
    go_on(task, hardware)
}

// ANCHOR: go_on
/// The current task goes on with its code until that stops, which may be at once. Returns the task to go on with.
#[inline(always)]
pub(super) fn go_on(task: TaskRef, hardware: &mut Hardware) -> TaskRef {
    let Hardware { hart, guest, changes, .. } = hardware;
    if *changes != guest.code_changes() {
        *changes = guest.code_changes();
        hart.forget_code();
    }
    set_running(hart);
    interrupts::enable();
    // SAFETY: what lies in the lowest 4 GiB is the task's own; the handler of page faults recovers.
    let stop = unsafe { hart.run(guest) };
    interrupts::disable();
    set_running(ptr::null_mut());
    // What interrupts have brought comes first. Nothing of the instruction has happened: if it was to do something it is asked again.
    if hart.pending().load(Relaxed) == 0 && stop == Stop::Ecall {
        return system_call(task, hart);
    }
    handle(task, hardware, stop)
}
// ANCHOR_END: go_on

// ANCHOR: handle
/// The hart has stopped, and it was no system call; or an interrupt has come.
#[inline(never)]
fn handle(task: TaskRef, hardware: &mut Hardware, stop: Stop) -> TaskRef {
    const WFI_LENGTH: u32 = 4;
    let Hardware { hart, guest, .. } = hardware;
    task.context.rip.set(hart.pc().into());
    if hart.pending().swap(0, Relaxed) != 0 {
        return scheduler::catch_up(task);
    }
    let fault = match stop {
        Stop::Pending | Stop::Ecall => return task,
        Stop::Wfi => {
            task.context.rip.set(hart.pc().wrapping_add(WFI_LENGTH).into());
            return scheduling::rest(task);
        }
        Stop::Illegal => fault(task, INVALID_OPCODE),
        Stop::Ebreak => fault(task, BREAKPOINT),
        Stop::Misaligned => fault(task, ALIGNMENT_CHECK),
        Stop::Access => {
            let (address, error) = last_fault();
            Fault { reason: PAGE_FAULT.into(), address, error }
        }
        Stop::Fetch => {
            /// User mode has tried to fetch an instruction; the page is there (Intel SDM vol. 3A, figure 4-12).
            const FETCH: u64 = 1 << 4 | 1 << 2;
            const PRESENT: u64 = 1;
            let address = hart.fetch_address().into();
            let error = FETCH | if guest.is_mapped(address) { PRESENT } else { 0 };
            Fault { reason: PAGE_FAULT.into(), address, error }
        }
    };
    raise(task, fault)
}
// ANCHOR_END: handle

/// A fault at the task's instruction.
fn fault(task: TaskRef, vector: u8) -> Fault {
    Fault { reason: vector.into(), address: task.context.rip.get(), error: 0 }
}
