//! The memory-sharing daemon refuses what it must, and then nothing is half done.

use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, USER_END};
use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_runtime::object::{Endpoint, Memory, OWN_TABLE};
use flatmk_runtime::sharing::{REGION_FRAMES, SharingRequest};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use super::client::{
    AREA, FIRST, FRAME, REGION, delete, end_program, end_threads, make_in_window, message, put_space_into_window,
    with_daemon,
};
use super::{MANY_PAGES, page};
use crate::harness::{MEMORY, SCRATCH, at};
use crate::servers::status;

pub(crate) const TESTS: &[Test] = tests![
    only_who_is_attached_creates_regions,
    what_is_no_space_in_the_window_is_refused,
    numbers_out_of_range_are_refused,
    an_address_that_is_taken_is_refused_and_nothing_is_half_done,
    without_pages_for_the_region_nothing_is_half_done,
    without_pages_for_the_clients_page_tables_nothing_is_half_done,
    regions_are_limited,
    mappings_are_limited_to_spaces_that_live,
];

fn only_who_is_attached_creates_regions() {
    with_daemon(MANY_PAGES, |daemon| {
        let thread = daemon.start_thread(0, 2);
        assert_eq!(thread.create(1, AREA, REGION), Err(Error::InvalidState));
        assert_eq!(thread.detach(), Err(Error::InvalidState));
        assert_eq!([thread.attach(), thread.attach()], [Ok(0), Err(Error::InvalidState)]);
        assert_eq!(thread.create(1, AREA, REGION), Ok(0));
        assert_eq!(thread.create(1, page(1), REGION), Err(Error::SlotOccupied));
        // A region is no client, and a client no region.
        let region = Endpoint(REGION);
        for request in [SharingRequest::Attach, SharingRequest::Create, SharingRequest::Detach] {
            let answer = region.call(message(request, 1, page(1)));
            assert_eq!(answer, Ok([status(Error::InvalidArgument), 0, 0, 0]));
        }
        for request in [SharingRequest::Map, SharingRequest::Frame] {
            assert_eq!(daemon.call(2, message(request, 0, 0), 0), Err(Error::InvalidArgument));
        }
        assert_eq!(region.call([0; 4]), Ok([0; 4]), "a region has no frames as a client");
        assert_eq!([daemon.used_pages(), thread.query().unwrap_or(0)], [2, 1]);
        assert_eq!(thread.detach(), Ok(0));
        end_threads([0]);
    });
}

fn what_is_no_space_in_the_window_is_refused() {
    with_daemon(MANY_PAGES, |daemon| {
        let thread = daemon.start_thread(0, 2);
        assert_eq!([thread.attach(), thread.create(1, AREA, REGION)], [Ok(0), Ok(0)]);
        let attach = message(SharingRequest::Attach, 0, 0);
        let map = message(SharingRequest::Map, page(1), 0);
        let ask_both = |fill_window: &dyn Fn() -> u64| {
            let attached = daemon.call(3, attach, fill_window());
            daemon.check_window();
            let (answer, _) = Endpoint(REGION).call_with_window(map, fill_window()).expect("the daemon is ready");
            daemon.check_window();
            assert_eq!(answer, [attached.map_or_else(status, |_| 0), 0, 0, 0], "both are refused for the same reason");
            attached
        };
        assert_eq!(ask_both(&|| 0), Err(Error::InvalidCapability));
        for kind in [Kind::Frame, Kind::Table, Kind::Task] {
            let fill = || {
                make_in_window(kind, 0);
                FIRST
            };
            assert_eq!(ask_both(&fill), Err(Error::WrongKind));
        }
        // A space may only be changed with the right to it, and what is in another slot does not count.
        let put = |slot, rights| {
            put_space_into_window(slot, rights);
            1 << slot
        };
        assert_eq!(ask_both(&|| put(0, Rights::all().difference(Rights::MANAGE))), Err(Error::MissingRight));
        assert_eq!(ask_both(&|| put(1, Rights::all())), Err(Error::InvalidCapability));
        assert_eq!(daemon.call(3, message(SharingRequest::Detach, 0, 0), 0), Err(Error::InvalidState));
        assert_eq!(thread.detach(), Ok(0));
        end_threads([0]);
    });
}

/// The client is a program of its own: the page tables that addresses need come from its memory.
fn numbers_out_of_range_are_refused() {
    with_daemon(MANY_PAGES, |daemon| {
        let program = daemon.start_program(2);
        assert_eq!([program.attach(), program.create(2, AREA, REGION)], [Ok(0), Ok(0)]);
        let used = daemon.used_pages();
        for frame_count in [0, REGION_FRAMES + 1, 63, 64, 1 << 32, u64::MAX] {
            assert_eq!(program.create(frame_count, page(2), FRAME), Err(Error::InvalidArgument), "{frame_count}");
        }
        for address in [0, 1, page(2) + 1, USER_END - PAGE_SIZE, USER_END, 1 << 63, PAGE_SIZE.wrapping_neg(), u64::MAX]
        {
            assert_eq!(program.create(2, address, FRAME), Err(Error::InvalidAddress), "{address:#x}");
            assert_eq!(program.map(REGION, address, Access::Read), Err(Error::InvalidAddress), "{address:#x}");
        }
        for index in [2, 8, 54, 1 << 32, u64::MAX] {
            assert_eq!(program.frame(REGION, index, FRAME), Err(Error::InvalidArgument), "{index}");
        }
        for slot in [0, 64, u64::MAX] {
            assert_eq!(program.create(1, page(2), slot), Err(Error::InvalidArgument), "{slot}");
        }
        let map = message(SharingRequest::Map, page(2), 3);
        assert_eq!(
            Endpoint(program.slot(REGION)).call(map),
            Ok([status(Error::InvalidArgument), 0, 0, 0]),
            "no such access"
        );
        assert_eq!((daemon.used_pages(), program.query()), (used, Ok(2)));
        assert_eq!(program.detach(), Ok(0));
        end_program();
    });
}

fn an_address_that_is_taken_is_refused_and_nothing_is_half_done() {
    with_daemon(MANY_PAGES, |daemon| {
        let thread = daemon.start_thread(0, 2);
        assert_eq!([thread.attach(), thread.create(2, page(4), REGION)], [Ok(0), Ok(0)]);
        let used = daemon.used_pages();
        // The last of them, one in the middle, and the first.
        for first in [1, 3, 4, 5] {
            assert_eq!(thread.create(4, page(first), FRAME), Err(Error::AlreadyMapped));
            assert_eq!((daemon.used_pages(), thread.query()), (used, Ok(2)));
        }
        for first in [3, 4, 5] {
            assert_eq!(thread.map(REGION, page(first), Access::Read), Err(Error::AlreadyMapped));
        }
        // What was mapped before the error no longer is.
        assert_eq!(thread.map(REGION, page(2), Access::Read), Ok(0));
        assert_eq!(thread.create(2, page(6), FRAME), Ok(0));
        assert_eq!(daemon.start_thread(1, 3).read(page(1)), Err(Error::CalleeFaulted));
        assert_eq!(thread.detach(), Ok(0));
        end_threads([0, 1]);
    });
}

fn without_pages_for_the_region_nothing_is_half_done() {
    with_daemon(7, |daemon| {
        let thread = daemon.start_thread(0, 2);
        assert_eq!([thread.attach(), thread.create(3, AREA, REGION)], [Ok(0), Ok(0)]);
        // Three are left, one for the table: and none is left after another region.
        for frame_count in [3, 8] {
            assert_eq!(thread.create(frame_count, page(4), FRAME), Err(Error::OutOfMemory));
            assert_eq!((daemon.free_pages(), thread.query()), (3, Ok(3)));
        }
        assert_eq!(thread.create(2, page(4), FRAME), Ok(0));
        assert_eq!(thread.create(1, page(8), FRAME + 1), Err(Error::OutOfMemory));
        assert_eq!((daemon.free_pages(), thread.query()), (0, Ok(5)));
        // Mapping and handing out need no page of the daemon's.
        assert_eq!([thread.map(REGION, page(8), Access::Read), thread.frame(FRAME, 1, FRAME + 1)], [Ok(0), Ok(0)]);
        assert_eq!(thread.detach(), Ok(0));
        end_threads([0]);
    });
}

fn without_pages_for_the_clients_page_tables_nothing_is_half_done() {
    with_daemon(MANY_PAGES, |daemon| {
        // The space, and three page tables below it, which cover the first 2 MiB.
        const CLIENT: u64 = 3;
        const LAST: u64 = LARGE_FRAME_SIZE - PAGE_SIZE;
        MEMORY.split(4, SCRATCH, 30).expect("enough memory");
        Memory(at(30)).make(Kind::AddressSpace, 1, SCRATCH, 31).expect("a page is free");
        let copy_space = || OWN_TABLE.copy(WINDOW, at(31), Rights::all()).expect("the window is empty");
        copy_space();
        assert_eq!(daemon.call(CLIENT, message(SharingRequest::Attach, 0, 0), FIRST), Ok(0));
        // The second frame needs one more.
        let create = |count, address| daemon.call(CLIENT, message(SharingRequest::Create, count, address), 0);
        assert_eq!(create(2, LAST), Err(Error::OutOfMemory));
        assert_eq!(daemon.used_pages(), 0);
        assert_eq!(create(2, LAST - 2 * PAGE_SIZE), Ok(FIRST));
        OWN_TABLE.move_here(REGION, WINDOW).expect("it came in the window");
        copy_space();
        let map = message(SharingRequest::Map, LAST, Access::Read as u64);
        assert_eq!(Endpoint(REGION).call_with_window(map, FIRST), Ok(([status(Error::OutOfMemory), 0, 0, 0], 0)));
        // The first frame was unmapped both times: here is room for one.
        assert_eq!(create(1, LAST), Ok(FIRST));
        assert_eq!(daemon.used_pages(), 5);
        assert_eq!(daemon.call(CLIENT, message(SharingRequest::Detach, 0, 0), 0), Ok(0));
    });
}

/// There are pages left for more.
fn regions_are_limited() {
    with_daemon(MANY_PAGES, |daemon| {
        const MOST_REGIONS: u64 = 32;
        let thread = daemon.start_thread(0, 63);
        assert_eq!(thread.attach(), Ok(0));
        for index in 0..MOST_REGIONS {
            assert_eq!(thread.create(1, page(index), REGION), Ok(0));
            delete([REGION]);
        }
        assert_eq!(thread.create(1, page(MOST_REGIONS), REGION), Err(Error::OutOfMemory));
        assert_eq!((daemon.used_pages(), thread.query()), (2 * MOST_REGIONS, Ok(MOST_REGIONS)));
        assert_eq!([thread.detach(), thread.attach(), thread.create(1, AREA, REGION), thread.detach()], [Ok(0); 4]);
        end_threads([0]);
    });
}

/// The same region goes into one space after the other. Those that are gone make room.
fn mappings_are_limited_to_spaces_that_live() {
    with_daemon(MANY_PAGES, |daemon| {
        let thread = daemon.start_thread(0, 2);
        assert_eq!([thread.attach(), thread.create(REGION_FRAMES, AREA, REGION)], [Ok(0), Ok(0)]);
        let map_into_new_space = |slot| {
            MEMORY.make(Kind::AddressSpace, 1, SCRATCH, slot).expect("enough memory");
            OWN_TABLE.copy(WINDOW, at(slot), Rights::all()).expect("the window is empty");
            let map = message(SharingRequest::Map, PAGE_SIZE, Access::ReadWrite as u64);
            let ([answer, ..], came) = Endpoint(REGION).call_with_window(map, FIRST).expect("the daemon is ready");
            assert_eq!(came, 0);
            Error::from_status(answer.cast_signed())
        };
        let end_space = |slot| {
            SCRATCH.revoke(slot).expect("it is there");
            SCRATCH.delete(slot).expect("it is there");
        };
        for slot in 30..36 {
            assert_eq!(map_into_new_space(slot), None);
        }
        for gone in (30..36).cycle().take(20) {
            assert_eq!(map_into_new_space(36), Some(Error::OutOfMemory));
            end_space(36);
            end_space(gone);
            assert_eq!(map_into_new_space(gone), None);
        }
        assert_eq!(daemon.used_pages(), 9);
        assert_eq!(thread.detach(), Ok(0));
        end_threads([0]);
    });
}
