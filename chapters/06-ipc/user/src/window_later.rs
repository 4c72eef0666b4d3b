//! The window where a caller waits for its turn, and where an answer comes later.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, FaultAnswer, Kind, MissingCapability, Operation, Rights, Words};
use flatmk_runtime::object::{Endpoint, OWN_SPACE, OWN_TABLE, Table, Task, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::faults::{defer_entry, yield_often};
use crate::harness::{SCRATCH, at, end_thread, idle, make, stack_top, start_thread, with_scratch, yield_once};
use crate::order::{forget_log, is_open, set_open};
use crate::porter::{Job, Porter, empty_window, fill_window, flags, kinds_in_window, start_porter};
use crate::registers::{call_with_window, system_call};
use crate::servers::{CALL, server, start_client, start_server, status};
use crate::victims::{address, faults, forget_faults, undefined};
use crate::window::{TASK_KIND, each};

pub(crate) const TESTS: &[Test] = tests![
    a_window_moves_when_the_callers_turn_comes,
    a_window_that_cannot_move_when_the_turn_comes_ends_the_call,
    a_reply_moves_capabilities_as_a_return_does,
    a_reply_capability_does_not_move_with_its_own_answer,
    an_answer_to_a_fault_moves_capabilities_and_no_register_tells,
];

/// What came back to the thread that calls the porter.
static BACK: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

extern "C" fn call_porter(argument: u64) {
    let (window, pointer) = (argument >> 32, argument & 0xffff_ffff);
    let result = call_with_window(pointer, CALL | flags(window), [0; 4]);
    BACK[0].store(result.map_or_else(status, |([told, ..], _)| told), Relaxed);
    BACK[1].store(1, Relaxed);
    idle(server(2).task)
}

/// The porter is kept from its calls: it waits at a door, which it calls itself.
fn with_busy_porter(while_busy: impl FnOnce(Porter), afterwards: impl FnOnce(Porter)) {
    with_scratch(|| {
        set_open(false);
        let porter = start_porter();
        // Another entry of the porter, at which it waits.
        porter.task.make_endpoint(door_of_porter_entry, 0, SCRATCH, 3).expect("a free slot");
        start_client(3, at(3));
        yield_once();
        BACK.iter().for_each(|word| word.store(0, Relaxed));
        while_busy(porter);
        set_open(true);
        yield_often();
        assert_eq!(BACK[1].load(Relaxed), 1);
        afterwards(porter);
        [2, 3].into_iter().for_each(end_thread);
        porter.end();
        forget_log();
    });
}

/// Lets others run until the door is open.
fn wait_as_porter(_: u64, _: &mut Words) {
    while !is_open() {
        Task(slots::SELF).yield_now().expect("a task may yield");
    }
}

service!(fn door_of_porter_entry = wait_as_porter);

fn start_caller_of_porter(near: u64, window: u64) {
    start_thread(2, call_porter, window << 32 | near);
    yield_often();
    assert_eq!(BACK[1].load(Relaxed), 0, "it waits");
}

fn a_window_moves_when_the_callers_turn_comes() {
    with_busy_porter(
        |porter| {
            start_caller_of_porter(porter.near(), 0b0101);
            // What is in the slots then is what moves.
            fill_window(0b0101, slots::SELF);
        },
        |porter| {
            assert_eq!(BACK[0].load(Relaxed), 0b0101);
            assert_eq!(kinds_in_window(), 0);
            assert_eq!(porter.call(0, Job::default()).map(|report| report.found), Ok(each(0b0101, TASK_KIND)));
        },
    );
}

fn a_window_that_cannot_move_when_the_turn_comes_ends_the_call() {
    with_busy_porter(
        |porter| {
            fill_window(0b0011, slots::SELF);
            start_caller_of_porter(porter.near(), 0b0011);
            empty_window(0b0010);
        },
        |porter| {
            assert_eq!(BACK[0].load(Relaxed), status(Error::InvalidCapability));
            assert_eq!(kinds_in_window(), TASK_KIND);
            empty_window(0b0001);
            assert_eq!(porter.call(0, Job::default()).map(|report| report.found), Ok(0), "it is ready for others");
        },
    );
}

/// Moves the reply capability into slot 61 of the window, and answers nothing.
fn keep_reply(_: u64, _: &mut Words) {
    OWN_TABLE.move_here(WINDOW + 1, slots::REPLY).expect("a free slot");
}

service!(fn keep_reply_entry = keep_reply);

/// Calls the keeper from a task with a table of its own, and tells what came back with the answer.
#[unsafe(naked)]
extern "C" fn call_keeper() {
    core::arch::naked_asm!(
        "mov edi, 5",
        "xor esi, esi",
        "syscall",
        "mov [rip + {back}], rsi",
        "mov [rip + {back} + 8], rdx",
        "2: mov edi, 1",
        "mov esi, 2",
        "syscall",
        "jmp 2b",
        back = sym BACK,
    )
}

/// A task with a table of its own calls the keeper, which keeps the capability to return to it in slot 61.
fn with_kept_reply(test: impl FnOnce(Table)) {
    with_scratch(|| {
        let keeper = start_server(0, keep_reply_entry, 0);
        let table = Table(make(Kind::Table, 1));
        let task = Task(make(Kind::Task, 2));
        task.configure(table, OWN_SPACE, stack_top(2)).expect("a new task");
        table.copy(slots::SELF, task.0, Rights::all()).expect("a free slot");
        table.copy(5, keeper.near(), Rights::CALL).expect("a free slot");
        BACK[0].store(99, Relaxed);
        task.start(call_keeper as *const () as u64, 0).expect("a configured task");
        yield_once();
        assert_eq!(identify(WINDOW + 1), Ok((Kind::Reply, Rights::GRANT)));
        test(table);
        SCRATCH.revoke(2).expect("it is there");
        keeper.end();
    });
}

fn a_reply_moves_capabilities_as_a_return_does() {
    with_kept_reply(|table| {
        let reply = |window| system_call(WINDOW + 1, Operation::Reply as u64 | flags(window), [5, 6, 7, 8]);
        assert_eq!(reply(0b0001), Err(Error::InvalidCapability));
        OWN_TABLE.copy(WINDOW, slots::SELF, Rights::MANAGE).expect("it is empty");
        assert_eq!(reply(0b0001), Err(Error::MissingRight));
        empty_window(0b0001);
        fill_window(0b0001, slots::SELF);
        table.copy(WINDOW, slots::CONSOLE, Rights::WRITE).expect("it is empty");
        assert_eq!(reply(0b0001), Err(Error::SlotOccupied));
        table.delete(WINDOW).expect("it is there");
        assert_eq!(reply(0b0001), Ok([0; 4]));
        yield_once();
        assert_eq!(BACK.each_ref().map(|word| word.load(Relaxed)), [1, 5]);
        assert_eq!(identify(slots::nested(SCRATCH.0, 1) * 64 + WINDOW).map(|(kind, _)| kind), Ok(Kind::Task));
        assert_eq!(kinds_in_window(), 0);
    });
}

fn a_reply_capability_does_not_move_with_its_own_answer() {
    with_kept_reply(|_| {
        let reply = |window| system_call(WINDOW + 1, Operation::Reply as u64 | flags(window), [5, 6, 7, 8]);
        assert_eq!(reply(0b0010), Err(Error::InvalidCapability));
        assert_eq!(identify(WINDOW + 1).map(|(kind, _)| kind), Ok(Kind::Reply), "nothing has changed");
        assert_eq!(reply(0), Ok([0; 4]));
        yield_once();
        assert_eq!(BACK.each_ref().map(|word| word.load(Relaxed)), [0, 5]);
    });
}

fn an_answer_to_a_fault_moves_capabilities_and_no_register_tells() {
    with_scratch(|| {
        let handler = start_server(0, defer_entry, crate::victims::CONTEXT);
        forget_faults();
        let table = Table(make(Kind::Table, 1));
        let task = Task(make(Kind::Task, 3));
        task.configure(table, OWN_SPACE, stack_top(2)).expect("a new task");
        task.set_fault_handler(Some(Endpoint(handler.near())), MissingCapability::IsError).expect("an endpoint");
        task.start(address(undefined, 0), 0).expect("a configured task");
        yield_once();
        assert_eq!(faults(), 1);
        let before = task.read_registers(4);
        fill_window(0b0001, slots::SELF);
        // The deferred reply is in slot 2 of the scratch table.
        let answer = [FaultAnswer::Resume as u64, 0, 0, 0];
        assert_eq!(system_call(at(2), Operation::Reply as u64 | flags(0b0001), answer), Ok([0; 4]));
        yield_once();
        assert_eq!(faults(), 2, "it has faulted again");
        assert_eq!(task.read_registers(4), before);
        assert_eq!(identify(slots::nested(SCRATCH.0, 1) * 64 + WINDOW).map(|(kind, _)| kind), Ok(Kind::Task));
        assert_eq!(kinds_in_window(), 0);
        handler.end();
    });
}
