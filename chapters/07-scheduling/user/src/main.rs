//! The tests of chapter 7, as the root task. Each is named in the book's page "Tasks and scheduling: the specification". Those of task
//! registers and floating-point state are here, too: most of what they promise is about tasks that are stopped, resumed, preempted and asleep.
#![no_std]
#![no_main]

mod calibration;
mod clock;
#[path = "../../../06-ipc/user/src/entries.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod entries;
mod floating_point;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod lending;
mod life;
mod notifications;
mod priorities;
mod registers;
mod removals;
mod selectors;
mod slices;
mod stopping;
mod threads;
mod vectors;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(_: u64, _: [u64; 4]) {
    calibration::calibrate();
    testing::run_groups(&[
        life::TESTS,
        stopping::TESTS,
        registers::TESTS,
        selectors::TESTS,
        priorities::TESTS,
        slices::TESTS,
        lending::TESTS,
        clock::TESTS,
        notifications::TESTS,
        removals::TESTS,
        floating_point::TESTS,
        floating_point::survival::TESTS,
        floating_point::pages::TESTS,
    ]);
}
