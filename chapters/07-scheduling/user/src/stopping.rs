//! A task is stopped, whatever it does, and resumed; or started afresh.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, slots};
use flatmk_runtime::object::{Notification, Reply};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::{SCRATCH, at, prepare_stack};
use crate::life::{call_server, calling, count, counts, never_return_entry, sleep_long};
use crate::threads::{
    OBJECT, check_log, entry, finish, let_run, log, near, notification, on_stage, outcome, prepare, serve, shared,
    start, status, task,
};

pub(crate) const TESTS: &[Test] = tests![
    a_stopped_task_does_not_run_until_it_is_resumed,
    a_task_may_stop_itself,
    only_a_task_that_is_not_stopped_can_be_stopped,
    whoever_waits_for_a_stopped_task_is_told,
    a_stopped_caller_is_interrupted_and_its_callee_goes_on,
    a_stopped_task_leaves_the_queue_of_its_callee,
    a_stopped_sleeper_is_interrupted,
    a_stopped_waiter_is_interrupted_and_takes_no_bits,
    a_caller_whose_reply_is_elsewhere_can_be_stopped,
    a_stopped_task_cannot_be_called,
    a_server_without_work_is_resumed_to_wait_for_work,
    a_server_that_is_stopped_at_work_is_resumed_without_its_caller,
    a_faulted_task_that_is_resumed_tries_again,
    a_stopped_task_that_is_started_begins_afresh,
    a_resumed_task_comes_after_all_that_are_as_urgent,
];

fn a_stopped_task_does_not_run_until_it_is_resumed() {
    on_stage(|| {
        let task = start(0, 20, count, 0);
        for _ in 0..3 {
            assert!(counts());
            task.stop().expect("it runs");
            assert!(!counts());
            task.resume().expect("it is stopped");
        }
        assert!(counts());
    });
}

extern "C" fn stop_itself_twice(thread: u64) {
    for turn in 0..2 {
        log(outcome(task(thread).stop().map(|()| [turn; 4])));
    }
    log(9);
    finish(thread);
}

fn a_task_may_stop_itself() {
    on_stage(|| {
        let task = start(0, 20, stop_itself_twice, 0);
        let_run(1);
        check_log(&[]);
        task.resume().expect("it is stopped");
        let_run(1);
        check_log(&[0]);
        task.resume().expect("it is stopped");
        let_run(1);
        check_log(&[1, 9]);
    });
}

fn only_a_task_that_is_not_stopped_can_be_stopped() {
    on_stage(|| {
        let task = start(0, 20, count, 0);
        assert_eq!(task.resume(), Err(Error::InvalidState), "it is not stopped");
        assert_eq!(task.stop(), Ok(()));
        assert_eq!(task.stop(), Err(Error::InvalidState));
        assert_eq!(task.resume(), Ok(()));
        assert_eq!(task.resume(), Err(Error::InvalidState));
    });
}

fn whoever_waits_for_a_stopped_task_is_told() {
    on_stage(|| {
        serve(0, 20, never_return_entry, 0);
        (1..=4).for_each(|thread| {
            start(thread, 20, call_server, calling(thread, 0));
        });
        let_run(1);
        check_log(&[]);
        task(0).stop().expect("it is asleep, at work");
        let_run(1);
        check_log(&[status(Error::CalleeStopped); 4]);
    });
}

/// Sleeps for 3 ms; answers 100 plus the message.
fn answer_late(thread: u64, message: &mut [u64; 4]) {
    let [word, ..] = message;
    log(200 + *word);
    task(thread).sleep(3_000_000).expect("nobody stops it");
    log(300 + *word);
    *word += 100;
}

service!(fn answer_late_entry = answer_late);

fn a_stopped_caller_is_interrupted_and_its_callee_goes_on() {
    on_stage(|| {
        serve(0, 20, answer_late_entry, 0);
        for caller in [1, 2] {
            start(caller, 20, call_server, calling(caller, 0));
            let_run(1);
            task(caller).stop().expect("it calls");
            let_run(4);
            // The callee has finished, and its answer goes nowhere.
            check_log(&[200 + caller, 300 + caller]);
            task(caller).resume().expect("it is stopped");
            let_run(1);
            check_log(&[status(Error::Interrupted)]);
        }
        assert_eq!(near(0).call([5, 6, 7, 8]), Ok([105, 6, 7, 8]));
    });
}

fn a_stopped_task_leaves_the_queue_of_its_callee() {
    on_stage(|| {
        serve(0, 20, answer_late_entry, 0);
        (1..=4).for_each(|caller| {
            start(caller, 20, call_server, calling(caller, 0));
        });
        let_run(1);
        check_log(&[201]);
        for caller in [2, 4] {
            task(caller).stop().expect("it waits for its turn");
        }
        let_run(20);
        check_log(&[301, 101, 203, 303, 103]);
        for caller in [2, 4] {
            task(caller).resume().expect("it is stopped");
        }
        let_run(1);
        check_log(&[status(Error::Interrupted); 2]);
    });
}

fn a_stopped_sleeper_is_interrupted() {
    on_stage(|| {
        start(0, 20, sleep_long, 0);
        let_run(1);
        task(0).stop().expect("it sleeps");
        let_run(2);
        check_log(&[]);
        task(0).resume().expect("it is stopped");
        let_run(1);
        check_log(&[status(Error::Interrupted)]);
    });
}

extern "C" fn wait(thread: u64) {
    let notification = Notification(at(OBJECT));
    log(notification.wait_for(50_000_000).unwrap_or_else(status));
    finish(thread);
}

fn a_stopped_waiter_is_interrupted_and_takes_no_bits() {
    on_stage(|| {
        let notification = notification(OBJECT);
        (0..3).for_each(|thread| {
            start(thread, 20, wait, thread);
        });
        let_run(1);
        task(0).stop().expect("it waits");
        notification.signal(0x10).expect("it may be signalled");
        let_run(1);
        check_log(&[0x10]);
        task(0).resume().expect("it is stopped");
        let_run(1);
        check_log(&[status(Error::Interrupted)]);
        // Nor does its time-out come any more; that of the third does.
        let_run(60);
        check_log(&[status(Error::TimedOut)]);
    });
}

/// Keeps the capability to return, and is ready for the next.
fn keep_reply(_: u64, _: &mut [u64; 4]) {
    SCRATCH.move_here(OBJECT, slots::REPLY).expect("a free slot");
}

service!(fn keep_reply_entry = keep_reply);

fn a_caller_whose_reply_is_elsewhere_can_be_stopped() {
    on_stage(|| {
        serve(0, 20, keep_reply_entry, 0);
        start(1, 20, call_server, calling(1, 0));
        let_run(1);
        task(1).stop().expect("it calls");
        assert_eq!(Reply(at(OBJECT)).reply([7; 4]), Err(Error::InvalidCapability), "it has gone with the call");
        task(1).resume().expect("it is stopped");
        let_run(1);
        check_log(&[status(Error::Interrupted)]);
    });
}

fn a_stopped_task_cannot_be_called() {
    on_stage(|| {
        serve(0, 20, answer_late_entry, 0);
        task(0).stop().expect("it is idle");
        for thread in [1, 2] {
            start(thread, 20, call_server, calling(thread, 0));
        }
        let_run(1);
        check_log(&[status(Error::InvalidState); 2]);
    });
}

fn a_server_without_work_is_resumed_to_wait_for_work() {
    on_stage(|| {
        serve(0, 20, answer_late_entry, 0);
        // After its start, after a call by the fast path, and after one by the slow path.
        for thread in [2, 4, 1, 3] {
            task(0).stop().expect("it is idle");
            task(0).resume().expect("it is stopped");
            start(thread, 20, call_server, calling(thread, 0));
            let_run(6);
            check_log(&[200 + thread, 300 + thread, 100 + thread]);
        }
    });
}

fn a_server_that_is_stopped_at_work_is_resumed_without_its_caller() {
    on_stage(|| {
        serve(0, 20, log_in_between_entry, 0);
        start(1, 20, call_server, calling(1, 0));
        let_run(1);
        task(0).stop().expect("it is at work");
        let_run(1);
        check_log(&[1, status(Error::CalleeStopped)]);
        task(0).resume().expect("it is stopped");
        let_run(1);
        check_log(&[status(Error::Interrupted)]);
        // It has returned to nobody, and can be called.
        start(2, 20, call_server, calling(2, 0));
        let_run(6);
        check_log(&[1, 2, 2]);
    });
}

/// Notes 1, sleeps for 3 ms, and notes 2 or the error.
fn log_in_between(thread: u64, _: &mut [u64; 4]) {
    log(1);
    log(task(thread).sleep(3_000_000).map_or_else(status, |()| 2));
}

service!(fn log_in_between_entry = log_in_between);

/// Executes an invalid instruction as long as the number is 0.
#[unsafe(naked)]
extern "C" fn fault_until_mended(_: u64) {
    core::arch::naked_asm!(
        "mov rax, [rip + {number} + 16]",
        "test rax, rax",
        "jnz 2f",
        "xor ecx, ecx",
        // Divides by zero, unless rcx is changed.
        "mov eax, 6",
        "xor edx, edx",
        "div rcx",
        "2: mov [rip + {number} + 24], rax",
        "3: pause",
        "jmp 3b",
        number = sym crate::threads::SHARED,
    )
}

fn a_faulted_task_that_is_resumed_tries_again() {
    const RCX: u64 = 2;
    on_stage(|| {
        shared(2).store(0, Relaxed);
        shared(3).store(0, Relaxed);
        let task = start(0, 20, fault_until_mended, 0);
        let_run(1);
        assert_eq!(task.stop(), Err(Error::InvalidState), "it has faulted");
        let rip = task.read_registers(16).map(|[rip, ..]| rip);
        task.resume().expect("it is stopped");
        let_run(1);
        assert_eq!(task.stop(), Err(Error::InvalidState), "it has faulted again");
        assert_eq!(task.read_registers(16).map(|[rip, ..]| rip), rip, "in the same place");
        task.write_register(RCX, 2).expect("it is stopped");
        task.resume().expect("it is stopped");
        let_run(1);
        assert_eq!(shared(3).load(Relaxed), 3, "6 by 2");
    });
}

extern "C" fn live(argument: u64) {
    log(argument);
    finish(0);
    unreachable!("the test starts it instead of resuming it");
}

fn a_stopped_task_that_is_started_begins_afresh() {
    on_stage(|| {
        // Wherever it was stopped: asleep, calling, and by itself.
        serve(1, 20, never_return_entry, 1);
        let task = prepare(0, 20, count, 0);
        let lives: [(extern "C" fn(u64), &[u64]); 3] = [(sleep_long, &[77]), (call_server_1, &[77]), (live, &[0, 77])];
        for (body, expected) in lives {
            prepare_stack(0, body, 0);
            task.start(entry(), 0).expect("it is stopped");
            let_run(1);
            // The last one has stopped by itself.
            task.stop().unwrap_or_default();
            prepare_stack(0, log_and_stop, 77);
            task.start(entry(), 0).expect("it is stopped");
            let_run(2);
            check_log(expected);
        }
    });
}

extern "C" fn call_server_1(_: u64) {
    call_server(calling(0, 1));
}

extern "C" fn log_and_stop(number: u64) {
    log(number);
    finish(0);
}

fn a_resumed_task_comes_after_all_that_are_as_urgent() {
    on_stage(|| {
        (0..3).for_each(|thread| {
            start(thread, 20, log_turn, thread);
        });
        task(1).stop().expect("it is ready");
        task(1).resume().expect("it is stopped");
        let_run(1);
        check_log(&[0, 2, 1]);
    });
}

extern "C" fn log_turn(thread: u64) {
    log(thread);
    finish(thread);
}
