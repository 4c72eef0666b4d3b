//! Callers wait for their turn, in order, and never for each other.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use flatmk_abi::{Error, slots};
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::{at, end_thread, with_scratch, yield_once};
use crate::registers::system_call;
use crate::servers::{CALL, CALL_NO_WAIT, PENDING, outcome, server, start_client, start_server, status};

pub(crate) const TESTS: &[Test] = tests![
    a_busy_callee_is_reported_to_those_who_do_not_wait,
    waiting_callers_are_served_in_order,
    a_caller_that_is_destroyed_leaves_the_queue,
    a_caller_that_is_destroyed_gets_no_answer,
    a_call_to_oneself_is_refused,
    a_cycle_of_two_is_refused,
    a_cycle_of_three_is_refused,
    a_call_to_one_who_waits_for_the_caller_is_refused,
    a_caller_waits_for_a_task_that_has_not_finished_its_start,
];

/// The doors behind which servers wait, one bit each.
static OPEN: AtomicU64 = AtomicU64::new(0);

static LOG: [AtomicU64; 32] = [const { AtomicU64::new(0) }; 32];
static LOGGED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn set_open(open: bool) {
    OPEN.store(u64::from(open), Relaxed);
}

pub(crate) fn is_open() -> bool {
    OPEN.load(Relaxed) != 0
}

/// Notes who has come.
pub(crate) fn log(caller: u64) {
    LOG.get(LOGGED.fetch_add(1, Relaxed)).expect("the log is long enough").store(caller, Relaxed);
}

/// Notes who calls, lets the others run until the door is open, and answers 100 plus the caller.
pub(crate) fn wait_at_door(thread: u64, message: &mut [u64; 4]) {
    let [caller, ..] = message;
    log(*caller);
    while OPEN.load(Relaxed) == 0 {
        server(thread).task.yield_now().expect("a thread may yield");
    }
    *caller += 100;
}

service!(pub(crate) fn door_entry = wait_at_door);

pub(crate) fn check_log(expected: &[u64]) {
    let length = LOGGED.swap(0, Relaxed);
    assert_eq!(length, expected.len());
    for (entry, &expected) in LOG.iter().zip(expected) {
        assert_eq!(entry.load(Relaxed), expected);
    }
}

pub(crate) fn forget_log() {
    LOGGED.store(0, Relaxed);
}

fn yield_often() {
    (0..20).for_each(|_| yield_once());
}

fn a_busy_callee_is_reported_to_those_who_do_not_wait() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        start_client(1, door.near());
        yield_once();
        for pointer in [door.near(), door.far()] {
            assert_eq!(system_call(pointer, CALL_NO_WAIT, [7; 4]), Err(Error::Busy));
        }
        assert_eq!(outcome(1), PENDING);
        set_open(true);
        yield_often();
        assert_eq!(outcome(1), 101);
        assert_eq!(system_call(door.near(), CALL_NO_WAIT, [7; 4]), Ok([107, 7, 7, 7]));
        check_log(&[1, 7]);
        end_thread(1);
        door.end();
    });
}

fn waiting_callers_are_served_in_order() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        for client in [3, 1, 4, 2, 5] {
            start_client(client, if client % 2 == 0 { door.near() } else { door.far() });
        }
        yield_often();
        assert!((1..=5).all(|client| outcome(client) == PENDING));
        set_open(true);
        yield_often();
        check_log(&[3, 1, 4, 2, 5]);
        for client in 1..=5 {
            assert_eq!(outcome(client), client + 100);
            end_thread(client);
        }
        door.end();
    });
}

/// From the front of the queue, its middle and its end.
fn a_caller_that_is_destroyed_leaves_the_queue() {
    for gone in [2, 3, 4] {
        with_scratch(|| {
            set_open(false);
            let door = start_server(0, door_entry, 0);
            (1..=4).for_each(|client| start_client(client, door.near()));
            yield_often();
            end_thread(gone);
            set_open(true);
            yield_often();
            let left = [1, 2, 3, 4].into_iter().filter(|&client| client != gone);
            check_log(match gone {
                2 => &[1, 3, 4],
                3 => &[1, 2, 4],
                _ => &[1, 2, 3],
            });
            for client in left {
                assert_eq!(outcome(client), client + 100);
                end_thread(client);
            }
            assert_eq!(outcome(gone), PENDING);
            door.end();
        });
    }
}

/// The callee finishes, its answer goes nowhere, and it serves the next one.
fn a_caller_that_is_destroyed_gets_no_answer() {
    for others in [0, 2] {
        with_scratch(|| {
            set_open(false);
            let door = start_server(0, door_entry, 0);
            (1..=1 + others).for_each(|client| start_client(client, door.near()));
            yield_often();
            end_thread(1);
            set_open(true);
            yield_often();
            assert_eq!(outcome(1), PENDING);
            for client in 2..2 + others {
                assert_eq!(outcome(client), client + 100);
                end_thread(client);
            }
            assert_eq!(door.call([50; 4]), Ok([150, 50, 50, 50]));
            check_log(if others == 0 { &[1, 50, 50, 50, 50] } else { &[1, 2, 3, 50, 50, 50, 50] });
            door.end();
        });
    }
}

fn never_called(_: u64, _: &mut [u64; 4]) {
    unreachable!("a task that is at work was entered");
}

service!(fn never_entry = never_called);

fn a_call_to_oneself_is_refused() {
    with_scratch(|| {
        OWN_TASK.make_endpoint(never_entry, 0, OWN_TABLE, 40).expect("a free slot");
        for word in [CALL, CALL_NO_WAIT] {
            assert_eq!(system_call(40, word, [0; 4]), Err(Error::WouldDeadlock));
        }
        OWN_TABLE.delete(40).expect("it is there");
    });
}

/// Calls the server that the next byte of word 0 names; answers with the last outcome.
fn forward(_: u64, message: &mut [u64; 4]) {
    let [route, ..] = *message;
    let next = server(route & 0x7);
    let pointer = if route & 0x10 == 0 { next.near() } else { next.far() };
    let result = system_call(pointer, CALL, [route >> 8, 0, 0, 0]);
    *message = match result {
        Ok(answer) => answer,
        Err(error) => [status(error), 1, 0, 0],
    };
}

service!(fn forward_entry = forward);

fn a_cycle_of_two_is_refused() {
    with_scratch(|| {
        let servers = [0, 1].map(|thread| start_server(thread, forward_entry, 0));
        let [first, _] = servers;
        for route in [0x0001, 0x0011, 0x1001, 0x1011] {
            assert_eq!(first.call([route, 0, 0, 0]), Ok([status(Error::WouldDeadlock), 1, 0, 0]));
        }
        // And to this task, which waits for the first.
        OWN_TASK.make_endpoint(never_entry, 0, OWN_TABLE, server(5).near()).expect("a free slot");
        assert_eq!(system_call(first.near(), CALL, [0x05, 0, 0, 0]), Ok([status(Error::WouldDeadlock), 1, 0, 0]));
        OWN_TABLE.delete(server(5).near()).expect("it is there");
        servers.into_iter().for_each(crate::servers::Server::end);
    });
}

fn a_cycle_of_three_is_refused() {
    with_scratch(|| {
        let servers = [0, 1, 2].map(|thread| start_server(thread, forward_entry, 0));
        let [first, ..] = servers;
        for route in [0x00_02_01, 0x10_12_11, 0x01_02_01, 0x02_02_01] {
            assert_eq!(first.call([route, 0, 0, 0]), Ok([status(Error::WouldDeadlock), 1, 0, 0]));
        }
        servers.into_iter().for_each(crate::servers::Server::end);
    });
}

/// The server is at work; a server that forwards stands in its queue; then it calls that one.
fn a_call_to_one_who_waits_for_the_caller_is_refused() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_then_call_entry, 0);
        let forwarder = start_server(1, forward_entry, 0);
        start_client(2, door.near());
        yield_once();
        // The client's message is its own number, 8: the forwarder, which takes it for a route, calls server 0, the door.
        start_client(8, forwarder.near());
        yield_often();
        set_open(true);
        yield_often();
        assert_eq!(outcome(2), status(Error::WouldDeadlock));
        end_thread(2);
        end_thread(8);
        forwarder.end();
        door.end();
    });
}

/// Waits at the door, then calls server 1.
fn door_then_call(thread: u64, message: &mut [u64; 4]) {
    while OPEN.load(Relaxed) == 0 {
        server(thread).task.yield_now().expect("a thread may yield");
    }
    let result = system_call(server(1).near(), CALL, [0; 4]);
    *message = [result.map_or_else(status, |[word, ..]| word), 0, 0, 0];
}

service!(fn door_then_call_entry = door_then_call);

extern "C" fn start_slowly(_: u64) {
    yield_three_times();
    flatmk_runtime::finish_start()
}

fn yield_three_times() {
    (0..3).for_each(|_| server(0).task.yield_now().expect("a thread may yield"));
}

fn a_caller_waits_for_a_task_that_has_not_finished_its_start() {
    with_scratch(|| {
        set_open(true);
        let task = crate::harness::start_thread(0, start_slowly, 0);
        let door = server(0);
        task.make_endpoint(door_entry, 0, OWN_TABLE, door.near()).expect("a free slot");
        task.make_endpoint(door_entry, 0, crate::harness::SCRATCH, 20).expect("a free slot");
        assert_eq!(system_call(door.near(), CALL_NO_WAIT, [0; 4]), Err(Error::Busy));
        start_client(1, door.far());
        assert_eq!(system_call(door.near(), CALL, [60, 0, 0, 0]), Ok([160, 0, 0, 0]));
        yield_often();
        assert_eq!(outcome(1), 101);
        check_log(&[60, 1]);
        end_thread(1);
        door.end();
        assert_eq!(flatmk_runtime::object::identify(slots::SELF).map(|(kind, _)| kind), Ok(flatmk_abi::Kind::Task));
        assert_eq!(system_call(at(1), CALL, [0; 4]), Err(Error::InvalidCapability));
    });
}
