//! When no task is left that can run, and nothing can wake one, the kernel says so and stops. The tasks are made by `test-nothing-left`.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use kernel::interrupts::timer;
use kernel::must_stop;
use kernel::stop::StopCode;

kernel::test_entry!("root=test-nothing-left\n");

must_stop! {
    fn a_kernel_with_nothing_left_that_can_run_stops() stops StopCode::NothingToRun, saying "nothing can wake one", {
        kernel::task::run_root_task();
    }
}

/// The sleeper of half a second was waited for.
#[test_case]
fn before_that_it_rests_as_long_as_somebody_sleeps() {
    assert!(timer::ticks() >= 500, "{} ticks", timer::ticks());
}
