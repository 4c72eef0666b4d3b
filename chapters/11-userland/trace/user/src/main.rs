//! The tests of tracing, as the root task.
#![no_std]
#![no_main]

#[path = "../../../../07-scheduling/user/src/calibration.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod calibration;
mod calls;
mod events;
mod faults;
mod frames;
#[path = "../../../../10-softuser/user/src/guest.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 10")]
mod guest;
#[path = "../../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod interrupts;
#[path = "../../../../05-tasks/user/src/registers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod registers;
mod ring;
mod softuser;
#[path = "../../../../07-scheduling/user/src/threads.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 7")]
mod threads;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(_: u64, _: [u64; 4]) {
    calibration::calibrate();
    // The page tables for the pages that are mapped stay with the space.
    guest::with_guests(|| {});
    frames::prepare();
    testing::run_groups(&[calls::TESTS, faults::TESTS, interrupts::TESTS, softuser::TESTS, ring::TESTS, frames::TESTS]);
}
