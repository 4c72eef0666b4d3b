//! Capabilities are made, copied, minted, moved and deleted as the interface says, each error included; no page is ever lost.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use flatmk_abi::layout::{PAGE_SIZE, USER_END};
use flatmk_abi::slots::{SLOTS_PER_TABLE, nested};
use flatmk_abi::{Access, Error, Kind, Rights};
use kernel::capability::{
    Content, MakeRequest, MapRequest, MoveRequest, Slot, SlotRange, Table, TransferRequest, adopt_region, delete,
    insert_new, measure, unmap,
};
use kernel::memory::{AddressSpace, PageKind, Region, boot_regions, entry_of};

kernel::test_entry!();

const MEMORY: u64 = 1;
const FIRST: u64 = 2;
const SECOND: u64 = 3;
const SPACE: u64 = 4;
const SCRATCH: u64 = 8;
const ALL: u64 = Rights::all().bits() as u64;

/// A table with a memory capability of `pages` pages in it. Each test has its own.
fn table_with_memory(pages: u32) -> &'static Table {
    boot_regions(|regions| {
        let region = regions.iter_mut().max_by_key(|region| region.free_pages()).expect("there is memory");
        // Nothing ever comes back to this region, so the pages are in a row.
        let page = region.take(PageKind::Table).expect("a page");
        let first = region.take(PageKind::Frame).expect("a page").number();
        for expected in first + 1..first + pages {
            assert_eq!(region.take(PageKind::Frame).expect("a page").number(), expected);
        }
        let table = Table::on(page).expect("a table");
        adopt_region(table.free_slot(MEMORY).expect("a free slot"), Region::new(first, first + pages));
        table
    })
}

fn slot(table: &Table, pointer: u64) -> &Slot {
    table.lookup(pointer).expect("a slot")
}

fn free_pages(table: &Table) -> u64 {
    measure(slot(table, MEMORY)).0
}

fn make(table: &Table, kind: Kind, first: u64, count: u64) -> Result<(), Error> {
    MakeRequest::decode(slot(table, MEMORY), kind as u64, SlotRange::decode(table, first, count)?)?.perform();
    Ok(())
}

fn copy(table: &Table, destination: u64, source: u64, rights: u64) -> Result<(), Error> {
    TransferRequest::decode_copy(table, destination, slot(table, source), rights)?.perform();
    Ok(())
}

fn map(table: &Table, frame: u64, address: u64, access: Access) -> Result<(), Error> {
    let (space, frame, memory) = (slot(table, SPACE), slot(table, frame), slot(table, MEMORY));
    MapRequest::decode(space, frame, address, access as u64, memory)?.perform()
}

#[test_case]
fn a_slot_is_one_cache_line_and_a_table_one_page() {
    assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (64, 64));
    assert_eq!(size_of::<Table>() as u64, PAGE_SIZE);
}

#[test_case]
fn make_turns_free_pages_into_objects() {
    let table = table_with_memory(8);
    for (kind, page_kind) in [
        (Kind::Frame, PageKind::Frame),
        (Kind::Table, PageKind::Table),
        (Kind::AddressSpace, PageKind::AddressSpace),
        (Kind::Task, PageKind::Task),
    ] {
        make(table, kind, SCRATCH, 2).expect("made");
        for made in [SCRATCH, SCRATCH + 1] {
            let content = slot(table, made).content();
            assert_eq!((content.kind, content.rights), (kind, Rights::all()));
            let page = content.page.expect("an object has a page");
            assert_eq!(entry_of(page).expect("an entry").kind(), page_kind);
        }
        assert_eq!(free_pages(table), 6);
        delete(table, SCRATCH).expect("deleted");
        delete(table, SCRATCH + 1).expect("deleted");
        assert_eq!(free_pages(table), 8);
    }
}

#[test_case]
fn make_refuses_what_it_cannot_do_and_changes_nothing() {
    let table = table_with_memory(2);
    let memory = slot(table, MEMORY);
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
    let range = SlotRange::decode(table, FIRST, 1).expect("free slots");
    let not_memory = MakeRequest::decode(slot(table, SCRATCH), Kind::Frame as u64, range).err();
    assert_eq!(not_memory, Some(Error::InvalidCapability));
    assert_eq!(free_pages(table), 2);
    assert!(slot(table, FIRST).is_empty());
}

#[test_case]
fn a_new_address_space_has_the_kernels_half_and_nothing_else() {
    let table = table_with_memory(1);
    make(table, Kind::AddressSpace, SPACE, 1).expect("made");
    let space = AddressSpace::from_capability(slot(table, SPACE)).expect("a space");
    let mut pages = 0;
    space.for_each_page(|_, _| pages += 1);
    assert_eq!(pages, 0);
    x86_64::instructions::interrupts::without_interrupts(|| {
        space.activate();
        // The kernel runs on, or this test does not come back.
        kernel::memory::kernel_space().activate();
    });
    delete(table, SPACE).expect("deleted");
    assert_eq!(free_pages(table), 1);
}

#[test_case]
fn a_copy_has_at_most_the_rights_of_its_source() {
    let table = table_with_memory(1);
    make(table, Kind::Frame, FIRST, 1).expect("made");
    let read = u64::from((Rights::READ | Rights::GRANT).bits());
    copy(table, SECOND, FIRST, read).expect("copied");
    copy(table, SCRATCH, SECOND, ALL).expect("copied");
    assert_eq!(slot(table, SCRATCH).rights(), Rights::READ | Rights::GRANT);
    assert_eq!(slot(table, SCRATCH).page(), slot(table, FIRST).page());
}

#[test_case]
fn a_copy_that_is_not_allowed_is_refused() {
    let table = table_with_memory(1);
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
}

#[test_case]
fn mint_changes_the_context_of_an_endpoint_and_nothing_else() {
    let table = table_with_memory(1);
    make(table, Kind::Task, FIRST, 1).expect("made");
    let page = slot(table, FIRST).page().expect("a task has a page");
    let rights = Rights::CALL | Rights::GRANT | Rights::MANAGE;
    let content = Content { words: [0x40_0000, 1], ..Content::to_page(Kind::Endpoint, rights, page) };
    insert_new(table.free_slot(SECOND).expect("a free slot"), content);
    let mint = |destination, source, rights| {
        TransferRequest::decode_mint(table, destination, slot(table, source), rights, 7).map(TransferRequest::perform)
    };
    mint(SCRATCH, SECOND, u64::from((Rights::CALL | Rights::GRANT).bits())).expect("minted");
    assert_eq!(slot(table, SCRATCH).content().words, [0x40_0000, 7]);
    assert_eq!(slot(table, SCRATCH).rights(), Rights::CALL | Rights::GRANT);
    assert_eq!(mint(SCRATCH + 1, SCRATCH, ALL), Err(Error::MissingRight));
    assert_eq!(mint(SCRATCH + 1, FIRST, ALL), Err(Error::WrongKind));
    assert_eq!(mint(SCRATCH + 1, SCRATCH + 2, ALL), Err(Error::InvalidCapability));
}

#[test_case]
fn a_move_leaves_the_source_empty_and_the_object_alive() {
    let table = table_with_memory(1);
    make(table, Kind::Frame, FIRST, 1).expect("made");
    let before = slot(table, FIRST).content();
    let request = MoveRequest::decode(table, SECOND, slot(table, FIRST)).expect("allowed");
    request.perform();
    assert!(slot(table, FIRST).is_empty());
    assert_eq!(slot(table, SECOND).content(), before);
    assert_eq!(free_pages(table), 0);
    let refused = |destination, source| MoveRequest::decode(table, destination, slot(table, source)).err();
    assert_eq!(refused(SCRATCH, FIRST), Some(Error::InvalidCapability));
    assert_eq!(refused(MEMORY, SECOND), Some(Error::SlotOccupied));
    assert_eq!(refused(0, SECOND), Some(Error::InvalidArgument));
    copy(table, FIRST, SECOND, u64::from(Rights::READ.bits())).expect("copied");
    assert_eq!(refused(SCRATCH, FIRST), Some(Error::MissingRight));
}

#[test_case]
fn pages_find_their_way_back_to_a_memory_capability_that_has_moved() {
    let table = table_with_memory(2);
    make(table, Kind::Frame, FIRST, 2).expect("made");
    MoveRequest::decode(table, SCRATCH, slot(table, MEMORY)).expect("allowed").perform();
    delete(table, FIRST).expect("deleted");
    delete(table, FIRST + 1).expect("deleted");
    assert_eq!(measure(slot(table, SCRATCH)), (2, 2));
}

#[test_case]
fn an_object_lives_until_its_last_capability_is_deleted() {
    let table = table_with_memory(1);
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
}

#[test_case]
fn a_delete_that_is_not_allowed_is_refused() {
    let table = table_with_memory(1);
    assert_eq!(delete(table, 0), Err(Error::InvalidArgument));
    assert_eq!(delete(table, SLOTS_PER_TABLE), Err(Error::InvalidArgument));
    assert_eq!(delete(table, FIRST), Err(Error::InvalidCapability));
    assert_eq!(delete(table, MEMORY), Err(Error::InvalidState));
}

#[test_case]
fn a_pointer_leads_through_up_to_three_tables() {
    let table = table_with_memory(3);
    make(table, Kind::Table, FIRST, 1).expect("made");
    let second = Table::of(slot(table, FIRST), Rights::MANAGE).expect("a table");
    let range = SlotRange::decode(second, FIRST, 1).expect("free slots");
    MakeRequest::decode(slot(table, MEMORY), Kind::Table as u64, range).expect("allowed").perform();
    let third = Table::of(slot(second, FIRST), Rights::MANAGE).expect("a table");
    let range = SlotRange::decode(third, SECOND, 1).expect("free slots");
    MakeRequest::decode(slot(table, MEMORY), Kind::Frame as u64, range).expect("allowed").perform();

    assert_eq!(slot(table, nested(FIRST, FIRST)).kind(), Kind::Table);
    assert_eq!(slot(table, nested(nested(FIRST, FIRST), SECOND)).kind(), Kind::Frame);
    for leads_nowhere in [nested(MEMORY, 1), nested(SECOND, 1), nested(nested(FIRST, SECOND), 1), 1 << 18, u64::MAX] {
        assert_eq!(table.lookup(leads_nowhere).err(), Some(Error::InvalidCapability), "{leads_nowhere:#x}");
    }
}

#[test_case]
fn a_table_takes_what_it_holds_along() {
    let table = table_with_memory(4);
    make(table, Kind::Table, FIRST, 1).expect("made");
    let inner = Table::of(slot(table, FIRST), Rights::MANAGE).expect("a table");
    let range = SlotRange::decode(inner, 1, 3).expect("free slots");
    MakeRequest::decode(slot(table, MEMORY), Kind::Frame as u64, range).expect("allowed").perform();
    assert_eq!(free_pages(table), 0);
    delete(table, FIRST).expect("deleted");
    assert_eq!(free_pages(table), 4);
}

// ANCHOR: chain
#[test_case]
fn a_chain_of_a_thousand_tables_is_destroyed_without_using_up_the_stack() {
    let table = table_with_memory(1000);
    make(table, Kind::Table, FIRST, 1).expect("made");
    let mut last = Table::of(slot(table, FIRST), Rights::MANAGE).expect("a table");
    for _ in 1..1000 {
        let range = SlotRange::decode(last, FIRST, 1).expect("free slots");
        MakeRequest::decode(slot(table, MEMORY), Kind::Table as u64, range).expect("allowed").perform();
        last = Table::of(slot(last, FIRST), Rights::MANAGE).expect("a table");
    }
    assert_eq!(free_pages(table), 0);
    delete(table, FIRST).expect("deleted");
    assert_eq!(free_pages(table), 1000);
}
// ANCHOR_END: chain

#[test_case]
fn a_frame_is_mapped_once_per_capability_and_unmapped_with_it() {
    let table = table_with_memory(8);
    make(table, Kind::AddressSpace, SPACE, 1).expect("made");
    make(table, Kind::Frame, FIRST, 1).expect("made");
    copy(table, SECOND, FIRST, ALL).expect("copied");
    let space = AddressSpace::from_capability(slot(table, SPACE)).expect("a space");
    map(table, FIRST, 0x1000, Access::ReadWrite).expect("mapped");
    assert_eq!(map(table, FIRST, 0x2000, Access::ReadWrite), Err(Error::AlreadyMapped));
    map(table, SECOND, 0x2000, Access::Read).expect("mapped");
    assert_eq!(space.translate(0x1000).expect("mapped").frame, space.translate(0x2000).expect("mapped").frame);
    delete(table, FIRST).expect("deleted");
    assert_eq!(space.translate(0x1000), None);
    unmap(slot(table, SECOND)).expect("unmapped");
    assert_eq!(space.translate(0x2000), None);
    assert_eq!(unmap(slot(table, SECOND)), Err(Error::NotMapped));
}

#[test_case]
fn a_mapping_that_is_not_allowed_is_refused() {
    let table = table_with_memory(8);
    make(table, Kind::AddressSpace, SPACE, 1).expect("made");
    make(table, Kind::Frame, FIRST, 1).expect("made");
    for (rights, access) in [
        (Rights::READ, Access::ReadWrite),
        (Rights::READ, Access::ReadExecute),
        (Rights::WRITE, Access::ReadWrite),
        (Rights::empty(), Access::Read),
    ] {
        copy(table, SECOND, FIRST, u64::from(rights.bits())).expect("copied");
        assert_eq!(map(table, SECOND, 0x1000, access), Err(Error::MissingRight), "{rights:?} {access:?}");
        delete(table, SECOND).expect("deleted");
    }
    for address in [0, 0x1001, USER_END, 0xffff_8000_0000_0000] {
        assert_eq!(map(table, FIRST, address, Access::Read), Err(Error::InvalidAddress), "{address:#x}");
    }
    let (space, frame, memory) = (slot(table, SPACE), slot(table, FIRST), slot(table, MEMORY));
    assert_eq!(MapRequest::decode(space, frame, 0x1000, 3, memory).err(), Some(Error::InvalidArgument));
    assert_eq!(MapRequest::decode(frame, frame, 0x1000, 0, memory).err(), Some(Error::WrongKind));
    assert_eq!(MapRequest::decode(space, space, 0x1000, 0, memory).err(), Some(Error::WrongKind));
    assert_eq!(MapRequest::decode(space, frame, 0x1000, 0, frame).err(), Some(Error::WrongKind));
}

#[test_case]
fn mapping_without_memory_for_tables_changes_nothing() {
    // The space and the frame take two pages; three more are needed for the tables.
    for pages in 2..5 {
        let table = table_with_memory(pages);
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        assert_eq!(map(table, FIRST, 0x1000, Access::Read), Err(Error::OutOfMemory));
        assert_eq!(free_pages(table), u64::from(pages) - 2);
        assert_eq!(unmap(slot(table, FIRST)), Err(Error::NotMapped));
    }
}

#[test_case]
fn a_space_takes_its_tables_along_and_the_frames_are_free_to_be_mapped_elsewhere() {
    let table = table_with_memory(8);
    make(table, Kind::AddressSpace, SPACE, 1).expect("made");
    make(table, Kind::Frame, FIRST, 1).expect("made");
    map(table, FIRST, 0x1000, Access::Read).expect("mapped");
    assert_eq!(free_pages(table), 3);
    delete(table, SPACE).expect("deleted");
    assert_eq!(free_pages(table), 7);
    assert_eq!(unmap(slot(table, FIRST)), Err(Error::NotMapped));
    make(table, Kind::AddressSpace, SPACE, 1).expect("made");
    map(table, FIRST, 0x1000, Access::Read).expect("mapped again");
}
