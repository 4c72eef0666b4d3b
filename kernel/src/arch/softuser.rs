//! The way into RISC-V code, and how it may use user memory.

use core::arch::{asm, global_asm};
use core::mem::offset_of;

use x86_64::registers::control::{Cr4, Cr4Flags};

use crate::boot::STACK_TOP;
use crate::task::{Task, Way};

// ANCHOR: stub
global_asm!(
    "
    .global softuser_resume
softuser_resume:
    # rax: the task to go on with, which has not just made a system call in user mode. Does it run RISC-V code?
    cmp byte ptr [rax + {way}], {softuser}
    jb resume_interrupted
    # It does, on the kernel's stack, with interrupts on. What was on the stack is not needed any more.
    movabs rsp, {stack_top}
    mov rdi, rax
    call {run}                      # until a task is to go on in user mode
    jmp resume_task

    .global softuser_call
softuser_call:
    # A call that the fast path does not know. The caller's registers are saved; what the call came with is in registers that Rust preserves, too.
    mov rcx, r10                    # where Rust expects the second word
    call {call}                     # the checks, the switch, and the code
    # It comes back if it is not this way: everything as it came.
    mov rdi, rbp
    xor esi, esi
    mov rdx, rbx
    mov r10, r12
    mov r8, r13
    mov r9, r14
    jmp syscall_saved
    ",
    call = sym crate::softuser::fast_path::call,
    way = const offset_of!(Task, context.way),
    softuser = const Way::Softuser as u8,
    stack_top = const STACK_TOP,
    run = sym crate::softuser::run,
);
// ANCHOR_END: stub

unsafe extern "C" {
    #[link_name = "softuser_resume"]
    pub(super) fn resume_otherwise();
    #[link_name = "softuser_call"]
    pub(crate) fn call_otherwise();
}

// ANCHOR: access
/// Whether the processor prevents the kernel from using user memory as long as it is not told otherwise.
pub(crate) fn has_access_prevention() -> bool {
    Cr4::read().contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION)
}

/// From here on the kernel may use user memory: `stac` sets the flag AC (Intel SDM vol. 2B, STAC). Interrupt handlers may not; their stubs clear it.
#[inline(always)]
pub(crate) fn allow_access() {
    // SAFETY: called only where the processor has the instruction; the flag means nothing else in the kernel.
    unsafe { asm!("stac", options(nostack)) };
}

/// From here on it may not.
#[inline(always)]
pub(crate) fn forbid_access() {
    // SAFETY: as above.
    unsafe { asm!("clac", options(nostack)) };
}
// ANCHOR_END: access
