//! Threads that watch their own registers while others run.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Numbers for all registers but rsp and r15, which points to them; what rsp must be; how often all were right, and how often one was not.
#[repr(C)]
pub(crate) struct Pattern {
    registers: [AtomicU64; 14],
    rsp: AtomicU64,
    right: AtomicU64,
    wrong: AtomicU64,
}

/// While 0, those who watch go on.
pub(crate) static STOP: AtomicU64 = AtomicU64::new(0);

impl Pattern {
    /// Different numbers for each pattern.
    pub(crate) fn new(seed: u64) -> Self {
        let registers = core::array::from_fn(|index| AtomicU64::new(seed * 0x1_0000_0001_0001 + index as u64));
        Self { registers, rsp: AtomicU64::new(0), right: AtomicU64::new(0), wrong: AtomicU64::new(0) }
    }

    /// How often all registers were as they must be.
    pub(crate) fn times_right(&self) -> u64 {
        self.right.load(Relaxed)
    }

    /// How often one was not.
    pub(crate) fn times_wrong(&self) -> u64 {
        self.wrong.load(Relaxed)
    }
}

/// Fills all registers, and compares them again and again until [`STOP`] is set or one is wrong. A comparison that is interrupted before
/// its jump checks the flags, too.
#[unsafe(naked)]
pub(crate) extern "C" fn watch(pattern: &Pattern) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov r15, rdi",
        "mov [r15 + 112], rsp",
        "mov rax, [r15]",
        "mov rbx, [r15 + 8]",
        "mov rcx, [r15 + 16]",
        "mov rdx, [r15 + 24]",
        "mov rsi, [r15 + 32]",
        "mov rdi, [r15 + 40]",
        "mov rbp, [r15 + 48]",
        "mov r8, [r15 + 56]",
        "mov r9, [r15 + 64]",
        "mov r10, [r15 + 72]",
        "mov r11, [r15 + 80]",
        "mov r12, [r15 + 88]",
        "mov r13, [r15 + 96]",
        "mov r14, [r15 + 104]",
        "2: cmp rax, [r15]",
        "jne 3f",
        "cmp rbx, [r15 + 8]",
        "jne 3f",
        "cmp rcx, [r15 + 16]",
        "jne 3f",
        "cmp rdx, [r15 + 24]",
        "jne 3f",
        "cmp rsi, [r15 + 32]",
        "jne 3f",
        "cmp rdi, [r15 + 40]",
        "jne 3f",
        "cmp rbp, [r15 + 48]",
        "jne 3f",
        "cmp r8, [r15 + 56]",
        "jne 3f",
        "cmp r9, [r15 + 64]",
        "jne 3f",
        "cmp r10, [r15 + 72]",
        "jne 3f",
        "cmp r11, [r15 + 80]",
        "jne 3f",
        "cmp r12, [r15 + 88]",
        "jne 3f",
        "cmp r13, [r15 + 96]",
        "jne 3f",
        "cmp r14, [r15 + 104]",
        "jne 3f",
        "cmp rsp, [r15 + 112]",
        "jne 3f",
        "inc qword ptr [r15 + 120]",
        "cmp qword ptr [rip + {stop}], 0",
        "je 2b",
        "jmp 4f",
        "3: inc qword ptr [r15 + 128]",
        "4: mov rsp, [r15 + 112]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        stop = sym STOP,
    )
}
