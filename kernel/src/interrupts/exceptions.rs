//! The processor's exceptions: names, and the report of one that nothing handles (Intel SDM vol. 3A, 6.15).

use x86_64::registers::control::Cr2;

use crate::arch::interrupts::TrapFrame;
use crate::stop::{StopCode, stop_with};

/// `#DE`.
pub const DIVIDE_ERROR: u8 = 0;
/// `#DB`.
pub const DEBUG: u8 = 1;
/// NMI.
pub const NON_MASKABLE_INTERRUPT: u8 = 2;
/// `#BP`.
pub const BREAKPOINT: u8 = 3;
/// `#UD`.
pub const INVALID_OPCODE: u8 = 6;
/// `#NM`.
pub const DEVICE_NOT_AVAILABLE: u8 = 7;
/// `#DF`.
pub const DOUBLE_FAULT: u8 = 8;
/// `#NP`.
pub const SEGMENT_NOT_PRESENT: u8 = 11;
/// `#SS`.
pub const STACK_SEGMENT_FAULT: u8 = 12;
/// `#GP`.
pub const GENERAL_PROTECTION: u8 = 13;
/// `#PF`.
pub const PAGE_FAULT: u8 = 14;
/// `#AC`.
#[cfg(feature = "chapter10")]
pub const ALIGNMENT_CHECK: u8 = 17;
/// `#MC`.
pub const MACHINE_CHECK: u8 = 18;

/// How many vectors are exceptions; the rest are interrupts.
pub const EXCEPTIONS: u8 = 32;

/// The manual's name of an exception.
#[must_use]
pub fn name(vector: u8) -> &'static str {
    match vector {
        DIVIDE_ERROR => "divide error",
        DEBUG => "debug exception",
        NON_MASKABLE_INTERRUPT => "non-maskable interrupt",
        BREAKPOINT => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        INVALID_OPCODE => "invalid opcode",
        DEVICE_NOT_AVAILABLE => "device not available",
        DOUBLE_FAULT => "double fault",
        10 => "invalid task state segment",
        SEGMENT_NOT_PRESENT => "segment not present",
        STACK_SEGMENT_FAULT => "stack-segment fault",
        GENERAL_PROTECTION => "general protection",
        PAGE_FAULT => "page fault",
        16 => "x87 floating-point error",
        17 => "alignment check",
        MACHINE_CHECK => "machine check",
        19 => "SIMD floating-point exception",
        20 => "virtualization exception",
        21 => "control protection exception",
        _ => "reserved exception",
    }
}

/// Whether the processor pushes an error code for a vector (Intel SDM vol. 3A, table 6-1).
#[must_use]
pub const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// Whether an exception comes from what the running program did, and not from the machine or the kernel.
#[must_use]
pub const fn is_programs_own(vector: u8) -> bool {
    vector < EXCEPTIONS && !matches!(vector, NON_MASKABLE_INTERRUPT | DOUBLE_FAULT | MACHINE_CHECK)
}

/// Stops the kernel: nothing handles this exception.
pub(crate) fn stop_unhandled(frame: &TrapFrame) -> ! {
    // ANCHOR: exercise-2-4
    let vector = frame.vector();
    let name = name(vector);
    let error = frame.error;
    let code = StopCode::Exception(vector);
    if vector == PAGE_FAULT {
        let address = Cr2::read_raw();
        stop_with(
            code,
            format_args!("unhandled {name} at address {address:#x}, error code {error:#x}"),
            format_args!("{frame}"),
        )
    } else {
        stop_with(
            code,
            format_args!("unhandled {name} (vector {vector}), error code {error:#x}"),
            format_args!("{frame}"),
        )
    }
    // ANCHOR_END: exercise-2-4
}
