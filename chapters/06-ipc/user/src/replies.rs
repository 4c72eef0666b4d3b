//! Reply capabilities: moved into a table, used later and once, moved on, deleted; nobody waits for one that is gone.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, Kind, Operation, Rights, Words, slots};
use flatmk_runtime::object::{OWN_TABLE, Table, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::faults::yield_often;
use crate::harness::{SCRATCH, at, end_thread, make, start_thread, with_scratch, yield_once};
use crate::registers::system_call;
use crate::servers::{PENDING, Server, outcome, server, start_client, start_server, status};

pub(crate) const TESTS: &[Test] = tests![
    a_reply_capability_is_used_later_and_once,
    a_task_that_took_its_reply_capability_serves_others,
    answers_can_be_given_in_any_order,
    whoever_replies_goes_on,
    a_reply_capability_can_be_moved_on_and_used_by_another_task,
    a_reply_capability_is_never_copied,
    a_reply_capability_that_is_deleted_ends_the_call,
    a_table_that_is_deleted_ends_the_calls_whose_answers_it_holds,
    a_reply_capability_goes_with_its_caller,
    a_call_outlives_the_task_that_took_its_reply_capability,
    an_empty_reply_slot_cannot_be_moved,
    a_reply_slot_is_not_moved_into_a_slot_that_is_occupied,
    a_return_after_the_reply_capability_was_moved_answers_nobody,
];

/// The slots of the scratch table for reply capabilities: the message says which.
const FIRST: u64 = 1;

/// Moves the capability to return into the slot that the caller's number names. A message that begins with 50 is answered at once.
fn take(_: u64, message: &mut Words) {
    let [caller, ..] = message;
    if *caller == 50 {
        *caller += 100;
        return;
    }
    SCRATCH.move_here(FIRST + *caller, slots::REPLY).expect("a free slot");
}

service!(fn take_entry = take);

fn reply(caller: u64, word: u64) -> Result<Words, Error> {
    system_call(at(FIRST + caller), Operation::Reply as u64, [word, 0, 0, 0])
}

/// Starts the server, and clients that call it.
fn with_clients(clients: &[u64], test: impl FnOnce(Server)) {
    with_scratch(|| {
        let taker = start_server(0, take_entry, 0);
        for &client in clients {
            start_client(client, if client % 2 == 0 { taker.near() } else { taker.far() });
        }
        yield_often();
        for &client in clients {
            assert_eq!(outcome(client), PENDING);
            assert_eq!(identify(at(FIRST + client)), Ok((Kind::Reply, Rights::GRANT)));
        }
        test(taker);
        if identify(taker.near()).is_ok() {
            taker.end();
        }
    });
}

fn a_reply_capability_is_used_later_and_once() {
    with_clients(&[1], |_| {
        assert_eq!(reply(1, 77), Ok([0; 4]));
        assert_eq!(reply(1, 78), Err(Error::InvalidCapability));
        yield_once();
        assert_eq!(outcome(1), 77);
        end_thread(1);
    });
}

fn a_task_that_took_its_reply_capability_serves_others() {
    with_clients(&[1, 2], |taker| {
        assert_eq!(taker.call([50, 1, 2, 3]), Ok([150, 1, 2, 3]));
        assert_eq!([1, 2].map(outcome), [PENDING; 2]);
        [1, 2].into_iter().for_each(end_thread);
    });
}

fn answers_can_be_given_in_any_order() {
    let clients = [1, 2, 3, 4, 5];
    with_clients(&clients, |_| {
        for client in [4, 1, 5, 3, 2] {
            assert_eq!(reply(client, 1000 + client), Ok([0; 4]));
        }
        yield_often();
        assert_eq!(clients.map(outcome), clients.map(|client| 1000 + client));
        clients.into_iter().for_each(end_thread);
    });
}

fn whoever_replies_goes_on() {
    with_clients(&[1], |_| {
        assert_eq!(reply(1, 77), Ok([0; 4]));
        assert_eq!(outcome(1), PENDING, "the caller has its turn later");
        yield_once();
        assert_eq!(outcome(1), 77);
        end_thread(1);
    });
}

/// Answers the caller whose capability is in this slot of the scratch table.
extern "C" fn reply_from_slot(slot: u64) {
    system_call(at(slot), Operation::Reply as u64, [88, 0, 0, 0]).expect("the reply capability is there");
    crate::harness::idle(server(3).task)
}

fn a_reply_capability_can_be_moved_on_and_used_by_another_task() {
    with_clients(&[1], |_| {
        let table = Table(make(Kind::Table, 15));
        table.move_here(5, at(FIRST + 1)).expect("a free slot");
        assert_eq!(reply(1, 0), Err(Error::InvalidCapability), "it has left");
        SCRATCH.move_here(16, slots::nested(SCRATCH.0, 15) * 64 + 5).expect("a free slot");
        start_thread(3, reply_from_slot, 16);
        yield_often();
        assert_eq!(outcome(1), 88);
        assert_eq!(identify(at(16)), Err(Error::InvalidCapability));
        [1, 3].into_iter().for_each(end_thread);
    });
}

fn a_reply_capability_is_never_copied() {
    with_clients(&[1], |_| {
        let source = at(FIRST + 1);
        for operation in [Operation::Copy, Operation::Mint] {
            let arguments = [40, source, Rights::all().bits().into(), 0];
            assert_eq!(system_call(slots::TABLE, operation as u64, arguments), Err(Error::WrongKind));
        }
        assert_eq!(system_call(slots::SELF, Operation::Reply as u64, [0; 4]), Err(Error::WrongKind));
        assert_eq!(reply(1, 5), Ok([0; 4]));
        yield_once();
        assert_eq!(outcome(1), 5);
        end_thread(1);
    });
}

fn a_reply_capability_that_is_deleted_ends_the_call() {
    with_clients(&[1], |taker| {
        SCRATCH.delete(FIRST + 1).expect("it is there");
        yield_once();
        assert_eq!(outcome(1), status(Error::CalleeGone));
        assert_eq!(taker.call([50; 4]), Ok([150, 50, 50, 50]), "the callee goes on");
        end_thread(1);
    });
}

fn a_table_that_is_deleted_ends_the_calls_whose_answers_it_holds() {
    with_clients(&[1, 2], |_| {
        let table = Table(make(Kind::Table, 15));
        for client in [1, 2] {
            table.move_here(client, at(FIRST + client)).expect("a free slot");
        }
        SCRATCH.delete(15).expect("it is there");
        yield_often();
        assert_eq!([1, 2].map(outcome), [status(Error::CalleeGone); 2]);
        [1, 2].into_iter().for_each(end_thread);
    });
}

fn a_reply_capability_goes_with_its_caller() {
    with_clients(&[1, 2], |taker| {
        end_thread(1);
        assert_eq!(identify(at(FIRST + 1)), Err(Error::InvalidCapability));
        assert_eq!(identify(at(FIRST + 2)).map(|(kind, _)| kind), Ok(Kind::Reply), "the other one stays");
        assert_eq!(taker.call([50; 4]), Ok([150, 50, 50, 50]));
        end_thread(2);
    });
}

fn a_call_outlives_the_task_that_took_its_reply_capability() {
    with_clients(&[1], |taker| {
        taker.end();
        yield_once();
        assert_eq!(outcome(1), PENDING);
        assert_eq!(reply(1, 66), Ok([0; 4]));
        yield_once();
        assert_eq!(outcome(1), 66);
        end_thread(1);
    });
}

static TRIED: AtomicU64 = AtomicU64::new(0);

/// Moves its reply slot twice, the second time in vain, and the first time at first into a slot that is not free.
fn take_twice(_: u64, message: &mut Words) {
    let occupied = system_call(slots::TABLE, Operation::Move as u64, [slots::SELF, slots::REPLY, 0, 0]);
    let beyond = system_call(slots::TABLE, Operation::Move as u64, [64, slots::REPLY, 0, 0]);
    let moved = system_call(SCRATCH.0, Operation::Move as u64, [FIRST + 1, slots::REPLY, 0, 0]);
    let again = system_call(SCRATCH.0, Operation::Move as u64, [FIRST + 2, slots::REPLY, 0, 0]);
    let expected = [Err(Error::SlotOccupied), Err(Error::InvalidArgument), Ok([0; 4]), Err(Error::InvalidCapability)];
    TRIED.store(1 + u64::from([occupied, beyond, moved, again] == expected), Relaxed);
    *message = [9; 4];
}

service!(fn take_twice_entry = take_twice);

fn a_reply_slot_is_not_moved_into_a_slot_that_is_occupied() {
    with_scratch(|| {
        let taker = start_server(0, take_twice_entry, 0);
        start_client(1, taker.near());
        yield_once();
        assert_eq!(TRIED.swap(0, Relaxed), 2, "each error where it belongs");
        assert_eq!(outcome(1), PENDING, "the return has answered nobody");
        assert_eq!(reply(1, 3), Ok([0; 4]));
        yield_once();
        assert_eq!(outcome(1), 3);
        end_thread(1);
        taker.end();
    });
}

fn an_empty_reply_slot_cannot_be_moved() {
    // This program serves nobody.
    let arguments = [40, slots::REPLY, 0, 0];
    assert_eq!(system_call(slots::TABLE, Operation::Move as u64, arguments), Err(Error::InvalidCapability));
    assert_eq!(OWN_TABLE.delete(40), Err(Error::InvalidCapability));
}

fn a_return_after_the_reply_capability_was_moved_answers_nobody() {
    with_clients(&[1], |taker| {
        // The server has returned after it took the capability, with the client's own message as the answer.
        assert_eq!(outcome(1), PENDING);
        assert_eq!(taker.call([50; 4]), Ok([150, 50, 50, 50]), "it is ready");
        assert_eq!(reply(1, 4), Ok([0; 4]));
        yield_once();
        assert_eq!(outcome(1), 4);
        end_thread(1);
    });
}
