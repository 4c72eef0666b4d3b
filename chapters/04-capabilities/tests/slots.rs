//! One slot at a time: how a pointer leads to it, how it hangs in the tree, and how it is emptied. The capabilities of these tests lead to no memory, or are put
//! into their slots by hand.

use flatmk_abi::slots::nested;
use flatmk_abi::{Error, Kind, Rights};
use kernel::capability::{Content, Slot, Table, empty_task_slot, insert_below, insert_new};
use kernel::memory::{Frame, PageKind, boot_regions};

use crate::shared::{FIRST, MEMORY, SECOND, check, delete, free_pages, make, slot, with_memory};
use crate::tree::expect_tree;

const CONSOLE: Content = Content { kind: Kind::Console, rights: Rights::all(), page_address: 0, words: [0; 3] };

/// Runs a test with tables that no capability leads to.
fn with_tables<const COUNT: usize>(test: impl FnOnce([Frame; COUNT], [&'static Table; COUNT])) {
    boot_regions(|regions| {
        let region = regions.iter_mut().max_by_key(|region| region.free_pages()).expect("there is memory");
        let pages = [(); COUNT].map(|()| region.take(PageKind::Table).expect("a page"));
        test(pages, pages.map(|page| Table::on(page).expect("a table")));
        pages.into_iter().for_each(|page| region.give(page));
    });
}

/// Puts a capability to a table into a slot of another one.
fn link(table: &Table, index: u64, page: Frame, rights: Rights) {
    insert_new(table.near(index).expect("a slot"), Content::to_page(Kind::Table, rights, page));
}

#[test_case]
fn each_six_bits_of_a_pointer_choose_a_slot_of_the_next_table() {
    with_tables(|[_, second, third], tables @ [first, ..]| {
        link(tables[0], 5, second, Rights::MANAGE);
        link(tables[1], 6, third, Rights::MANAGE);
        link(tables[0], 8, second, Rights::all().difference(Rights::MANAGE));
        let near = |table: &'static Table, index| table.near(index).expect("a slot");
        for (pointer, expected) in [
            (0, near(first, 0)),
            (63, near(first, 63)),
            (nested(5, 0), near(tables[1], 0)),
            (nested(5, 63), near(tables[1], 63)),
            (nested(nested(5, 6), 7), near(tables[2], 7)),
        ] {
            let found = first.find(pointer).expect("a slot");
            assert!(core::ptr::eq(found, expected), "{pointer:#x}");
        }
        // Through an empty slot, without the right, and through more than three tables.
        for leads_nowhere in [nested(7, 1), nested(8, 1), nested(nested(8, 6), 1), 1 << 18 | nested(5, 1), u64::MAX] {
            assert_eq!(first.lookup(leads_nowhere).err(), Some(Error::InvalidCapability), "{leads_nowhere:#x}");
        }
    });
}

/// Whether two places of the tree are the same slot, or both none.
fn is_same(one: Option<&Slot>, other: Option<&Slot>) -> bool {
    one.map(core::ptr::from_ref) == other.map(core::ptr::from_ref)
}

/// Fills slot 1 of a table, and derives the capabilities in the others from it, one after the other.
fn derive<const COUNT: usize>(table: &Table) -> (&Slot, [&Slot; COUNT]) {
    let parent = table.near(1).expect("a slot");
    insert_new(parent, CONSOLE);
    let mut others = table.slots().iter().skip(2);
    let children = [(); COUNT].map(|()| others.next().expect("a slot"));
    children.into_iter().for_each(|child| insert_below(child, parent, CONSOLE));
    (parent, children)
}

#[test_case]
fn a_new_child_comes_before_those_that_are_there() {
    with_tables(|_, [table]| {
        let (parent, [a, b, c]) = derive(table);
        for (place, expected) in [
            (parent.child(), Some(c)),
            (c.next(), Some(b)),
            (b.next(), Some(a)),
            (a.next(), None),
            (a.back(), Some(b)),
            (b.back(), Some(c)),
            (c.back(), Some(parent)),
        ] {
            assert!(is_same(place, expected));
        }
    });
}

#[test_case]
fn a_slot_that_is_emptied_leaves_its_siblings_in_order() {
    for gone in 0..3 {
        with_tables(|_, [table]| {
            let (parent, [a, b, c]) = derive(table);
            let all = [c, b, a];
            all.into_iter().skip(gone).take(1).for_each(empty_task_slot);
            let mut left = all.into_iter().filter(|slot| !slot.is_empty());
            let (first, second) = (left.next().expect("two are left"), left.next().expect("two are left"));
            assert!(left.next().is_none(), "{gone} is empty");
            assert!(is_same(parent.child(), Some(first)) && is_same(first.next(), Some(second)), "{gone}");
            assert!(is_same(second.back(), Some(first)) && is_same(first.back(), Some(parent)), "{gone}");
            assert!(second.next().is_none(), "{gone}");
        });
    }
}

#[test_case]
fn an_object_goes_with_the_last_of_two_capabilities_in_either_order() {
    for order in [[FIRST, SECOND], [SECOND, FIRST]] {
        with_memory(1, |table| {
            make(table, Kind::Frame, FIRST, 1).expect("made");
            insert_below(slot(table, SECOND), slot(table, MEMORY), slot(table, FIRST).content());
            for (index, free) in order.into_iter().zip([0, 1]) {
                delete(table, index).expect("deleted");
                assert_eq!(free_pages(table), free);
            }
            check();
        });
    }
}

#[test_case]
fn what_was_derived_from_a_capability_takes_its_place() {
    with_memory(1, |table| {
        make(table, Kind::Frame, 2, 1).expect("made");
        for (child, parent) in [(3, 2), (4, 3), (5, 3), (6, 5), (7, 2)] {
            insert_below(slot(table, child), slot(table, parent), slot(table, 2).content());
        }
        expect_tree(table, "M1[F2[F3[F4 F5[F6]] F7]]");
        for (deleted, left) in [(3, "M1[F2[F4 F5[F6] F7]]"), (2, "M1[F4 F5[F6] F7]"), (5, "M1[F4 F6 F7]")] {
            delete(table, deleted).expect("deleted");
            expect_tree(table, left);
        }
        assert_eq!(free_pages(table), 0);
    });
}
