//! The tests of chapter 6, as the root task: whatever tasks do to each other, a call ends with an answer or with an error.
#![no_std]
#![no_main]

mod answers;
mod bindings;
mod chains;
mod debugging;
mod devices;
mod endings;
mod entries;
mod faults;
mod handlers;
#[path = "../../../05-tasks/user/src/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of chapter 5")]
mod harness;
mod interrupts;
mod order;
mod patterns;
mod porter;
mod ports;
mod random;
#[path = "../../../05-tasks/user/src/registers.rs"]
mod registers;
mod replies;
mod servers;
mod settings;
mod sharing;
mod stopping;
mod victims;
mod window;
mod window_later;

use flatmk_abi::Operation;
use flatmk_runtime::testing;

flatmk_runtime::entry!(main);

fn main(ramdisk_bytes: u64, _: [u64; 4]) {
    sharing::run_if_client(ramdisk_bytes);
    servers::prepare(ramdisk_bytes);
    let of_chapter_7 = if harness::kernel_knows(Operation::Stop) { stopping::TESTS } else { &[] };
    testing::run_groups(&[
        answers::TESTS,
        order::TESTS,
        endings::TESTS,
        replies::TESTS,
        window::TESTS,
        window_later::TESTS,
        faults::TESTS,
        settings::TESTS,
        handlers::TESTS,
        debugging::TESTS,
        ports::TESTS,
        interrupts::TESTS,
        bindings::TESTS,
        chains::TESTS,
        of_chapter_7,
        sharing::TESTS,
        sharing::refusals::TESTS,
        sharing::hostile::TESTS,
        random::TESTS,
    ]);
}
