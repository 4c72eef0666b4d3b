//! The way from user mode into the kernel and back: `syscall` and `sysret` (Intel SDM vol. 2B).
//!
//! `syscall` changes neither the stack pointer nor any register but `rcx` (where `rip` goes) and `r11` (`rflags`). There is one
//! processor and the kernel does not interrupt itself, so the user's stack pointer is kept in a static, and every entry
//! begins at the top of the one kernel stack.

use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::mem::offset_of;

use flatmk_abi::Operation;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;

use super::interrupts::TrapFrame;
use crate::boot::STACK_TOP;
use crate::interrupts::descriptors::{KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA};
use crate::task::scheduler::CURRENT;
use crate::task::{Context, Task, TaskRef};

/// The user's stack pointer during a system call.
#[repr(transparent)]
pub(crate) struct UserStack(Cell<u64>);

// SAFETY: only the stubs use it, with interrupts off, on the one processor.
unsafe impl Sync for UserStack {}

pub(crate) static USER_STACK: UserStack = UserStack(Cell::new(0));

// ANCHOR: stub
global_asm!(
    "
    # Saves the registers on which the current task may rely after a system call.
    .macro save_task
    mov rax, [rip + {current}]
    mov [rax + {rbx}], rbx
    mov [rax + {rbp}], rbp
    mov [rax + {r12}], r12
    mov [rax + {r13}], r13
    mov [rax + {r14}], r14
    mov [rax + {r15}], r15
    mov [rax + {rip_}], rcx
    mov [rax + {rflags}], r11
    mov rcx, [rip + {user_stack}]
    mov [rax + {rsp_}], rcx
    .endm

    .balign 64
    .global syscall_slow
    .global syscall_saved
    .global resume_task
syscall_entry:
    mov [rip + {user_stack}], rsp
    movabs rsp, {stack_top}
syscall_slow:                       # the fast path comes here with what is not its own
    cmp sil, {last_switching}
    jbe 2f

    # The caller goes on afterwards. The registers that Rust preserves stay where they are.
    push rcx
    push r11
    sub rsp, 40                     # four words of results, and alignment
    push rsp                        # seventh argument: where the results go
    mov rcx, r10
    call {plain}
    cmp rax, {fault}
    je 5f
    mov rdx, [rsp + 8]
    mov r10, [rsp + 16]
    mov r8, [rsp + 24]
    mov r9, [rsp + 32]
    add rsp, 48
    pop r11
    pop rcx
    xor edi, edi
    xor esi, esi
    mov rsp, [rip + {user_stack}]
    sysretq

    # The system call names no capability, and the task has asked for a fault then.
5:  add rsp, 48
    pop r11
    pop rcx
    save_task
    call {missing_capability}
    jmp resume_task

    # Another task may go on. What the caller may rely on is saved first.
2:  save_task
syscall_saved:                      # the fast path comes here when it gives up
    mov rcx, r10
    call {switching}

resume_task:                        # rax: the task to go on with, in its address space
    cmp byte ptr [rax + {is_whole}], 0
    jne 6f
    mov rbx, [rax + {rbx}]
    mov rbp, [rax + {rbp}]
    mov r12, [rax + {r12}]
    mov r13, [rax + {r13}]
    mov r14, [rax + {r14}]
    mov r15, [rax + {r15}]
    mov rcx, [rax + {rip_}]
    mov r11, [rax + {rflags}]
    mov rdi, [rax + {rdi}]
    mov rsi, [rax + {rsi}]
    mov rdx, [rax + {rdx}]
    mov r10, [rax + {r10}]
    mov r8, [rax + {r8}]
    mov r9, [rax + {r9}]
    mov rsp, [rax + {rsp_}]
    mov rax, [rax + {rax_}]
    sysretq

    # The task was interrupted: rcx and r11 are its own, so the rest comes back from the stack.
6:  mov byte ptr [rax + {is_whole}], 0
    push {user_data}
    push [rax + {rsp_}]
    push [rax + {rflags}]
    push {user_code}
    push [rax + {rip_}]
    mov rbx, [rax + {rbx}]
    mov rcx, [rax + {rcx}]
    mov rdx, [rax + {rdx}]
    mov rsi, [rax + {rsi}]
    mov rdi, [rax + {rdi}]
    mov rbp, [rax + {rbp}]
    mov r8, [rax + {r8}]
    mov r9, [rax + {r9}]
    mov r10, [rax + {r10}]
    mov r11, [rax + {r11}]
    mov r12, [rax + {r12}]
    mov r13, [rax + {r13}]
    mov r14, [rax + {r14}]
    mov r15, [rax + {r15}]
    mov rax, [rax + {rax_}]
    iretq
    ",
    user_stack = sym USER_STACK,
    current = sym CURRENT,
    stack_top = const STACK_TOP,
    last_switching = const Operation::LAST_SWITCHING,
    plain = sym crate::syscall::plain,
    fault = const crate::syscall::FAULT,
    missing_capability = sym crate::syscall::missing_capability,
    switching = sym crate::syscall::switching,
    rax_ = const offset_of!(Task, context) + offset_of!(Context, rax),
    rbx = const offset_of!(Task, context) + offset_of!(Context, rbx),
    rdx = const offset_of!(Task, context) + offset_of!(Context, rdx),
    rcx = const offset_of!(Task, context) + offset_of!(Context, rcx),
    rsi = const offset_of!(Task, context) + offset_of!(Context, rsi),
    rdi = const offset_of!(Task, context) + offset_of!(Context, rdi),
    rbp = const offset_of!(Task, context) + offset_of!(Context, rbp),
    rsp_ = const offset_of!(Task, context) + offset_of!(Context, rsp),
    r8 = const offset_of!(Task, context) + offset_of!(Context, r8),
    r9 = const offset_of!(Task, context) + offset_of!(Context, r9),
    r10 = const offset_of!(Task, context) + offset_of!(Context, r10),
    r11 = const offset_of!(Task, context) + offset_of!(Context, r11),
    r12 = const offset_of!(Task, context) + offset_of!(Context, r12),
    r13 = const offset_of!(Task, context) + offset_of!(Context, r13),
    r14 = const offset_of!(Task, context) + offset_of!(Context, r14),
    r15 = const offset_of!(Task, context) + offset_of!(Context, r15),
    rip_ = const offset_of!(Task, context) + offset_of!(Context, rip),
    rflags = const offset_of!(Task, context) + offset_of!(Context, rflags),
    is_whole = const offset_of!(Task, context) + offset_of!(Context, is_whole),
    user_data = const USER_DATA.0,
    user_code = const USER_CODE.0,
);
// ANCHOR_END: stub

unsafe extern "C" {
    fn syscall_entry();
    fn resume_task();
}

// ANCHOR: initialize
/// Tells the processor where `syscall` leads, and which flags it clears: all. So the kernel begins with interrupts off, no single
/// step, and the direction flag as Rust expects it.
pub(crate) fn initialize() {
    Star::write(USER_CODE, USER_DATA, KERNEL_CODE, KERNEL_DATA)
        .expect("the descriptors are in the order that STAR needs");
    SFMask::write(RFlags::all());
    close_fast_path();
    // SAFETY: the entry is set; the stub is all that user mode can reach.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
}
// ANCHOR_END: initialize

/// Where `syscall` leads while the fast path is open; 0 without one.
struct FastEntry(Cell<u64>);

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for FastEntry {}

static FAST_ENTRY: FastEntry = FastEntry(Cell::new(0));

/// Makes this the way in that is taken unless the fast path is closed.
#[cfg(feature = "chapter6")]
pub(crate) fn set_fast_entry(address: u64) {
    FAST_ENTRY.0.set(address);
    open_fast_path();
}

/// From now on system calls may take the fast path, if there is one.
pub(crate) fn open_fast_path() {
    let address = FAST_ENTRY.0.get();
    if address != 0 {
        LStar::write(VirtAddr::new_truncate(address));
    }
}

/// From now on no system call takes the fast path.
pub(crate) fn close_fast_path() {
    LStar::write(VirtAddr::new_truncate(syscall_entry as *const () as u64));
}

/// Where `syscall` leads.
pub(crate) fn entry() -> u64 {
    LStar::read().as_u64()
}

/// Saves the registers of the task that was interrupted, so that another one can go on.
#[inline(always)]
pub(crate) fn save(frame: &TrapFrame, context: &Context) {
    context.rax.set(frame.rax);
    context.rbx.set(frame.rbx);
    context.rcx.set(frame.rcx);
    context.rdx.set(frame.rdx);
    context.rsi.set(frame.rsi);
    context.rdi.set(frame.rdi);
    context.rbp.set(frame.rbp);
    context.rsp.set(frame.rsp);
    context.r8.set(frame.r8);
    context.r9.set(frame.r9);
    context.r10.set(frame.r10);
    context.r11.set(frame.r11);
    context.r12.set(frame.r12);
    context.r13.set(frame.r13);
    context.r14.set(frame.r14);
    context.r15.set(frame.r15);
    context.rip.set(frame.rip);
    context.rflags.set(frame.rflags);
    context.is_whole.set(true);
}

/// Goes on with a task, which is the current one in its address space, and leaves the kernel's stack behind.
pub(crate) fn resume(task: TaskRef) -> ! {
    // SAFETY: the task's registers are those of user mode; interrupts stay off until `sysret` loads the task's flags.
    unsafe { asm!("cli", "jmp {resume}", resume = sym resume_task, in("rax") task.as_ptr(), options(noreturn)) }
}
