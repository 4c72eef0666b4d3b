//! Native code enters RISC-V code of its own task, and comes back.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, FLAG_NO_WAIT, FLAGS_WINDOW, FaultAnswer, FaultReason, Operation as Call, Words, slots};
use flatmk_runtime::object::{Endpoint, OWN_TABLE, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::*;

use crate::guest::*;
use crate::handlers::*;
use crate::registers::{call_with_window, system_call};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    the_message_comes_and_the_answer_goes_back,
    registers_that_a_call_keeps_are_kept,
    registers_that_no_message_comes_in_are_as_they_were_left,
    a_task_without_a_hart_faults_at_the_entry,
    code_that_was_entered_cannot_be_entered,
    flags_are_refused,
    a_window_in_the_answer_is_refused,
    code_is_entered_ten_thousand_times,
    a_server_enters_code_while_it_serves,
    code_that_was_entered_calls_others,
    a_task_that_was_stopped_while_entered_starts_afresh,
    a_task_that_was_stopped_while_entered_goes_on,
    a_fault_of_code_that_was_entered_is_mended,
    a_fault_of_code_that_was_entered_stops_the_task,
];

/// The endpoints of a thread.
fn both(thread: u64) -> [Endpoint; 2] {
    [near(thread), far(thread)]
}

/// Enters with a message in both ways, and notes the answers.
extern "C" fn enter(thread: u64) {
    for endpoint in both(thread) {
        match endpoint.call([1, 2 << 32, 3, u64::MAX]) {
            Ok(answer) => answer.into_iter().for_each(log),
            Err(error) => log(status(error)),
        }
    }
    finish(thread);
}

/// Makes a thread with a hart and endpoints for its own code. It is not started.
fn prepare_to_enter(thread: u64, body: extern "C" fn(u64), context: u64) -> Task {
    let task = prepare(thread, 20, body, thread);
    give_hart(thread, task);
    make_endpoints(task, thread, 0, context);
    task
}

/// Starts a thread that enters its code, and lets it come to its end.
fn run_to_enter(body: extern "C" fn(u64), context: u64) -> Task {
    let task = prepare_to_enter(0, body, context);
    task.start(entry(), 0).expect("it is configured");
    let_run(2);
    task
}

fn the_message_comes_and_the_answer_goes_back() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            // The answer: the context word, the sum of two words, the stack pointer, the upper half of the last word.
            code.op(Add, S0, A2, A6, 0).op(Add, S1, A5, A7, 0).mv(A2, A0).mv(A3, A1);
            code.mv(A4, S0).mv(A5, S1).mv(A6, SP).li(A7, 0).mv(T3, T4).li(T4, 0).ret().load();
            run_to_enter(enter, 0x1234_5678_9abc_def0);
            let answer = [0x1234_5678_9abc_def0, 4 | 2 << 32, STACK.into(), 0xffff_ffff];
            check_log([answer, answer].as_flattened());
        });
    });
}

/// Enters with all registers in view: what is kept is kept, what is cleared is clear.
extern "C" fn enter_by_contract(thread: u64) {
    for endpoint in both(thread) {
        log(outcome(system_call(endpoint.0, Call::Call as u64, [5; 4])));
    }
    finish(thread);
}

/// All registers become this.
fn spoil(code: &mut Assembler, value: u32) {
    (1..32).for_each(|register| {
        code.li(register, value);
    });
}

fn registers_that_a_call_keeps_are_kept() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            spoil(&mut code, u32::MAX);
            code.message([7, 0, 0, 0]).ret().load();
            run_to_enter(enter_by_contract, 0);
            check_log(&[7, 7]);
        });
    });
}

fn registers_that_no_message_comes_in_are_as_they_were_left() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            let others = || (1..32).filter(|&index| ![SP, T0].contains(&index) && !(A0..=A7).contains(&index));
            let others = || others().filter(|&index| ![T3, T4].contains(&index));
            // The sum of them all: at first 0.
            code.li(A0, 0);
            others().for_each(|index| {
                code.op(Add, A0, A0, index, 0);
            });
            code.mv(A2, A0).mv(A3, T0);
            others().for_each(|index| {
                code.li(index, 1 << index);
            });
            code.op(Beq, 0, A3, ZERO, 8).word(0).ret().load();
            run_to_enter(enter, 0);
            let sum: u64 = others().map(|index| 1 << index).sum();
            let rest = [2 << 32, 3, u64::MAX];
            let [b, c, d] = rest;
            check_log(&[0, b, c, d, sum, b, c, d]);
        });
    });
}

extern "C" fn enter_once(thread: u64) {
    log(outcome(near(thread).call([1, 2, 3, 4])));
    finish(thread);
}

fn a_task_without_a_hart_faults_at_the_entry() {
    on_stage(|| {
        with_guests(|| {
            let task = prepare(0, 20, enter_once, 0);
            make_endpoints(task, 0, 0, 0);
            set_answer(FaultAnswer::Stop, 0);
            handle_faults_of(task);
            task.start(entry(), 0).expect("it is configured");
            let_run(2);
            check_log(&[FaultReason::InvalidOpcode as u64, CODE.into(), 0, CODE.into()]);
            assert!(is_stopped(task));
            // Its native registers are looked at, and do not become those with which it goes on.
            assert_eq!(pc(task), CODE.into());
            task.resume().expect("it is stopped");
            let_run(2);
            check_log(&[FaultReason::InvalidOpcode as u64, CODE.into(), 0, CODE.into()]);
        });
    });
}

fn code_that_was_entered_cannot_be_entered() {
    for endpoint in both(0) {
        on_stage(|| {
            with_guests(|| {
                Assembler::new().pass_on(endpoint.0).load();
                run_to_enter(enter_once, 0);
                check_log(&[status(Error::WouldDeadlock)]);
            });
        });
    }
}

extern "C" fn enter_with_flags(thread: u64) {
    for endpoint in both(thread) {
        log(outcome(endpoint.call_without_waiting([0; 4])));
        let answer = call_with_window(endpoint.0, Call::Call as u64 | FLAGS_WINDOW, [0; 4]);
        log(outcome(answer.map(|(words, _)| words)));
        let answer = call_with_window(endpoint.0, Call::Call as u64 | FLAGS_WINDOW | FLAG_NO_WAIT, [0; 4]);
        log(outcome(answer.map(|(words, _)| words)));
    }
    finish(thread);
}

fn flags_are_refused() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().ret().load();
            run_to_enter(enter_with_flags, 0);
            check_log(&[status(Error::WouldDeadlock); 6]);
        });
    });
}

fn a_window_in_the_answer_is_refused() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.call_with_flags(slots::REPLY, Call::Return as u64 | FLAGS_WINDOW).mv(A2, A0).op(Srai, A3, A0, 0, 31);
            code.ret().load();
            run_to_enter(enter_once, 0);
            check_log(&[status(Error::InvalidState)]);
        });
    });
}

extern "C" fn enter_often(thread: u64) {
    for endpoint in both(thread) {
        let good = (0..5000).filter(|&count| endpoint.call([count, !count, 0, 0]) == Ok([count + 1, !count, 0, 0]));
        log(good.count() as u64);
    }
    finish(thread);
}

fn code_is_entered_ten_thousand_times() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().add(S0, 1).store(S0, 0, S1).add(A2, 1).ret().load();
            run_to_enter(enter_often, 0);
            let_run(200);
            check_log(&[5000, 5000]);
            assert_eq!(read_data(0), 10_000);
        });
    });
}

/// A server with code of its own, which doubles the message's first word.
fn enter_and_answer(thread: u64, message: &mut Words) {
    *message = near(thread).call(*message).unwrap_or([0; 4]);
}

service!(fn enter_and_answer_entry = enter_and_answer);

fn a_server_enters_code_while_it_serves() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().op(Add, A2, A2, A2, 0).ret().load();
            let task = make_server(0, 20, enter_and_answer_entry, 1);
            give_hart(0, task);
            task.make_endpoint_at(entry_at(CODE), 0, OWN_TABLE, near(1).0).expect("a free slot");
            start_server(task);
            for endpoint in both(0) {
                assert_eq!(endpoint.call([21, 1, 2, 3]), Ok([42, 1, 2, 3]));
            }
        });
    });
}

/// Answers with the message the other way round.
pub(crate) fn reverse(_: u64, message: &mut Words) {
    message.reverse();
}

service!(pub(crate) fn reverse_entry = reverse);

fn code_that_was_entered_calls_others() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 20, reverse_entry, 0);
            for endpoint in both(1) {
                Assembler::new().pass_on(endpoint.0).load();
                run_to_enter(enter, 0);
                let answer = [u64::MAX, 3, 2 << 32, 1];
                check_log([answer, answer].as_flattened());
                end_guest(0);
            }
        });
    });
}

extern "C" fn enter_with_data(thread: u64) {
    shared(0).fetch_add(1, Relaxed);
    log(outcome(near(thread).call([read_data(0).into(), 0, 0, 0])));
    finish(thread);
}

/// Loops until a word of the data is not 0, and answers with it.
fn load_waiting_code() {
    let mut code = Assembler::new();
    let start = code.li(S0, DATA).here();
    code.op(Lw, A2, S0, 0, 0).branch(Beq, A2, ZERO, start).ret().load();
}

fn a_task_that_was_stopped_while_entered_starts_afresh() {
    on_stage(|| {
        with_guests(|| {
            load_waiting_code();
            let task = run_to_enter(enter_with_data, 0);
            check_log(&[]);
            task.stop().expect("it runs");
            assert!((u64::from(CODE)..u64::from(CODE) + 32).contains(&pc(task)));
            write_data(0, 77);
            crate::harness::prepare_stack(0, enter_with_data, 0);
            task.start(entry(), 0).expect("it is stopped");
            let_run(2);
            check_log(&[77]);
        });
    });
}

fn a_task_that_was_stopped_while_entered_goes_on() {
    on_stage(|| {
        with_guests(|| {
            load_waiting_code();
            let task = run_to_enter(enter_with_data, 0);
            for _ in 0..5 {
                task.stop().expect("it runs");
                assert_eq!(register(task, S0), DATA.into());
                task.resume().expect("it is stopped");
                let_run(2);
            }
            write_data(0, 78);
            let_run(2);
            check_log(&[78]);
        });
    });
}

fn a_fault_of_code_that_was_entered_is_mended() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).add(A2, 1).ret().load();
            let task = prepare_to_enter(0, enter_once, 0);
            set_answer(FaultAnswer::ResumeAt, (CODE + 4).into());
            handle_faults_of(task);
            task.start(entry(), 0).expect("it is configured");
            let_run(2);
            check_log(&[FaultReason::InvalidOpcode as u64, CODE.into(), 0, CODE.into(), 2]);
        });
    });
}

fn a_fault_of_code_that_was_entered_stops_the_task() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).load();
            let task = run_to_enter(enter_once, 0);
            assert!(is_stopped(task));
            // The native half can begin again, and enter again.
            Assembler::new().ret().load();
            crate::harness::prepare_stack(0, enter_once, 0);
            task.start(entry(), 0).expect("it is stopped");
            let_run(2);
            assert!(is_stopped(task));
            check_log(&[1]);
        });
    });
}
