//! The tests of chapter 11, as the root task: the memory of devices, the clock, and what tasks are doing.
#![no_std]
#![no_main]

mod clock;
mod device;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod hostile;
mod inspection;
mod mapping;
mod parts;
#[path = "../../../05-tasks/user/src/registers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod registers;
#[path = "../../../06-ipc/user/src/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod servers;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(ramdisk_bytes: u64, _: [u64; 4]) {
    servers::prepare(ramdisk_bytes);
    mapping::prepare();
    testing::run_groups(&[mapping::TESTS, parts::TESTS, hostile::TESTS, clock::TESTS, inspection::TESTS]);
}
