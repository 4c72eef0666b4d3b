//! Running a hart until it stops, and what that means for its task.

use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use flatmk_softuser::engine::{Hart, Stop};
use x86_64::instructions::interrupts;

use super::code::with_memory_of;
use super::interrupted::{last_fault, set_running};
use super::later;
use super::part::Hardware;
use super::registers::take_over;
use super::system_call::later_system_call;
use crate::interrupts::exceptions::{ALIGNMENT_CHECK, BREAKPOINT, DEBUG, INVALID_OPCODE, PAGE_FAULT};
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
    if task.context.rflags.get() & TRAP_FLAG != 0 {
        step(task, hardware)
    } else {
        go_on(task, hardware, later_system_call)
    }
}

/// The flag with which whoever mends a fault asks for a single step (Intel SDM vol. 1, 3.4.3.3). The processor sees it in native code only.
pub(super) const TRAP_FLAG: u64 = 1 << 8;

/// The current task executes one instruction, and faults behind it. A system call counts together with the instruction after it, as it does natively.
fn step(task: TaskRef, hardware: &mut Hardware) -> TaskRef {
    let space = hardware.guest.space();
    let Hardware { hart, guest, .. } = &mut *hardware;
    set_running(hart);
    interrupts::enable();
    // SAFETY: as for `run`.
    let stop = with_memory_of(space, || unsafe { hart.step(guest) });
    interrupts::disable();
    set_running(ptr::null_mut());
    let is_interrupted = hart.pending().swap(0, Relaxed) != 0;
    let next = match stop {
        None => {
            hart.forget_reservation();
            task.context.rip.set(hart.pc().into());
            raise(task, fault(task, DEBUG))
        }
        Some(Stop::Ecall) => later_system_call(task, hart),
        Some(stop) => after_stop(task, hardware, stop),
    };
    let last = if is_interrupted { scheduler::catch_up(next) } else { next };
    later::note_switch(task, last);
    last
}

// ANCHOR: go_on
/// The current task goes on with its code until that stops, which may be at once, for a system call perhaps. Returns the task to go on with.
#[inline(always)]
pub(super) fn go_on(task: TaskRef, hardware: &mut Hardware, system_call: fn(TaskRef, &mut Hart) -> TaskRef) -> TaskRef {
    let stop =
        if hardware.quick == hardware.guest.code_changes() { run_hart(hardware) } else { prepare_and_run(hardware) };
    // What interrupts have brought comes first. Nothing of the instruction has happened: if it was to do something it is asked again.
    let hart = &mut hardware.hart;
    if hart.pending().load(Relaxed) == 0 && stop == Stop::Ecall {
        return system_call(task, hart);
    }
    handle(task, hardware, stop)
}

#[inline(always)]
fn run_hart(Hardware { hart, guest, .. }: &mut Hardware) -> Stop {
    set_running(hart);
    interrupts::enable();
    // SAFETY: what lies in the lowest 4 GiB is the task's own; the handler of page faults recovers.
    let stop = unsafe { hart.run(guest) };
    interrupts::disable();
    set_running(ptr::null_mut());
    stop
}

/// The same where something comes first: code has changed, or the kernel has no user memory in its page tables.
#[cold]
#[inline(never)]
fn prepare_and_run(hardware: &mut Hardware) -> Stop {
    hardware.catch_up();
    let space = hardware.guest.space();
    with_memory_of(space, || run_hart(hardware))
}
// ANCHOR_END: go_on

// ANCHOR: handle
/// The hart has stopped, and it was no system call; or an interrupt has come.
#[inline(never)]
fn handle(task: TaskRef, hardware: &mut Hardware, stop: Stop) -> TaskRef {
    let next = after_stop(task, hardware, stop);
    later::note_switch(task, next);
    next
}

#[inline(always)]
fn after_stop(task: TaskRef, hardware: &mut Hardware, stop: Stop) -> TaskRef {
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
