//! What the kernel's paths cost, in instructions: as much as promised, the same in both emulators, and less by the fast path.

use std::sync::OnceLock;

use flatmk_tests::built;
use flatmk_tests::figures::{self, ROWS, Row, Table};
use flatmk_tests::machines::{assert_status, boot};
use flatmk_tools::machine::{Emulator, Machine};
use test_case::test_case;

fn measure(machine: &Machine) -> Table {
    let outcome = boot(machine);
    assert_status(&outcome, 0);
    figures::read(&outcome.serial()).unwrap_or_else(|fault| panic!("{fault}\n{}", outcome.serial()))
}

fn table(emulator: Emulator) -> &'static Table {
    static TABLES: [OnceLock<Table>; 2] = [OnceLock::new(), OnceLock::new()];
    let [qemu, bochs] = &TABLES;
    let cell = if emulator == Emulator::Qemu { qemu } else { bochs };
    cell.get_or_init(|| measure(&Machine::new(built::chapter(12)).emulator(emulator)))
}

fn row(table: &Table, name: &str) -> Row {
    *table.get(name).expect("the reader found all rows")
}

#[test_case("null_syscall", 80)]
#[test_case("call_same_space", 220)]
#[test_case("call_other_space", 240)]
#[test_case("yield_pair", 160)]
fn costs_no_more_than_promised(name: &str, most: u64) {
    for emulator in [Emulator::Qemu, Emulator::Bochs] {
        let row = row(table(emulator), name);
        assert!(row.median <= most, "{name} in {emulator:?}: {row:?}, at most {most} are promised");
    }
}

#[test]
fn both_emulators_count_the_same() {
    for name in ROWS {
        let [qemu, bochs] = [Emulator::Qemu, Emulator::Bochs].map(|emulator| row(table(emulator), name).minimum);
        assert!(qemu.abs_diff(bochs) <= 2, "{name}: {qemu} in QEMU, {bochs} in Bochs");
    }
}

/// Without it calls work, too, and cost more: so with it, it is taken.
#[test]
fn the_fast_path_is_faster() {
    let without = measure(&Machine::new(built::chapter(12)).boot_option("fast_path", "off"));
    for name in ["call_same_space", "call_other_space"] {
        let [fast, slow] = [table(Emulator::Qemu), &without].map(|table| row(table, name).minimum);
        assert!(fast + 20 < slow, "{name}: {fast} with the fast path, {slow} without");
    }
    let [with, without] = [table(Emulator::Qemu), &without].map(|table| row(table, "null_syscall").minimum);
    assert!(with.abs_diff(without) <= 10, "null_syscall: {with} with the fast path, {without} without");
}
