//! Fault handlers that are gone, stopped or busy, and such as fault themselves: no task waits for one that will not come.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FaultAnswer, Words};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::faults::{defer_entry, fault_and_answer_entry, yield_often};
use crate::harness::{SCRATCH, end_thread, with_scratch, yield_once};
use crate::registers::system_call;
use crate::servers::{CALL, PENDING, outcome, server, start_client, start_server, status};
use crate::victims::{
    CONTEXT, HANDLER, VICTIM, VICTIM_TASK, address, faults, forget_faults, handle_faults_of, is_stopped, note,
    set_answer, skip_entry, start_handler, start_victim, times_done, undefined,
};

pub(crate) const TESTS: &[Test] = tests![
    a_task_whose_handler_is_stopped_is_stopped,
    a_task_whose_handler_is_destroyed_while_it_handles_is_stopped,
    a_task_whose_answer_is_deleted_is_stopped,
    a_handler_that_faults_is_stopped_with_the_task_it_handles,
    a_handler_with_a_handler_of_its_own_goes_on,
    a_task_is_not_its_own_handler,
    a_task_that_serves_its_handler_is_stopped_when_it_faults,
    a_task_that_is_destroyed_while_it_is_handled_gets_no_answer,
    those_who_wait_for_a_task_that_is_not_mended_are_told,
];

/// Faults for good.
fn fault_for_good(context: u64, message: &mut Words) {
    note(context, message);
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

service!(fn fault_for_good_entry = fault_for_good);

fn a_task_whose_handler_is_stopped_is_stopped() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, fault_for_good_entry, CONTEXT);
        assert_eq!(system_call(handler.near(), CALL, [0; 4]), Err(Error::CalleeFaulted));
        let task = start_victim(undefined, 0, handler);
        assert_eq!((faults(), times_done(), is_stopped(task)), (1, 0, true));
        end_thread(VICTIM);
        handler.end();
    });
}

/// Lets the others run for ever.
fn dawdle(context: u64, message: &mut Words) {
    note(context, message);
    crate::harness::idle(server(HANDLER).task)
}

service!(pub(crate) fn dawdle_entry = dawdle);

fn a_task_whose_handler_is_destroyed_while_it_handles_is_stopped() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, dawdle_entry, CONTEXT);
        let task = start_victim(undefined, 0, handler);
        assert_eq!((faults(), is_stopped(task)), (1, false));
        // The victim keeps a capability to its handler's task, so that must be revoked.
        SCRATCH.revoke(crate::harness::thread_slot(HANDLER)).expect("it is there");
        end_thread(HANDLER);
        assert!(is_stopped(task));
        assert_eq!(task.read_registers(16).map(|[rip, ..]| rip), Ok(address(undefined, 0)));
        end_thread(VICTIM);
    });
}

fn a_task_whose_answer_is_deleted_is_stopped() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, defer_entry, CONTEXT);
        let task = start_victim(undefined, 0, handler);
        assert_eq!((faults(), is_stopped(task)), (1, false));
        SCRATCH.delete(2).expect("the reply capability is there");
        assert!(is_stopped(task));
        end_thread(VICTIM);
        handler.end();
    });
}

fn a_handler_that_faults_is_stopped_with_the_task_it_handles() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, fault_for_good_entry, CONTEXT);
        let callee = start_server(1, fault_and_answer_entry, 0);
        handle_faults_of(callee.task, handler);
        assert_eq!(system_call(callee.near(), CALL, [0; 4]), Err(Error::CalleeFaulted));
        assert!([callee, handler].into_iter().all(|server| is_stopped(server.task)));
        assert_eq!(faults(), 1);
        callee.end();
        handler.end();
    });
}

/// Faults, and answers the fault that it handles when it was mended.
fn fault_and_skip(context: u64, message: &mut Words) {
    note(context, message);
    // SAFETY: the fault handler's own handler skips the instruction, which does nothing.
    unsafe { core::arch::asm!("ud2") };
    let [.., rip] = *message;
    *message = [FaultAnswer::ResumeAt as u64, rip + 2, 0, 0];
}

service!(fn fault_and_skip_entry = fault_and_skip);

fn a_handler_with_a_handler_of_its_own_goes_on() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, fault_and_skip_entry, CONTEXT);
        let handlers_handler = start_server(1, skip_entry, CONTEXT);
        handle_faults_of(handler.task, handlers_handler);
        start_victim(undefined, 0, handler);
        assert_eq!((faults(), times_done()), (2, 1));
        end_thread(VICTIM);
        handler.end();
        handlers_handler.end();
    });
}

fn a_task_is_not_its_own_handler() {
    with_scratch(|| {
        forget_faults();
        let callee = start_server(1, fault_and_answer_entry, 0);
        handle_faults_of(callee.task, callee);
        assert_eq!(system_call(callee.near(), CALL, [0; 4]), Err(Error::CalleeFaulted));
        assert!(is_stopped(callee.task));
        // It has a capability to itself, which would keep it alive.
        SCRATCH.revoke(crate::harness::thread_slot(1)).expect("it is there");
        assert_eq!(system_call(callee.near(), CALL, [0; 4]), Err(Error::InvalidCapability));
        end_thread(1);
    });
}

/// Calls server 1, for whose faults it is the handler.
fn call_the_next(context: u64, message: &mut Words) {
    note(context, message);
    let result = system_call(server(1).near(), CALL, [0; 4]);
    *message = [result.map_or_else(status, |[word, ..]| word), 0, 0, 0];
}

service!(fn call_the_next_entry = call_the_next);

fn a_task_that_serves_its_handler_is_stopped_when_it_faults() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, call_the_next_entry, CONTEXT);
        let callee = start_server(1, fault_and_answer_entry, 0);
        handle_faults_of(callee.task, handler);
        assert_eq!(system_call(handler.near(), CALL, [0; 4]), Ok([status(Error::CalleeFaulted), 0, 0, 0]));
        assert!(is_stopped(callee.task));
        assert_eq!(faults(), 1, "the call, and no fault");
        callee.end();
        handler.end();
    });
}

static GOES_ON: AtomicU64 = AtomicU64::new(0);

/// Destroys the task whose fault it handles.
fn destroy_it(context: u64, message: &mut Words) {
    note(context, message);
    end_thread(VICTIM);
    GOES_ON.fetch_add(1, Relaxed);
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn destroy_it_entry = destroy_it);

fn a_task_that_is_destroyed_while_it_is_handled_gets_no_answer() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, destroy_it_entry, CONTEXT);
        start_victim(undefined, 0, handler);
        assert_eq!((faults(), GOES_ON.swap(0, Relaxed), times_done()), (1, 1, 0));
        assert_eq!(flatmk_runtime::object::identify(VICTIM_TASK), Err(Error::InvalidCapability));
        // It is ready for the next.
        start_victim(undefined, 0, handler);
        assert_eq!((faults(), GOES_ON.swap(0, Relaxed)), (2, 1));
        handler.end();
    });
}

fn those_who_wait_for_a_task_that_is_not_mended_are_told() {
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Stop, 0);
        let callee = start_server(1, fault_after_a_while_entry, 0);
        handle_faults_of(callee.task, handler);
        (2..=4).for_each(|client| start_client(client, callee.near()));
        yield_once();
        assert_eq!([2, 3, 4].map(outcome), [PENDING; 3]);
        yield_often();
        assert_eq!([2, 3, 4].map(outcome), [status(Error::CalleeFaulted); 3]);
        assert_eq!((faults(), is_stopped(callee.task)), (1, true));
        (2..=4).for_each(end_thread);
        callee.end();
        handler.end();
    });
}

fn fault_after_a_while(context: u64, message: &mut Words) {
    (0..5).for_each(|_| server(1).task.yield_now().expect("a thread may yield"));
    fault_for_good_quietly(context, message);
}

fn fault_for_good_quietly(_: u64, _: &mut Words) {
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}

service!(fn fault_after_a_while_entry = fault_after_a_while);
