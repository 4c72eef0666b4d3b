//! Which expensive instructions the kernel's paths execute, and that they are counted right.

use std::ops::Div;
use std::sync::OnceLock;

use flatmk_tests::built;
use flatmk_tests::figures;
use flatmk_tests::machines::{assert_status, boot};
use flatmk_tools::counts::{self, Batch, Row};
use flatmk_tools::figures::{Tick, Unit};
use flatmk_tools::machine::{Counting, Emulator, Machine, MachineError};
use test_case::{test_case, test_matrix};

struct Counted {
    rows: Vec<Row>,
    serial: String,
}

fn count(machine: Machine) -> Counted {
    let outcome = boot(&machine.counting(Counting::On));
    assert_status(&outcome, 0);
    Counted { rows: counts::read(&outcome.counted).expect("the counter writes sense"), serial: outcome.serial() }
}

/// The benchmark program, counted.
fn benchmark() -> &'static Counted {
    static COUNTED: OnceLock<Counted> = OnceLock::new();
    COUNTED.get_or_init(|| count(Machine::new(built::chapter(12))))
}

fn least<'a>(rows: &'a [Row], name: &str) -> &'a Batch {
    let row = rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} was not counted"));
    row.least().expect("a row has batches")
}

/// How many of a kind there are in all rounds of the batch.
fn all(batch: &Batch, kind: &str) -> u64 {
    *batch.expensive.get(kind).unwrap_or_else(|| panic!("{kind} is not counted"))
}

/// Its sequence is in `tests/kernels/src/bin/counted.rs`.
#[test]
fn a_known_sequence_is_counted_exactly() {
    let Counted { rows, .. } = count(Machine::new(built::broken("counted")));
    let batch = least(&rows, "counted");
    assert_eq!((batch.rounds, batch.instructions), (1000, 32 * 1000 + 2));
    let known = [
        ("cr_accesses", 6),
        ("cr0_cr4_accesses", 3),
        ("cr3_writes", 1),
        ("msr_accesses", 2),
        ("segment_base_writes", 3),
        ("locked", 2),
        ("iretq", 1),
        ("tlb_flushes", 2),
        ("port_accesses", 2),
    ];
    for (kind, a_round) in known {
        assert_eq!(all(batch, kind), a_round * 1000, "{kind}");
    }
    assert_eq!(batch.expensive.len(), known.len(), "all kinds are in the sequence: {batch:?}");
}

/// The time stamp counter moves by one an instruction, so both must see the same.
#[test]
fn what_is_counted_is_what_the_benchmark_prints() {
    let Counted { rows, serial } = benchmark();
    let printed = figures::read(serial).expect("the tables are whole");
    // Of RISC-V code, what is printed is no count of what was measured, so that is not marked.
    for (name, row) in printed.into_iter().filter(|(_, row)| row.unit == Unit::Ticks(Tick::Instruction)) {
        let counted = rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} was not counted"));
        // A row of a pipe is rounded up.
        let samples = counted.samples(if name.starts_with("pipe_") { u64::div_ceil } else { u64::div });
        let ends = [samples.first(), samples.last()].map(Option::<&u64>::copied);
        // An instruction that faults is begun, which is counted, and not finished: the time stamp has not moved.
        let unfinished = u64::from(name == "fault_call");
        let printed = [row.minimum, row.maximum].map(|ticks| Some(ticks + unfinished));
        assert_eq!(ends, printed, "{name}: counted, then printed");
    }
}

#[test_matrix(
    ["call_same_space", "call_other_space"],
    ["cr0_cr4_accesses", "msr_accesses", "segment_base_writes", "locked", "iretq", "port_accesses"]
)]
fn a_call_executes_none_of_the_expensive(row: &str, kind: &str) {
    assert_eq!(all(least(&benchmark().rows, row), kind), 0);
}

/// In one space none; in two spaces one there and one back. Each write of CR3 flushes, and nothing else does.
#[test_case("call_same_space", 0)]
#[test_case("call_other_space", 2)]
fn a_call_writes_cr3_when_the_space_changes(row: &str, a_round: u64) {
    let batch = least(&benchmark().rows, row);
    for kind in ["cr_accesses", "cr3_writes", "tlb_flushes"] {
        assert_eq!(all(batch, kind), a_round * batch.rounds, "{kind}");
    }
}

/// A page that is no longer mapped, or in another way, is flushed once.
#[test_case("unmap")]
#[test_case("protect")]
fn one_page_is_flushed(row: &str) {
    let batch = least(&benchmark().rows, row);
    assert_eq!(all(batch, "tlb_flushes"), batch.rounds);
    assert_eq!(all(batch, "cr3_writes"), 0);
}

/// The local APIC is told by a store that its interrupt is served. The handler begins by `sysretq`; `iretq` comes afterwards, for the task that was
/// interrupted.
#[test]
fn an_interrupt_reaches_its_handler_without_an_expensive_instruction() {
    let batch = least(&benchmark().rows, "interrupt_to_handler");
    let present: Vec<_> = batch.expensive.iter().filter(|(_, count)| **count > 0).collect();
    assert_eq!((batch.rounds, present), (1, vec![]));
}

#[test]
fn bochs_refuses_to_count() {
    let machine = Machine::new(built::chapter(12)).emulator(Emulator::Bochs).counting(Counting::On);
    assert!(matches!(machine.start(), Err(MachineError::Unsupported(reason)) if reason.contains("take QEMU")));
}
