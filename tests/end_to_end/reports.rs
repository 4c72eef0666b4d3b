//! When a kernel goes wrong, the runner names the place, not just the failure.

use std::time::Duration;

use flatmk_tests::machines::Seat;
use flatmk_tests::program::{Finished, Program};
use flatmk_tests::{built, shown};
use test_case::{test_case, test_matrix};

/// What was printed from these words on.
fn from<'a>(words: &str, printed: &'a str) -> &'a str {
    printed.find(words).map_or("", |place| &printed[place..])
}

/// Boots a kernel as `cargo run` does.
fn boot(kernel: &str, emulator: &str) -> Finished {
    let _seat = Seat::take();
    let program = Program::new(built::host_program()).arguments(["boot"]).argument(built::broken(kernel));
    // A kernel that hangs is given up after so many seconds; before that it must boot, on a busy machine, too.
    program.variable("FLATMK_EMULATOR", emulator).variable("FLATMK_TIME_LIMIT", "15").run(Duration::from_secs(120))
}

#[test_case("qemu", "the handler could not be called of this: invalid opcode, ", "has room for 0 of 256 gates"; "qemu")]
#[test_case("bochs", "vector must be within IDT table limits", "3rd (13) exception with no resolution"; "bochs")]
fn a_triple_fault_is_named_with_its_place_and_its_reason(emulator: &str, reason: &str, last: &str) {
    let run = boot("triple-fault", emulator);
    run.assert_complained("\nwhy:\n");
    run.assert_complained(reason);
    run.assert_complained(last);
    run.assert_code(1);
    // The end of the next line may be in the serial port still.
    run.assert_printed(", chapter 3");
    run.assert_complained("triple fault");
    run.assert_complained("triple_fault::fault_without_a_table (tests/kernels/src/bin/triple-fault.rs:");
    if emulator == "qemu" {
        let shown = shown::text("reference/debugging.md", "triple-fault: ");
        shown::assert_agrees(&shown, from("triple-fault: ", run.errors()));
    }
}

#[test_matrix(["qemu", "bochs"])]
fn a_hang_with_interrupts_off_is_named_with_its_place(emulator: &str) {
    let run = boot("hang", emulator);
    run.assert_code(1);
    run.assert_printed("about to hang");
    run.assert_complained("hang: nothing new for 15 s");
    run.assert_complained("hang::hang_for_ever (tests/kernels/src/bin/hang.rs:");
}

#[test_matrix(["qemu", "bochs"])]
fn a_panic_is_named_with_its_place(emulator: &str) {
    let run = boot("panic", emulator);
    run.assert_code(1);
    run.assert_printed("FlatMk stopped: K00 this kernel panics on purpose");
    run.assert_complained("panic::panic_on_purpose (tests/kernels/src/bin/panic.rs:");
}

#[test_matrix(["qemu", "bochs"])]
fn an_exception_is_named_with_its_place(emulator: &str) {
    let run = boot("null-write", emulator);
    run.assert_code(1);
    run.assert_printed("FlatMk stopped: K01 page fault");
    run.assert_complained("null_write::write_to_null (tests/kernels/src/bin/null-write.rs:");
    for page in ["reference/debugging.md", "reference/stop-codes.md"] {
        shown::assert_agrees(&shown::text(page, "FlatMk stopped: "), from("FlatMk stopped: ", run.output()));
    }
    shown::assert_agrees(
        &shown::text("reference/debugging.md", "where that was:"),
        from("where that was:", run.errors()),
    );
}
