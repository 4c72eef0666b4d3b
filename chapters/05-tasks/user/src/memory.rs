//! What a program names as its memory is checked byte by byte, and running out of memory leaves nothing half done.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{PAGE_SIZE, USER_END, USER_START};
use flatmk_abi::{Access, Error, Kind, Operation, WRITE_LIMIT_BYTES, slots};
use flatmk_runtime::object::{AddressSpace, Frame, Memory, OWN_SPACE, OWN_TABLE, Table};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{MEMORY, SCRATCH, at, make, with_scratch};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![
    the_console_takes_only_memory_that_the_program_can_read,
    a_new_frame_is_empty,
    a_frame_that_is_unmapped_is_out_of_reach_at_once,
    make_without_enough_pages_changes_nothing,
    map_without_enough_pages_changes_nothing,
];

/// Where the tests map frames of their own; the page tables on the way are there from the start.
pub(crate) const WINDOW: u64 = 0x6000_0000;

static MEMORY_COUNT: AtomicU64 = AtomicU64::new(0);

/// Notes how many memories there are, and lets the kernel make the page tables that stay.
pub(crate) fn prepare(memory_count: u64) {
    MEMORY_COUNT.store(memory_count, Relaxed);
    // Where the loader of programs maps its frames, too.
    for address in [WINDOW, 0x7000_0000] {
        MEMORY.make(Kind::Frame, 1, OWN_TABLE, 43).expect("a free slot");
        OWN_SPACE.map(Frame(43), address, Access::Read, MEMORY).expect("a free address");
        OWN_TABLE.delete(43).expect("the frame is there");
    }
}

fn map_window(slot: u64, page: u64) -> *mut u8 {
    let (frame, address) = (Frame(make(Kind::Frame, slot)), WINDOW + page * PAGE_SIZE);
    OWN_SPACE.map(frame, address, Access::ReadWrite, MEMORY).expect("a free address");
    core::ptr::with_exposed_provenance_mut(address as usize)
}

fn the_console_takes_only_memory_that_the_program_can_read() {
    with_scratch(|| {
        for page in 0..2 {
            let bytes = map_window(1 + page, page);
            // SAFETY: the page was just mapped, writable, and only this function knows of it.
            unsafe { bytes.write_bytes(b'.', PAGE_SIZE as usize) };
        }
        let (limit, end) = (WRITE_LIMIT_BYTES, WINDOW + 2 * PAGE_SIZE);
        let cases = [
            (WINDOW, 0, Ok(0)),
            (WINDOW, 1, Ok(1)),
            (WINDOW, limit, Ok(limit)),
            (WINDOW + PAGE_SIZE - 1, 2, Ok(2)),
            (WINDOW + PAGE_SIZE - limit / 2, limit, Ok(limit)),
            (end - limit, limit, Ok(limit)),
            (end - 1, 1, Ok(1)),
            (WINDOW, limit + 1, Err(Error::InvalidArgument)),
            (WINDOW, 1 << 32, Err(Error::InvalidArgument)),
            (WINDOW, u64::MAX, Err(Error::InvalidArgument)),
            (end - 1, 2, Err(Error::InvalidAddress)),
            (end - limit + 1, limit, Err(Error::InvalidAddress)),
            (end, 1, Err(Error::InvalidAddress)),
            (WINDOW - 1, 2, Err(Error::InvalidAddress)),
            (0, 0, Err(Error::InvalidAddress)),
            (0, 1, Err(Error::InvalidAddress)),
            (USER_START - 1, 2, Err(Error::InvalidAddress)),
            (USER_END, 0, Ok(0)),
            (USER_END - 1, 2, Err(Error::InvalidAddress)),
            (USER_END, 1, Err(Error::InvalidAddress)),
            (USER_END + 1, 0, Err(Error::InvalidAddress)),
            (1 << 47, 1, Err(Error::InvalidAddress)),
            (0xffff_8000_0000_0000, 16, Err(Error::InvalidAddress)),
            (0xffff_ffff_8000_0000, 16, Err(Error::InvalidAddress)),
            (u64::MAX, 1, Err(Error::InvalidAddress)),
            (u64::MAX - 15, 16, Err(Error::InvalidAddress)),
            (u64::MAX - 15, 32, Err(Error::InvalidAddress)),
            (u64::MAX, 0, Err(Error::InvalidAddress)),
        ];
        for (address, length, expected) in cases {
            let outcome = system_call(slots::CONSOLE, Operation::Write as u64, [address, length, 0, 0]);
            assert_eq!(outcome, expected.map(|written| [written, 0, 0, 0]), "{length} bytes at {address:#x}");
        }
    });
}

fn a_new_frame_is_empty() {
    with_scratch(|| {
        for round in 0..3 {
            let bytes = map_window(1, 0).cast::<u64>();
            for index in 0..PAGE_SIZE as usize / 8 {
                // SAFETY: within the page that was just mapped.
                let word = unsafe { bytes.add(index).read_volatile() };
                assert_eq!(word, 0, "round {round}, word {index}");
                // SAFETY: as above.
                unsafe { bytes.add(index).write_volatile(!0) };
            }
            SCRATCH.delete(1).expect("the frame is there");
        }
    });
}

/// The translation is not only gone from the page table, but from what the processor remembers.
fn a_frame_that_is_unmapped_is_out_of_reach_at_once() {
    with_scratch(|| {
        let bytes = map_window(1, 0);
        map_window(2, 1);
        // SAFETY: the page was just mapped.
        unsafe { bytes.write_volatile(1) };
        // SAFETY: as above.
        assert_eq!(unsafe { bytes.read_volatile() }, 1);
        Frame(at(1)).unmap().expect("it is mapped");
        Frame(at(2)).unmap().expect("it is mapped");
        OWN_SPACE.map(Frame(at(2)), WINDOW, Access::ReadWrite, MEMORY).expect("the address is free");
        // SAFETY: the other page is mapped there now.
        assert_eq!(unsafe { bytes.read_volatile() }, 0, "the other frame shows");
    });
}

/// The memory with the fewest pages that still has enough for the tests.
fn smallest_memory() -> Memory {
    const NEEDED: u64 = 16;
    let all = (slots::MEMORY..slots::MEMORY + MEMORY_COUNT.load(Relaxed)).map(Memory);
    let free = |memory: &Memory| memory.measure().expect("the root task has this memory").0;
    all.filter(|memory| free(memory) >= NEEDED).min_by_key(free).expect("the root task has memory")
}

/// Runs a test with `free` free pages in a memory.
fn with_free_pages(memory: Memory, free: u64, test: impl FnOnce(Memory)) {
    const TABLES: u64 = 62;
    let count = || memory.measure().expect("the memory is there").0;
    let before = count();
    // Frames in tables in a table, all from this memory.
    memory.make(Kind::Table, 1, SCRATCH, 1).expect("a page");
    let outer = Table(at(1));
    for index in 1..=TABLES {
        if count() <= free + 1 {
            break;
        }
        memory.make(Kind::Table, 1, outer, index).expect("a page");
        let frames = (count() - free).min(63);
        memory.make(Kind::Frame, frames, Table(outer.0 * 64 + index), 1).expect("pages");
    }
    if count() == free + 1 {
        memory.make(Kind::Frame, 1, outer, 63).expect("a page");
    }
    assert_eq!(count(), free, "the memory is small enough for this test");
    test(memory);
    SCRATCH.delete(1).expect("the table is there");
    assert_eq!(count(), before, "all pages come back");
}

fn make_without_enough_pages_changes_nothing() {
    with_scratch(|| {
        let memory = smallest_memory();
        for free in 0..4 {
            with_free_pages(memory, free, |memory| {
                for kind in [Kind::Table, Kind::AddressSpace, Kind::Frame, Kind::Task] {
                    for count in free + 1..6 {
                        assert_eq!(memory.make(kind, count, SCRATCH, 10), Err(Error::OutOfMemory));
                        assert_eq!(memory.measure().map(|(free, _)| free), Ok(free));
                    }
                    if free > 0 {
                        memory.make(kind, free, SCRATCH, 10).expect("there are enough");
                        (10..10 + free).for_each(|slot| SCRATCH.delete(slot).expect("it was made"));
                    }
                }
            });
        }
    });
}

fn map_without_enough_pages_changes_nothing() {
    with_scratch(|| {
        let memory = smallest_memory();
        // From a new space to one that has all tables on the way: 3, 2, 1 and 0 pages are needed.
        let addresses = [(1 << 40, 3), ((1 << 40) + (1 << 30), 2), ((1 << 40) + (1 << 21), 1), ((1 << 40) + 0x1000, 0)];
        for free in 0..4 {
            let space = AddressSpace(make(Kind::AddressSpace, 2));
            let frame = Frame(make(Kind::Frame, 3));
            make(Kind::Frame, 4);
            with_free_pages(memory, free, |memory| {
                if free == 3 {
                    space.map(frame, 1 << 40, Access::Read, memory).expect("there are enough");
                    frame.unmap().expect("it is mapped");
                    SCRATCH.delete(2).expect("the space is there");
                    return;
                }
                // The tables on the way come from another memory.
                for (index, &(address, needed)) in addresses.iter().enumerate() {
                    let outcome = space.map(frame, address, Access::Read, memory);
                    assert_eq!(
                        outcome,
                        if free >= needed { Ok(()) } else { Err(Error::OutOfMemory) },
                        "{free} {index}"
                    );
                    let taken = if outcome.is_ok() { needed } else { 0 };
                    assert_eq!(memory.measure().map(|(left, _)| left), Ok(free - taken));
                    if outcome.is_ok() {
                        break;
                    }
                    assert_eq!(frame.unmap(), Err(Error::NotMapped));
                    space.map(frame, address, Access::Read, MEMORY).expect("the address is free");
                    frame.unmap().expect("it is mapped");
                    space.map(Frame(at(4)), address, Access::Read, memory).expect("no table is missing now");
                    Frame(at(4)).unmap().expect("it is mapped");
                }
                // The space gives the pages of its tables back to the memory they came from.
                SCRATCH.delete(2).expect("the space is there");
                assert_eq!(memory.measure().map(|(left, _)| left), Ok(free));
            });
            for slot in 2..=4 {
                // The space may be gone already.
                SCRATCH.delete(slot).unwrap_or_default();
            }
        }
    });
}
