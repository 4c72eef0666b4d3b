//! Whom the kernel calls at a task's fault, and whether a missing capability is one.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FaultAnswer, FaultReason, Kind, MissingCapability, Operation, Rights, Words, slots};
use flatmk_runtime::object::{Endpoint, OWN_TABLE, OWN_TASK, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::faults::yield_often;
use crate::harness::{
    SCRATCH, at, end_thread, free_pages, idle, make_thread, prepare_stack, stack_top, with_scratch, yield_once,
};
use crate::order::{door_entry, forget_log, set_open};
use crate::registers::system_call;
use crate::servers::{CALL, PENDING, outcome, server, start_client, start_server, status, thread_address};
use crate::victims::{
    CONTEXT, VICTIM, VICTIM_TASK, address, fault, faults, forget_faults, handle_faults_of, is_stopped, note,
    set_answer, start_handler, start_victim, undefined,
};

pub(crate) const TESTS: &[Test] = tests![
    a_fault_handler_can_be_replaced_and_removed,
    a_handler_that_nobody_else_holds_ends_when_it_is_replaced,
    a_task_keeps_a_copy_of_its_handlers_endpoint,
    a_revoked_endpoint_handles_no_faults,
    a_task_waits_for_its_fault_handler_while_that_is_busy,
    a_missing_capability_is_a_fault_for_those_who_ask,
    a_missing_capability_in_an_argument_is_no_fault,
    the_settings_of_a_fault_handler_are_checked,
];

fn note_only(_: u64, message: &mut Words) {
    REPLACED.fetch_add(1, Relaxed);
    *message = [FaultAnswer::Stop as u64, 0, 0, 0];
}

static REPLACED: AtomicU64 = AtomicU64::new(0);

service!(fn note_only_entry = note_only);

fn a_fault_handler_can_be_replaced_and_removed() {
    with_scratch(|| {
        let (first, second) = (start_handler(), start_server(1, note_only_entry, 0));
        set_answer(FaultAnswer::Stop, 0);
        let task = start_victim(undefined, 0, first);
        let start_again = || {
            task.start(address(undefined, 0), 0).expect("it is stopped");
            yield_once();
            assert!(is_stopped(task));
            (faults(), REPLACED.load(Relaxed))
        };
        assert_eq!(start_again(), (2, 0));
        handle_faults_of(task, second);
        assert_eq!(start_again(), (2, 1));
        task.set_fault_handler(None, MissingCapability::IsError).expect("it may be removed");
        assert_eq!(start_again(), (2, 1));
        handle_faults_of(task, first);
        assert_eq!(start_again(), (3, 1));
        REPLACED.store(0, Relaxed);
        end_thread(VICTIM);
        second.end();
        first.end();
    });
}

/// The task keeps the last capability to its handler; without it the handler goes, with its page, and those who wait for it are told.
fn a_handler_that_nobody_else_holds_ends_when_it_is_replaced() {
    for successor in [None, Some(2)] {
        with_scratch(|| {
            set_open(false);
            let door = start_server(0, door_entry, 0);
            let successor = successor.map(|thread| start_server(thread, note_only_entry, 0));
            let task = make_thread(VICTIM, stack_top(VICTIM));
            handle_faults_of(task, door);
            // The one is served, the other waits.
            [1, 3].into_iter().for_each(|client| start_client(client, door.near()));
            yield_often();
            assert_eq!([outcome(1), outcome(3)], [PENDING; 2]);
            door.end();
            let before = free_pages();
            let endpoint = successor.map(|server| Endpoint(server.near()));
            task.set_fault_handler(endpoint, MissingCapability::IsError).expect("it may be replaced");
            assert_eq!(free_pages(), before + 1, "at once");
            yield_often();
            assert_eq!([outcome(1), outcome(3)], [status(Error::CalleeGone); 2]);
            forget_log();
            [1, 3, VICTIM].into_iter().for_each(end_thread);
            successor.inspect(|server| server.end());
        });
    }
}

fn a_task_keeps_a_copy_of_its_handlers_endpoint() {
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Stop, 0);
        OWN_TABLE.mint(40, handler.near(), Rights::CALL, CONTEXT).expect("a free slot");
        let task = make_thread(VICTIM, stack_top(VICTIM));
        task.set_fault_handler(Some(Endpoint(40)), MissingCapability::IsError).expect("an endpoint");
        OWN_TABLE.delete(40).expect("it is there");
        task.start(address(undefined, 0), 0).expect("a configured task");
        yield_once();
        assert_eq!(faults(), 1);
        end_thread(VICTIM);
        handler.end();
    });
}

fn a_revoked_endpoint_handles_no_faults() {
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Stop, 0);
        let task = start_victim(undefined, 0, handler);
        assert_eq!(faults(), 1);
        OWN_TABLE.revoke(handler.near()).expect("it is there");
        task.start(address(undefined, 0), 0).expect("it is stopped");
        yield_once();
        assert_eq!(faults(), 1, "nobody was called");
        assert!(is_stopped(task));
        end_thread(VICTIM);
        handler.end();
    });
}

/// The handler stands at the door; the fault waits in its queue, behind a caller.
fn a_task_waits_for_its_fault_handler_while_that_is_busy() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        start_client(1, door.near());
        yield_once();
        let task = start_victim(undefined, 0, door);
        start_client(2, door.near());
        yield_often();
        assert_eq!([outcome(1), outcome(2)], [PENDING; 2]);
        assert!(!is_stopped(task));
        let ready = task.read_registers(16).map(|[rip, ..]| rip);
        assert_eq!(ready, Ok(address(undefined, 0)), "it stands still");
        set_open(true);
        yield_often();
        // The door answers 100 more than the reason, which is refused; then a service stops the task, and serves the next.
        assert_eq!([outcome(1), outcome(2)], [101, 102]);
        assert!(is_stopped(task));
        forget_log();
        [1, 2, VICTIM].into_iter().for_each(end_thread);
        door.end();
    });
}

/// Puts a capability where one is missed.
fn provide(context: u64, message: &mut Words) {
    note(context, message);
    let [_, pointer, ..] = *message;
    OWN_TABLE.copy(pointer, slots::SELF, Rights::all()).expect("a free slot");
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn provide_entry = provide);

fn outcome_of(index: usize) -> &'static AtomicU64 {
    static OUTCOMES: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
    OUTCOMES.get(index).expect("there are two")
}

/// A system call of each kind on slot 40: one after which another task may go on, and one after which this one does.
extern "C" fn use_slot_43(_: u64) {
    for (index, operation) in [Operation::Yield, Operation::Identify].into_iter().enumerate() {
        let result = system_call(40, operation as u64, [11, 12, 13, 14]);
        OWN_TABLE.delete(40).unwrap_or_default();
        outcome_of(index).store(result.map_or_else(status, |[word, ..]| word), Relaxed);
    }
    idle(Task(VICTIM_TASK))
}

fn a_missing_capability_is_a_fault_for_those_who_ask() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, provide_entry, CONTEXT);
        for (missing, expected) in [(MissingCapability::IsFault, 2), (MissingCapability::IsError, 0)] {
            forget_faults();
            let stack = prepare_stack(VICTIM, use_slot_43, 0);
            let task = make_thread(VICTIM, stack);
            task.set_fault_handler(Some(Endpoint(handler.near())), missing).expect("an endpoint");
            task.start(thread_address(), 0).expect("a configured task");
            yield_often();
            assert_eq!(faults(), expected);
            let outcomes = [0, 1].map(|index| outcome_of(index).load(Relaxed));
            if missing == MissingCapability::IsFault {
                // The call was made again, and has succeeded: a yield, though of another task, and an identification.
                assert_eq!(outcomes, [status(Error::InvalidState), Kind::Task as u64]);
                for index in 0..2 {
                    let [reason, pointer, code, rip] = fault(index);
                    assert_eq!([reason, pointer, code], [FaultReason::MissingCapability as u64, 40, 0]);
                    assert_ne!(rip, 0);
                }
            } else {
                assert_eq!(outcomes, [status(Error::InvalidCapability); 2]);
            }
            end_thread(VICTIM);
        }
        handler.end();
    });
}

extern "C" fn use_missing_argument(_: u64) {
    let result = system_call(slots::TABLE, Operation::Copy as u64, [40, 39, 0, 0]);
    outcome_of(0).store(result.map_or_else(status, |[word, ..]| word), Relaxed);
    let result = system_call(slots::TABLE, 200, [0; 4]);
    outcome_of(1).store(result.map_or_else(status, |[word, ..]| word), Relaxed);
    idle(Task(VICTIM_TASK))
}

fn a_missing_capability_in_an_argument_is_no_fault() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, provide_entry, CONTEXT);
        let task = make_thread(VICTIM, prepare_stack(VICTIM, use_missing_argument, 0));
        task.set_fault_handler(Some(Endpoint(handler.near())), MissingCapability::IsFault).expect("an endpoint");
        task.start(thread_address(), 0).expect("a configured task");
        yield_often();
        let outcomes = [0, 1].map(|index| outcome_of(index).load(Relaxed));
        assert_eq!(outcomes, [Error::InvalidCapability, Error::UnknownOperation].map(status));
        assert_eq!(faults(), 0);
        end_thread(VICTIM);
        handler.end();
    });
}

fn the_settings_of_a_fault_handler_are_checked() {
    with_scratch(|| {
        let handler = start_handler();
        SCRATCH.copy(1, handler.near(), Rights::GRANT).expect("a free slot");
        let set = |handler, missing| {
            system_call(OWN_TASK.0, Operation::SetFaultHandler as u64, [handler, missing, 0, 0]).map(|_| ())
        };
        assert_eq!(set(40, 0), Err(Error::InvalidCapability));
        assert_eq!(set(slots::SELF, 0), Err(Error::WrongKind));
        assert_eq!(set(at(1), 0), Err(Error::MissingRight));
        assert_eq!(set(handler.near(), 2), Err(Error::InvalidArgument));
        assert_eq!(set(0, 1), Err(Error::InvalidArgument));
        assert_eq!(set(0, 0), Ok(()));
        // Of this program nothing has changed: a pointer that names nothing is an error still.
        assert_eq!(system_call(40, CALL, [0; 4]), Err(Error::InvalidCapability));
        assert_eq!(server(0).task, handler.task);
        handler.end();
    });
}
