//! The tests of chapter 8, as the root task: what goes through a pipe comes out of it, whatever the other end does and however it ends.
#![no_std]
#![no_main]

mod exchange;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod mediated;
#[path = "../../../05-tasks/user/src/registers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod registers;
#[path = "../../../06-ipc/user/src/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod servers;
mod stage;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(argument: u64, _: [u64; 4]) {
    stage::run_if_child(argument);
    servers::prepare(argument);
    testing::run_groups(&[exchange::TESTS, mediated::TESTS]);
}
