//! The tests of chapter 10, as the root task.
#![no_std]
#![no_main]

#[path = "../../../07-scheduling/user/src/calibration.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod calibration;
mod calls;
mod changed;
mod chaos;
mod endings;
mod entering;
mod faults;
mod guest;
mod handlers;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod lost;
mod memory;
mod mending;
#[path = "../../../05-tasks/user/src/registers.rs"]
mod registers;
mod scheduling;
mod setting;
mod system_calls;
#[path = "../../../07-scheduling/user/src/threads.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod threads;
mod windows;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(_: u64, _: [u64; 4]) {
    calibration::calibrate();
    // The page tables for the guests' pages stay with the space.
    guest::with_guests(|| {});
    memory::prepare();
    testing::run_groups(&[
        entering::TESTS,
        calls::TESTS,
        windows::TESTS,
        endings::TESTS,
        system_calls::TESTS,
        faults::TESTS,
        mending::TESTS,
        memory::TESTS,
        changed::TESTS,
        setting::TESTS,
        lost::TESTS,
        scheduling::TESTS,
        chaos::TESTS,
    ]);
}
