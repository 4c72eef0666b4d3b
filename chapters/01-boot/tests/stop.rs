//! When the kernel finds a mistake, it stops with a code and a sentence, and the test after it begins on a fresh stack.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]
#![expect(clippy::indexing_slicing, reason = "an index out of bounds fails the test")]

use kernel::must_stop;
use kernel::stop::{StopCode, stop};
use kernel::sync::Exclusive;

kernel::test_entry!();

// ANCHOR: must_stop
must_stop! {
    fn a_failed_assertion_stops_the_kernel() stops StopCode::Panic, saying "left == right", {
        assert_eq!(1 + 1, 3);
    }

    fn an_overflow_stops_the_kernel() stops StopCode::Panic, saying "overflow", {
        let largest = core::hint::black_box(u64::MAX);
        core::hint::black_box(largest + 1);
    }

    fn an_index_out_of_bounds_stops_the_kernel() stops StopCode::Panic, saying "index out of bounds", {
        let index = core::hint::black_box(3);
        core::hint::black_box([1, 2, 3][index]);
    }

    fn a_second_borrow_stops_the_kernel() stops StopCode::Panic, saying "borrowed twice", {
        let value = Exclusive::new(());
        value.with(|()| value.with(|()| ()));
    }

    fn a_stop_keeps_its_code() stops StopCode::MissingFeature, saying "no such feature: 7", {
        stop(StopCode::MissingFeature, format_args!("no such feature: {}", 7));
    }
}
// ANCHOR_END: must_stop

#[test_case]
fn a_test_after_a_stop_runs_on_a_fresh_stack() {
    let used = kernel::boot::STACK_TOP - kernel::arch::stack_pointer();
    assert!(used < 1024, "{used} bytes of the stack are in use");
}
