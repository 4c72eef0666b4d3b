//! The program in C, on machines as they are: what the header says is what the kernel does.

use flatmk_tests::built;
use flatmk_tests::machines::{assert_says, assert_status, boot};
use flatmk_tools::machine::{Emulator, Machine};
use test_case::test_case;

#[test_case(6, Emulator::Qemu)]
#[test_case(12, Emulator::Qemu)]
#[test_case(12, Emulator::Bochs)]
fn the_program_in_c_finds_all_as_documented_and_answers(chapter: u8, emulator: Emulator) {
    let outcome = boot(&Machine::new(built::chapter(chapter)).emulator(emulator));
    assert_status(&outcome, 0);
    assert_says(&outcome, "hello-c: this is C, and everything is as documented\n");
    // The message is 1, 2, 3 and 5; in the second sum the words count one to four times.
    assert_says(&outcome, "root task: hello-c answers 11 and 34; 19 of its 19 checks passed\n");
}

/// The same program, and others in Rust, as RISC-V code that the kernel runs.
#[test_case(10, Emulator::Qemu)]
#[test_case(12, Emulator::Bochs)]
fn programs_for_riscv_answer_as_the_native_ones_do(chapter: u8, emulator: Emulator) {
    let outcome = boot(&Machine::new(built::chapter(chapter)).emulator(emulator));
    assert_status(&outcome, 0);
    assert_says(&outcome, "root task: softuser-hello-c answers 11 and 34; 19 of its 19 checks passed\n");
    assert_says(&outcome, "forth: primes: 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 \n");
    assert_says(&outcome, "softuser-packet-filter, softuser-forth and softuser-key-decoder answer as they should\n");
}
