//! Three programs in a row, with pipes between them: all that goes in at one end comes out at the other, and without the kernel it takes less time.

use flatmk_tests::built;
use flatmk_tests::machines::{assert_status, boot};
use flatmk_tools::machine::{Emulator, Machine};
use test_case::test_case;

/// What the line says behind these words, up to others.
fn between<'a>(serial: &'a str, before: &str, behind: &str) -> &'a str {
    let rest = serial.split_once(before).unwrap_or_else(|| panic!("there is no `{before}`\n{serial}")).1;
    rest.lines().next().and_then(|line| line.split_once(behind)).unwrap_or_else(|| panic!("`{rest}`")).0
}

#[test_case(8, Emulator::Qemu)]
#[test_case(12, Emulator::Qemu)]
#[test_case(12, Emulator::Bochs)]
fn the_chain_finds_the_same_both_ways_and_is_faster_in_shared_memory(chapter: u8, emulator: Emulator) {
    let outcome = boot(&Machine::new(built::chapter(chapter)).emulator(emulator));
    assert_status(&outcome, 0);
    let serial = outcome.serial();
    let found = |way: &str| {
        let before = format!("root task: the chain of pipes {way} finds ");
        let line = serial.lines().find_map(|line| line.strip_prefix(&before));
        line.and_then(|line| line.split_once(" numbers with the sum 0x")).unwrap_or_else(|| panic!("{way}\n{serial}"))
    };
    let shared = found("in shared memory");
    assert_eq!(found("through the kernel"), shared, "{serial}");
    // About a third of the numbers are divisible by 3.
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text} is no number\n{serial}"));
    let items = number(between(&serial, "times as many (", " items)"));
    assert!(number(shared.0).abs_diff(items / 3) < items / 50, "{} of {items}", shared.0);
    let ticks = "root task: the chain of pipes takes ";
    let fast = between(&serial, ticks, " ticks an item in shared memory, ");
    let slow = between(&serial, &format!("{ticks}{fast} ticks an item in shared memory, "), " through the kernel");
    assert!(number(fast) * 5 < number(slow), "{fast} and {slow} ticks an item");
}

/// The programs come with the chapter on pipes.
#[test]
fn before_pipes_there_is_no_chain() {
    let outcome = boot(&Machine::new(built::chapter(7)));
    assert_status(&outcome, 0);
    let serial = outcome.serial();
    assert!(serial.contains("root task: benchmark is done"), "{serial}");
    assert!(!serial.contains("pipe"), "{serial}");
}
