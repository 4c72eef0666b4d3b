//! What the kernel's paths cost, in instructions: as much as promised, the same in both emulators, and less by the fast path.

use std::fs;
use std::sync::OnceLock;

use flatmk_tests::built;
use flatmk_tests::figures::{self, COMPARISONS, OPERATIONS, ROWS, Table, WORKLOADS};
use flatmk_tests::machines::{assert_status, boot};
use flatmk_tools::bench::{Record, accepted};
use flatmk_tools::figures::{Row, Tick, Unit};
use flatmk_tools::machine::{Emulator, Machine};
use flatmk_tools::workspace;
use test_case::test_case;

fn measure(machine: &Machine) -> Table {
    let outcome = boot(machine);
    assert_status(&outcome, 0);
    let serial = outcome.serial();
    figures::read(&serial).unwrap_or_else(|fault| panic!("{fault}\n{serial}"))
}

fn table(emulator: Emulator) -> &'static Table {
    static TABLES: [OnceLock<Table>; 2] = [OnceLock::new(), OnceLock::new()];
    let [qemu, bochs] = &TABLES;
    let cell = if emulator == Emulator::Qemu { qemu } else { bochs };
    cell.get_or_init(|| measure(&Machine::new(built::chapter(12)).emulator(emulator)))
}

/// With `fast_path=off`, in QEMU.
fn slow_table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| measure(&Machine::new(built::chapter(12)).boot_option("fast_path", "off")))
}

fn row<'a>(table: &'a Table, name: &str) -> &'a Row {
    table.get(name).expect("the reader found all rows")
}

#[test_case("null_syscall", 80)]
#[test_case("call_same_space", 220)]
#[test_case("call_other_space", 240)]
#[test_case("yield_pair", 160)]
#[test_case("softuser_enter_leave", 200)]
#[test_case("call_softuser_same_space", 350)]
#[test_case("call_softuser_other_space", 370)]
#[test_case("softuser_host_per_guest", 900; "RISC-V code, for 100 instructions")]
#[test_case("pipe_item", 40)]
#[test_case("pipe_slice_64", 6; "pipe_slice_64, for one of its items")]
#[test_case("pipe_kernel_events", 5; "kernel events of a pipe, for 1000 items")]
#[test_case("copy", 250)]
#[test_case("mint", 250)]
#[test_case("move", 250)]
#[test_case("delete", 250)]
#[test_case("map", 410; "map, with 10 for the flush")]
#[test_case("unmap", 410; "unmap, with 10 for the flush")]
fn costs_no_more_than_promised(name: &str, most: u64) {
    let row = |emulator| row(table(emulator), name);
    // In Bochs the least, as the tables show it: there up to four instructions more are counted where its clock was not up to date.
    for (row, cost) in
        [(row(Emulator::Qemu), row(Emulator::Qemu).median), (row(Emulator::Bochs), row(Emulator::Bochs).minimum)]
    {
        assert!(cost <= most, "{cost} of {row:?}, at most {most} are promised");
    }
}

/// The least: where in the program's loop the interrupt comes is not up to the kernel. In Bochs the timer has a deadline, which each tick sets anew.
#[test_case(Emulator::Qemu, 250)]
#[test_case(Emulator::Bochs, 275)]
fn an_interrupt_costs_no_more_than_promised(emulator: Emulator, most: u64) {
    let row = row(table(emulator), "interrupt_to_handler");
    assert!(row.minimum <= most, "{row:?}, at most {most} are promised");
}

#[test]
fn both_emulators_count_the_same() {
    // Of interrupts the timers' own parts differ.
    for name in ROWS.iter().chain(OPERATIONS).filter(|&&name| name != "interrupt_to_handler") {
        let [qemu, bochs] = [Emulator::Qemu, Emulator::Bochs].map(|emulator| row(table(emulator), name).minimum);
        // A tick is a million instructions in QEMU and fifty thousand in Bochs, so there it interrupts each batch that is long, for 160 at most.
        assert!(qemu.abs_diff(bochs) <= 2 + qemu * 160 / 50_000, "{name}: {qemu} in QEMU, {bochs} in Bochs");
    }
}

/// Both are measured batch for batch, by both ends together. In Bochs the timer comes so often that the two ends of a kernel-mediated pipe may fall into
/// step, and wait for the server by turns, an item a switch: so it is the least that counts.
#[test]
fn an_item_costs_ten_times_as_much_through_the_kernel() {
    for emulator in [Emulator::Qemu, Emulator::Bochs] {
        let [item, mediated, ratio] =
            ["pipe_item", "pipe_kernel_item", "pipe_kernel_per_pipe"].map(|name| row(table(emulator), name));
        assert!(ratio.minimum >= 10, "{ratio:?} in {emulator:?}, at least 10 are promised");
        assert!(ratio.minimum.abs_diff(mediated.minimum / item.minimum) <= 1, "{item:?}, {mediated:?}, {ratio:?}");
    }
}

#[test]
fn the_table_says_what_comparisons_count() {
    for &(name, unit) in COMPARISONS {
        assert_eq!(row(table(Emulator::Qemu), name).unit, unit, "{name}");
    }
}

/// The work is so long that Bochs's timer comes two or three times.
#[test]
fn both_emulators_run_guest_code_alike() {
    for name in WORKLOADS {
        let [qemu, bochs] = [Emulator::Qemu, Emulator::Bochs].map(|emulator| row(table(emulator), name));
        assert_eq!([qemu, bochs].map(|row| row.unit), [Unit::TicksForHundred(Tick::Instruction); 2], "{name}");
        let [qemu, bochs] = [qemu, bochs].map(|row| row.minimum);
        assert!(qemu.abs_diff(bochs) <= qemu / 50, "{name}: {qemu} in QEMU, {bochs} in Bochs");
    }
}

/// From the first table on, each level costs as much as the one before. 12 instructions find a slot of the first.
#[test]
fn a_lookup_costs_little_more_in_an_inner_table() {
    let [first, second, third] =
        ["lookup_1", "lookup_2", "lookup_3"].map(|name| row(table(Emulator::Qemu), name).minimum);
    assert!(second <= first + 12 && third <= second + 12, "{first}, {second}, {third}");
}

/// The text of a chapter's page.
fn text_of(page: &str) -> String {
    let path = workspace::root().join(format!("book/src/chapters/{page}.md"));
    fs::read_to_string(path).expect("the page is there")
}

/// Fails if a page shows other figures than are measured. Only where the timer interrupts may they differ, as the committed rows may.
#[track_caller]
fn assert_shown(page: &str, emulator: Emulator, rows: &[(&Row, u64)]) {
    let difference = |&(row, shown): &(&Row, u64)| {
        let slack = match emulator {
            Emulator::Qemu => accepted::slack_of_timer(&row.name, row.minimum, row.unit.name()),
            Emulator::Bochs => accepted::slack(&Record::new(row, false, None)),
        };
        let is_right = shown.abs_diff(row.minimum) <= slack.unwrap_or(0);
        (!is_right).then(|| format!("{} is {shown} on the page, and {} here", row.name, row.minimum))
    };
    let differences: Vec<String> = rows.iter().filter_map(difference).collect();
    assert!(differences.is_empty(), "{page}.md: {differences:#?}");
}

/// The figure in a cell of a table.
fn figure(cell: &str) -> Option<u64> {
    cell.trim().replace(',', "").parse().ok()
}

/// A figure that has moved is to be written anew: the command is `./x run`.
#[test_case("paging")]
#[test_case("capabilities")]
#[test_case("tasks")]
#[test_case("calls")]
#[test_case("scheduling")]
#[test_case("pipes")]
#[test_case("pcid")]
#[test_case("softuser")]
fn the_book_shows_what_is_measured(page: &str) {
    let text = text_of(page);
    let measured = table(Emulator::Qemu);
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let row = measured.get(cells.next()?.trim_matches('`'))?;
        Some((row, cells.next().and_then(figure).expect("a row has a figure")))
    });
    let rows: Vec<_> = rows.collect();
    assert_shown(page, Emulator::Qemu, &rows);
    assert!(rows.len() >= 4, "{} rows of {page}.md were recognized", rows.len());
}

/// Compares the rows of a page whose names have this word before them; returns how many there are.
#[track_caller]
fn assert_shown_with(word: &str, page: &str, emulator: Emulator, measured: &Table) -> usize {
    let (text, before) = (text_of(page), format!("| {word} `"));
    let rows = text.lines().filter_map(|line| line.strip_prefix(&before)?.split_once("` |"));
    let rows = rows.map(|(name, rest)| {
        let shown = rest.split('|').next().and_then(figure).expect("a row has a figure");
        (row(measured, name), shown)
    });
    let rows: Vec<_> = rows.collect();
    assert_shown(page, emulator, &rows);
    rows.len()
}

/// The same with the kernel isolated, measured with `./x run --emulator bochs --meltdown on`.
#[test]
fn the_book_shows_what_isolation_costs() {
    let isolated = Machine::new(built::chapter(12)).emulator(Emulator::Bochs).boot_option("meltdown", "on");
    assert_eq!(assert_shown_with("isolated", "pcid", Emulator::Bochs, &measure(&isolated)), 5, "rows of the page");
}

/// The same with the boot option `fast_path=off`.
#[test_case("calls", 6)]
#[test_case("scheduling", 2)]
fn the_book_shows_what_the_slow_path_costs(page: &str, rows: usize) {
    assert_eq!(assert_shown_with("slow", page, Emulator::Qemu, slow_table()), rows, "rows of the page");
}

/// The row of the timer's interrupt, with each timer there is.
#[test]
fn the_book_shows_what_a_timer_costs() {
    let pit = measure(&Machine::new(built::chapter(12)).boot_option("timer", "pit"));
    let [qemu, bochs] = [Emulator::Qemu, Emulator::Bochs];
    let rows = [
        assert_shown_with("8254:", "hardware", qemu, &pit),
        assert_shown_with("local APIC:", "hardware", qemu, table(qemu)),
        assert_shown_with("deadlines:", "hardware", bochs, table(bochs)),
    ];
    assert_eq!(rows, [1; 3], "rows of the page");
}

/// Without it everything works, too, and costs more: so with it, it is taken.
#[test]
fn the_fast_path_is_faster() {
    let names = ["call_same_space", "call_other_space", "null_syscall", "yield_alone", "yield_pair"];
    for name in names.into_iter().chain(["notification_round_trip", "fault_call"]) {
        let [fast, slow] = [table(Emulator::Qemu), slow_table()].map(|table| row(table, name).minimum);
        assert!(fast + 20 < slow, "{name}: {fast} with the fast path, {slow} without");
    }
}
