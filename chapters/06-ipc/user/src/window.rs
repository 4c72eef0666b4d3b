//! The window: up to four capabilities move with a call, and with the return, or none does.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Access, Error, FaultAnswer, Kind, Operation, Rights, Words};
use flatmk_runtime::object::{Endpoint, Frame, MissingCapability, OWN_SPACE, OWN_TABLE, Table, Task, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::answers::{CONTEXT, mix_entry};
use crate::faults::{defer_entry, yield_often};
use crate::harness::{SCRATCH, at, end_thread, make, stack_top, thread_slot, with_scratch, yield_once};
use crate::order::{forget_log, is_open, set_open};
use crate::porter::{Job, Report, empty_window, fill_window, flags, kinds_in_window, split_into_window, start_porter};
use crate::registers::{call_with_window, system_call};
use crate::servers::{CALL, finish, server, start_client, start_server, status};

pub(crate) const TESTS: &[Test] = tests![
    slots_that_are_named_move_to_the_callee,
    slots_that_an_answer_names_move_to_the_caller,
    slots_that_are_not_named_stay,
    a_window_needs_the_transfer_right,
    an_empty_slot_is_refused_and_nothing_moves,
    a_capability_without_grant_right_does_not_move,
    a_slot_that_is_occupied_is_refused_and_nothing_moves,
    memory_does_not_move_into_a_table_of_its_own_pages,
    an_answer_that_cannot_move_is_refused_and_the_callee_goes_on,
    a_window_without_a_caller_is_refused,
    within_one_table_nothing_moves,
    a_window_moves_when_the_callers_turn_comes,
    a_window_that_cannot_move_when_the_turn_comes_ends_the_call,
    a_capability_that_moves_keeps_its_mapping_and_its_place,
    an_endpoint_can_move_with_the_call_to_it,
    a_reply_moves_capabilities_as_a_return_does,
    a_reply_capability_does_not_move_with_its_own_answer,
    an_answer_to_a_fault_moves_capabilities_and_no_register_tells,
];

const TASK_KIND: u64 = Kind::Task as u64;
const FRAME_KIND: u64 = Kind::Frame as u64;

/// A kind for each of these slots.
fn each(bits: u64, kind: u64) -> u64 {
    (0..4).filter(|bit| bits >> bit & 1 != 0).map(|bit| kind << (8 * bit)).sum()
}

fn slots_that_are_named_move_to_the_callee() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        for bits in 1..16 {
            fill_window(bits, at(1));
            let report = porter.call(bits, Job::default());
            assert_eq!(report, Ok(Report { told: bits, found: each(bits, FRAME_KIND), refused: None, back: 0 }));
            assert_eq!(kinds_in_window(), 0);
            let report = porter.call(0, Job { delete: bits, ..Job::default() });
            assert_eq!(report, Ok(Report { told: 0, found: 0, refused: None, back: 0 }));
        }
        porter.end();
    });
}

fn slots_that_an_answer_names_move_to_the_caller() {
    with_scratch(|| {
        let porter = start_porter();
        for bits in 1..16 {
            let report = porter.call(0, Job { fill: bits, give: bits, ..Job::default() });
            assert_eq!(report, Ok(Report { told: 0, found: 0, refused: None, back: bits }));
            assert_eq!(kinds_in_window(), each(bits, TASK_KIND));
            // There and back, all at once.
            let report = porter.call(bits, Job { give: bits, ..Job::default() });
            assert_eq!(report, Ok(Report { told: bits, found: each(bits, TASK_KIND), refused: None, back: bits }));
            empty_window(bits);
        }
        porter.end();
    });
}

fn slots_that_are_not_named_stay() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        fill_window(0b1111, at(1));
        let report = porter.call(0b0110, Job { fill: 0b1001, give: 0, ..Job::default() });
        assert_eq!(report, Ok(Report { told: 0b0110, found: each(0b0110, FRAME_KIND), refused: None, back: 0 }));
        assert_eq!(kinds_in_window(), each(0b1001, FRAME_KIND));
        // With the flags of no slot, nothing moves.
        let report = porter.call(0, Job { delete: 0b0110, ..Job::default() });
        assert_eq!(report, Ok(Report { told: 0, found: each(0b1001, TASK_KIND), refused: None, back: 0 }));
        empty_window(0b1001);
        porter.end();
    });
}

fn a_window_needs_the_transfer_right() {
    with_scratch(|| {
        let porter = start_porter();
        OWN_TABLE.copy(43, porter.near(), Rights::all().difference(Rights::TRANSFER)).expect("a free slot");
        fill_window(0b0001, slots::SELF);
        assert_eq!(porter.call_through(43, 0b0001, Job::default()), Err(Error::MissingRight));
        assert_eq!(kinds_in_window(), TASK_KIND);
        let report = porter.call_through(43, 0, Job { fill: 0b0010, give: 0b0010, ..Job::default() });
        assert_eq!(report.map(|report| report.back), Ok(0b0010), "the answer needs no such right");
        // A task capability without the right gives an endpoint without it.
        SCRATCH.copy(1, porter.task.0, Rights::all().difference(Rights::TRANSFER)).expect("a free slot");
        Task(at(1)).make_endpoint(mix_entry, 0, SCRATCH, 2).expect("a free slot");
        let expected = Rights::CALL | Rights::GRANT | Rights::MANAGE;
        assert_eq!(identify(at(2)), Ok((Kind::Endpoint, expected)));
        empty_window(0b0011);
        OWN_TABLE.delete(43).expect("it is there");
        porter.end();
    });
}

fn an_empty_slot_is_refused_and_nothing_moves() {
    with_scratch(|| {
        let porter = start_porter();
        fill_window(0b1011, slots::SELF);
        assert_eq!(porter.call(0b1111, Job::default()), Err(Error::InvalidCapability));
        assert_eq!(kinds_in_window(), each(0b1011, TASK_KIND));
        let report = porter.call(0, Job::default());
        assert_eq!(report, Ok(Report { told: 0, found: 0, refused: None, back: 0 }));
        empty_window(0b1011);
        porter.end();
    });
}

fn a_capability_without_grant_right_does_not_move() {
    with_scratch(|| {
        let porter = start_porter();
        fill_window(0b0001, slots::SELF);
        OWN_TABLE.copy(WINDOW + 1, slots::SELF, Rights::all().difference(Rights::GRANT)).expect("it is empty");
        assert_eq!(porter.call(0b0011, Job::default()), Err(Error::MissingRight));
        assert_eq!(kinds_in_window(), each(0b0011, TASK_KIND));
        empty_window(0b0011);
        porter.end();
    });
}

fn a_slot_that_is_occupied_is_refused_and_nothing_moves() {
    with_scratch(|| {
        let porter = start_porter();
        porter.call(0, Job { fill: 0b1000, ..Job::default() }).expect("it is ready");
        make(Kind::Frame, 1);
        fill_window(0b1111, at(1));
        assert_eq!(porter.call(0b1111, Job::default()), Err(Error::SlotOccupied));
        assert_eq!(kinds_in_window(), each(0b1111, FRAME_KIND));
        let report = porter.call(0b0111, Job::default());
        assert_eq!(report.map(|report| report.found), Ok(each(0b0111, FRAME_KIND) + each(0b1000, TASK_KIND)));
        empty_window(0b1000);
        porter.end();
    });
}

/// The memory from which the callee's table was made would come into that table.
fn memory_does_not_move_into_a_table_of_its_own_pages() {
    with_scratch(|| {
        let table = Table(split_into_window(0));
        let task = Task(make(Kind::Task, thread_slot(2)));
        task.configure(table, OWN_SPACE, stack_top(2)).expect("a new task");
        task.make_endpoint(mix_entry, CONTEXT, OWN_TABLE, server(2).near()).expect("a free slot");
        task.start(finish as *const () as u64, 0).expect("a configured task");
        yield_once();
        let call = |window| call_with_window(server(2).near(), CALL | flags(window), [0; 4]).map(|(words, _)| words);
        assert_eq!(call(0b0001), Err(Error::InvalidState));
        assert_eq!(kinds_in_window(), Kind::Memory as u64);
        assert_eq!(call(0), Ok([CONTEXT, 0, 0, !0]));
        OWN_TABLE.delete(server(2).near()).expect("it is there");
        // The table goes with its memory.
        empty_window(0b0001);
        assert_eq!(identify(table.0), Err(Error::InvalidCapability));
    });
}

fn an_answer_that_cannot_move_is_refused_and_the_callee_goes_on() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        // Nothing in the callee's slot; then something in the caller's.
        let report = porter.call(0, Job { fill: 0b0001, give: 0b0011, ..Job::default() });
        let expected = Report { told: 0, found: 0, refused: Some(Error::InvalidCapability), back: 0 };
        assert_eq!(report, Ok(expected));
        fill_window(0b0001, at(1));
        let report = porter.call(0, Job { fill: 0b0010, give: 0b0011, ..Job::default() });
        let expected = Report { told: 0, found: each(0b0001, TASK_KIND), refused: Some(Error::SlotOccupied), back: 0 };
        assert_eq!(report, Ok(expected));
        assert_eq!(kinds_in_window(), FRAME_KIND);
        // A capability that may not be granted.
        porter.call(0, Job { delete: 0b0011, ..Job::default() }).expect("it is ready");
        porter.table.copy(WINDOW + 2, slots::SELF, Rights::MANAGE).expect("it is empty");
        let report = porter.call(0, Job { give: 0b0100, ..Job::default() });
        let expected = Report { told: 0, found: each(0b0100, TASK_KIND), refused: Some(Error::MissingRight), back: 0 };
        assert_eq!(report, Ok(expected));
        empty_window(0b0001);
        porter.end();
    });
}

static STATUS: AtomicU64 = AtomicU64::new(0);

/// The end of a start, with a window.
extern "C" fn finish_with_window(_: u64) {
    let result = system_call(slots::REPLY, Operation::Return as u64 | flags(0b0001), [0; 4]);
    STATUS.store(result.map_or_else(status, |_| 0), Relaxed);
    flatmk_runtime::finish_start()
}

fn a_window_without_a_caller_is_refused() {
    with_scratch(|| {
        crate::harness::start_thread(2, finish_with_window, 0);
        yield_once();
        assert_eq!(STATUS.load(Relaxed), status(Error::InvalidState));
        end_thread(2);
    });
}

fn within_one_table_nothing_moves() {
    with_scratch(|| {
        let mixer = start_server(0, mix_entry, CONTEXT);
        fill_window(0b0001, slots::SELF);
        for bits in [0b0001, 0b0011] {
            let answer = call_with_window(mixer.near(), CALL | flags(bits), [0; 4]);
            assert_eq!(answer, Ok(([CONTEXT, 0, 0, !0], 0)), "not even an empty slot is an error");
            assert_eq!(kinds_in_window(), TASK_KIND);
        }
        empty_window(0b0001);
        mixer.end();
    });
}

/// What came back to the thread that calls the porter.
static BACK: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

extern "C" fn call_porter(argument: u64) {
    let (window, pointer) = (argument >> 32, argument & 0xffff_ffff);
    let result = call_with_window(pointer, CALL | flags(window), [0; 4]);
    BACK[0].store(result.map_or_else(status, |([told, ..], _)| told), Relaxed);
    BACK[1].store(1, Relaxed);
    crate::harness::idle(server(2).task)
}

/// The porter is kept from its calls: it waits at a door, which it calls itself.
fn with_busy_porter(while_busy: impl FnOnce(crate::porter::Porter), afterwards: impl FnOnce(crate::porter::Porter)) {
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
    crate::harness::start_thread(2, call_porter, window << 32 | near);
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

const ADDRESS: u64 = 0x7001_0000;

fn a_capability_that_moves_keeps_its_mapping_and_its_place() {
    with_scratch(|| {
        let porter = start_porter();
        make(Kind::Frame, 1);
        fill_window(0b0001, at(1));
        OWN_SPACE.map(Frame(WINDOW), ADDRESS, Access::ReadWrite).expect("nothing is mapped there");
        let place = core::ptr::with_exposed_provenance_mut::<u64>(ADDRESS as usize);
        // SAFETY: the page is mapped there, writable.
        unsafe { place.write_volatile(77) };
        porter.call(0b0001, Job::default()).expect("the porter is ready");
        // SAFETY: the page is still mapped.
        assert_eq!(unsafe { place.read_volatile() }, 77);
        assert_eq!(Frame(porter.in_window(0)).protect(Access::Read), Ok(()), "it is mapped by this capability");
        // It is derived from the first, as before.
        SCRATCH.revoke(1).expect("it is there");
        assert_eq!(porter.call(0, Job::default()).map(|report| report.found), Ok(0));
        OWN_SPACE.map(Frame(at(1)), ADDRESS, Access::Read).expect("nothing is mapped there any more");
        porter.end();
    });
}

fn an_endpoint_can_move_with_the_call_to_it() {
    with_scratch(|| {
        let porter = start_porter();
        fill_window(0b0001, porter.near());
        let report = porter.call_through(WINDOW, 0b0001, Job { give: 0b0001, ..Job::default() });
        let expected = Report { told: 1, found: Kind::Endpoint as u64, refused: None, back: 1 };
        assert_eq!(report, Ok(expected));
        empty_window(0b0001);
        porter.end();
    });
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
        crate::victims::forget_faults();
        let table = Table(make(Kind::Table, 1));
        let task = Task(make(Kind::Task, 3));
        task.configure(table, OWN_SPACE, stack_top(2)).expect("a new task");
        task.set_fault_handler(Some(Endpoint(handler.near())), MissingCapability::IsError).expect("an endpoint");
        task.start(crate::victims::address(crate::victims::undefined, 0), 0).expect("a configured task");
        yield_once();
        assert_eq!(crate::victims::faults(), 1);
        let before = task.read_registers(4);
        fill_window(0b0001, slots::SELF);
        // The deferred reply is in slot 2 of the scratch table.
        let answer = [FaultAnswer::Resume as u64, 0, 0, 0];
        assert_eq!(system_call(at(2), Operation::Reply as u64 | flags(0b0001), answer), Ok([0; 4]));
        yield_once();
        assert_eq!(crate::victims::faults(), 2, "it has faulted again");
        assert_eq!(task.read_registers(4), before);
        assert_eq!(identify(slots::nested(SCRATCH.0, 1) * 64 + WINDOW).map(|(kind, _)| kind), Ok(Kind::Task));
        assert_eq!(kinds_in_window(), 0);
        handler.end();
    });
}
