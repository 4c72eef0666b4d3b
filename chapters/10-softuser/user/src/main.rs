//! The tests of chapter 10, as the root task.
#![no_std]
#![no_main]

#[path = "../../../07-scheduling/user/src/calibration.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod calibration;
mod calls;
mod entering;
mod faults;
mod guest;
mod handlers;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod mending;
#[path = "../../../05-tasks/user/src/registers.rs"]
mod registers;
mod setting;
#[path = "../../../07-scheduling/user/src/threads.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod threads;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(_: u64, _: [u64; 4]) {
    calibration::calibrate();
    // The page tables for the guests' pages stay with the space.
    guest::with_guests(|| {});
    testing::run_groups(&[entering::TESTS, calls::TESTS, faults::TESTS, mending::TESTS, setting::TESTS]);
}
