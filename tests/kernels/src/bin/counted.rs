//! Goes right: executes known numbers of each kind of expensive instruction, to test who counts them.
#![no_std]
#![no_main]

use core::arch::naked_asm;

use flatmk_runtime::marks;
use kernel::power::{self, Outcome};
use x86_64::instructions::interrupts;

kernel::entry!(main);

/// How often the sequence is executed in a batch. The test knows it, too.
const ROUNDS: u64 = 1000;

fn main() -> ! {
    // With interrupts off nothing comes in between.
    interrupts::disable();
    for _ in 0..3 {
        marks::begin();
        measure(ROUNDS);
        marks::end("counted", ROUNDS);
    }
    power::end(Outcome::Success)
}

/// Between its two reads of the time stamp counter it executes 2 instructions, and 32 a round.
#[unsafe(naked)]
extern "C" fn measure(rounds: u64) {
    naked_asm!(
        "rdtsc",
        "2:",
        // Control registers: six accesses, three of them to CR0 and CR4; one flush.
        "mov rax, cr0",
        "mov cr0, rax",
        "mov rax, cr4",
        "mov rax, cr2",
        "mov rax, cr3",
        "mov cr3, rax",
        // One more flush.
        "invlpg [rsp]",
        // The extended features: two accesses to a model-specific register.
        "mov ecx, 0xc0000080",
        "rdmsr",
        "wrmsr",
        // Three writes of segment registers and bases.
        "mov eax, ds",
        "mov ds, eax",
        "swapgs",
        "swapgs",
        // Two locked operations.
        "push rdi",
        "lock inc qword ptr [rsp]",
        "xchg [rsp], rax",
        "pop rax",
        // Two accesses to the port that delays.
        "in al, 0x80",
        "out 0x80, al",
        // One return from an interrupt, to the line below it.
        "mov rax, rsp",
        "mov ecx, ss",
        "push rcx",
        "push rax",
        "pushfq",
        "mov eax, cs",
        "push rax",
        "lea rax, [rip + 3f]",
        "push rax",
        "iretq",
        "3:",
        "dec rdi",
        "jnz 2b",
        "nop",
        "rdtsc",
        "ret",
    )
}
