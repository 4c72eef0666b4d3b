//! Sequences that chance seldom finds, compared with the model as the others are.

use flatmk_abi::Kind;
use kernel::capability::{Extent, MOST_SPLITS};

use crate::machine::{MEMORY, TABLE};
use crate::operation::Operation;
use crate::run::{Statistics, run_operations};

fn split(memory: u64, pages: u64, index: u64) -> Operation {
    Operation::Split { memory, pages, table: TABLE, index }
}

fn make(memory: u64, kind: Kind, index: u64) -> Operation {
    Operation::Make { memory, kind: kind as u64, count: 1, table: TABLE, index }
}

fn put_into(table: u64, source: u64) -> Operation {
    Operation::Move { table, index: 1, source }
}

fn delete(index: u64) -> Operation {
    Operation::Remove { table: TABLE, index, extent: Extent::Itself }
}

fn check(operations: &[Operation]) -> Statistics {
    run_operations(operations).unwrap_or_else(|problem| panic!("{problem}"))
}

/// A table ends that was made from a memory; with it another table ends, which holds that very memory.
#[test]
fn a_table_that_ends_takes_its_own_memory_along() {
    let statistics = check(&[
        split(MEMORY, 8, 3),
        make(MEMORY, Kind::Table, 4),
        make(3, Kind::Table, 5),
        put_into(4, 3),
        put_into(5, 4),
        delete(5),
    ]);
    assert_eq!(statistics.totals().1, 0);
}

#[test]
fn two_tables_hold_the_memories_from_which_they_were_made() {
    for first in [5, 6] {
        let statistics = check(&[
            split(MEMORY, 8, 3),
            split(MEMORY, 8, 4),
            make(3, Kind::Table, 5),
            make(4, Kind::Table, 6),
            put_into(6, 3),
            put_into(5, 4),
            delete(first),
        ]);
        assert_eq!(statistics.totals().1, 0);
    }
}

#[test]
fn memory_cannot_come_into_a_table_that_was_made_from_it() {
    let statistics =
        check(&[split(MEMORY, 8, 3), split(3, 4, 4), make(4, Kind::Table, 5), put_into(5, 4), put_into(5, 3)]);
    assert_eq!(statistics.totals().1, 2);
}

#[test]
fn memory_can_be_split_so_often_and_not_oftener() {
    let deepest = u64::from(MOST_SPLITS);
    let splits: Vec<Operation> = (0..=deepest)
        .map(|depth| split(if depth == 0 { MEMORY } else { 2 + depth }, 1000 - 10 * depth, 3 + depth))
        .collect();
    let statistics = check(&splits);
    assert_eq!(statistics.totals(), (deepest + 1, 1));
}

/// With each number of pages something else is the first that cannot be had: an object, a page table of any level, a split.
#[test]
fn memory_runs_out_at_every_point() {
    const SPACE: u64 = 4;
    const FRAME: u64 = 5;
    let map = |frame, address| Operation::Map { space: SPACE, frame, address, access: 0 };
    for pages in 1..=20 {
        let statistics = check(&[
            split(MEMORY, pages, 3),
            make(3, Kind::AddressSpace, SPACE),
            make(3, Kind::Frame, FRAME),
            map(FRAME, 0x1000),
            make(3, Kind::Frame, 6),
            map(6, 0x20_0000),
            make(3, Kind::Table, 7),
            split(3, 1, 8),
            make(3, Kind::Frame, 9),
            map(9, 1 << 30),
            make(3, Kind::Task, 10),
            make(3, Kind::Frame, 11),
            map(11, 1 << 39),
            split(3, 1, 12),
        ]);
        assert_eq!(pages >= 18, statistics.totals().1 == 0, "with {pages} pages: {statistics:?}");
    }
}

/// Where small frames were mapped, and no longer are, a large one takes the place of their page table.
#[test]
fn a_large_frame_takes_the_place_of_an_empty_table() {
    const SPACE: u64 = 3;
    const SMALL: u64 = 4;
    const LARGE: u64 = 5;
    const ADDRESS: u64 = 0x20_0000;
    let map = |frame, address| Operation::Map { space: SPACE, frame, address, access: 1 };
    let statistics = check(&[
        make(MEMORY, Kind::AddressSpace, SPACE),
        make(MEMORY, Kind::Frame, SMALL),
        make(MEMORY, Kind::LargeFrame, LARGE),
        Operation::Activate { space: SPACE },
        map(SMALL, ADDRESS + 0x3000),
        map(LARGE, ADDRESS),
        Operation::Unmap { frame: SMALL },
        map(LARGE, ADDRESS),
        map(SMALL, ADDRESS + 0x3000),
        Operation::Protect { frame: LARGE, access: 2 },
        map(SMALL, 2 * ADDRESS),
        delete(LARGE),
        map(LARGE, ADDRESS),
    ]);
    // While the table is in use; where the large frame is; and at the end there is no large frame any more.
    assert_eq!(statistics.totals().1, 3);
}
