//! Running out of memory changes nothing: each operation that takes pages is tried with every number of pages that is too small, and
//! everything there is must be as it was. With exactly enough it succeeds.

use flatmk_abi::layout::LARGE_FRAME_SIZE;
use flatmk_abi::{Access, Error, Kind};
use kernel::capability::{Slot, Table, Totals};
use kernel::memory::{AddressSpace, Frame, LARGE_FRAME_PAGES, Owner, PageKind, entry_of, page_count};

use crate::shared::{
    ALL, FIRST, MEMORY, SECOND, SPACE, check, copy, delete, free_pages, make, make_from, map, slot, split_from, unmap,
    with_memory,
};

/// All page entries, all slots of all tables, all page tables, as a hash (FNV-1a on words), and what the audit counts.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot {
    hash: u64,
    totals: Totals,
}

impl Snapshot {
    fn take() -> Self {
        let mut snapshot = Self { hash: 0xcbf2_9ce4_8422_2325, totals: check() };
        let pages = (0..u32::try_from(page_count()).expect("fewer than 2^32")).map(Frame::from_number);
        for (page, entry) in pages.filter_map(|page| Some((page, entry_of(page)?))) {
            let next = entry.next().map_or(0, Frame::number);
            snapshot.add([entry.kind() as u64, entry.generation(), entry.region().number().into(), next.into()]);
            let owner = match entry.owner() {
                Owner::Nobody => 0,
                Owner::Slot(address) => address,
                Owner::Region(first) => first.number().into(),
            };
            snapshot.add([entry.anchor(), owner]);
            match entry.kind() {
                PageKind::Table => {
                    Table::on(page).expect("a table").slots().iter().for_each(|slot| snapshot.add_slot(slot));
                }
                PageKind::AddressSpace => snapshot.add_space(page),
                _ => {}
            }
        }
        snapshot
    }

    fn add(&mut self, words: impl IntoIterator<Item = u64>) {
        words
            .into_iter()
            .for_each(|word| self.hash = (self.hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29));
    }

    fn add_slot(&mut self, slot: &Slot) {
        let link = |other: Option<&Slot>| other.map_or(0, |other| core::ptr::from_ref(other) as u64);
        self.add([slot.kind() as u64, slot.rights().bits().into(), slot.page_address()]);
        self.add(slot.words());
        self.add([link(slot.child()), link(slot.next()), link(slot.back())]);
    }

    fn add_space(&mut self, top: Frame) {
        let spaces = |slot: &&Slot| slot.kind() == Kind::AddressSpace;
        let space = Slot::anchor_of(top).filter(spaces).and_then(|slot| AddressSpace::from_capability(slot).ok());
        // The kernel's own has none, and nothing is mapped in it.
        let Some(space) = space else { return };
        space.for_each_page(|mapping| {
            self.add([mapping.address, mapping.frame.address(), mapping.size as u64, mapping.access as u64]);
        });
        space.for_each_table(|table| self.add([table.address()]));
    }
}

/// Tries an operation that must fail, and must change nothing.
fn must_fail(what: &str, pages: u64, try_it: impl FnOnce() -> Result<(), Error>) {
    let before = Snapshot::take();
    assert_eq!(try_it(), Err(Error::OutOfMemory), "{what} with {pages} pages");
    assert_eq!(Snapshot::take(), before, "{what} with {pages} pages");
}

#[test_case]
fn a_snapshot_sees_every_change() {
    with_memory(40, |table| {
        let mut before = Snapshot::take();
        let mut changed = |what| {
            let now = Snapshot::take();
            assert_ne!(now.hash, before.hash, "{what}");
            before = now;
        };
        make(table, Kind::Frame, FIRST, 1).expect("made");
        changed("make");
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        changed("make a space");
        copy(table, SECOND, FIRST, ALL).expect("copied");
        changed("copy");
        map(table, FIRST, 0x1000, Access::Read).expect("mapped");
        changed("map");
        unmap(slot(table, FIRST)).expect("unmapped");
        changed("unmap");
        split_from(slot(table, MEMORY), 1, table, 10).expect("split");
        changed("split");
        delete(table, SECOND).expect("deleted");
        changed("delete");
    });
}

/// Runs a test with a memory in slot `FIRST` that has exactly so many free pages. In the even rounds they came back, in the odd ones
/// they were never handed out.
fn with_exactly(pages: u64, never_handed_out: bool, test: impl FnOnce(&'static Table)) {
    const OTHERS: u64 = 2;
    with_memory(pages + 80, |table| {
        split_from(slot(table, MEMORY), pages + OTHERS, table, FIRST).expect("split");
        let memory = slot(table, FIRST);
        make_from(memory, Kind::AddressSpace, table, SPACE, 1).expect("made");
        make_from(memory, Kind::Frame, table, SECOND, 1).expect("made");
        if !never_handed_out && pages > 0 {
            make_from(memory, Kind::Frame, table, 64 - pages, pages).expect("made");
            (64 - pages..64).for_each(|index| delete(table, index).expect("deleted"));
        }
        assert_eq!(kernel::capability::measure(memory), (pages, pages + OTHERS));
        test(table);
    });
}

#[test_case]
fn make_without_enough_pages_changes_nothing() {
    for kind in [Kind::Table, Kind::AddressSpace, Kind::Frame, Kind::Task] {
        for count in [1, 2, 9] {
            for pages in 0..=count {
                with_exactly(pages, pages % 2 == 0, |table| {
                    let try_it = || make_from(slot(table, FIRST), kind, table, 10, count);
                    if pages < count {
                        must_fail("make", pages, try_it);
                    } else {
                        try_it().expect("there are enough");
                        assert_eq!(kernel::capability::measure(slot(table, FIRST)).0, 0);
                    }
                });
            }
        }
    }
}

#[test_case]
fn make_of_large_frames_without_enough_pages_changes_nothing() {
    let large = u64::from(LARGE_FRAME_PAGES);
    for pages in [1, 511, 512, 513, 700, 1022, 1023, 1024, 1500, 1535, 1536] {
        with_memory(pages + 10, |table| {
            split_from(slot(table, MEMORY), pages, table, FIRST).expect("split");
            let memory = slot(table, FIRST);
            let start = u64::from(memory.page().expect("its first page").number());
            let fitting = (start + pages).saturating_sub(start.next_multiple_of(large)) / large;
            must_fail("make large", pages, || make_from(memory, Kind::LargeFrame, table, 10, fitting + 1));
            if fitting > 0 {
                make_from(memory, Kind::LargeFrame, table, 10, fitting).expect("there are enough");
                assert_eq!(kernel::capability::measure(memory).0, pages - fitting * large);
                must_fail("make large", pages, || make_from(memory, Kind::LargeFrame, table, 20, 1));
                (10..10 + fitting).for_each(|index| delete(table, index).expect("deleted"));
            }
            // A page in the middle is away: what came back around it is no large frame.
            make_from(memory, Kind::Frame, table, 10, 1).expect("made");
            let rest = (start + pages).saturating_sub((start + 1).next_multiple_of(large)) / large;
            must_fail("make large", pages, || make_from(memory, Kind::LargeFrame, table, 20, rest + 1));
        });
    }
}

#[test_case]
fn map_without_enough_pages_changes_nothing() {
    // After a mapping at the first address, so many tables are missing for one at the second.
    const BASE: u64 = 1 << 40;
    for (address, missing) in [(0x1000, 3), (BASE + (1 << 30), 2), (BASE + LARGE_FRAME_SIZE, 1), (BASE + 0x1000, 0)] {
        for pages in 0..=missing {
            with_exactly(3 + pages, pages % 2 == 0, |table| {
                make(table, Kind::Frame, 5, 1).expect("made");
                map(table, 5, BASE, Access::Read).expect("three tables");
                let try_it = || map(table, SECOND, address, Access::Read);
                if pages < missing {
                    must_fail("map", pages, try_it);
                    assert_eq!(unmap(slot(table, SECOND)), Err(Error::NotMapped));
                } else {
                    try_it().expect("there are enough");
                }
                assert_eq!(kernel::capability::measure(slot(table, FIRST)).0, if pages < missing { pages } else { 0 });
            });
        }
    }
}

#[test_case]
fn map_of_a_large_frame_without_enough_pages_changes_nothing() {
    const BASE: u64 = 1 << 40;
    for (address, missing) in [(LARGE_FRAME_SIZE, 2), (BASE + (1 << 30), 1), (BASE + LARGE_FRAME_SIZE, 0)] {
        for pages in 0..=missing {
            with_memory(1200, |table| {
                // The large frames are not from the memory of the space.
                make(table, Kind::LargeFrame, 5, 1).expect("made");
                copy(table, 6, 5, ALL).expect("copied");
                split_from(slot(table, MEMORY), 3 + pages, table, FIRST).expect("split");
                make_from(slot(table, FIRST), Kind::AddressSpace, table, SPACE, 1).expect("made");
                map(table, 5, BASE, Access::Read).expect("two tables");
                let free = free_pages(table);
                let try_it = || map(table, 6, address, Access::Read);
                if pages < missing {
                    must_fail("map large", pages, try_it);
                } else {
                    try_it().expect("there are enough");
                }
                assert_eq!(free_pages(table), free);
            });
        }
    }
}

#[test_case]
fn split_without_enough_pages_changes_nothing() {
    for count in [1, 2, 3, 7] {
        for pages in 1..=count + 1 {
            with_memory(40, |table| {
                split_from(slot(table, MEMORY), pages, table, FIRST).expect("split");
                let try_it = || split_from(slot(table, FIRST), count, table, 10);
                // One page stays.
                if pages <= count {
                    must_fail("split", pages, try_it);
                } else {
                    try_it().expect("there are enough");
                    assert_eq!(kernel::capability::measure(slot(table, FIRST)), (1, pages));
                    assert_eq!(kernel::capability::measure(slot(table, 10)), (count, count));
                    must_fail("split", pages, || split_from(slot(table, FIRST), 1, table, 11));
                }
            });
            with_memory(40, |table| {
                split_from(slot(table, MEMORY), pages, table, FIRST).expect("split");
                make_from(slot(table, FIRST), Kind::Frame, table, 20, 1).expect("made");
                // Of a memory from which a page is away, all others can be split off.
                let try_it = || split_from(slot(table, FIRST), count, table, 10);
                if pages - 1 < count { must_fail("split", pages, try_it) } else { try_it().expect("there are enough") }
            });
        }
    }
}
