//! Calls, with all that can become of them.

use flatmk_abi::EventKind::{Call, Failure, Return, Switch, SystemCall, Wait};
use flatmk_abi::{Error, FLAG_NO_WAIT, Operation, Words, slots};
use flatmk_runtime::object::{Notification, OWN_TASK, Reply, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::events::{between, made, numbers, trace};
use crate::harness::{SCRATCH, at};
use crate::registers::system_call;
use crate::threads::{OBJECT, far, finish, let_run, near, notification, on_stage, serve, start, task};

pub(crate) const TESTS: &[Test] = tests![
    a_call_and_its_answer_are_six_events,
    a_call_within_a_call_is_within_it_in_the_trace_too,
    a_call_that_waits_begins_later,
    a_system_call_that_fails_says_with_which_error,
    a_call_that_nobody_answers_fails_later,
    an_answer_by_a_reply_capability_is_an_answer,
    a_notification_that_wakes_a_task_is_a_switch,
];

fn answer(_: u64, message: &mut Words) {
    *message = [1, 2, 3, 4];
}

service!(pub(crate) fn answer_entry = answer);

fn a_call_and_its_answer_are_six_events() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0xc0);
        let (root, server) = numbers(near(0));
        let number = |task: Task| task.inspect().map(|[_, _, number, _]| number);
        assert_eq!([number(OWN_TASK), number(task(0))], [Ok(root.into()), Ok(server.into())]);
        // One that the fast path would take, and one that it would not.
        for endpoint in [near(0), far(0)] {
            let events = trace(|| {
                // Each register is as it should be afterwards.
                assert_eq!(system_call(endpoint.0, Operation::Call as u64, [9; 4]), Ok([1, 2, 3, 4]));
            });
            events.check(&[
                made(root, Operation::Call, endpoint.0),
                between(Call, root, server),
                between(Switch, root, server),
                made(server, Operation::Return, slots::REPLY),
                between(Return, server, root),
                between(Switch, server, root),
            ]);
            events.check_times();
            assert_eq!(events.first(Call).second, 0xc0, "the context word");
            assert_eq!(events.first(SystemCall).second, 9, "argument 0");
        }
    });
}

fn pass_on(_: u64, message: &mut Words) {
    *message = near(0).call(*message).expect("it answers");
}

service!(fn pass_on_entry = pass_on);

fn a_call_within_a_call_is_within_it_in_the_trace_too() {
    on_stage(|| {
        serve(0, 20, answer_entry, 0);
        serve(1, 20, pass_on_entry, 0);
        let ((root, inner), (_, outer)) = (numbers(near(0)), numbers(near(1)));
        let events = trace(|| {
            near(1).call([0; 4]).expect("it answers");
        });
        events.check_those_of(
            &[Call, Return],
            &[
                between(Call, root, outer),
                between(Call, outer, inner),
                between(Return, inner, outer),
                between(Return, outer, root),
            ],
        );
    });
}

const GATE: Notification = Notification(at(OBJECT));

fn wait_at_gate(_: u64, message: &mut Words) {
    if message[0] != 0 {
        GATE.wait().expect("it is there");
    }
}

service!(fn wait_at_gate_entry = wait_at_gate);

extern "C" fn call_waiting(thread: u64) {
    near(0).call([1, 0, 0, 0]).expect("it answers in the end");
    finish(thread);
}

fn a_call_that_waits_begins_later() {
    on_stage(|| {
        notification(OBJECT);
        serve(0, 20, wait_at_gate_entry, 0);
        let (_, server) = numbers(near(0));
        start(1, 20, call_waiting, 1);
        let_run(1);
        let events = trace(|| {
            start(2, 20, call_waiting, 2);
            let_run(1);
            for _ in 0..2 {
                GATE.signal(1).expect("it may be signalled");
                let_run(1);
            }
        });
        let second = events.first(Wait).task;
        let first = events.first(Return).first as u32;
        assert_ne!(first, second);
        events.check_those_of(
            &[Call, Wait, Return],
            &[
                between(Wait, second, server),
                between(Return, server, first),
                between(Call, second, server),
                between(Return, server, second),
            ],
        );
    });
}

fn a_system_call_that_fails_says_with_which_error() {
    on_stage(|| {
        notification(OBJECT);
        serve(0, 20, wait_at_gate_entry, 0);
        let (root, _) = numbers(near(0));
        start(1, 20, call_waiting, 1);
        let_run(1);
        let cases = [
            (Operation::Call, 0, at(60), Error::InvalidCapability),
            (Operation::Call, FLAG_NO_WAIT, near(0).0, Error::Busy),
            (Operation::Identify, 0, at(60), Error::InvalidCapability),
            (Operation::Start, 0, slots::SELF, Error::InvalidAddress),
            (Operation::Poll, 0, slots::SELF, Error::WrongKind),
        ];
        for (operation, flags, pointer, error) in cases {
            let events = trace(|| {
                assert_eq!(system_call(pointer, operation as u64 | flags, [0; 4]), Err(error));
            });
            let number = error.status().unsigned_abs() as u32;
            events.check(&[made(root, operation, pointer), (Failure, root, number, 0)]);
            assert_eq!(events.first(Failure).error(), Some(error));
        }
        // A number that is none is an event, too.
        let events = trace(|| {
            system_call(slots::SELF, 200, [0; 4]).expect_err("there is no such operation");
        });
        assert_eq!(events.first(SystemCall).operation(), None);
        assert_eq!(events.first(Failure).error(), Some(Error::UnknownOperation));
        GATE.signal(1).expect("it may be signalled");
        let_run(1);
    });
}

fn a_call_that_nobody_answers_fails_later() {
    on_stage(|| {
        notification(OBJECT);
        serve(0, 20, wait_at_gate_entry, 0);
        numbers(near(0));
        start(1, 20, call_waiting_in_vain, 1);
        let events = trace(|| {
            let_run(1);
            task(0).stop().expect("it serves");
            let_run(1);
        });
        let failure = events.first(Failure);
        assert_eq!((failure.task, failure.error()), (events.first(Call).task, Some(Error::CalleeStopped)));
        assert_eq!(events.count(Return), 0);
    });
}

extern "C" fn call_waiting_in_vain(thread: u64) {
    assert_eq!(near(0).call([1, 0, 0, 0]), Err(Error::CalleeStopped));
    finish(thread);
}

/// The slot of the scratch table for the right to answer.
const REPLY_SLOT: u64 = 3;

fn keep(_: u64, _: &mut Words) {
    SCRATCH.move_here(REPLY_SLOT, slots::REPLY).expect("somebody has called");
}

service!(fn keep_entry = keep);

fn an_answer_by_a_reply_capability_is_an_answer() {
    on_stage(|| {
        serve(0, 20, keep_entry, 0);
        let events = trace(|| {
            start(1, 20, call_waiting, 1);
            let_run(1);
            Reply(at(REPLY_SLOT)).reply([5; 4]).expect("the thread waits");
            let_run(1);
        });
        let (call, answer) = (events.first(Call), events.first(Return));
        assert_eq!((answer.first as u32, answer.task), (call.task, events.first(SystemCall).task));
        assert_ne!(answer.task, call.first as u32, "it is not the callee who answers");
    });
}

extern "C" fn wait_once(thread: u64) {
    GATE.wait().expect("it is there");
    finish(thread);
}

fn a_notification_that_wakes_a_task_is_a_switch() {
    on_stage(|| {
        notification(OBJECT);
        serve(0, 20, answer_entry, 0);
        let (root, _) = numbers(near(0));
        // More urgent than the one that signals it would be, if that were not this one.
        start(1, flatmk_abi::MAX_PRIORITY, wait_once, 1);
        let_run(1);
        let events = trace(|| {
            GATE.signal(1).expect("it may be signalled");
            let_run(1);
        });
        events.check_those_of(
            &[SystemCall],
            &[
                made(root, Operation::Signal, GATE.0),
                made(root, Operation::Sleep, slots::SELF),
                made(events.first(Switch).task, Operation::Stop, task(1).0),
            ],
        );
    });
}
