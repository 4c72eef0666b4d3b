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
    .balign 64
    .global syscall_slow
    .global syscall_saved
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

    # Another task may go on. What the caller may rely on is saved first.
2:  mov rax, [rip + {current}]
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
syscall_saved:                      # the fast path comes here when it gives up
    mov rcx, r10
    call {switching}

resume_task:                        # rax: the task to go on with, in its address space
    mov rbx, [rax + {rbx}]
    mov rbp, [rax + {rbp}]
    mov r12, [rax + {r12}]
    mov r13, [rax + {r13}]
    mov r14, [rax + {r14}]
    mov r15, [rax + {r15}]
    mov rcx, [rax + {rip_}]
    mov r11, [rax + {rflags}]
    mov rdi, [rax + {rdi}]
    mov rdx, [rax + {rdx}]
    mov r10, [rax + {r10}]
    mov r8, [rax + {r8}]
    mov r9, [rax + {r9}]
    mov rsp, [rax + {rsp_}]
    mov rax, [rax + {rax_}]
    xor esi, esi
    sysretq
    ",
    user_stack = sym USER_STACK,
    current = sym CURRENT,
    stack_top = const STACK_TOP,
    last_switching = const Operation::LAST_SWITCHING,
    plain = sym crate::syscall::plain,
    switching = sym crate::syscall::switching,
    rax_ = const offset_of!(Task, context) + offset_of!(Context, rax),
    rbx = const offset_of!(Task, context) + offset_of!(Context, rbx),
    rdx = const offset_of!(Task, context) + offset_of!(Context, rdx),
    rdi = const offset_of!(Task, context) + offset_of!(Context, rdi),
    rbp = const offset_of!(Task, context) + offset_of!(Context, rbp),
    rsp_ = const offset_of!(Task, context) + offset_of!(Context, rsp),
    r8 = const offset_of!(Task, context) + offset_of!(Context, r8),
    r9 = const offset_of!(Task, context) + offset_of!(Context, r9),
    r10 = const offset_of!(Task, context) + offset_of!(Context, r10),
    r12 = const offset_of!(Task, context) + offset_of!(Context, r12),
    r13 = const offset_of!(Task, context) + offset_of!(Context, r13),
    r14 = const offset_of!(Task, context) + offset_of!(Context, r14),
    r15 = const offset_of!(Task, context) + offset_of!(Context, r15),
    rip_ = const offset_of!(Task, context) + offset_of!(Context, rip),
    rflags = const offset_of!(Task, context) + offset_of!(Context, rflags),
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
    set_entry(syscall_entry as *const () as u64);
    // SAFETY: the entry is set; the stub is all that user mode can reach.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
}
// ANCHOR_END: initialize

/// Sets where `syscall` leads.
pub(crate) fn set_entry(address: u64) {
    LStar::write(VirtAddr::new_truncate(address));
}

/// Where `syscall` leads.
pub(crate) fn entry() -> u64 {
    LStar::read().as_u64()
}

/// Goes on with a task, which is the current one in its address space, and leaves the kernel's stack behind.
pub(crate) fn resume(task: TaskRef) -> ! {
    // SAFETY: the task's registers are those of user mode; interrupts stay off until `sysret` loads the task's flags.
    unsafe { asm!("cli", "jmp {resume}", resume = sym resume_task, in("rax") task.as_ptr(), options(noreturn)) }
}
