//! Calls between native and RISC-V code, in every direction: who waits, who goes on, and with what.

use flatmk_abi::{Access, Error, Kind, Operation as Call, Rights, Words, slots};
use flatmk_runtime::object::{AddressSpace, Endpoint, Frame, Interrupts, OWN_TABLE, Table, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::*;

use crate::entering::reverse_entry;
use crate::guest::*;
use crate::harness::{SCRATCH, at, make, stack_top, thread_slot};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    native_code_calls_a_guest,
    native_code_calls_a_guest_in_another_space,
    a_guest_calls_native_code,
    a_guest_in_another_space_calls_native_code,
    a_guest_calls_a_guest,
    calls_go_through_guests_and_native_code,
    a_guest_begins_at_its_entry_with_its_stack_and_keeps_other_registers,
    a_guest_that_is_busy_serves_one_after_the_other,
    a_guest_waits_for_its_turn,
    a_call_that_does_not_wait_is_refused_by_a_busy_guest,
    a_guest_gets_no_answer_from_itself,
    a_guest_answers_later,
    a_guest_that_was_stopped_while_it_waited_for_calls_can_be_called_again,
    the_timer_calls_a_guest,
];

const MESSAGES: [Words; 3] =
    [[1, 2, 3, 4], [u64::MAX, 1 << 63, 0, 0x0123_4567_89ab_cdef], [1 << 32, 0xffff_ffff, 1 << 31, 7]];

/// Answers with the context word and three words of the message, exclusive or and the other way round.
fn load_mixer(offset: u32) {
    let mut code = Assembler::at(offset);
    code.op(Xor, S0, A2, A0, 0).op(Xor, S1, A3, A1, 0);
    code.mv(A2, T3).mv(A3, T4).mv(T3, S0).mv(T4, S1);
    code.mv(S0, A4).mv(S1, A5).mv(A4, A6).mv(A5, A7).mv(A6, S0).mv(A7, S1).ret().load();
}

const CONTEXT: u64 = 0xfedc_ba98_7654_3210;

#[track_caller]
fn check_mixer(thread: u64) {
    for endpoint in [near(thread), far(thread)] {
        for [a, b, c, d] in MESSAGES {
            let answer = [d, c, b, a ^ CONTEXT];
            assert_eq!(endpoint.call([a, b, c, d]), Ok(answer));
            assert_eq!(endpoint.call_without_waiting([a, b, c, d]), Ok(answer));
            assert_eq!(endpoint.call_with_window([a, b, c, d], 0), Ok((answer, 0)));
        }
    }
}

fn native_code_calls_a_guest() {
    on_stage(|| {
        with_guests(|| {
            load_mixer(0);
            guest_server(0, 20, 0, CONTEXT);
            check_mixer(0);
        });
    });
}

/// Slots of the scratch table for another space, and for the table of its tasks.
const SPACE: u64 = 52;
const OTHER_TABLE: u64 = 53;
/// Slots of that table with the frames.
const FRAMES: u64 = 8;

/// Makes a space with the guests' code and data, and a table for its tasks, which holds that as well.
pub(crate) fn make_space() -> (AddressSpace, Table) {
    let (space, table) = (AddressSpace(make(Kind::AddressSpace, SPACE)), Table(make(Kind::Table, OTHER_TABLE)));
    for page in 0..PAGES {
        let code = table.0 * 64 + FRAMES + page;
        table.copy(FRAMES + page, code_frame(page).0, Rights::all()).expect("a free slot");
        table.copy(FRAMES + PAGES + page, data_frame(page).0, Rights::all()).expect("a free slot");
        let offset = page * 4096;
        space.map(Frame(code), u64::from(CODE) + offset, Access::ReadExecute).expect("it is empty");
        space.map(Frame(code + PAGES), u64::from(DATA) + offset, Access::ReadWrite).expect("it is empty");
    }
    (space, table)
}

/// Lets guests in that space see what has become of their code.
pub(crate) fn forget_elsewhere() {
    let frame = Frame(at(OTHER_TABLE) * 64 + FRAMES);
    frame.unmap().unwrap_or_default();
    AddressSpace(at(SPACE)).map(frame, CODE.into(), Access::ReadExecute).unwrap_or_default();
}

/// Makes a guest with a space and a table of its own, and endpoints. Native code it has none.
pub(crate) fn guest_elsewhere(thread: u64, priority: u8, offset: u32, context: u64) -> (Task, Table) {
    let (space, table) = make_space();
    let task = Task(make(Kind::Task, thread_slot(thread)));
    task.configure(table, space, stack_top(thread)).expect("it is new");
    task.set_priority(priority).expect("the root task is the most urgent");
    give_hart(thread, task);
    make_endpoints(task, thread, offset, context);
    (task, table)
}

/// The end of a guest's start.
pub(crate) const START: u32 = 2048;

pub(crate) fn start_elsewhere(task: Task) {
    Assembler::at(START).ret().load();
    task.start(entry_at(CODE + START), 0).expect("it has a hart");
    let_run(1);
}

fn native_code_calls_a_guest_in_another_space() {
    on_stage(|| {
        with_guests(|| {
            load_mixer(0);
            let (task, _) = guest_elsewhere(0, 20, 0, CONTEXT);
            start_elsewhere(task);
            check_mixer(0);
        });
    });
}

/// Answers of whoever reverses messages.
#[track_caller]
fn check_reversed(through: u64) {
    for message in MESSAGES {
        let mut answer = message;
        answer.reverse();
        assert_eq!(near(through).call(message), Ok(answer));
        assert_eq!(far(through).call(message), Ok(answer));
    }
}

fn a_guest_calls_native_code() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 20, reverse_entry, 0);
            guest_server(0, 20, 0, 0);
            for endpoint in [near(1), far(1)] {
                Assembler::new().pass_on(endpoint.0).load();
                check_reversed(0);
            }
        });
    });
}

fn a_guest_in_another_space_calls_native_code() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 20, reverse_entry, 0);
            let (task, table) = guest_elsewhere(0, 20, 0, 0);
            table.copy(40, near(1).0, Rights::CALL).expect("a free slot");
            Assembler::new().pass_on(40).load();
            start_elsewhere(task);
            check_reversed(0);
        });
    });
}

fn a_guest_calls_a_guest() {
    on_stage(|| {
        with_guests(|| {
            load_mixer(1024);
            guest_server(1, 20, 1024, CONTEXT);
            guest_server(0, 20, 0, 0);
            for endpoint in [near(1), far(1)] {
                Assembler::new().pass_on(endpoint.0).load();
                check_mixer(0);
            }
        });
    });
}

/// Passes the message on to the server whose number is the context.
fn pass_on(context: u64, message: &mut Words) {
    *message = near(context).call(*message).unwrap_or([0; 4]);
}

service!(pub(crate) fn pass_on_entry = pass_on);

fn calls_go_through_guests_and_native_code() {
    on_stage(|| {
        with_guests(|| {
            // Guest 0, native 1, guest 2, guest 3 in another space, native 4.
            serve(4, 20, reverse_entry, 0);
            let (task, table) = guest_elsewhere(3, 20, 0, 0);
            table.copy(40, near(4).0, Rights::CALL).expect("a free slot");
            Assembler::new().pass_on(40).load();
            start_elsewhere(task);
            Assembler::at(256).pass_on(near(3).0).load();
            guest_server(2, 20, 256, 0);
            serve(1, 20, pass_on_entry, 2);
            Assembler::at(512).pass_on(near(1).0).load();
            guest_server(0, 20, 512, 0);
            (0..100).for_each(|_| check_reversed(0));
        });
    });
}

fn a_guest_begins_at_its_entry_with_its_stack_and_keeps_other_registers() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.mv(A2, SP).mv(A3, S0).mv(A4, T0).mv(A5, RA);
            code.li(SP, 1).li(S0, 2).li(T0, 3).li(RA, 4).ret().load();
            guest_server(0, 20, 0, 0);
            let first = [u64::from(STACK), 0, 3, 4];
            let then = [u64::from(STACK) | 2 << 32, 4 << 32, 3, 4];
            assert_eq!(near(0).call([1, 2, 3, 4]), Ok(first));
            assert_eq!(near(0).call([1, 2, 3, 4]), Ok(then));
            assert_eq!(far(0).call([1, 2, 3, 4]), Ok(then));
        });
    });
}

extern "C" fn call_and_log(argument: u64) {
    let (thread, endpoint) = (argument & 0xff, argument >> 8);
    log(outcome(Endpoint(endpoint).call([thread, 0, 0, 0])));
    finish(thread);
}

/// Starts a thread that calls an endpoint with its number, and notes the first word of the answer, or the status.
pub(crate) fn start_caller(thread: u64, priority: u8, endpoint: Endpoint) {
    start(thread, priority, call_and_log, thread | endpoint.0 << 8);
}

/// Waits for a notification in slot `OBJECT` before it answers with the message and 100 more.
pub(crate) fn load_door(offset: u32) {
    let mut code = Assembler::at(offset);
    code.mv(S0, A2).message([u64::MAX, 0, 0, 0]).call(at(OBJECT), Call::Wait);
    code.mv(A2, S0).add(A2, 100).li(A3, 0).ret().load();
}

fn a_guest_that_is_busy_serves_one_after_the_other() {
    on_stage(|| {
        with_guests(|| {
            load_door(0);
            let door = notification(OBJECT);
            guest_server(0, 20, 0, 0);
            start_caller(4, 20, near(0));
            start_caller(5, 20, far(0));
            start_caller(6, 20, near(0));
            let_run(2);
            check_log(&[]);
            for expected in [104, 105, 106] {
                door.signal(1).expect("a bit");
                let_run(2);
                check_log(&[expected]);
            }
        });
    });
}

fn a_guest_waits_for_its_turn() {
    on_stage(|| {
        with_guests(|| {
            load_door(0);
            let door = notification(OBJECT);
            guest_server(0, 20, 0, 0);
            Assembler::at(1024).pass_on(near(0).0).load();
            Assembler::at(1280).pass_on(far(0).0).load();
            guest_server(1, 20, 1024, 0);
            guest_server(2, 20, 1280, 0);
            start_caller(4, 20, near(0));
            start_caller(5, 20, near(1));
            start_caller(6, 20, near(2));
            let_run(2);
            for expected in [104, 105, 106] {
                check_log(&[]);
                door.signal(1).expect("a bit");
                let_run(2);
                check_log(&[expected]);
            }
        });
    });
}

fn a_call_that_does_not_wait_is_refused_by_a_busy_guest() {
    on_stage(|| {
        with_guests(|| {
            load_door(0);
            let door = notification(OBJECT);
            guest_server(0, 20, 0, 0);
            let flags = Call::Call as u64 | flatmk_abi::FLAG_NO_WAIT;
            Assembler::at(1024).call_with_flags(near(0).0, flags).status_if_failed().ret().load();
            guest_server(1, 20, 1024, 0);
            start_caller(4, 20, near(0));
            let_run(2);
            assert_eq!(near(0).call_without_waiting([0; 4]), Err(Error::Busy));
            assert_eq!(outcome(near(1).call([0; 4])), status(Error::Busy));
            door.signal(1).expect("a bit");
            let_run(2);
            check_log(&[104]);
            door.signal(1).expect("a bit");
            assert_eq!(outcome(near(1).call([7, 0, 0, 0])), 107);
        });
    });
}

fn a_guest_gets_no_answer_from_itself() {
    on_stage(|| {
        with_guests(|| {
            // By itself, and by another one.
            Assembler::new().pass_on(near(0).0).load();
            Assembler::at(1024).pass_on(far(2).0).load();
            Assembler::at(1280).pass_on(near(1).0).load();
            for (thread, offset) in [(0, 0), (1, 1024), (2, 1280)] {
                guest_server(thread, 20, offset, 0);
            }
            assert_eq!(outcome(near(0).call([0; 4])), status(Error::WouldDeadlock));
            assert_eq!(outcome(near(1).call([0; 4])), status(Error::WouldDeadlock));
            assert_eq!(outcome(near(2).call([0; 4])), status(Error::WouldDeadlock));
        });
    });
}

/// Where a guest that answers later keeps the capability to do so.
const DEFERRED: u64 = 2;

fn a_guest_answers_later() {
    on_stage(|| {
        with_guests(|| {
            // A call from thread 4 is put away; any other call answers that.
            let mut later = Assembler::at(512);
            later
                .message([55, 6, 7, 8])
                .call(at(DEFERRED), Call::Reply)
                .mv(A2, A0)
                .op(Srai, A3, A0, 0, 31)
                .ret()
                .load();
            let mut code = Assembler::new();
            code.li(S0, 4).branch(Bne, A2, S0, CODE + 512);
            code.message([DEFERRED, slots::REPLY, 0, 0]).call(SCRATCH.0, Call::Move).ret().load();
            guest_server(0, 20, 0, 0);
            Assembler::at(1024).pass_on(near(0).0).load();
            guest_server(1, 20, 1024, 0);
            // A native caller, and a guest.
            for caller in [0, 1] {
                start_caller(4, 20, near(caller));
                let_run(2);
                check_log(&[]);
                assert_eq!(outcome(near(0).call([5, 0, 0, 0])), 0);
                let_run(2);
                check_log(&[55]);
                assert_eq!(outcome(near(0).call([5, 0, 0, 0])), status(Error::InvalidCapability), "once");
                SCRATCH.delete(thread_slot(4)).expect("the caller is there");
            }
        });
    });
}

fn a_guest_that_was_stopped_while_it_waited_for_calls_can_be_called_again() {
    on_stage(|| {
        with_guests(|| {
            load_mixer(0);
            let task = guest_server(0, 20, 0, CONTEXT);
            for _ in 0..3 {
                check_mixer(0);
                task.stop().expect("it is not stopped");
                assert_eq!(near(0).call([0; 4]), Err(Error::InvalidState));
                task.resume().expect("it is stopped");
                check_mixer(0);
            }
        });
    });
}

fn the_timer_calls_a_guest() {
    on_stage(|| {
        with_guests(|| {
            // It counts, and notes the line and its context.
            let mut code = Assembler::new();
            code.mv(S2, A2).mv(S3, A0).count(0, [S0, S1]).store(S2, 4, S0).store(S3, 8, S0).ret().load();
            guest_server(0, 40, 0, 99);
            write_data(4, 77);
            Interrupts(slots::INTERRUPTS).bind(0, Some(near(0))).expect("nothing is bound to it");
            let_run(20);
            Interrupts(slots::INTERRUPTS).bind(0, None).expect("it is bound");
            let_run(1);
            let count = read_data(0);
            assert!((10..=25).contains(&count), "{count} times in 20 ms");
            assert_eq!([read_data(4), read_data(8)], [0, 99]);
            let_run(5);
            assert_eq!(read_data(0), count);
            OWN_TABLE.delete(near(0).0).expect("it is there");
        });
    });
}
