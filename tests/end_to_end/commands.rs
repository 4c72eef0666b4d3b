//! The commands that boot a kernel do it in either emulator.

use std::time::Duration;

use flatmk_tests::built;
use flatmk_tests::machines::Seat;
use flatmk_tests::program::{Finished, Program};

/// A kernel may have to be built, and others build at the same time.
const LIMIT: Duration = Duration::from_secs(600);

fn flatmk(arguments: &[&str]) -> Finished {
    let program = Program::new(built::host_program()).arguments(arguments);
    let _seat = Seat::take();
    built::while_none_is_built(|| program.run(LIMIT))
}

#[test]
fn the_tests_of_a_chapter_and_its_demonstration_run_in_bochs_alone() {
    let run = flatmk(&["test", "--chapter", "1", "--emulator", "bochs"]);
    run.assert_code(0);
    run.assert_printed("==> [1/2] tests of chapter 1, with its own feature, in Bochs\n");
    run.assert_printed("test chapter01_boot::a_serial_port_is_found ... ok");
    run.assert_printed("==> [2/2] demonstration of chapter 1 in Bochs\n");
    let verdict = run.output().lines().last().unwrap_or_default();
    assert!(verdict.ends_with(" passed, 0 failed") && !verdict.starts_with("0 "), "{run}");
    assert!(!run.output().contains("processor: QEMU"), "{run}");
}
