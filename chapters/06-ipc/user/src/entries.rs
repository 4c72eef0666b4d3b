//! What a task finds in its registers when it is entered, by whatever way.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::Words;

use crate::harness::{PLAIN_FLAGS, stack_top};

/// What the task found: rax rbx rcx rdx rsi rdi rbp r8 to r15, rsp, rflags; and how often it was entered.
static SEEN: [AtomicU64; 18] = [const { AtomicU64::new(0) }; 18];

/// Notes all registers, spoils them, and returns with the message as it came.
#[unsafe(naked)]
pub(crate) extern "C" fn look_entry() {
    naked_asm!(
        "mov [rip + {seen}], rax",
        "mov [rip + {seen} + 8], rbx",
        "mov [rip + {seen} + 16], rcx",
        "mov [rip + {seen} + 24], rdx",
        "mov [rip + {seen} + 32], rsi",
        "mov [rip + {seen} + 40], rdi",
        "mov [rip + {seen} + 48], rbp",
        "mov [rip + {seen} + 56], r8",
        "mov [rip + {seen} + 64], r9",
        "mov [rip + {seen} + 72], r10",
        "mov [rip + {seen} + 80], r11",
        "mov [rip + {seen} + 88], r12",
        "mov [rip + {seen} + 96], r13",
        "mov [rip + {seen} + 104], r14",
        "mov [rip + {seen} + 112], r15",
        "mov [rip + {seen} + 120], rsp",
        "pushfq",
        "pop qword ptr [rip + {seen} + 128]",
        "inc qword ptr [rip + {seen} + 136]",
        "mov rax, -1",
        "mov rbx, -1",
        "mov rbp, -1",
        "mov r12, -1",
        "mov r13, -1",
        "mov r14, -1",
        "mov r15, -1",
        "push 0x246ed7", // every flag that user mode can set but that for single steps
        "popfq",
        "xor edi, edi",
        "mov esi, 1",
        "syscall",
        seen = sym SEEN,
    )
}

/// How often the task was entered since the last look.
pub(crate) fn times_entered() -> u64 {
    SEEN[17].swap(0, Relaxed)
}

/// Whether it was entered so often.
pub(crate) fn is_entered(times: u64) -> bool {
    SEEN[17].load(Relaxed) >= times
}

/// Checks that the task, on this thread, has found its argument and the message, and nothing else.
pub(crate) fn check_entry(thread: u64, argument: u64, message: Words) {
    let seen = SEEN.each_ref().map(|register| register.load(Relaxed));
    let entry = look_entry as *const () as u64;
    let [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rsp, rflags, times] = seen;
    assert_ne!(times, 0, "the task was entered");
    assert_eq!([rax, rbx, rsi, rbp, r12, r13, r14, r15], [0; 8], "cleared");
    assert_eq!([rdi, rdx, r10, r8, r9], [argument, message[0], message[1], message[2], message[3]], "the message");
    assert_eq!([rcx, r11], [entry, PLAIN_FLAGS], "its own");
    assert_eq!([rsp, rflags], [stack_top(thread), PLAIN_FLAGS], "its own");
}
