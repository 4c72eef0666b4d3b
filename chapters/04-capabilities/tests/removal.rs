//! Delete and revoke: what they refuse, and that all is in order after each step, whatever else happens between two of them.

use flatmk_abi::slots::SLOTS_PER_TABLE;
use flatmk_abi::{Access, Error, Kind};
use kernel::capability::{Extent, MOST_SPLITS, Progress, Removal, Table, measure};

use crate::shared::{
    ALL, FIRST, MACHINE, MEMORY, SCRATCH, SECOND, SPACE, Steps, check, copy, copy_each, copy_from, delete, free_pages,
    machine, make, make_from, map, measured, move_to, remove, revoke, slot, split_from, table_in, with_memory,
};
use crate::tree::expect_tree;

#[test_case]
fn a_removal_that_is_not_allowed_is_refused() {
    with_memory(1, |table| {
        for extent in [Extent::Itself, Extent::Derived] {
            for (index, error) in [
                (0, Error::InvalidArgument),
                (SLOTS_PER_TABLE, Error::InvalidArgument),
                (u64::MAX, Error::InvalidArgument),
                (FIRST, Error::InvalidCapability),
            ] {
                assert_eq!(remove(table, index, extent).err(), Some(error), "{index}");
            }
        }
    });
}

/// Without it no page would find its way back, and nothing could be made any more.
#[test_case]
fn the_machines_own_memory_cannot_be_deleted() {
    with_memory(8, |_| {
        let before = measure(slot(machine(), MACHINE));
        assert_eq!(delete(machine(), MACHINE), Err(Error::InvalidState));
        assert_eq!(measure(slot(machine(), MACHINE)), before);
    });
}

#[test_case]
fn revoke_leaves_the_capability_and_what_it_was_derived_from() {
    with_memory(4, |table| {
        make(table, Kind::Frame, 2, 1).expect("made");
        copy_each(table, [(3, 2), (4, 3), (5, 4), (6, 5), (7, 2)]);
        revoke(table, 6).expect("nothing was derived from it");
        expect_tree(table, "M1[F2[F3[F4[F5[F6]]] F7]]");
        revoke(table, 4).expect("revoked");
        expect_tree(table, "M1[F2[F3[F4] F7]]");
        revoke(table, 2).expect("revoked");
        expect_tree(table, "M1[F2]");
        assert_eq!(free_pages(table), 3);
    });
}

#[test_case]
fn deleted_memory_gives_its_range_back_whatever_became_of_it() {
    with_memory(64, |table| {
        for _ in 0..3 {
            split_from(slot(table, MEMORY), 40, table, FIRST).expect("split");
            split_from(slot(table, FIRST), 20, table, SECOND).expect("split");
            make_from(slot(table, SECOND), Kind::Frame, table, SCRATCH, 10).expect("made");
            // Pages come back out of order, some stay away, and a part of the part is still there.
            for offset in [3, 0, 7, 5, 1] {
                delete(table, SCRATCH + offset).expect("deleted");
            }
            copy(table, 50, SCRATCH + 4, ALL).expect("copied");
            check();
            delete(table, FIRST).expect("deleted");
            expect_tree(table, "M1");
            assert_eq!(measure(slot(table, MEMORY)), (64, 64));
        }
    });
}

#[test_case]
fn parts_that_do_not_adjoin_come_back_too() {
    with_memory(300, |table| {
        for order in [[2, 3, 4], [2, 4, 3], [3, 2, 4], [3, 4, 2], [4, 2, 3], [4, 3, 2]] {
            (2..=4).for_each(|index| split_from(slot(table, MEMORY), 90, table, index).expect("split"));
            make_from(slot(table, 3), Kind::Frame, table, SCRATCH, 50).expect("made");
            for index in order {
                delete(table, index).expect("deleted");
                check();
            }
            assert_eq!(free_pages(table), 300);
            // All of it can be handed out again.
            assert_eq!(make(table, Kind::LargeFrame, FIRST, 1), Err(Error::OutOfMemory));
            split_from(slot(table, MEMORY), 299, table, FIRST).expect("in one piece");
            delete(table, FIRST).expect("deleted");
        }
    });
}

#[test_case]
fn memory_is_split_so_often_in_a_row_and_no_more() {
    with_memory(200, |table| {
        // The memory of a test was split off once itself.
        let last = 1 + u64::from(MOST_SPLITS) - 1;
        for index in 1..last {
            split_from(slot(table, index), 200 - 2 * index, table, index + 1).expect("split");
        }
        assert_eq!(split_from(slot(table, last), 1, table, 60), Err(Error::InvalidState));
        make_from(slot(table, last), Kind::Frame, table, 50, 2).expect("made");
        check();
        // Moving it does not help.
        move_to(table, 61, slot(table, last)).expect("moved");
        assert_eq!(split_from(slot(table, 61), 1, table, 60), Err(Error::InvalidState));
        revoke(table, MEMORY).expect("revoked");
        assert_eq!(free_pages(table), 200);
    });
}

/// Something of everything below a part, in slot 2.
fn fill(table: &'static Table) {
    split_from(slot(table, MEMORY), 64, table, 2).expect("split");
    split_from(slot(table, 2), 16, table, 3).expect("split");
    let part = slot(table, 2);
    make_from(part, Kind::AddressSpace, table, SPACE, 1).expect("made");
    make_from(part, Kind::Table, table, 5, 1).expect("made");
    make_from(part, Kind::Task, table, 6, 1).expect("made");
    make_from(part, Kind::Frame, table, 10, 4).expect("made");
    make_from(slot(table, 3), Kind::Frame, table, 14, 2).expect("made");
    let inner = table_in(table, 5);
    for frame in 10..16 {
        copy(table, frame + 10, frame, ALL).expect("copied");
        copy_from(slot(table, frame + 10), inner, frame, ALL).expect("copied");
        map(table, frame, 0x1000 * frame, Access::Read).expect("mapped");
        map(table, frame + 10, 0x4000_0000 * frame, Access::Read).expect("mapped");
    }
    move_to(inner, 1, slot(table, 13)).expect("moved");
    make_from(slot(table, 3), Kind::Table, inner, 2, 1).expect("made");
    copy_from(slot(table, 6), table_in(inner, 2), 1, ALL).expect("copied");
}

#[test_case]
fn everything_is_in_order_after_each_step() {
    for (index, extent) in [(2, Extent::Itself), (2, Extent::Derived), (MEMORY, Extent::Derived), (5, Extent::Itself)] {
        with_memory(80, |table| {
            fill(table);
            let removal = Removal::decode(table, index, extent).expect("allowed");
            let mut steps = Steps::default();
            while measured(&removal, &mut steps) == Progress::More {
                check();
            }
            if index != 5 {
                let part = if (index, extent) == (2, Extent::Derived) { 64 } else { 0 };
                assert_eq!(free_pages(table) + part, 80);
            }
        });
    }
}

/// Removes a part while others use what is left of it. What is made anew goes as well.
#[test_case]
fn other_operations_may_come_between_two_steps() {
    for stride in 1..6 {
        with_memory(80, |table| {
            fill(table);
            let removal = Removal::decode(table, 2, Extent::Derived).expect("allowed");
            let mut steps = Steps::default();
            let mut free = (40..60).filter(|&index| slot(table, index).is_empty());
            while measured(&removal, &mut steps) == Progress::More {
                if steps.count % stride != 0 {
                    continue;
                }
                let Some(index) = free.next() else { continue };
                // Any of these may have gone already.
                let done = match index % 4 {
                    0 => copy(table, index, 10 + index % 6, ALL),
                    1 => make_from(slot(table, 2), Kind::Frame, table, index, 1),
                    2 => move_to(table, index, slot(table, 20 + index % 6)),
                    _ => make(table, Kind::Table, index, 1),
                };
                done.unwrap_or_default();
                check();
            }
            assert_eq!(measure(slot(table, 2)), (64, 64), "all pages of the part");
            delete(table, 2).expect("deleted");
            revoke(table, MEMORY).expect("revoked");
            assert_eq!(free_pages(table), 80);
        });
    }
}

#[test_case]
fn a_removal_ends_when_its_capability_or_its_table_is_gone() {
    with_memory(40, |table| {
        for case in 0..3 {
            make(table, Kind::Table, 5, 1).expect("made");
            let inner = table_in(table, 5);
            split_from(slot(table, MEMORY), 20, inner, 1).expect("split");
            make_from(slot(inner, 1), Kind::Frame, inner, 2, 10).expect("made");
            let removal = Removal::decode(inner, 1, Extent::Derived).expect("allowed");
            let mut steps = Steps::default();
            assert_eq!([(); 3].map(|()| measured(&removal, &mut steps)), [Progress::More; 3]);
            match case {
                0 => delete(inner, 1).expect("deleted"),
                1 => delete(table, 5).expect("deleted"),
                _ => move_to(table, FIRST, slot(inner, 1)).expect("moved"),
            }
            // At most what was dying already is finished.
            let begun = steps.count;
            while measured(&removal, &mut steps) == Progress::More {}
            assert!(steps.count <= begun + 2);
            check();
            revoke(table, MEMORY).expect("revoked");
            assert_eq!(free_pages(table), 40);
        }
    });
}

/// Two removals, a step of each in turn: one takes what the other works on.
#[test_case]
fn two_removals_may_take_turns() {
    for (first, second) in [((2, Extent::Derived), (3, Extent::Itself)), ((2, Extent::Itself), (5, Extent::Itself))] {
        with_memory(80, |table| {
            fill(table);
            let removals =
                [first, second].map(|(index, extent)| Removal::decode(table, index, extent).expect("allowed"));
            let mut steps = Steps::default();
            while removals.iter().filter(|removal| measured(removal, &mut steps) == Progress::More).count() > 0 {
                check();
            }
            revoke(table, MEMORY).expect("revoked");
            assert_eq!(free_pages(table), 80);
        });
    }
}
