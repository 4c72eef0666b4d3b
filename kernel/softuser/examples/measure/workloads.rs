//! What the engine is measured with: a program for RISC-V with six ways to keep a processor busy. Its arguments are the name of one, and how often.
#![no_std]
#![no_main]

#[path = "../../../../userland/workloads/src/work.rs"]
mod work;

use core::arch::global_asm;

// The stack begins with the number of arguments and their addresses, as under Linux.
global_asm!(
    ".globl _start",
    "_start:",
    "lw a0, 8(sp)",
    "lw a1, 12(sp)",
    "call {main}",
    // The result, as four bytes: write(1, sp, 4), and exit(0).
    "addi sp, sp, -16",
    "sw a0, 0(sp)",
    "li a0, 1",
    "mv a1, sp",
    "li a2, 4",
    "li a7, 64",
    "ecall",
    "li a0, 0",
    "li a7, 93",
    "ecall",
    main = sym main,
);

/// # Safety
///
/// Both end with a zero.
unsafe extern "C" fn main(name: *const u8, count: *const u8) -> u32 {
    // SAFETY: the caller's promise.
    let (name, count) = unsafe { (text(name), text(count)) };
    let count = count.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    match name {
        b"sieve" => work::sieve(&mut [false; 65536], count),
        b"matrices" => work::matrices(&mut [0; 3 * 64 * 64], 64, count),
        b"checksum" => work::checksum(&mut [0; 16384], &mut [0; 16384], count),
        b"fibonacci" => work::fibonacci(20, count),
        b"sort" => work::sort(&mut [0; 8192], count),
        b"machine" => work::machine(200, count),
        _ => 0,
    }
}

/// # Safety
///
/// It ends with a zero.
unsafe fn text<'text>(start: *const u8) -> &'text [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        let length = (0..).find(|&index| *start.add(index) == 0).unwrap_or(0);
        core::slice::from_raw_parts(start, length)
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
