//! The tests of chapter 5, as the root task: system calls do what the interface says, and nothing that a program does harms
//! the kernel or another task.
#![no_std]
#![no_main]

mod contract;
mod errors;
mod faults;
mod harness;
mod lifetimes;
mod memory;
mod objects;
mod operations;
mod random;
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod registers;
mod revocation;
mod scheduling;
mod survival;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(argument: u64, _: [u64; 4]) {
    if let Some(task) = lifetimes::Child::from_argument(argument) {
        task.run();
    }
    lifetimes::set_ramdisk_length(argument);
    memory::prepare();
    testing::run_groups(&[
        operations::TESTS,
        errors::TESTS,
        contract::TESTS,
        faults::TESTS,
        memory::TESTS,
        scheduling::TESTS,
        lifetimes::TESTS,
        revocation::TESTS,
        survival::TESTS,
    ]);
}
