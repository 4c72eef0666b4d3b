//! The stubs behind the gates: they save all registers, call [`dispatch`](crate::interrupts::dispatch), and go back.

use core::arch::{asm, global_asm};
use core::fmt;

use super::ways_out::{end_ways_out, ways_out};
use crate::interrupts::exceptions::has_error_code;

// ANCHOR: frame
/// The registers of whatever was interrupted, as the stub and the processor have pushed them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are named after the registers")]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    vector: u64,
    /// The processor's error code; 0 for vectors that have none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}
// ANCHOR_END: frame

impl TrapFrame {
    /// The vector that was raised.
    #[must_use]
    pub fn vector(&self) -> u8 {
        self.vector as u8
    }

    /// Whether user mode was interrupted: ring 3, where the kernel is ring 0, and the others are not used.
    #[must_use]
    pub fn from_user(&self) -> bool {
        self.cs & 3 != 0
    }
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rip, cs, rflags, rsp, ss, .. } = self;
        writeln!(formatter, "  rip={rip:#x} rsp={rsp:#x} rflags={rflags:#x} cs={cs:#x} ss={ss:#x}")?;
        let Self { rax, rbx, rcx, rdx, rsi, rdi, rbp, .. } = self;
        writeln!(
            formatter,
            "  rax={rax:#x} rbx={rbx:#x} rcx={rcx:#x} rdx={rdx:#x} rsi={rsi:#x} rdi={rdi:#x} rbp={rbp:#x}"
        )?;
        let Self { r8, r9, r10, r11, r12, r13, r14, r15, .. } = self;
        writeln!(
            formatter,
            "  r8={r8:#x} r9={r9:#x} r10={r10:#x} r11={r11:#x} r12={r12:#x} r13={r13:#x} r14={r14:#x} r15={r15:#x}"
        )
    }
}

/// The length of a stub, so that the stub of a vector can be found without a table.
pub(super) const STUB_SIZE: u64 = 16;

/// A bit for each exception for which the processor pushes an error code.
pub(super) const ERROR_CODES: u32 = {
    let mut bits = 0;
    let mut vector = 0;
    while vector < 32 {
        bits |= (has_error_code(vector) as u32) << vector;
        vector += 1;
    }
    bits
};

// On entry to `interrupt_common` the processor has aligned the stack to 16 and pushed five words, the stub two more; with the 15
// registers that makes 22 words, so the stack is aligned as the call needs it.
// ANCHOR: stubs
global_asm!(
    ways_out!(),
    "
    .balign 16
interrupt_stubs:
    .set vector, 0
    .rept 256
        .balign {stub_size}
        .if vector < 32
            .if ({error_codes} >> vector) & 1 == 0
                push 0
            .endif
        .else
            push 0
        .endif
        push vector
        jmp interrupt_common
        .set vector, vector + 1
    .endr

    .global interrupt_common
interrupt_common:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    push 2                          # no flag of the interrupted program counts here: direction, alignment check (SMAP) and all
    popfq
    mov rdi, rsp
    call {dispatch}
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16
    leave_by_iret                   # iretq; chapter 9 can put another way in its place
    ",
    end_ways_out!(),
    stub_size = const STUB_SIZE,
    error_codes = const ERROR_CODES,
    dispatch = sym crate::interrupts::dispatch,
);
// ANCHOR_END: stubs

/// Interrupts are on for one instruction: those that wait are served now (`sti` takes effect after the instruction behind it).
pub(crate) fn open_window() {
    // SAFETY: the caller runs with interrupts off, and any handler may run here: it changes nothing that the caller works on.
    unsafe { asm!("sti", "nop", "cli") };
}

#[cfg(feature = "chapter5")]
/// Rests until the next interrupt, and serves it. One that comes before the processor rests wakes it all the same.
pub(crate) fn rest() {
    // SAFETY: as above; `hlt` behind `sti` cannot miss an interrupt.
    unsafe { asm!("sti", "hlt", "cli") };
}

unsafe extern "C" {
    static interrupt_stubs: u8;
}

/// The address of the stub of a vector.
pub(crate) fn stub_address(vector: u8) -> u64 {
    (&raw const interrupt_stubs) as u64 + STUB_SIZE * u64::from(vector)
}
