//! An overflow of the kernel's stack becomes a double fault, handled on a stack of its own.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use kernel::must_stop;
use kernel::stop::StopCode::Exception;

kernel::test_entry!();

#[expect(unconditional_recursion, reason = "the stack must overflow")]
fn recurse(depth: u64) -> u64 {
    core::hint::black_box(recurse(depth + 1)) + depth
}

must_stop! {
    fn a_stack_overflow_is_a_double_fault() stops Exception(8), saying "double fault", { core::hint::black_box(recurse(0)); }
    fn it_can_happen_twice() stops Exception(8), saying "double fault", { core::hint::black_box(recurse(0)); }
}
