//! Whatever a client sends to the memory-sharing daemon, the daemon serves the others, and has all its pages in the end.

use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Error, Kind, MissingCapability, Rights, Words};
use flatmk_runtime::object::{Endpoint, Memory, OWN_SPACE, OWN_TABLE};
use flatmk_runtime::sharing::SharingRequest;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use super::client::{
    AREA, Daemon, FIRST, FRAME, REGION, delete, is_empty, make_in_window, message, put_space_into_window, with_daemon,
};
use super::{MANY_PAGES, page};
use crate::harness::{MEMORY, Random, SCRATCH, at, end_thread, make_thread, prepare_stack, thread_slot, yield_once};
use crate::servers::{status, thread_address};

pub(crate) const TESTS: &[Test] = tests![
    endpoints_cannot_be_forged,
    numbers_that_no_client_has_are_refused,
    rubbish_in_the_window_is_thrown_away,
    an_answer_that_finds_no_room_is_taken_back,
    an_answer_to_a_client_that_is_gone_is_taken_back,
    the_daemon_is_no_fault_handler,
    random_requests_leave_nothing_behind,
];

const ALL_REQUESTS: [SharingRequest; 5] =
    [SharingRequest::Query, SharingRequest::Create, SharingRequest::Detach, SharingRequest::Frame, SharingRequest::Map];

const CREATE: Words = [SharingRequest::Create as u64, 1, AREA, 0];
const FRAME_0: Words = [SharingRequest::Frame as u64, 0, 0, 0];

/// Attaches this program as a client, and makes a region of one frame, whose endpoint it keeps.
fn attach_and_create(daemon: &Daemon, number: u64, address: u64) {
    put_space_into_window(0, Rights::MANAGE);
    assert_eq!(daemon.call(number, message(SharingRequest::Attach, 0, 0), FIRST), Ok(0));
    assert_eq!(daemon.call(number, message(SharingRequest::Create, 1, address), 0), Ok(FIRST));
    OWN_TABLE.move_here(REGION, WINDOW).expect("it came in the window");
}

fn detach(daemon: &Daemon, number: u64) {
    assert_eq!(daemon.call(number, message(SharingRequest::Detach, 0, 0), 0), Ok(0));
}

fn endpoints_cannot_be_forged() {
    with_daemon(MANY_PAGES, |daemon| {
        attach_and_create(daemon, 2, AREA);
        let all = [Rights::all(), Rights::CALL, Rights::empty()];
        for rights in all {
            for source in [daemon.endpoint(2), REGION] {
                assert_eq!(SCRATCH.mint(30, source, rights, 1), Err(Error::MissingRight));
            }
            assert_eq!(SCRATCH.copy(30, daemon.endpoint(2), rights), Err(Error::MissingRight));
        }
        // The endpoint of a region may be passed on. It is not more after that.
        SCRATCH.copy(30, REGION, Rights::all()).expect("it may be copied");
        assert_eq!(SCRATCH.mint(31, at(30), Rights::CALL, 1), Err(Error::MissingRight));
        detach(daemon, 2);
    });
}

fn numbers_that_no_client_has_are_refused() {
    with_daemon(MANY_PAGES, |daemon| {
        attach_and_create(daemon, 2, AREA);
        let service = daemon.program.slot(flatmk_runtime::program::SERVICE);
        let (region, generation) = (1 << 63, 1 << 8);
        for (context, error) in [
            (0, Error::InvalidArgument),
            (64, Error::InvalidArgument),
            (1 << 32 | 2, Error::InvalidArgument),
            (region, Error::CalleeGone),
            (region | generation | 1, Error::CalleeGone),
            (region | generation << 1, Error::CalleeGone),
            (region | generation | 32, Error::CalleeGone),
            (u64::MAX, Error::CalleeGone),
        ] {
            SCRATCH.mint(30, service, Rights::CALL | Rights::TRANSFER, context).expect("it offers its service");
            let ask = |request: SharingRequest| {
                let window = if request == SharingRequest::Attach { FIRST } else { 0 };
                put_space_into_window(0, Rights::MANAGE);
                let answer = Endpoint(at(30)).call_with_window(message(request, 0, 0), window);
                OWN_TABLE.delete(WINDOW).unwrap_or_default();
                answer
            };
            let refused = |error| Ok(([status(error), 0, 0, 0], 0));
            for request in [SharingRequest::Attach, SharingRequest::Create, SharingRequest::Detach] {
                assert_eq!(ask(request), refused(Error::InvalidArgument), "{request:?} of {context:#x}");
            }
            for request in [SharingRequest::Map, SharingRequest::Frame] {
                assert_eq!(ask(request), refused(error), "{request:?} of {context:#x}");
            }
            assert_eq!(ask(SharingRequest::Query), Ok(([0; 4], 0)));
            SCRATCH.delete(30).expect("it is there");
        }
        detach(daemon, 2);
    });
}

fn fill_window() {
    for (slot, kind) in (0..).zip([Kind::Table, Kind::Frame, Kind::AddressSpace, Kind::Task]) {
        make_in_window(kind, slot);
    }
}

fn rubbish_in_the_window_is_thrown_away() {
    const ALL: u64 = 0b1111;
    with_daemon(MANY_PAGES, |daemon| {
        attach_and_create(daemon, 2, AREA);
        let used = daemon.used_pages();
        for request in ALL_REQUESTS.map(|request| request as u64).into_iter().chain([10, 1 << 32, u64::MAX]) {
            // To a client who is not attached, so that nothing changes; and to a region.
            for endpoint in [daemon.endpoint(3), REGION] {
                fill_window();
                let (_, came) =
                    Endpoint(endpoint).call_with_window([request, 0, page(1), 0], ALL).expect("the window was empty");
                daemon.check_window();
                assert_eq!((came, daemon.used_pages()), (0, used), "{request}");
                assert!((WINDOW..WINDOW + 4).all(is_empty));
            }
        }
        // The endpoint has nowhere to be put where a capability came with the request.
        fill_window();
        assert_eq!(daemon.call(2, [SharingRequest::Create as u64, 1, page(1), 0], ALL), Err(Error::SlotOccupied));
        assert_eq!(daemon.used_pages(), used);
        // In the other slots rubbish is just thrown away.
        fill_window();
        delete([WINDOW]);
        put_space_into_window(0, Rights::MANAGE);
        assert_eq!(daemon.call(3, message(SharingRequest::Attach, 0, 0), ALL), Ok(0));
        daemon.check_window();
        detach(daemon, 3);
        detach(daemon, 2);
    });
}

/// The kernel refuses a return whose capability finds the slot of the caller's window taken.
fn an_answer_that_finds_no_room_is_taken_back() {
    with_daemon(MANY_PAGES, |daemon| {
        attach_and_create(daemon, 2, AREA);
        let used = daemon.used_pages();
        make_in_window(Kind::Frame, 0);
        for (endpoint, asked) in [(daemon.endpoint(2), [CREATE[0], 1, page(1), 0]), (REGION, FRAME_0)] {
            let answer = Endpoint(endpoint).call_with_window(asked, 0);
            assert_eq!(answer, Ok(([status(Error::SlotOccupied), 0, 0, 0], 0)));
            daemon.check_window();
            assert_eq!(daemon.used_pages(), used);
        }
        assert_eq!(Endpoint(daemon.endpoint(2)).call([0; 4]), Ok([0, 1, 0, 0]), "it has one frame still");
        delete([WINDOW]);
        assert_eq!(daemon.call(2, [CREATE[0], 1, page(1), 0], 0), Ok(FIRST));
        delete([WINDOW]);
        detach(daemon, 2);
    });
}

/// The thread of the next tests.
const VICTIM: u64 = 4;

/// Sends away the memory it was made from: `argument` is the pointer to the endpoint.
extern "C" fn send_own_memory(endpoint: u64) {
    OWN_TABLE.move_here(WINDOW + 1, at(30)).expect("the window is empty");
    let asked = if endpoint == REGION { FRAME_0 } else { [CREATE[0], 1, page(1), 0] };
    let answer = Endpoint(endpoint).call_with_window(asked, FIRST << 1);
    panic!("a thread has outlived its memory: {answer:?}");
}

/// The daemon deletes what has come in the window, and with it the caller. Nobody is there for the answer.
fn an_answer_to_a_client_that_is_gone_is_taken_back() {
    with_daemon(MANY_PAGES, |daemon| {
        attach_and_create(daemon, 2, AREA);
        let used = daemon.used_pages();
        for endpoint in [daemon.endpoint(2), daemon.endpoint(3), REGION] {
            MEMORY.split(2, SCRATCH, 30).expect("enough memory");
            Memory(at(30)).make(Kind::Task, 1, SCRATCH, thread_slot(VICTIM)).expect("a page is free");
            let task = flatmk_runtime::object::Task(at(thread_slot(VICTIM)));
            let stack = prepare_stack(VICTIM, send_own_memory, endpoint);
            task.configure(OWN_TABLE, OWN_SPACE, stack).expect("a new task can be configured");
            task.start(thread_address(), 0).expect("a configured task can be started");
            yield_once();
            assert!(is_empty(at(thread_slot(VICTIM))), "the task is gone");
            daemon.check_window();
            assert_eq!(daemon.used_pages(), used);
        }
        assert_eq!(Endpoint(daemon.endpoint(2)).call([0; 4]), Ok([0, 1, 0, 0]), "it has one frame still");
        detach(daemon, 2);
    });
}

extern "C" fn break_off(_: u64) {
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("int3") }
    panic!("a thread has gone on behind its fault");
}

extern "C" fn execute_nothing(_: u64) {
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

/// A fault is a call, too, but the answers of the daemon are none to a fault: the kernel refuses them.
fn the_daemon_is_no_fault_handler() {
    with_daemon(MANY_PAGES, |daemon| {
        for body in [break_off, execute_nothing] {
            let task = make_thread(VICTIM, prepare_stack(VICTIM, body, 0));
            let handler = Some(Endpoint(daemon.endpoint(2)));
            task.set_fault_handler(handler, MissingCapability::IsError).expect("it may be called");
            task.start(thread_address(), 0).expect("a configured task can be started");
            yield_once();
            // It is stopped: what runs, or waits, does not show its registers.
            task.read_registers(0).expect("it is stopped");
            end_thread(VICTIM);
            daemon.look_for_the_dead();
        }
        attach_and_create(daemon, 2, AREA);
        detach(daemon, 2);
    });
}

const ROUNDS: u64 = 4000;

/// Puts something, or nothing, into a slot of the window.
fn put_anything(random: &mut Random, slot: u64) {
    match random.below(12) {
        0 | 1 => put_space_into_window(slot, Rights::MANAGE),
        2 => make_in_window(random.choose(&[Kind::AddressSpace, Kind::Table, Kind::Frame, Kind::Task]), slot),
        // A region's endpoint, or a frame of it, if there is one.
        3 => OWN_TABLE.copy(WINDOW + slot, random.choose(&[REGION, FRAME]), Rights::all()).unwrap_or_default(),
        4 => MEMORY.split(2, OWN_TABLE, WINDOW + slot).expect("enough memory"),
        _ => {}
    }
}

/// An endpoint, a message, and which slots of the window go with it.
type AnyRequest = (u64, Words, u64);

/// A request that could come from a client as it should be.
fn honest_request(random: &mut Random, clients: [u64; 3]) -> AnyRequest {
    use SharingRequest::{Attach, Create, Detach, Frame, Map, Query};
    let request = random.choose(&[Query, Attach, Create, Create, Detach, Map, Map, Frame, Frame]);
    let address = page(random.below(16));
    let (first, second) = match request {
        Create => (1 + random.below(3), address),
        Map => (address, random.below(2)),
        _ => (0, 0),
    };
    let has_space = request == Attach || request == Map;
    if has_space {
        put_space_into_window(0, Rights::MANAGE);
    }
    let endpoint = if request == Map || request == Frame { REGION } else { random.choose(&clients) };
    (endpoint, message(request, first, second), u64::from(has_space))
}

/// Any numbers, and anything in the window.
fn any_request(random: &mut Random, [a, b, c]: [u64; 3]) -> AnyRequest {
    (0..4).for_each(|slot| put_anything(random, slot));
    let (address, other) = (page(random.below(16)), page(random.below(16)));
    let number = random.choose(&[0, 1, 2, 3, 4, 5, 10, u64::MAX]);
    let first = random.choose(&[0, 1, 2, 8, 9, address, u64::MAX]);
    let second = random.choose(&[0, 1, 2, 3, other, other + 1, u64::MAX]);
    let filled = (0..4).filter(|slot| !is_empty(WINDOW + slot)).fold(0, |mask, slot| mask | 1 << slot);
    (random.choose(&[a, b, c, REGION]), [number, first, second, 0], filled & random.below(16))
}

fn random_requests_leave_nothing_behind() {
    with_daemon(MANY_PAGES, |daemon| {
        let mut random = Random(0x5eed_0006);
        let mut successes = [0_u64; 6];
        for _ in 0..ROUNDS {
            let clients = [daemon.endpoint(1), daemon.endpoint(2), daemon.endpoint(3)];
            let is_honest = random.below(3) == 0;
            let (endpoint, asked, window) =
                if is_honest { honest_request(&mut random, clients) } else { any_request(&mut random, clients) };
            let [number, ..] = asked;
            match Endpoint(endpoint).call_with_window(asked, window) {
                Ok(([0, ..], came)) => {
                    *successes.get_mut(number as usize).expect("what is no request is refused") += 1;
                    if came != 0 {
                        let slot = if number == SharingRequest::Create as u64 { REGION } else { FRAME };
                        OWN_TABLE.delete(slot).unwrap_or_default();
                        OWN_TABLE.move_here(slot, WINDOW).expect("it came in the window");
                    }
                }
                Ok(([answer, ..], came)) => {
                    assert!(Error::from_status(answer.cast_signed()).is_some(), "{answer:#x}");
                    assert_eq!(came, 0);
                }
                // There is no region.
                Err(error) => assert_eq!(error, Error::InvalidCapability),
            }
            (WINDOW..WINDOW + 4).for_each(|slot| OWN_TABLE.delete(slot).unwrap_or_default());
            daemon.check_window();
        }
        assert!(successes.iter().all(|&count| count > ROUNDS / 400), "each was served: {successes:?}");
        for number in 1..=3 {
            daemon.call(number, message(SharingRequest::Detach, 0, 0), 0).unwrap_or_default();
        }
        assert!([REGION, FRAME].into_iter().all(is_empty));
    });
}
