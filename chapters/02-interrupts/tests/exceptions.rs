//! Every exception that nothing handles stops the kernel, and the report names it.
//!
//! Where the processor can be made to raise it, it is raised for real. The others are entered as the processor would enter them:
//! by `int`, or, where that would leave out the error code, with a frame that is pushed by hand.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use core::arch::asm;

use kernel::interrupts::exceptions::has_error_code;
use kernel::interrupts::gate_address;
use kernel::must_stop;
use kernel::stop::StopCode::Exception;

kernel::test_entry!();

/// Raises a vector that has no error code, by name.
fn raise<const VECTOR: u8>() {
    const { assert!(!has_error_code(VECTOR)) };
    // SAFETY: the gate leads to a handler; what happens there is what the test is about.
    unsafe { asm!("int {}", const VECTOR) };
}

// ANCHOR: enter
/// Enters the gate of a vector that has an error code, on a stack as the processor leaves it.
fn enter(vector: u8, error: u64) {
    assert!(has_error_code(vector));
    // SAFETY: the frame is that of an exception at this place; the stack is aligned before it as the processor does.
    unsafe {
        asm!(
            "mov {stack}, rsp", "and rsp, -16",
            "push 0", "push {stack}", "pushfq", "push {segment}", "push {gate}", "push {error}",
            "jmp {gate}",
            stack = out(reg) _,
            segment = in(reg) 8_u64,
            gate = in(reg) gate_address(vector),
            error = in(reg) error,
        );
    }
}
// ANCHOR_END: enter

must_stop! {
    fn divide_error() stops Exception(0), saying "divide error (vector 0)", {
        // SAFETY: raises an exception.
        unsafe { asm!("div {0:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
    }
    fn debug_exception() stops Exception(1), saying "debug exception (vector 1)", {
        // SAFETY: sets the trap flag, so the next instruction raises the exception.
        unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop") };
    }
    fn non_maskable_interrupt() stops Exception(2), saying "non-maskable interrupt (vector 2)", { raise::<2>(); }
    fn breakpoint() stops Exception(3), saying "breakpoint (vector 3)", { kernel::arch::breakpoint(); }
    fn overflow() stops Exception(4), saying "overflow (vector 4)", { raise::<4>(); }
    fn bound_range() stops Exception(5), saying "bound range exceeded (vector 5)", { raise::<5>(); }
    fn invalid_opcode() stops Exception(6), saying "invalid opcode (vector 6)", {
        // SAFETY: raises an exception.
        unsafe { asm!("ud2") };
    }
    fn device_not_available() stops Exception(7), saying "device not available (vector 7)", { raise::<7>(); }
    fn double_fault() stops Exception(8), saying "double fault", { enter(8, 0); }
    fn coprocessor_segment_overrun() stops Exception(9), saying "(vector 9)", { raise::<9>(); }
    fn invalid_task_state() stops Exception(10), saying "invalid task state segment (vector 10), error code 0x30", { enter(10, 0x30); }
    fn segment_not_present() stops Exception(11), saying "segment not present (vector 11)", {
        // A gate that is not present cannot be had without changing the table, so the frame is pushed by hand.
        enter(11, 0x2a);
    }
    fn stack_segment_fault() stops Exception(12), saying "stack-segment fault (vector 12), error code 0x0", {
        // A processor raises it for a stack address that is not canonical, but QEMU raises #GP then.
        enter(12, 0);
    }
    fn general_protection() stops Exception(13), saying "general protection (vector 13), error code 0x0", {
        // SAFETY: an address that is not canonical raises the exception.
        unsafe { asm!("mov al, [{}]", in(reg) 0x8000_0000_0000_0000_u64, out("al") _) };
    }
    fn page_fault() stops Exception(14), saying "page fault", {
        // SAFETY: nothing is mapped there.
        unsafe { asm!("mov al, [{}]", in(reg) 0xffff_f000_dead_b000_u64, out("al") _) };
    }
    fn x87_error() stops Exception(16), saying "x87 floating-point error (vector 16)", { raise::<16>(); }
    fn alignment_check() stops Exception(17), saying "alignment check (vector 17)", { enter(17, 0); }
    fn machine_check() stops Exception(18), saying "machine check (vector 18)", { raise::<18>(); }
    fn simd_exception() stops Exception(19), saying "SIMD floating-point exception (vector 19)", { raise::<19>(); }
    fn virtualization_exception() stops Exception(20), saying "virtualization exception (vector 20)", { raise::<20>(); }
    fn control_protection() stops Exception(21), saying "control protection exception (vector 21), error code 0x1", { enter(21, 1); }
    fn a_reserved_vector() stops Exception(31), saying "reserved exception (vector 31)", { raise::<31>(); }
    fn an_interrupt_that_nobody_expects() stops Exception(200), saying "(vector 200)", { raise::<200>(); }
}
