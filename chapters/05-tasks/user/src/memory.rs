//! What a program names as its memory is checked byte by byte, and running out of memory leaves nothing half done.

use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, USER_END, USER_START};
use flatmk_abi::{Access, Error, Kind, Operation, WRITE_LIMIT_BYTES, slots};
use flatmk_runtime::object::{AddressSpace, Frame, Memory, OWN_SPACE, OWN_TABLE};
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
    split_without_enough_pages_changes_nothing,
    memory_is_split_thirty_two_times_in_a_row_and_no_more,
];

/// Where the tests map frames of their own; the page tables on the way are there from the start.
pub(crate) const WINDOW: u64 = 0x6000_0000;

/// Lets the kernel make the page tables that stay.
pub(crate) fn prepare() {
    // Where the loader of programs maps its frames, too.
    for address in [WINDOW, 0x7000_0000] {
        MEMORY.make(Kind::Frame, 1, OWN_TABLE, 40).expect("a free slot");
        OWN_SPACE.map(Frame(40), address, Access::Read).expect("a free address");
        OWN_TABLE.delete(40).expect("the frame is there");
    }
}

fn map_window(slot: u64, page: u64) -> *mut u8 {
    let (frame, address) = (Frame(make(Kind::Frame, slot)), WINDOW + page * PAGE_SIZE);
    OWN_SPACE.map(frame, address, Access::ReadWrite).expect("a free address");
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
        OWN_SPACE.map(Frame(at(2)), WINDOW, Access::ReadWrite).expect("the address is free");
        // SAFETY: the other page is mapped there now.
        assert_eq!(unsafe { bytes.read_volatile() }, 0, "the other frame shows");
    });
}

/// Runs a test with a memory of its own of so many pages, in slot 1. The memory goes first, with all that was made from it.
fn with_memory(pages: u64, test: impl FnOnce(Memory)) {
    with_scratch(|| {
        MEMORY.split(pages, SCRATCH, 1).expect("so many pages that were never handed out");
        let memory = Memory(at(1));
        test(memory);
        SCRATCH.revoke(1).expect("it is there");
        assert_eq!(memory.measure(), Ok((pages, pages)), "all pages are back");
        SCRATCH.delete(1).expect("it is there");
    });
}

fn make_without_enough_pages_changes_nothing() {
    for pages in 1..5 {
        with_memory(pages, |memory| {
            // One is in use, the others are free.
            memory.make(Kind::Frame, 1, SCRATCH, 2).expect("a page");
            let free = pages - 1;
            for kind in [Kind::Table, Kind::AddressSpace, Kind::Frame, Kind::Task] {
                for count in free + 1..6 {
                    assert_eq!(memory.make(kind, count, SCRATCH, 10), Err(Error::OutOfMemory));
                    assert_eq!(memory.measure(), Ok((free, pages)));
                }
                if free > 0 {
                    memory.make(kind, free, SCRATCH, 10).expect("there are enough");
                    assert_eq!(memory.make(kind, 1, SCRATCH, 20), Err(Error::OutOfMemory));
                    (10..10 + free).for_each(|slot| SCRATCH.delete(slot).expect("it was made"));
                }
            }
            assert_eq!(memory.make(Kind::LargeFrame, 1, SCRATCH, 10), Err(Error::OutOfMemory));
        });
    }
}

fn map_without_enough_pages_changes_nothing() {
    // After a mapping at the base, so many page tables are missing for each of these.
    const BASE: u64 = 1 << 40;
    for (address, missing) in [(1 << 41, 3), (BASE + (1 << 30), 2), (BASE + LARGE_FRAME_SIZE, 1), (BASE + PAGE_SIZE, 0)]
    {
        for free in 0..=missing {
            // The space, three page tables, and what is left.
            with_memory(1 + 3 + free, |memory| {
                memory.make(Kind::AddressSpace, 1, SCRATCH, 2).expect("a page");
                let (space, frame, other) =
                    (AddressSpace(at(2)), Frame(make(Kind::Frame, 3)), Frame(make(Kind::Frame, 4)));
                space.map(frame, BASE, Access::Read).expect("enough for three page tables");
                let outcome = space.map(other, address, Access::Read);
                if free == missing {
                    assert_eq!((outcome, memory.measure()), (Ok(()), Ok((0, 4 + free))));
                } else {
                    assert_eq!((outcome, memory.measure()), (Err(Error::OutOfMemory), Ok((free, 4 + free))));
                    assert_eq!(other.unmap(), Err(Error::NotMapped));
                }
            });
        }
    }
}

fn split_without_enough_pages_changes_nothing() {
    with_memory(10, |memory| {
        for pages in [10, 11, u64::from(u32::MAX)] {
            assert_eq!(memory.split(pages, SCRATCH, 10), Err(Error::OutOfMemory));
        }
        memory.split(9, SCRATCH, 10).expect("one stays");
        assert_eq!((memory.measure(), Memory(at(10)).measure()), (Ok((1, 10)), Ok((9, 9))));
        SCRATCH.delete(10).expect("it is there");
        // Of a memory from which a page is away, all others can be split off.
        memory.make(Kind::Frame, 1, SCRATCH, 11).expect("a page");
        memory.split(9, SCRATCH, 10).expect("enough pages");
        assert_eq!(memory.make(Kind::Frame, 1, SCRATCH, 12), Err(Error::OutOfMemory));
    });
}

fn memory_is_split_thirty_two_times_in_a_row_and_no_more() {
    const MOST: u64 = 32;
    with_scratch(|| {
        let mut memory = MEMORY;
        for depth in 1..=MOST {
            memory.split(2 * MOST - depth, SCRATCH, depth).expect("one page stays each time");
            memory = Memory(at(depth));
        }
        assert_eq!(memory.split(1, SCRATCH, MOST + 1), Err(Error::InvalidState));
        assert_eq!(memory.measure(), Ok((MOST, MOST)));
        // One that is less deep can be split.
        SCRATCH.delete(MOST).expect("it is there");
        Memory(at(MOST - 1)).split(1, SCRATCH, MOST).expect("it has pages");
    });
}
