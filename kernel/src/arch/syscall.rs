//! The way from user mode into the kernel and back: `syscall` and `sysret` (Intel SDM vol. 2B).
//!
//! `syscall` changes neither the stack pointer nor any register but `rcx` (where `rip` goes) and `r11` (`rflags`). There is one
//! processor and no system call interrupts another, so the user's stack pointer is kept in a static, and every entry
//! begins at the top of the one kernel stack.

use core::arch::asm;
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
use crate::task::{Context, Task, TaskRef, Way};

/// The user's stack pointer during a system call.
#[repr(transparent)]
pub(crate) struct UserStack(Cell<u64>);

// SAFETY: only the stubs use it, with interrupts off, on the one processor.
unsafe impl Sync for UserStack {}

pub(crate) static USER_STACK: UserStack = UserStack(Cell::new(0));

// ANCHOR: save
/// A `global_asm!` whose text knows `save_task TASK`. That saves what the task may rely on after its system call; `TASK` is the register
/// with the task's address, and `rcx` is lost. `save_registers TASK` is the same without the stack pointer, and nothing is lost. The
/// operands that this takes are there for the rest of the text, too.
macro_rules! stub {
    ($text:literal, $($operands:tt)*) => {
        core::arch::global_asm!(
            $crate::arch::ways_out::ways_out!(),
            "
    .macro save_registers task
    mov [\\task + {rbx}], rbx
    mov [\\task + {rbp}], rbp
    mov [\\task + {r12}], r12
    mov [\\task + {r13}], r13
    mov [\\task + {r14}], r14
    mov [\\task + {r15}], r15
    # syscall has put these two there.
    mov [\\task + {rip_}], rcx
    mov [\\task + {rflags}], r11
    .endm
    .macro save_task task
    save_registers \\task
    # The stack pointer was put away at the entry.
    mov rcx, [rip + {user_stack}]
    mov [\\task + {rsp_}], rcx
    .endm
            ",
            $text,
            // How far the assembler knows it, in the whole crate or in a part that the compiler chooses, is not to be relied on.
            ".purgem save_registers",
            ".purgem save_task",
            $crate::arch::ways_out::end_ways_out!(),
            $($operands)*
            user_stack = sym $crate::arch::syscall::USER_STACK,
            rbx = const ::core::mem::offset_of!($crate::task::Task, context.rbx),
            rbp = const ::core::mem::offset_of!($crate::task::Task, context.rbp),
            rsp_ = const ::core::mem::offset_of!($crate::task::Task, context.rsp),
            r12 = const ::core::mem::offset_of!($crate::task::Task, context.r12),
            r13 = const ::core::mem::offset_of!($crate::task::Task, context.r13),
            r14 = const ::core::mem::offset_of!($crate::task::Task, context.r14),
            r15 = const ::core::mem::offset_of!($crate::task::Task, context.r15),
            rip_ = const ::core::mem::offset_of!($crate::task::Task, context.rip),
            rflags = const ::core::mem::offset_of!($crate::task::Task, context.rflags),
        );
    };
}
#[cfg(feature = "chapter6")]
pub(crate) use stub;
// ANCHOR_END: save

// ANCHOR: stub
stub!(
    "
    .balign 64
    .global syscall_entry
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
    leave_by_sysret                 # to rcx, with the flags in r11

    # The system call names no capability, and the task has asked for a fault then.
5:  add rsp, 48
    pop r11
    pop rcx
    mov rax, [rip + {current}]
    save_task rax
    call {missing_capability}
    jmp resume_task

    # Another task may go on. What the caller may rely on is saved first.
2:  mov rax, [rip + {current}]
    save_task rax
syscall_saved:                      # the fast path comes here when it gives up
    mov rcx, r10
    call {switching}

resume_task:
    # rax: the task to go on with, in its address space. Has it made a system call, or does it go on in another way?
    cmp byte ptr [rax + {way}], 0
    jne {otherwise}
    # A system call: what was saved then, and the results. If it is to serve a call instead, the entry and the message.
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
    leave_by_sysret                 # to rcx, with the flags in r11

    # It was interrupted: rcx and r11 are its own, so where it goes on comes back from the stack.
    .global resume_interrupted
resume_interrupted:
    mov byte ptr [rax + {way}], 0
    push {user_data}
    push [rax + {rsp_}]
    push [rax + {rflags}]
    push {user_code}
    push [rax + {rip_}]
    # All of its registers.
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
    leave_by_iret                   # with what lies on the stack
    ",
    current = sym CURRENT,
    stack_top = const STACK_TOP,
    last_switching = const Operation::LAST_SWITCHING,
    plain = sym crate::syscall::plain,
    fault = const crate::syscall::FAULT,
    missing_capability = sym crate::syscall::missing_capability,
    switching = sym crate::syscall::switching,
    rax_ = const offset_of!(Task, context.rax),
    rdx = const offset_of!(Task, context.rdx),
    rcx = const offset_of!(Task, context.rcx),
    rsi = const offset_of!(Task, context.rsi),
    rdi = const offset_of!(Task, context.rdi),
    r8 = const offset_of!(Task, context.r8),
    r9 = const offset_of!(Task, context.r9),
    r10 = const offset_of!(Task, context.r10),
    r11 = const offset_of!(Task, context.r11),
    way = const offset_of!(Task, context.way),
    otherwise = sym resume_otherwise,
    user_data = const USER_DATA.0,
    user_code = const USER_CODE.0,
);
// ANCHOR_END: stub

#[cfg(feature = "chapter10")]
use super::softuser::resume_otherwise;
// There is one other way.
#[cfg(not(feature = "chapter10"))]
unsafe extern "C" {
    #[link_name = "resume_interrupted"]
    fn resume_otherwise();
}

unsafe extern "C" {
    pub(super) fn syscall_entry();
    fn resume_task();
}

// ANCHOR: initialize
/// Tells the processor where `syscall` leads, and which flags it clears: all. So the kernel begins with interrupts off, no single
/// step, and the direction flag as Rust expects it.
pub(crate) fn initialize() {
    Star::write(USER_CODE, USER_DATA, KERNEL_CODE, KERNEL_DATA)
        .expect("the descriptors are in the order that STAR needs");
    SFMask::write(RFlags::all());
    ENTRIES.usual.set(syscall_entry as *const () as u64);
    close_fast_path();
    // SAFETY: the entry is set; the stub is all that user mode can reach.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
}
// ANCHOR_END: initialize

/// Where `syscall` leads.
struct Entries {
    /// While the fast path is closed.
    usual: Cell<u64>,
    /// While it is open; 0 without one.
    fast: Cell<u64>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Entries {}

static ENTRIES: Entries = Entries { usual: Cell::new(0), fast: Cell::new(0) };

/// Makes this the way in that is taken unless the fast path is closed.
#[cfg(feature = "chapter6")]
pub(crate) fn set_fast_entry(address: u64) {
    ENTRIES.fast.set(address);
    open_fast_path();
}

/// Makes these the ways in, where there are both; the fast path is open.
#[cfg(feature = "chapter9")]
pub(crate) fn replace_entries([usual, fast]: [u64; 2]) {
    ENTRIES.usual.set(usual);
    close_fast_path();
    if ENTRIES.fast.get() != 0 {
        set_fast_entry(fast);
    }
}

/// Makes these the ways in: all calls take the first, but for those for which there is a second. Returns those before.
#[cfg(feature = "chapter11")]
pub(crate) fn exchange_entries([usual, fast]: [u64; 2]) -> [u64; 2] {
    let before = [ENTRIES.usual.replace(usual), ENTRIES.fast.replace(fast)];
    close_fast_path();
    open_fast_path();
    before
}

/// From now on system calls may take the fast path, if there is one.
pub(crate) fn open_fast_path() {
    let address = ENTRIES.fast.get();
    if address != 0 {
        LStar::write(VirtAddr::new_truncate(address));
    }
}

/// From now on no system call takes the fast path.
pub(crate) fn close_fast_path() {
    LStar::write(VirtAddr::new_truncate(ENTRIES.usual.get()));
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
    context.way.set(Way::Interrupted);
}

/// Goes on with a task, which is the current one in its address space, and leaves the kernel's stack behind.
pub(crate) fn resume(task: TaskRef) -> ! {
    // SAFETY: the task's registers are those of user mode; interrupts stay off until `sysret` loads the task's flags.
    unsafe { asm!("cli", "jmp {resume}", resume = sym resume_task, in("rax") task.as_ptr(), options(noreturn)) }
}
