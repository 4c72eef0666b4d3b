//! The screen alone tells everything: on a machine without a serial port, and when the kernel has stopped.

use flatmk_tests::machines::{Seat, TIME_LIMIT, start};
use flatmk_tests::screen_text::{CONSOLE, ScreenText, wait_until};
use flatmk_tests::{built, figures};
use flatmk_tools::disk::Firmware;
use flatmk_tools::figures::Row;
use flatmk_tools::machine::{Clock, Machine, Serial};
use serde_json::json;
use test_case::test_case;

use crate::stopped::{self, Stopped};

/// What is on the screen at the end of a run without a serial port: when a row is there that begins so.
fn screen_at_the_end(chapter: u8, firmware: Firmware, clock: Clock, last: &str) -> ScreenText {
    let _seat = Seat::take();
    let machine = Machine::new(built::chapter(chapter)).firmware(firmware).clock(clock).serial(Serial::Absent);
    // Nothing is measured here, so the tables are those of fewer batches, whatever their unit.
    let mut running = start(&machine.boot_option("exit", "none").boot_option("units", "instructions"));
    let at_the_end = |text: &ScreenText| text.rows.iter().any(|row| row.starts_with(last));
    let screen = wait_until(&mut running, CONSOLE, TIME_LIMIT, at_the_end).unwrap_or_else(|found| panic!("{found}"));
    // What would answer at the port's place if the emulator had put one there after all.
    let ports = running.qmp("query-chardev", &json!({})).expect("QEMU answers").to_string();
    assert!(!ports.contains("serial"), "{ports}");
    screen
}

/// All that a kernel before chapter 7 says fits.
#[test_case(Firmware::Bios, Clock::Instructions; "with BIOS")]
#[test_case(Firmware::Uefi, Clock::Host; "with UEFI")]
fn without_a_serial_port_banner_and_table_are_on_the_screen(firmware: Firmware, clock: Clock) {
    let screen = screen_at_the_end(6, firmware, clock, "[exit 0]");
    assert!(screen.is_readable(), "{screen}");
    let first = screen.rows.first();
    assert!(first.is_some_and(|row| row.starts_with("FlatMk ") && row.contains("chapter 6")), "{screen}");
    let found = rows_in(&screen);
    let later = ["notification", "pipe_", "softuser"];
    let comes_later = |name: &str| later.iter().any(|word| name.contains(word));
    let is_there = |name: &str| comes_later(name) || found.iter().any(|row| row.name == name);
    assert!(figures::ROWS.iter().chain(figures::OPERATIONS).all(|name| is_there(name)), "{screen}");
}

/// Chapter 10 says more: the screen has the end of it, with the last table.
#[test_case(Firmware::Bios, Clock::Instructions; "with BIOS")]
#[test_case(Firmware::Uefi, Clock::Host; "with UEFI")]
fn without_a_serial_port_the_end_of_a_long_run_is_on_the_screen(firmware: Firmware, clock: Clock) {
    let screen = screen_at_the_end(10, firmware, clock, "[exit 0]");
    assert!(screen.is_readable(), "{screen}");
    let found = rows_in(&screen);
    let missing = figures::WORKLOADS.iter().find(|name| !found.iter().any(|row| row.name == **name));
    assert_eq!(missing, None, "{screen}");
}

/// From chapter 11 on the shell has the last word, and the screen belongs to its driver.
#[test_case(Firmware::Bios, Clock::Instructions; "with BIOS")]
#[test_case(Firmware::Uefi, Clock::Host; "with UEFI")]
fn without_a_serial_port_what_the_shell_does_is_on_the_screen(firmware: Firmware, clock: Clock) {
    let screen = screen_at_the_end(12, firmware, clock, "flatmk> uptime");
    let says = |text: &str| screen.rows.iter().any(|row| row.contains(text));
    assert!(
        says("flatmk> run crash null") && says("crash: page fault: write to 0x8, where nothing is mapped"),
        "{screen}"
    );
    assert!(says("flatmk> pipe generator | filter | checksum") && says("items have come out"), "{screen}");
}

fn rows_in(screen: &ScreenText) -> Vec<Row> {
    let figures =
        flatmk_tools::figures::read(&screen.rows.join("\n")).unwrap_or_else(|fault| panic!("{fault}\n{screen}"));
    assert!(figures.failures.is_empty(), "{screen}");
    figures.rows
}

#[test]
fn a_panic_is_legible_on_the_screen() {
    let Stopped { serial, screen } = stopped::boot(&Machine::new(built::broken("panic")));
    assert_row(&screen, 0, |row| row == "FlatMk stopped: K00 this kernel panics on purpose");
    assert_row(&screen, 1, |row| row.starts_with("  at tests/kernels/src/bin/panic.rs:"));
    assert_row(&screen, 2, |row| row.starts_with("  stack: 0xffffffff8"));
    assert_same(&serial, &screen);
}

#[test]
fn an_exception_is_legible_on_the_screen_with_its_registers() {
    let Stopped { serial, screen } = stopped::boot(&Machine::new(built::broken("null-write")));
    let sentence = "page fault: write to 0x8 by the kernel, where nothing is mapped: the null page";
    assert_row(&screen, 0, |row| row == format!("FlatMk stopped: K01 {sentence}"));
    for register in ["rip", "rsp", "rflags", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r15"] {
        let start = format!("{register}=0x");
        let has_it = |row: &String| row.split_whitespace().any(|word| word.starts_with(&start));
        assert!(screen.rows.iter().any(has_it), "{register} is missing\n{screen}");
    }
    assert_same(&serial, &screen);
}

#[track_caller]
fn assert_row(screen: &ScreenText, row: usize, expected: impl Fn(&str) -> bool) {
    assert!(screen.rows.get(row).is_some_and(|row| expected(row)), "row {row} is not as it should be\n{screen}");
}

/// The whole report stands on the screen, and nothing else.
#[track_caller]
fn assert_same(serial: &str, screen: &ScreenText) {
    assert!(screen.is_readable(), "{screen}");
    let report =
        serial.get(serial.find("FlatMk stopped:").expect("the report is on the serial line")..).unwrap_or_default();
    for line in report.lines() {
        assert!(screen.contains(line), "{line:?} is missing\n{screen}");
    }
    assert_row(screen, 0, |row| report.starts_with(row));
}
