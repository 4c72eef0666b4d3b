//! Nobody waits for the dead: whatever ends in mid-call, everybody else goes on with an answer or an error.

use flatmk_abi::{Error, Operation, Rights};
use flatmk_runtime::object::{OWN_TABLE, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::answers::{CONTEXT, mix_entry};
use crate::harness::{SCRATCH, at, end_thread, thread_slot, with_scratch, yield_once};
use crate::order::{door_entry, set_open};
use crate::registers::system_call;
use crate::servers::{CALL, PENDING, make_client, outcome, server, start_client, start_server, status, thread_address};

pub(crate) const TESTS: &[Test] = tests![
    a_callee_that_faults_is_reported_to_its_caller,
    a_callee_that_faults_is_reported_to_those_who_wait,
    a_callee_that_is_destroyed_is_reported_to_all,
    a_callee_that_destroys_itself_is_reported_to_its_caller,
    a_callee_that_destroys_its_caller_goes_on,
    a_chain_of_calls_survives_the_end_of_its_middle,
    an_endpoint_that_is_deleted_in_mid_call_does_not_end_the_call,
    an_endpoint_that_is_revoked_in_mid_call_does_not_end_the_call,
    tasks_of_a_table_that_is_deleted_end_together,
];

fn yield_often() {
    (0..20).for_each(|_| yield_once());
}

/// Faults, after the door is open.
fn fault(context: u64, _: &mut [u64; 4]) {
    if context != CONTEXT {
        (0..5).for_each(|_| server(0).task.yield_now().expect("a thread may yield"));
    }
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

service!(fn fault_entry = fault);

fn a_callee_that_faults_is_reported_to_its_caller() {
    for far in [false, true] {
        with_scratch(|| {
            let callee = start_server(0, fault_entry, CONTEXT);
            let pointer = if far { callee.far() } else { callee.near() };
            assert_eq!(system_call(pointer, CALL, [1, 2, 3, 4]), Err(Error::CalleeFaulted));
            // It never serves again.
            assert_eq!(callee.call([0; 4]), Err(Error::InvalidState));
            callee.end();
        });
    }
}

fn a_callee_that_faults_is_reported_to_those_who_wait() {
    with_scratch(|| {
        let callee = start_server(0, fault_entry, 0);
        (1..=3).for_each(|client| start_client(client, callee.near()));
        yield_once();
        assert_eq!(system_call(callee.far(), CALL, [0; 4]), Err(Error::CalleeFaulted));
        yield_often();
        for client in 1..=3 {
            assert_eq!(outcome(client), status(Error::CalleeFaulted));
            end_thread(client);
        }
        callee.end();
    });
}

fn a_callee_that_is_destroyed_is_reported_to_all() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        (1..=3).for_each(|client| start_client(client, door.near()));
        yield_often();
        assert_eq!([1, 2, 3].map(outcome), [PENDING; 3]);
        door.end();
        yield_often();
        for client in 1..=3 {
            assert_eq!(outcome(client), status(Error::CalleeGone));
            end_thread(client);
        }
    });
}

/// Deletes all capabilities to its own task.
fn end_itself(_: u64, _: &mut [u64; 4]) {
    server(0).end();
    unreachable!("a task survived itself");
}

service!(fn end_itself_entry = end_itself);

fn a_callee_that_destroys_itself_is_reported_to_its_caller() {
    for far in [false, true] {
        with_scratch(|| {
            let callee = start_server(0, end_itself_entry, 0);
            let pointer = if far { callee.far() } else { callee.near() };
            assert_eq!(system_call(pointer, CALL, [1, 2, 3, 4]), Err(Error::CalleeGone));
            assert_eq!(system_call(pointer, CALL, [1, 2, 3, 4]), Err(Error::InvalidCapability));
        });
    }
}

/// Destroys the client that calls, whose number is the message.
fn end_caller(_: u64, message: &mut [u64; 4]) {
    let [caller, ..] = *message;
    SCRATCH.delete(thread_slot(caller)).expect("the caller is there");
}

service!(fn end_caller_entry = end_caller);

fn a_callee_that_destroys_its_caller_goes_on() {
    with_scratch(|| {
        let callee = start_server(0, end_caller_entry, 0);
        for pointer in [callee.near(), callee.far()] {
            start_client(1, pointer);
            yield_often();
            assert_eq!(outcome(1), PENDING);
        }
        // It is ready for the next: this one has nobody to destroy.
        make_client(2, 0);
        assert_eq!(system_call(callee.near(), CALL, [2, 0, 0, 0]), Ok([2, 0, 0, 0]));
        callee.end();
    });
}

/// Calls server 0.
fn pass_on(_: u64, message: &mut [u64; 4]) {
    let result = system_call(server(0).near(), CALL, *message);
    let [word, ..] = message;
    *word = result.map_or_else(status, |[word, ..]| word + 1000);
}

service!(fn pass_on_entry = pass_on);

/// Client, middle, end: the middle waits for the end, and is destroyed.
fn a_chain_of_calls_survives_the_end_of_its_middle() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        let middle = start_server(1, pass_on_entry, 0);
        start_client(2, middle.near());
        start_client(3, door.near());
        yield_often();
        middle.end();
        yield_once();
        assert_eq!(outcome(2), status(Error::CalleeGone));
        assert_eq!(outcome(3), PENDING);
        set_open(true);
        yield_often();
        assert_eq!(outcome(3), 103);
        assert_eq!(door.call([4, 0, 0, 0]), Ok([104, 0, 0, 0]));
        [2, 3].into_iter().for_each(end_thread);
        door.end();
        crate::order::forget_log();
    });
}

/// Deletes the endpoints by which it can be called.
fn delete_endpoints(_: u64, message: &mut [u64; 4]) {
    OWN_TABLE.delete(server(0).near()).expect("it is there");
    SCRATCH.delete(20).expect("it is there");
    message.reverse();
}

service!(fn delete_endpoints_entry = delete_endpoints);

fn an_endpoint_that_is_deleted_in_mid_call_does_not_end_the_call() {
    with_scratch(|| {
        let callee = start_server(0, delete_endpoints_entry, 0);
        assert_eq!(system_call(callee.near(), CALL, [1, 2, 3, 4]), Ok([4, 3, 2, 1]));
        // The same for one that waits: the endpoint goes before its turn comes.
        end_thread(0);
        set_open(false);
        let door = start_server(0, door_entry, 0);
        [1, 2].into_iter().for_each(|client| start_client(client, door.near()));
        yield_often();
        OWN_TABLE.delete(door.near()).expect("it is there");
        SCRATCH.delete(20).expect("it is there");
        set_open(true);
        yield_often();
        assert_eq!([1, 2].map(outcome), [101, 102]);
        [1, 2, 0].into_iter().for_each(end_thread);
        crate::order::forget_log();
    });
}

/// The calls went through copies of the endpoint, all of which go.
fn an_endpoint_that_is_revoked_in_mid_call_does_not_end_the_call() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        for client in [1, 2] {
            SCRATCH.copy(client, door.near(), Rights::CALL).expect("a free slot");
            start_client(client, at(client));
        }
        yield_often();
        OWN_TABLE.revoke(door.near()).expect("it is there");
        assert_eq!([1, 2].map(|client| identify(at(client)).is_ok()), [false; 2]);
        set_open(true);
        yield_often();
        assert_eq!([1, 2].map(outcome), [101, 102]);
        [1, 2].into_iter().for_each(end_thread);
        door.end();
        crate::order::forget_log();
    });
}

/// Callers, callees and those who wait, all in one table that goes: in whatever order, no queue leads to a dead task.
fn tasks_of_a_table_that_is_deleted_end_together() {
    for started in 0..4 {
        with_scratch(|| {
            set_open(false);
            let door = start_server(5, door_entry_of_5, 5);
            let passing = start_server(6, pass_on_to_5_entry, 0);
            let mixer = start_server(4, mix_entry, CONTEXT);
            for client in 0..started {
                start_client(client, if client == 1 { passing.near() } else { door.near() });
            }
            for client in started..4 {
                let task = make_client(client, passing.near());
                if client == 3 {
                    task.start(thread_address(), 0).expect("a configured task can be started");
                }
            }
            yield_often();
            assert_eq!(mixer.call([0; 4]), Ok([CONTEXT, 0, 0, !0]));
            [door, passing, mixer].into_iter().for_each(|server| {
                OWN_TABLE.delete(server.near()).expect("its endpoint is there");
            });
        });
        yield_often();
        assert!((0..4).all(|client| outcome(client) == PENDING));
        crate::order::forget_log();
    }
    assert_eq!(system_call(flatmk_abi::slots::SELF, Operation::Yield as u64, [0; 4]), Ok([0; 4]));
}

service!(fn door_entry_of_5 = crate::order::wait_at_door);

fn pass_on_to_5(_: u64, message: &mut [u64; 4]) {
    system_call(server(5).near(), CALL, *message).map(|_| ()).unwrap_or_default();
}

service!(fn pass_on_to_5_entry = pass_on_to_5);
