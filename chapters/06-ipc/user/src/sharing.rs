//! The memory-sharing daemon shares frames between its clients, and takes them back when a client is gone.

mod client;
pub(crate) mod hostile;
pub(crate) mod refusals;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Error, FaultAnswer, MissingCapability, Rights, Words};
use flatmk_runtime::object::{Endpoint, Frame, OWN_SPACE, Task};
use flatmk_runtime::sharing::SharingRequest;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::{SCRATCH, at, end_thread, idle, start_thread, thread_slot, yield_once};
use crate::servers::{outcome, server, start_client, start_server, status};

pub(crate) use client::run_if_client;
use client::{AREA, Client, Daemon, FRAME, REGION, delete, end_program, end_threads, is_empty, message, with_daemon};

pub(crate) const TESTS: &[Test] = tests![
    two_clients_share_a_region,
    a_mapping_that_is_read_only_faults_at_a_write,
    the_holder_of_a_frame_maps_it,
    a_client_that_dies_loses_all_its_frames,
    a_client_that_detaches_loses_all_its_frames,
    an_endpoint_goes_with_its_region,
    a_call_that_waited_while_its_region_went_does_not_reach_the_next,
];

/// Pages for every test that does not want to run out of them.
const MANY_PAGES: u64 = 80;

const WORD: u64 = 0x6b6e_656d_6f6d;

fn page(index: u64) -> u64 {
    AREA + index * PAGE_SIZE
}

/// An attached program, number 1, with a region that a thread of this program, number 2, can name.
fn make_shared_region(daemon: &Daemon, frame_count: u64) -> (Client, Client) {
    let (program, thread) = (daemon.start_program(1), daemon.start_thread(0, 2));
    assert_eq!(program.attach(), Ok(0));
    assert_eq!(program.create(frame_count, AREA, REGION), Ok(0));
    program.hand_region_to(thread);
    (program, thread)
}

// ANCHOR: share
fn two_clients_share_a_region() {
    with_daemon(MANY_PAGES, |daemon| {
        let (program, thread) = make_shared_region(daemon, 3);
        assert_eq!(daemon.used_pages(), 4, "three frames and a table");
        assert_eq!(thread.map(REGION, page(4), Access::ReadWrite), Ok(0));
        assert_eq!([program.query(), thread.query()], [Ok(3), Ok(0)]);
        for index in 0..3 {
            assert_eq!(thread.read(page(4 + index)), Ok(0), "a new frame is empty");
            assert_eq!(program.write(page(index), WORD + index), Ok(0));
            assert_eq!(thread.read(page(4 + index)), Ok(WORD + index));
            assert_eq!(thread.write(page(4 + index), !index), Ok(0));
            assert_eq!(program.read(page(index)), Ok(!index));
        }
        assert_eq!(program.read(page(3)), Err(Error::CalleeFaulted), "there are three frames");
        assert_eq!(thread.read(page(7)), Err(Error::CalleeFaulted), "there are three frames");
        end_program();
        end_threads([0]);
        daemon.look_for_the_dead();
    });
}
// ANCHOR_END: share

fn a_mapping_that_is_read_only_faults_at_a_write() {
    with_daemon(MANY_PAGES, |daemon| {
        let (program, thread) = make_shared_region(daemon, 1);
        assert_eq!(thread.map(REGION, AREA, Access::Read), Ok(0));
        assert_eq!(thread.map(REGION, page(1), Access::ReadExecute), Err(Error::MissingRight));
        assert_eq!(program.write(AREA, WORD), Ok(0));
        assert_eq!(thread.read(AREA), Ok(WORD));
        assert_eq!(thread.write(AREA, 0), Err(Error::CalleeFaulted));
        assert_eq!(program.read(AREA), Ok(WORD));
        assert_eq!(program.detach(), Ok(0));
        end_program();
        end_threads([0]);
    });
}

fn the_holder_of_a_frame_maps_it() {
    with_daemon(MANY_PAGES, |daemon| {
        let (program, thread) = make_shared_region(daemon, 2);
        assert_eq!(thread.frame(REGION, 1, FRAME), Ok(0));
        assert_eq!(thread.frame(REGION, 1, FRAME), Err(Error::SlotOccupied));
        assert_eq!(thread.frame(REGION, 2, FRAME + 1), Err(Error::InvalidArgument));
        assert_eq!(thread.map_frame(FRAME, AREA, Access::ReadWrite), Ok(0));
        assert_eq!(program.write(page(1), WORD), Ok(0));
        assert_eq!(thread.read(AREA), Ok(WORD));
        assert_eq!(thread.write(AREA, !WORD), Ok(0));
        assert_eq!(program.read(page(1)), Ok(!WORD));
        assert_eq!(program.detach(), Ok(0));
        assert!(is_empty(FRAME));
        end_program();
        end_threads([0]);
    });
}

/// Maps the region of two frames and takes a frame, for the thread: all in this program's space and table.
fn take_all(thread: Client) {
    assert_eq!(thread.map(REGION, AREA, Access::ReadWrite), Ok(0));
    assert_eq!(thread.frame(REGION, 0, FRAME), Ok(0));
    SCRATCH.copy(30, FRAME, Rights::READ).expect("it may be copied");
    OWN_SPACE.map(Frame(at(30)), page(2), Access::Read).expect("a free address");
    assert_eq!([AREA, page(1), page(2)].map(|address| thread.read(address)), [Ok(WORD), Ok(0), Ok(WORD)]);
}

/// Nothing is left of what `take_all` took. Each access ends a thread.
fn check_all_is_gone(daemon: &Daemon) {
    assert_eq!(daemon.used_pages(), 0);
    assert!([REGION, FRAME, at(30)].into_iter().all(is_empty));
    for address in [AREA, page(1), page(2)] {
        assert_eq!(daemon.start_thread(1, 3).read(address), Err(Error::CalleeFaulted), "{address:#x}");
        end_threads([1]);
    }
}

fn a_client_that_dies_loses_all_its_frames() {
    with_daemon(MANY_PAGES, |daemon| {
        let (program, thread) = make_shared_region(daemon, 2);
        assert_eq!(program.create(3, page(8), REGION + 1), Ok(0));
        assert_eq!(program.write(AREA, WORD), Ok(0));
        take_all(thread);
        // Another one, who stays.
        assert_eq!(thread.attach(), Ok(0));
        assert_eq!(thread.create(1, page(3), REGION + 2), Ok(0));
        end_program();
        // It is found out at the next request that is not a query.
        assert_eq!(thread.query(), Ok(1));
        assert_eq!(thread.read(AREA), Ok(WORD));
        assert_eq!(thread.attach(), Err(Error::InvalidState));
        assert_eq!(daemon.used_pages(), 2, "those of the one who stays");
        assert_eq!(thread.write(page(3), 1), Ok(0));
        assert_eq!(thread.detach(), Ok(0));
        check_all_is_gone(daemon);
        // The daemon serves on, a new client with the same number too.
        let program = daemon.start_program(1);
        assert_eq!([program.attach(), program.create(8, AREA, REGION), program.query()], [Ok(0), Ok(0), Ok(8)]);
        assert_eq!(program.read(page(7)), Ok(0));
        end_program();
        end_threads([0]);
    });
}

fn a_client_that_detaches_loses_all_its_frames() {
    with_daemon(MANY_PAGES, |daemon| {
        let (program, thread) = make_shared_region(daemon, 2);
        assert_eq!(program.write(AREA, WORD), Ok(0));
        take_all(thread);
        assert_eq!([program.query(), program.detach(), program.query()], [Ok(2), Ok(0), Ok(0)]);
        check_all_is_gone(daemon);
        assert_eq!(program.detach(), Err(Error::InvalidState));
        assert_eq!(program.create(1, AREA, REGION), Err(Error::InvalidState));
        // The slot in which the endpoint of the region was is empty, and so is the address.
        assert_eq!([program.attach(), program.create(1, AREA, REGION), program.query()], [Ok(0), Ok(0), Ok(1)]);
        assert_eq!(program.read(AREA), Ok(0), "the frame was emptied");
        assert_eq!(program.read(page(1)), Err(Error::CalleeFaulted));
        end_program();
        end_threads([0]);
    });
}

/// The next region has the same number. The endpoint that a client still has is that of the old one, and is gone.
fn an_endpoint_goes_with_its_region() {
    with_daemon(MANY_PAGES, |daemon| {
        let (program, thread) = make_shared_region(daemon, 2);
        SCRATCH.copy(30, REGION, Rights::CALL | Rights::TRANSFER).expect("it may be copied");
        assert_eq!(program.detach(), Ok(0));
        assert_eq!([thread.attach(), thread.create(1, page(3), REGION)], [Ok(0), Ok(0)]);
        assert_eq!(program.map(REGION, page(1), Access::Read), Err(Error::InvalidCapability));
        assert_eq!(program.frame(REGION, 0, FRAME), Err(Error::InvalidCapability));
        assert!(is_empty(at(30)));
        assert_eq!(thread.detach(), Ok(0));
        end_program();
        end_threads([0]);
    });
}

/// The threads of the next test.
const HOLDER: u64 = 3;
const CREATOR: u64 = 4;
/// It sends its number, with which it asks for the first frame.
const ASKER: u64 = SharingRequest::Frame as u64;

/// The daemon has stumbled over an empty slot in the middle of a request. Before it goes on, two others call it, who wait for their turn.
fn hold(daemon_task: u64, message: &mut Words) {
    Task(daemon_task).set_fault_handler(None, MissingCapability::IsError).expect("it is the daemon's task");
    start_thread(CREATOR, create, client::endpoint_of(4));
    start_client(ASKER, REGION);
    (0..3).for_each(|_| server(HOLDER).task.yield_now().expect("a thread may yield"));
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn hold_entry = hold);

/// Makes a region, and leaves its endpoint in the window.
extern "C" fn create(endpoint: u64) {
    let answer = Endpoint(endpoint).call(message(SharingRequest::Create, 1, page(3)));
    assert_eq!(answer, Ok([0; 4]));
    idle(Task(at(thread_slot(CREATOR))))
}

fn a_call_that_waited_while_its_region_went_does_not_reach_the_next() {
    with_daemon(MANY_PAGES, |daemon| {
        let (owner, creator) = (daemon.start_thread(0, 2), daemon.start_thread(1, 4));
        assert_eq!([owner.attach(), owner.create(1, AREA, REGION), creator.attach()], [Ok(0); 3]);
        // A client whose space is gone: the daemon finds the slot empty, and that is a fault this time.
        client::attach_space_that_goes(daemon, 5);
        let holder = start_server(HOLDER, hold_entry, daemon.program.task.0);
        let handler = Some(Endpoint(holder.near()));
        daemon.program.task.set_fault_handler(handler, MissingCapability::IsFault).expect("it is the daemon's task");
        // While this is served the next region is asked for, then a frame of the one that goes.
        assert_eq!(owner.detach(), Ok(0));
        (0..3).for_each(|_| yield_once());
        assert_eq!(creator.query(), Ok(1), "the next region is there");
        assert_eq!(outcome(ASKER), status(Error::CalleeGone));
        delete([flatmk_abi::slots::WINDOW]);
        assert_eq!(creator.detach(), Ok(0));
        [CREATOR, ASKER].into_iter().for_each(end_thread);
        end_threads([0, 1, HOLDER]);
    });
}
