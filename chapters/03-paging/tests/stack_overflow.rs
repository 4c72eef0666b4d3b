//! Each stack of the kernel ends in a guard page, and the report of an overflow says so.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use kernel::boot::STACK_BOTTOM;
use kernel::interrupts::descriptors::exception_stacks;
use kernel::memory::kernel_frame;
use kernel::must_stop;
use kernel::stop::StopCode::Exception;

kernel::test_entry!();

#[expect(unconditional_recursion, reason = "the stack must overflow")]
fn recurse(depth: u64) -> u64 {
    core::hint::black_box(recurse(depth + 1)) + depth
}

// ANCHOR: overflow
must_stop! {
    fn an_overflow_hits_the_guard_page() stops Exception(8), saying "the guard page of the kernel's stack; the stack has overflowed", {
        core::hint::black_box(recurse(0));
    }
}
// ANCHOR_END: overflow

#[test_case]
fn the_page_below_each_stack_is_not_mapped() {
    assert!(kernel_frame(STACK_BOTTOM).is_some());
    assert!(kernel_frame(STACK_BOTTOM - 1).is_none());
    for stack in exception_stacks() {
        assert!(kernel_frame(stack.guard_address()).is_none());
        assert!(kernel_frame(stack.guard_address() + 4096).is_some());
    }
}
