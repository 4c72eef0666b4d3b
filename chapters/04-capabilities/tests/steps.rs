//! No step of a removal takes long, however much goes: as long as it lasts, interrupts wait.

use flatmk_abi::layout::LARGE_FRAME_SIZE;
use flatmk_abi::slots::SLOTS_PER_TABLE;
use flatmk_abi::{Access, Error, Kind};
use kernel::capability::{Extent, Table};
use kernel::interrupts::timer::ticks;
use kernel::memory::PageKind;
use kernel::print;
use x86_64::instructions::interrupts::{self, without_interrupts};

use crate::shared::{
    ALL, FIRST, MEMORY, MOST_TICKS, SECOND, SPACE, Steps, check, copy, copy_from, delete, free_pages, make, make_from,
    map, move_to, remove, revoke, slot, space_in, split_from, table_in, unmap, with_memory,
};

const USABLE: u64 = SLOTS_PER_TABLE - 1;

fn show(steps: Steps) {
    print!("{} steps of at most {} ticks ", steps.count, steps.most_ticks);
}

/// Makes a table of tables, and fills the inner ones with `fill(table, slot, number)`, `count` times. It is in slot `outer`.
fn fill_tables(table: &Table, outer: u64, count: u64, mut fill: impl FnMut(&'static Table, u64, u64)) {
    make(table, Kind::Table, outer, 1).expect("made");
    let outer = table_in(table, outer);
    make_from(slot(table, MEMORY), Kind::Table, outer, 1, count.div_ceil(USABLE)).expect("made");
    for number in 0..count {
        fill(table_in(outer, 1 + number / USABLE), 1 + number % USABLE, number);
    }
}

const COPIES: u64 = 3900;

/// Copies of copies, each of the one made before a random while.
fn ten_thousand_copies(table: &'static Table) {
    make(table, Kind::Frame, FIRST, 1).expect("made");
    for outer in 10..13 {
        fill_tables(table, outer, COPIES, |inner, index, number| {
            let other = number.wrapping_mul(0x9e37_79b9) >> 4 & 0xfff;
            let source = if other >= number || number % 3 == 0 {
                slot(table, FIRST)
            } else {
                slot(table_in(table_in(table, outer), 1 + other / USABLE), 1 + other % USABLE)
            };
            copy_from(source, inner, index, ALL).expect("copied");
        });
    }
}

#[test_case]
fn ten_thousand_capabilities_are_revoked() {
    with_memory(250, |table| {
        ten_thousand_copies(table);
        let before = check().capabilities;
        let steps = revoke(table, FIRST).expect("revoked");
        assert_eq!(check().capabilities, before - 3 * COPIES);
        assert!(steps.count > 3 * COPIES);
        show(steps);
    });
}

#[test_case]
fn tables_with_ten_thousand_capabilities_are_deleted() {
    with_memory(250, |table| {
        ten_thousand_copies(table);
        let free = free_pages(table);
        let mut most = Steps::default();
        // The frame first: the copies hang below the memory then.
        for index in [FIRST, 11, 10, 12] {
            let steps = remove(table, index, Extent::Itself).expect("deleted");
            most = Steps { count: most.count + steps.count, most_ticks: most.most_ticks.max(steps.most_ticks) };
            check();
        }
        assert_eq!(free_pages(table), 250, "{free} before");
        show(most);
    });
}

#[test_case]
fn a_capability_with_thousands_of_copies_is_deleted() {
    with_memory(100, |table| {
        make(table, Kind::Frame, FIRST, 1).expect("made");
        fill_tables(table, 10, COPIES, |inner, index, _| {
            copy_from(slot(table, FIRST), inner, index, ALL).expect("copied");
        });
        show(remove(table, FIRST, Extent::Itself).expect("deleted"));
        assert_eq!(check().capabilities, COPIES + COPIES.div_ceil(USABLE) + 4);
    });
}

#[test_case]
fn a_full_table_is_destroyed() {
    with_memory(100, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Table, 10, 1).expect("made");
        let inner = table_in(table, 10);
        make_from(slot(table, MEMORY), Kind::Frame, inner, 1, USABLE).expect("made");
        for index in 1..=USABLE {
            let frame = slot(inner, index);
            let request = kernel::capability::MapRequest::decode(space_in(table, SPACE), frame, 0x1000 * index, 1);
            request.expect("allowed").perform().expect("mapped");
        }
        show(remove(table, 10, Extent::Itself).expect("deleted"));
        let mut mapped = 0;
        space_in(table, SPACE).for_each_page(|_| mapped += 1);
        // The space, and its three tables.
        assert_eq!((mapped, free_pages(table)), (0, 96));
    });
}

#[test_case]
fn a_large_frame_is_destroyed() {
    with_memory(1100, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        let before = free_pages(table);
        make(table, Kind::LargeFrame, FIRST, 1).expect("made");
        copy(table, SECOND, FIRST, ALL).expect("copied");
        map(table, FIRST, LARGE_FRAME_SIZE, Access::Read).expect("mapped");
        map(table, SECOND, 3 * LARGE_FRAME_SIZE, Access::Read).expect("mapped");
        let first = remove(table, FIRST, Extent::Itself).expect("deleted");
        assert_eq!(free_pages(table), before - 512 - 2);
        let second = remove(table, SECOND, Extent::Itself).expect("deleted");
        assert_eq!(free_pages(table), before - 2);
        show(Steps { count: first.count + second.count, most_ticks: first.most_ticks.max(second.most_ticks) });
    });
}

#[test_case]
fn a_space_with_many_page_tables_is_destroyed() {
    with_memory(2000, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        // A page table stays when what was mapped by it is gone.
        let close = (1..=512).map(|index| index * LARGE_FRAME_SIZE);
        for address in close.chain((1..200).map(|index| index << 30)).chain((1..200).map(|index| index << 39)) {
            map(table, FIRST, address, Access::Read).expect("mapped");
            unmap(slot(table, FIRST)).expect("unmapped");
        }
        let mut tables = 0;
        space_in(table, SPACE).for_each_table(|_| tables += 1);
        assert!(tables > 1000, "{tables}");
        show(remove(table, SPACE, Extent::Itself).expect("deleted"));
        assert_eq!(free_pages(table), 1999);
    });
}

#[test_case]
fn a_chain_of_a_thousand_tables_is_revoked_and_deleted() {
    for extent in [Extent::Itself, Extent::Derived] {
        with_memory(1010, |table| {
            make(table, Kind::Table, FIRST, 1).expect("made");
            let mut last = table_in(table, FIRST);
            for _ in 1..1000 {
                make_from(slot(table, MEMORY), Kind::Table, last, FIRST, 1).expect("made");
                last = table_in(last, FIRST);
            }
            let index = if extent == Extent::Itself { FIRST } else { MEMORY };
            show(remove(table, index, extent).expect("allowed"));
            assert_eq!(free_pages(table), 1010);
        });
    }
}

#[test_case]
fn memory_with_a_thousand_frames_out_of_order_is_given_back() {
    with_memory(1200, |table| {
        split_from(slot(table, MEMORY), 1020, table, FIRST).expect("split");
        // It does not adjoin when it goes: this one is below it.
        split_from(slot(table, MEMORY), 50, table, SECOND).expect("split");
        fill_tables(table, 10, 1000, |inner, index, _| {
            make_from(slot(table, FIRST), Kind::Frame, inner, index, 1).expect("made");
        });
        let tables = table_in(table, 10);
        for number in (0..1000).map(|number| number * 387 % 1000).filter(|number| number % 7 != 0) {
            delete(table_in(tables, 1 + number / USABLE), 1 + number % USABLE).expect("deleted");
        }
        check();
        show(remove(table, FIRST, Extent::Itself).expect("deleted"));
        assert_eq!(free_pages(table), 1150 - 17);
    });
}

#[test_case]
fn memory_split_as_often_as_possible_is_revoked() {
    with_memory(200, |table| {
        let mut deepest = MEMORY;
        while let Ok(()) = split_from(slot(table, deepest), 200 - 5 * deepest, table, deepest + 1) {
            deepest += 1;
            make_from(slot(table, deepest), Kind::Frame, table, deepest + 30, 1).expect("made");
        }
        assert!(deepest > 30);
        show(revoke(table, MEMORY).expect("revoked"));
        assert_eq!(free_pages(table), 200);
    });
}

/// A table that holds itself, and memory in a table that was made from it by detours, go nonetheless.
#[test_case]
fn what_holds_itself_is_revoked() {
    with_memory(50, |table| {
        split_from(slot(table, MEMORY), 20, table, FIRST).expect("split");
        make_from(slot(table, FIRST), Kind::Table, table, 10, 1).expect("made");
        let inner = table_in(table, 10);
        copy(table, 11, 10, ALL).expect("copied");
        move_to(inner, 1, slot(table, 11)).expect("moved");
        move_to(inner, 2, slot(table, 10)).expect("moved");
        assert_eq!(move_to(inner, 3, slot(table, FIRST)), Err(Error::InvalidState));
        check();
        show(remove(table, FIRST, Extent::Itself).expect("deleted"));
        assert_eq!(free_pages(table), 50);
    });
}

/// With interrupts off, as in a system call, the timer is served between two steps.
#[test_case]
fn the_timer_ticks_on_during_a_long_revocation() {
    with_memory(250, |table| {
        let (mut rounds, mut late) = (0, 0);
        while late < 3 {
            assert!(rounds < 500, "the timer does not tick");
            ten_thousand_copies(table);
            without_interrupts(|| {
                let removal = kernel::capability::Removal::decode(table, MEMORY, Extent::Derived).expect("allowed");
                while removal.step() == kernel::capability::Progress::More {
                    let before = ticks();
                    assert!(!interrupts::are_enabled());
                    kernel::interrupts::let_in();
                    assert!(ticks() - before <= 1, "no tick was lost");
                    late += ticks() - before;
                }
            });
            rounds += 1;
        }
        print!("{late} ticks in {rounds} revocations, a step takes at most {MOST_TICKS} ");
    });
}

#[test_case]
fn dying_pages_are_nobodys_until_they_are_given_back() {
    with_memory(20, |table| {
        make(table, Kind::Table, FIRST, 1).expect("made");
        make_from(slot(table, MEMORY), Kind::Frame, table_in(table, FIRST), 1, 5).expect("made");
        let page = slot(table, FIRST).page().expect("a table has a page");
        let removal = kernel::capability::Removal::decode(table, FIRST, Extent::Itself).expect("allowed");
        let mut steps = Steps::default();
        let kind = || kernel::memory::entry_of(page).expect("an entry").kind();
        let mut seen_dying = 0;
        while crate::shared::measured(&removal, &mut steps) == kernel::capability::Progress::More {
            check();
            seen_dying += u64::from(kind() == PageKind::Dying);
            assert_ne!(make(table, Kind::Frame, SECOND, 1), Err(Error::OutOfMemory));
            assert_ne!(slot(table, SECOND).page(), Some(page).filter(|_| kind() == PageKind::Dying));
            delete(table, SECOND).expect("deleted");
        }
        assert!(seen_dying <= 1, "the other delete finishes what was begun");
        assert_eq!(free_pages(table), 20);
    });
}
