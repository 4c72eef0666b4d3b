//! The tests of chapter 8, as the root task: what goes through a pipe comes out of it, whatever the other end does and however it ends.
#![no_std]
#![no_main]

mod creators;
mod deaths;
mod endings;
mod exchange;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod hostile;
mod mapping;
mod mediated;
#[path = "../../../05-tasks/user/src/registers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod registers;
mod requests;
#[path = "../../../06-ipc/user/src/servers.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 6")]
mod servers;
mod stage;
mod stepped;

use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(argument: u64, _: [u64; 4]) {
    stage::run_if_child(argument);
    servers::prepare(argument);
    testing::run_groups(&[
        exchange::TESTS,
        mapping::TESTS,
        endings::TESTS,
        hostile::TESTS,
        stepped::TESTS,
        deaths::TESTS,
        requests::TESTS,
        creators::TESTS,
        mediated::TESTS,
    ]);
}
