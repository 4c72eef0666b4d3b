//! Device memory is mapped as a whole or not at all, and where it is not mapped any more nobody reaches it.

use core::ptr::with_exposed_provenance_mut;

use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, SOFTUSER_END, USER_END};
use flatmk_abi::{Access, Error, Kind, Rights, slots};
use flatmk_runtime::object::{AddressSpace, Console, Frame, OWN_SPACE, OWN_TABLE, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::device::{DEVICES, SCREEN, make_space, pages, part, screen, with_memory};
use crate::harness::{SCRATCH, at, copy, end_thread, idle, make, start_thread, thread_slot, with_scratch, yield_once};

pub(crate) const TESTS: &[Test] = tests![
    what_is_drawn_in_one_mapping_is_seen_in_another,
    device_memory_takes_large_pages_where_both_addresses_allow_that,
    a_mapping_without_enough_pages_changes_nothing,
    a_mapping_where_something_is_mapped_changes_nothing,
    device_memory_is_mapped_at_pages_of_user_space_only,
    device_memory_is_never_executable,
    a_capability_without_the_right_to_write_maps_to_read,
    one_capability_has_one_mapping,
    a_mapping_that_is_protected_can_only_be_read,
    a_mapping_that_has_ended_is_out_of_reach,
    a_mapping_ends_with_its_capability,
    a_mapping_ends_with_what_the_capability_was_derived_from,
    a_mapping_is_forgotten_with_its_space,
    a_mapping_of_one_gibibyte_is_the_largest,
    the_kernel_reads_no_device_memory_for_a_program,
];

/// Where the tests map things, a multiple of 2 MiB. The page tables for the first 2 MiB are there from the start.
const AREA: u64 = 0x20_0000_0000;

/// Where no machine that the tests run on has anything: 64 GiB, by the number of the page.
const FAR: u64 = (64 << 30) / PAGE_SIZE;

/// A part of the screen that every test can have: 64 KiB.
const SOME: u64 = 16;

/// Lets the kernel make the page tables that stay.
pub(crate) fn prepare() {
    let whole = screen().size_bytes.next_multiple_of(LARGE_FRAME_SIZE) + 2 * LARGE_FRAME_SIZE;
    for offset in (0..whole).step_by(LARGE_FRAME_SIZE as usize) {
        let slot = 59;
        crate::harness::MEMORY.make(Kind::Frame, 1, OWN_TABLE, slot).expect("a free slot");
        OWN_SPACE.map(Frame(slot), AREA + offset, Access::Read).expect("a free address");
        OWN_TABLE.delete(slot).expect("the frame is there");
    }
}

fn word(address: u64) -> *mut u32 {
    with_exposed_provenance_mut(address as usize)
}

fn read(address: u64) -> u32 {
    // SAFETY: device memory is mapped there while a test uses it.
    unsafe { word(address).read_volatile() }
}

fn write(address: u64, value: u32) {
    // SAFETY: as above, to write; of the screen that only tests have.
    unsafe { word(address).write_volatile(value) }
}

fn what_is_drawn_in_one_mapping_is_seen_in_another() {
    with_scratch(|| {
        let screen = screen();
        assert!(screen.size_bytes >= screen.stride * screen.height * screen.bytes_per_pixel);
        assert!((1..=screen.stride).contains(&screen.width));
        let whole = Frame(copy(1, SCREEN.0, Rights::all()));
        let last_page = (screen.size_bytes - 1) / PAGE_SIZE;
        let last = part(2, SCREEN, last_page, 1).expect("a part of the screen");
        OWN_SPACE.map(whole, AREA, Access::ReadWrite).expect("a free place");
        let other = AREA + screen.size_bytes.next_multiple_of(LARGE_FRAME_SIZE);
        OWN_SPACE.map(last, other, Access::Read).expect("a free place");
        for value in [0x0012_3456, 0x00ff_ff00, 0] {
            write(AREA + last_page * PAGE_SIZE, value);
            assert_eq!(read(other), value);
        }
    });
}

fn device_memory_takes_large_pages_where_both_addresses_allow_that() {
    // The space, and two tables for what begins at a multiple of 2 MiB, however much it is. Otherwise one more for each 2 MiB that are touched.
    with_memory(40, |memory| {
        let space = make_space(memory, 2);
        let large_pages = 3;
        let large = part(3, DEVICES, FAR, large_pages * 512).expect("no memory is there");
        let before = memory.measure().expect("it is there").0;
        space.map(large, AREA, Access::ReadWrite).expect("two tables are enough");
        assert_eq!(memory.measure().expect("it is there").0, before - 2);
        large.unmap().expect("it is mapped");
        space.map(large, AREA + PAGE_SIZE, Access::ReadWrite).expect("there is more");
        assert_eq!(memory.measure().expect("it is there").0, before - 2 - (large_pages + 1));
    });
}

fn a_mapping_without_enough_pages_changes_nothing() {
    // Device memory that begins in the last page below 1 GiB of addresses, and ends in the first above: two tables of level 1, two of level
    // 2, one of level 3.
    const PLACE: u64 = AREA + (1 << 30) - PAGE_SIZE;
    const MISSING: u64 = 5;
    for free in 0..=MISSING {
        with_memory(1 + free, |memory| {
            let space = make_space(memory, 2);
            let two = part(3, SCREEN, 0, 2).expect("a part of the screen");
            let outcome = space.map(two, PLACE, Access::ReadWrite);
            if free == MISSING {
                assert_eq!((outcome, memory.measure()), (Ok(()), Ok((0, 1 + free))));
                two.unmap().expect("it is mapped");
            } else {
                assert_eq!((outcome, memory.measure()), (Err(Error::OutOfMemory), Ok((free, 1 + free))));
                assert_eq!(two.unmap(), Err(Error::NotMapped));
            }
        });
    }
}

fn a_mapping_where_something_is_mapped_changes_nothing() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        let one = part(2, SCREEN, 0, 1).expect("a part of the screen");
        let frame = Frame(make(Kind::Frame, 3));
        for page in [0, 1, SOME - 1] {
            let place = AREA + page * PAGE_SIZE;
            OWN_SPACE.map(frame, place, Access::Read).expect("a free place");
            assert_eq!(OWN_SPACE.map(some, AREA, Access::ReadWrite), Err(Error::AlreadyMapped), "a frame, page {page}");
            frame.unmap().expect("it is mapped");
            OWN_SPACE.map(one, place, Access::Read).expect("a free place");
            assert_eq!(OWN_SPACE.map(some, AREA, Access::ReadWrite), Err(Error::AlreadyMapped), "a page, page {page}");
            one.unmap().expect("it is mapped");
        }
        // Nothing is left of the attempts.
        OWN_SPACE.map(some, AREA, Access::ReadWrite).expect("a free place");
        assert_eq!(OWN_SPACE.map(frame, AREA, Access::Read), Err(Error::AlreadyMapped));
    });
}

fn device_memory_is_mapped_at_pages_of_user_space_only() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        let length = SOME * PAGE_SIZE;
        let addresses = [
            0,
            AREA + 1,
            AREA + PAGE_SIZE - 1,
            USER_END - length + PAGE_SIZE,
            USER_END,
            1 << 63,
            u64::MAX - PAGE_SIZE + 1,
            SOFTUSER_END,
            SOFTUSER_END - length + PAGE_SIZE,
        ];
        for address in addresses {
            assert_eq!(OWN_SPACE.map(some, address, Access::ReadWrite), Err(Error::InvalidAddress), "{address:#x}");
        }
        let table = AddressSpace(slots::TABLE);
        assert_eq!(table.map(some, AREA, Access::Read), Err(Error::WrongKind));
        assert_eq!(OWN_SPACE.map(Frame(slots::CONSOLE), AREA, Access::Read), Err(Error::WrongKind));
        assert_eq!(Frame(slots::CONSOLE).unmap(), Err(Error::WrongKind));
        assert_eq!(Frame(slots::CONSOLE).protect(Access::Read), Err(Error::WrongKind));
        assert_eq!(OWN_SPACE.map(Frame(at(9)), AREA, Access::Read), Err(Error::InvalidCapability));
    });
}

fn device_memory_is_never_executable() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        assert_eq!(OWN_SPACE.map(some, AREA, Access::ReadExecute), Err(Error::InvalidArgument));
        OWN_SPACE.map(some, AREA, Access::Read).expect("a free place");
        assert_eq!(some.protect(Access::ReadExecute), Err(Error::InvalidArgument));
    });
}

fn a_capability_without_the_right_to_write_maps_to_read() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        let to_read = Frame(copy(2, some.0, Rights::READ));
        assert_eq!(OWN_SPACE.map(to_read, AREA, Access::ReadWrite), Err(Error::MissingRight));
        OWN_SPACE.map(to_read, AREA, Access::Read).expect("a free place");
        assert_eq!(to_read.protect(Access::ReadWrite), Err(Error::MissingRight));
        let nothing = Frame(copy(3, some.0, Rights::empty()));
        assert_eq!(OWN_SPACE.map(nothing, AREA, Access::Read), Err(Error::MissingRight));
    });
}

fn one_capability_has_one_mapping() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        assert_eq!((some.unmap(), some.protect(Access::Read)), (Err(Error::NotMapped), Err(Error::NotMapped)));
        OWN_SPACE.map(some, AREA, Access::Read).expect("a free place");
        let elsewhere = AREA + LARGE_FRAME_SIZE;
        assert_eq!(OWN_SPACE.map(some, elsewhere, Access::Read), Err(Error::AlreadyMapped));
        // A copy of one that is mapped is not mapped; one that was moved still is.
        let other = Frame(copy(2, some.0, Rights::all()));
        assert_eq!(other.unmap(), Err(Error::NotMapped));
        OWN_SPACE.map(other, elsewhere, Access::Read).expect("a free place");
        SCRATCH.move_here(3, some.0).expect("a free slot");
        assert_eq!(Frame(at(3)).unmap(), Ok(()));
        assert_eq!(Frame(at(3)).unmap(), Err(Error::NotMapped));
    });
}

extern "C" fn read_there(address: u64) {
    read(address);
    idle(Task(at(thread_slot(0))));
}

extern "C" fn write_there(address: u64) {
    write(address, 0);
    idle(Task(at(thread_slot(0))));
}

/// Whether a thread that does this faults, and so is stopped.
fn faults(body: extern "C" fn(u64), address: u64) -> bool {
    const STOPPED: u64 = 0;
    let thread: Task = start_thread(0, body, address);
    yield_once();
    let [state, ..] = thread.inspect().expect("it is there");
    end_thread(0);
    state == STOPPED
}

fn a_mapping_that_is_protected_can_only_be_read() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        let places = [AREA, AREA + (SOME - 1) * PAGE_SIZE];
        OWN_SPACE.map(some, AREA, Access::ReadWrite).expect("a free place");
        assert!(places.iter().all(|&place| !faults(write_there, place)));
        some.protect(Access::Read).expect("it is mapped");
        assert!(places.iter().all(|&place| faults(write_there, place) && !faults(read_there, place)));
        some.protect(Access::ReadWrite).expect("it is mapped");
        assert!(places.iter().all(|&place| !faults(write_there, place)));
    });
}

/// Maps a part of the screen, large pages among it; ends the mapping; and looks whether any of it can be reached.
fn is_out_of_reach_after(end: impl FnOnce(Frame)) {
    let screen_pages = screen().size_bytes / PAGE_SIZE;
    let whole = part(1, SCREEN, 0, screen_pages).expect("the screen");
    OWN_SPACE.map(whole, AREA, Access::ReadWrite).expect("a free place");
    let places = [0, 1, 511, 512, screen_pages - 1].map(|page| AREA + page.min(screen_pages - 1) * PAGE_SIZE);
    assert!(places.iter().all(|&place| !faults(read_there, place)), "it is mapped");
    end(whole);
    assert!(places.iter().all(|&place| faults(read_there, place)), "it is not mapped any more");
    // The place is free again, all of it.
    let again = part(5, SCREEN, 0, screen_pages).expect("the screen");
    OWN_SPACE.map(again, AREA, Access::ReadWrite).expect("a free place");
}

fn a_mapping_that_has_ended_is_out_of_reach() {
    with_scratch(|| is_out_of_reach_after(|whole| whole.unmap().expect("it is mapped")));
}

fn a_mapping_ends_with_its_capability() {
    with_scratch(|| is_out_of_reach_after(|_| SCRATCH.delete(1).expect("it is there")));
}

fn a_mapping_ends_with_what_the_capability_was_derived_from() {
    with_scratch(|| {
        let from = part(4, SCREEN, 0, screen().size_bytes / PAGE_SIZE).expect("the screen");
        is_out_of_reach_after(|whole| {
            SCRATCH.delete(1).expect("it is there");
            SCRATCH.mint(1, from.0, Rights::all(), pages(0, SOME)).expect("a part of the part");
            OWN_SPACE.map(whole, AREA, Access::ReadWrite).expect("a free place");
            SCRATCH.revoke(4).expect("it is there");
            assert_eq!(whole.unmap(), Err(Error::InvalidCapability), "it is gone");
        });
    });
}

fn a_mapping_is_forgotten_with_its_space() {
    with_memory(8, |memory| {
        let some = part(3, SCREEN, 0, SOME).expect("a part of the screen");
        for _ in 0..3 {
            let space = make_space(memory, 2);
            space.map(some, AREA, Access::ReadWrite).expect("a free place");
            assert_eq!(space.map(some, AREA, Access::ReadWrite), Err(Error::AlreadyMapped));
            SCRATCH.delete(2).expect("it is there");
            assert_eq!(some.unmap(), Err(Error::NotMapped));
        }
        assert_eq!(memory.measure(), Ok((8, 8)), "all pages are back");
    });
}

fn a_mapping_of_one_gibibyte_is_the_largest() {
    const GIBIBYTE: u64 = (1 << 30) / PAGE_SIZE;
    with_memory(600, |memory| {
        let space = make_space(memory, 2);
        let largest = part(3, DEVICES, FAR, GIBIBYTE).expect("no memory is there");
        let larger = part(4, DEVICES, FAR, GIBIBYTE + 1).expect("no memory is there");
        assert_eq!(space.map(larger, AREA, Access::Read), Err(Error::InvalidArgument));
        // In large pages, and in small ones.
        for address in [AREA, AREA + PAGE_SIZE] {
            space.map(largest, address, Access::Read).expect("a free place");
            largest.unmap().expect("it is mapped");
        }
        space.map(largest, AREA, Access::Read).expect("a free place");
        SCRATCH.delete(3).expect("it is there");
    });
}

fn the_kernel_reads_no_device_memory_for_a_program() {
    with_scratch(|| {
        let some = part(1, SCREEN, 0, SOME).expect("a part of the screen");
        // The kernel has no mapping of its own of what lies above all memory.
        let far = part(2, DEVICES, FAR, SOME).expect("no memory is there");
        for memory in [some, far] {
            OWN_SPACE.map(memory, AREA, Access::Read).expect("a free place");
            assert_eq!(Console(slots::CONSOLE).write(AREA, 1), Err(Error::InvalidAddress));
            memory.unmap().expect("it is mapped");
        }
    });
}
