//! Capabilities are made, copied, minted, moved and deleted as the interface says, each error included; no page is ever lost.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod exhaustion;
#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod frames;
#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod removal;
mod shared;
#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod slots;
#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod steps;
mod tree;
#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod trees;
#[path = "../../03-paging/tests/user_access.rs"]
mod user_access;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{SLOTS_PER_TABLE, nested};
use flatmk_abi::{Error, Kind, Rights};
use kernel::capability::{
    Content, MakeRequest, Memory, MoveRequest, Slot, SlotRange, Table, TransferRequest, insert_below, measure,
};
use kernel::memory::{PageKind, entry_of};

use shared::{
    ALL, FIRST, MEMORY, SCRATCH, SECOND, SPACE, copy, delete, free_pages, make, make_from, move_to, slot, space_in,
    table_in, with_memory,
};

kernel::test_entry!();

#[test_case]
fn a_slot_is_one_cache_line_and_a_table_one_page() {
    assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (64, 64));
    assert_eq!(size_of::<Table>() as u64, PAGE_SIZE);
}

#[test_case]
fn make_turns_free_pages_into_objects() {
    with_memory(8, |table| {
        for (kind, page_kind) in [
            (Kind::Frame, PageKind::Frame),
            (Kind::Table, PageKind::Table),
            (Kind::AddressSpace, PageKind::AddressSpace),
            (Kind::Task, PageKind::Task),
        ] {
            make(table, kind, SCRATCH, 2).expect("made");
            for made in [SCRATCH, SCRATCH + 1] {
                let made = slot(table, made);
                assert_eq!((made.kind(), made.rights()), (kind, Rights::all()));
                let page = made.page().expect("an object has a page");
                assert_eq!(entry_of(page).expect("an entry").kind(), page_kind);
            }
            assert_eq!(free_pages(table), 6);
            delete(table, SCRATCH).expect("deleted");
            delete(table, SCRATCH + 1).expect("deleted");
            assert_eq!(free_pages(table), 8);
        }
    });
}

#[test_case]
fn make_refuses_what_it_cannot_do_and_changes_nothing() {
    with_memory(2, |table| {
        let memory = Memory::of(slot(table, MEMORY)).expect("it is memory");
        for kind in [Kind::Empty, Kind::Memory, Kind::Endpoint, Kind::Reply, Kind::Console, Kind::Power] {
            let range = SlotRange::decode(table, FIRST, 1).expect("free slots");
            assert_eq!(MakeRequest::decode(memory, kind as u64, range).err(), Some(Error::InvalidArgument), "{kind:?}");
        }
        let range = SlotRange::decode(table, FIRST, 1).expect("free slots");
        assert_eq!(MakeRequest::decode(memory, 999, range).err(), Some(Error::InvalidArgument));
        assert_eq!(make(table, Kind::Frame, FIRST, 3), Err(Error::OutOfMemory));
        assert_eq!(make(table, Kind::Frame, MEMORY, 1), Err(Error::SlotOccupied));
        for (first, count) in
            [(0, 1), (FIRST, 0), (SLOTS_PER_TABLE, 1), (SLOTS_PER_TABLE - 1, 2), (FIRST, u64::MAX), (u64::MAX, 2)]
        {
            assert_eq!(make(table, Kind::Frame, first, count), Err(Error::InvalidArgument), "{first}, {count}");
        }
        assert_eq!(make_from(slot(table, SCRATCH), Kind::Frame, table, FIRST, 1), Err(Error::InvalidCapability));
        assert_eq!(free_pages(table), 2);
        assert!(slot(table, FIRST).is_empty());
    });
}

#[test_case]
fn a_new_address_space_has_the_kernels_half_and_nothing_else() {
    with_memory(1, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        let space = space_in(table, SPACE);
        let mut pages = 0;
        space.for_each_page(|_| pages += 1);
        assert_eq!(pages, 0);
        x86_64::instructions::interrupts::without_interrupts(|| {
            space.activate();
            // The kernel runs on, or this test does not come back.
            kernel::memory::kernel_space().activate();
        });
        delete(table, SPACE).expect("deleted");
        assert_eq!(free_pages(table), 1);
    });
}

#[test_case]
fn a_copy_has_at_most_the_rights_of_its_source() {
    with_memory(1, |table| {
        make(table, Kind::Frame, FIRST, 1).expect("made");
        let read = u64::from((Rights::READ | Rights::GRANT).bits());
        copy(table, SECOND, FIRST, read).expect("copied");
        copy(table, SCRATCH, SECOND, ALL).expect("copied");
        assert_eq!(slot(table, SCRATCH).rights(), Rights::READ | Rights::GRANT);
        assert_eq!(slot(table, SCRATCH).page(), slot(table, FIRST).page());
    });
}

#[test_case]
fn a_copy_that_is_not_allowed_is_refused() {
    with_memory(1, |table| {
        make(table, Kind::Frame, FIRST, 1).expect("made");
        assert_eq!(copy(table, MEMORY, FIRST, ALL), Err(Error::SlotOccupied));
        assert_eq!(copy(table, 0, FIRST, ALL), Err(Error::InvalidArgument));
        assert_eq!(copy(table, SLOTS_PER_TABLE, FIRST, ALL), Err(Error::InvalidArgument));
        assert_eq!(copy(table, SECOND, FIRST, 1 << 7), Err(Error::InvalidArgument));
        assert_eq!(copy(table, SECOND, FIRST, 1 << 8), Err(Error::InvalidArgument));
        assert_eq!(copy(table, SECOND, SCRATCH, ALL), Err(Error::InvalidCapability));
        assert_eq!(copy(table, SECOND, MEMORY, ALL), Err(Error::WrongKind));
        copy(table, SECOND, FIRST, u64::from(Rights::READ.bits())).expect("copied");
        assert_eq!(copy(table, SCRATCH, SECOND, ALL), Err(Error::MissingRight));
        assert!(slot(table, SCRATCH).is_empty());
    });
}

#[test_case]
fn mint_changes_the_context_of_an_endpoint_and_nothing_else() {
    with_memory(1, |table| {
        make(table, Kind::Task, FIRST, 1).expect("made");
        let page = slot(table, FIRST).page().expect("a task has a page");
        let rights = Rights::CALL | Rights::GRANT | Rights::MANAGE;
        let content = Content { words: [0x40_0000, 1, 0], ..Content::to_page(Kind::Endpoint, rights, page) };
        insert_below(table.free_slot(SECOND).expect("a free slot"), slot(table, FIRST), content);
        let mint = |destination, source, rights| {
            TransferRequest::decode_mint(table, destination, slot(table, source), rights, 7)
                .map(TransferRequest::perform)
        };
        mint(SCRATCH, SECOND, u64::from((Rights::CALL | Rights::GRANT).bits())).expect("minted");
        assert_eq!(slot(table, SCRATCH).content().words, [0x40_0000, 7, 0]);
        assert_eq!(slot(table, SCRATCH).rights(), Rights::CALL | Rights::GRANT);
        assert_eq!(mint(SCRATCH + 1, SCRATCH, ALL), Err(Error::MissingRight));
        assert_eq!(mint(SCRATCH + 1, FIRST, ALL), Err(Error::WrongKind));
        assert_eq!(mint(SCRATCH + 1, SCRATCH + 2, ALL), Err(Error::InvalidCapability));
    });
}

#[test_case]
fn a_move_leaves_the_source_empty_and_the_object_alive() {
    with_memory(1, |table| {
        make(table, Kind::Frame, FIRST, 1).expect("made");
        let before = slot(table, FIRST).content();
        move_to(table, SECOND, slot(table, FIRST)).expect("moved");
        assert!(slot(table, FIRST).is_empty());
        assert_eq!(slot(table, SECOND).content(), before);
        assert_eq!(free_pages(table), 0);
        let refused = |destination, source| MoveRequest::decode(table, destination, slot(table, source)).err();
        assert_eq!(refused(SCRATCH, FIRST), Some(Error::InvalidCapability));
        assert_eq!(refused(MEMORY, SECOND), Some(Error::SlotOccupied));
        assert_eq!(refused(0, SECOND), Some(Error::InvalidArgument));
        copy(table, FIRST, SECOND, u64::from(Rights::READ.bits())).expect("copied");
        assert_eq!(refused(SCRATCH, FIRST), Some(Error::MissingRight));
    });
}

#[test_case]
fn pages_find_their_way_back_to_a_memory_capability_that_has_moved() {
    with_memory(2, |table| {
        make(table, Kind::Frame, FIRST, 2).expect("made");
        move_to(table, SCRATCH, slot(table, MEMORY)).expect("moved");
        delete(table, FIRST).expect("deleted");
        delete(table, FIRST + 1).expect("deleted");
        assert_eq!(measure(slot(table, SCRATCH)), (2, 2));
    });
}

#[test_case]
fn an_object_lives_until_its_last_capability_is_deleted() {
    with_memory(1, |table| {
        make(table, Kind::Frame, FIRST, 1).expect("made");
        for copied in SCRATCH..SCRATCH + 5 {
            copy(table, copied, FIRST, ALL).expect("copied");
        }
        // The original goes first, then the copies from the middle outwards.
        for deleted in [FIRST, SCRATCH + 2, SCRATCH, SCRATCH + 4, SCRATCH + 1] {
            delete(table, deleted).expect("deleted");
            assert_eq!(free_pages(table), 0);
        }
        delete(table, SCRATCH + 3).expect("deleted");
        assert_eq!(free_pages(table), 1);
    });
}

#[test_case]
fn a_pointer_leads_through_up_to_three_tables() {
    with_memory(3, |table| {
        make(table, Kind::Table, FIRST, 1).expect("made");
        let second = table_in(table, FIRST);
        make_from(slot(table, MEMORY), Kind::Table, second, FIRST, 1).expect("made");
        let third = table_in(second, FIRST);
        make_from(slot(table, MEMORY), Kind::Frame, third, SECOND, 1).expect("made");

        assert_eq!(slot(table, nested(FIRST, FIRST)).kind(), Kind::Table);
        assert_eq!(slot(table, nested(nested(FIRST, FIRST), SECOND)).kind(), Kind::Frame);
        for leads_nowhere in [nested(MEMORY, 1), nested(SECOND, 1), nested(nested(FIRST, SECOND), 1), 1 << 18, u64::MAX]
        {
            assert_eq!(table.lookup(leads_nowhere).err(), Some(Error::InvalidCapability), "{leads_nowhere:#x}");
        }
    });
}

#[test_case]
fn a_table_takes_what_it_holds_along() {
    with_memory(4, |table| {
        make(table, Kind::Table, FIRST, 1).expect("made");
        let inner = table_in(table, FIRST);
        make_from(slot(table, MEMORY), Kind::Frame, inner, 1, 3).expect("made");
        assert_eq!(free_pages(table), 0);
        delete(table, FIRST).expect("deleted");
        assert_eq!(free_pages(table), 4);
    });
}

// ANCHOR: chain
#[test_case]
fn a_chain_of_a_thousand_tables_is_destroyed_without_using_up_the_stack() {
    with_memory(1000, |table| {
        make(table, Kind::Table, FIRST, 1).expect("made");
        let mut last = table_in(table, FIRST);
        for _ in 1..1000 {
            make_from(slot(table, MEMORY), Kind::Table, last, FIRST, 1).expect("made");
            last = table_in(last, FIRST);
        }
        assert_eq!(free_pages(table), 0);
        delete(table, FIRST).expect("deleted");
        assert_eq!(free_pages(table), 1000);
    });
}
// ANCHOR_END: chain
