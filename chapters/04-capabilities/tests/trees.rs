//! Each operation puts capabilities where they belong in the tree of derivation, and leaves the others where they are.

use flatmk_abi::{Error, Kind, Rights};
use kernel::capability::{Content, Table, TransferRequest, insert_below};

use crate::shared::{
    ALL, FIRST, MEMORY, SCRATCH, SECOND, copy_each, copy_from, delete, free_pages, make, make_from, move_to, revoke,
    slot, split_from, table_in, with_memory,
};
use crate::tree::expect_tree;

fn mint(table: &Table, destination: u64, source: u64, context: u64) {
    TransferRequest::decode_mint(table, destination, slot(table, source), ALL, context).expect("allowed").perform();
}

/// Makes an endpoint of a task, as chapter 6 does.
fn make_endpoint(table: &Table, destination: u64, task: u64) {
    let (page, rights) =
        (slot(table, task).page().expect("a task has a page"), Rights::CALL | Rights::GRANT | Rights::MANAGE);
    let content = Content { words: [0x40_0000, 1, 0], ..Content::to_page(Kind::Endpoint, rights, page) };
    insert_below(table.free_slot(destination).expect("a free slot"), slot(table, task), content);
}

#[test_case]
fn what_is_made_hangs_below_the_memory() {
    with_memory(8, |table| {
        expect_tree(table, "M1");
        make(table, Kind::Frame, 2, 2).expect("made");
        make(table, Kind::Table, 4, 1).expect("made");
        make(table, Kind::AddressSpace, 5, 1).expect("made");
        make(table, Kind::Task, 6, 1).expect("made");
        expect_tree(table, "M1[F2 F3 T4 S5 K6]");
    });
}

#[test_case]
fn copies_and_copies_of_copies_hang_below_their_sources() {
    with_memory(4, |table| {
        make(table, Kind::Frame, 2, 1).expect("made");
        copy_each(table, [(3, 2), (4, 2), (5, 3), (6, 5), (7, 3)]);
        expect_tree(table, "M1[F2[F3[F5[F6] F7] F4]]");
    });
}

#[test_case]
fn endpoints_and_mints_hang_below_their_task() {
    with_memory(4, |table| {
        make(table, Kind::Task, 2, 1).expect("made");
        make_endpoint(table, 3, 2);
        mint(table, 4, 3, 7);
        mint(table, 5, 4, 8);
        copy_each(table, [(6, 4), (7, 2)]);
        make_endpoint(table, 8, 7);
        expect_tree(table, "M1[K2[E3[E4[E5 E6]] K7[E8]]]");
        revoke(table, 4).expect("revoked");
        expect_tree(table, "M1[K2[E3[E4] K7[E8]]]");
        delete(table, 7).expect("deleted");
        expect_tree(table, "M1[K2[E3[E4] E8]]");
        // The task lives as long as its endpoints.
        delete(table, 2).expect("deleted");
        delete(table, 3).expect("deleted");
        expect_tree(table, "M1[E4 E8]");
        assert_eq!(free_pages(table), 3);
        delete(table, 8).expect("deleted");
        delete(table, 4).expect("deleted");
        assert_eq!(free_pages(table), 4);
        make(table, Kind::Task, 2, 1).expect("made");
        make_endpoint(table, 3, 2);
        mint(table, 4, 3, 7);
        revoke(table, 2).expect("revoked");
        expect_tree(table, "M1[K2]");
    });
}

#[test_case]
fn splits_hang_below_the_memory_and_what_is_made_of_them_below_them() {
    with_memory(64, |table| {
        split_from(slot(table, MEMORY), 32, table, 2).expect("split");
        split_from(slot(table, 2), 16, table, 3).expect("split");
        split_from(slot(table, 2), 8, table, 4).expect("split");
        make_from(slot(table, 3), Kind::Frame, table, 10, 2).expect("made");
        make_from(slot(table, 2), Kind::Table, table, 12, 1).expect("made");
        expect_tree(table, "M1[M2[M3[F10 F11] M4 T12]]");
        assert_eq!(free_pages(table), 32);
        delete(table, 3).expect("deleted");
        expect_tree(table, "M1[M2[M4 T12]]");
        revoke(table, 2).expect("revoked");
        expect_tree(table, "M1[M2]");
        delete(table, 2).expect("deleted");
        expect_tree(table, "M1");
        assert_eq!(free_pages(table), 64);
    });
}

#[test_case]
fn a_delete_in_the_middle_leaves_what_was_derived_in_its_place() {
    with_memory(4, |table| {
        make(table, Kind::Frame, 2, 1).expect("made");
        copy_each(table, [(3, 2), (4, 3), (5, 3), (6, 3), (7, 5), (8, 2)]);
        expect_tree(table, "M1[F2[F3[F4 F5[F7] F6] F8]]");
        delete(table, 3).expect("deleted");
        expect_tree(table, "M1[F2[F4 F5[F7] F6 F8]]");
        // What came up is still derived from the first one.
        revoke(table, 5).expect("revoked");
        expect_tree(table, "M1[F2[F4 F5 F6 F8]]");
        delete(table, 2).expect("deleted");
        expect_tree(table, "M1[F4 F5 F6 F8]");
        assert_eq!(free_pages(table), 3);
        revoke(table, MEMORY).expect("revoked");
        expect_tree(table, "M1");
        assert_eq!(free_pages(table), 4);
    });
}

#[test_case]
fn the_first_the_last_and_the_only_sibling_can_be_deleted() {
    for (deleted, left) in [
        ([3, 4, 5, 6, 7], "M1[F2]"),
        ([7, 6, 5, 4, 3], "M1[F2]"),
        ([5, 3, 7, 4, 6], "M1[F2]"),
        ([2, 3, 7, 5, 4], "M1[F6]"),
        ([7, 5, 2, 6, 3], "M1[F4]"),
    ] {
        with_memory(1, |table| {
            make(table, Kind::Frame, 2, 1).expect("made");
            copy_each(table, (3..=7).map(|destination| (destination, 2)));
            for index in deleted {
                delete(table, index).expect("deleted");
                crate::shared::check();
                assert_eq!(free_pages(table), 0);
            }
            expect_tree(table, left);
        });
    }
}

#[test_case]
fn what_is_moved_keeps_its_place() {
    with_memory(8, |table| {
        make(table, Kind::Frame, 2, 1).expect("made");
        copy_each(table, [(3, 2), (4, 3), (5, 3), (6, 2)]);
        make(table, Kind::Table, 20, 1).expect("made");
        let inner = table_in(table, 20);
        for (from, to, expected) in [
            (3, 30, "M1[F2[F6 F30[F4 F5]] T20]"),
            (5, 31, "M1[F2[F6 F30[F4 F31]] T20]"),
            (2, 32, "M1[T20 F32[F6 F30[F4 F31]]]"),
        ] {
            move_to(table, to, slot(table, from)).expect("moved");
            expect_tree(table, expected);
        }
        move_to(inner, 33, slot(table, 30)).expect("moved to another table");
        expect_tree(table, "M1[T20 F32[F6 F33[F4 F31]]]");
        revoke(inner, 33).expect("revoked");
        expect_tree(table, "M1[T20 F32[F6 F33]]");
        // The table takes its copy along, the other stay.
        copy_from(slot(inner, 33), table, 3, ALL).expect("copied");
        delete(table, 20).expect("deleted");
        expect_tree(table, "M1[F32[F3 F6]]");
    });
}

#[test_case]
fn memory_moves_with_all_that_was_made_from_it() {
    with_memory(32, |table| {
        split_from(slot(table, MEMORY), 16, table, 2).expect("split");
        split_from(slot(table, 2), 8, table, 3).expect("split");
        make_from(slot(table, 3), Kind::Frame, table, 10, 1).expect("made");
        make_from(slot(table, 2), Kind::Table, table, 11, 1).expect("made");
        move_to(table, 20, slot(table, 2)).expect("moved");
        move_to(table, 21, slot(table, 3)).expect("moved");
        expect_tree(table, "M1[M20[T11 M21[F10]]]");
        delete(table, 21).expect("deleted");
        make_from(slot(table, 20), Kind::Frame, table, 30, 15).expect("made of all its pages");
        delete(table, 20).expect("deleted");
        expect_tree(table, "M1");
        assert_eq!(free_pages(table), 32);
    });
}

#[test_case]
fn memory_does_not_move_into_what_was_made_from_it() {
    with_memory(32, |table| {
        split_from(slot(table, MEMORY), 16, table, 2).expect("split");
        split_from(slot(table, 2), 8, table, 3).expect("split");
        make_from(slot(table, 2), Kind::Table, table, 10, 1).expect("made");
        make_from(slot(table, 3), Kind::Table, table, 11, 1).expect("made");
        make(table, Kind::Table, 12, 1).expect("made");
        for (memory, target, allowed) in [
            (2, 10, false),
            (2, 11, false),
            (3, 11, false),
            (MEMORY, 10, false),
            (MEMORY, 12, false),
            (3, 10, true),
            (2, 12, true),
        ] {
            let outcome = move_to(table_in(table, target), FIRST, slot(table, memory));
            assert_eq!(outcome, if allowed { Ok(()) } else { Err(Error::InvalidState) }, "{memory} to {target}");
            if allowed {
                move_to(table, memory, slot(table_in(table, target), FIRST)).expect("moved back");
            }
        }
        expect_tree(table, "M1[M2[M3[T11] T10] T12]");
        // A frame may go wherever it wants: it is not where its pages go back to.
        make_from(slot(table, 2), Kind::Frame, table, 13, 1).expect("made");
        move_to(table_in(table, 10), SECOND, slot(table, 13)).expect("moved");
        delete(table, 10).expect("deleted");
        expect_tree(table, "M1[M2[M3[T11]] T12]");
        // Memory that has moved into a table goes with it.
        move_to(table_in(table, 12), SCRATCH, slot(table, 2)).expect("moved");
        delete(table, 12).expect("deleted");
        expect_tree(table, "M1");
        assert_eq!(free_pages(table), 32);
    });
}
