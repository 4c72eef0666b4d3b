//! A called task runs at its caller's priority, and whoever waits for a busy one lends it its own.

use flatmk_runtime::object::{Endpoint, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::threads::{MS, check_log, far, finish, let_run, log, near, on_stage, serve, start, task, work_ms};

pub(crate) const TESTS: &[Test] = tests![
    a_called_task_is_as_urgent_as_its_caller,
    a_called_task_is_no_more_urgent_than_its_caller,
    a_waiting_caller_lends_its_priority,
    a_waiting_caller_lends_to_all_on_whom_it_depends,
    what_was_lent_ends_with_the_call,
    those_who_still_wait_go_on_lending,
    what_a_waiter_lent_is_forgotten_when_nobody_waits,
    a_less_urgent_waiter_lends_nothing,
    a_priority_that_is_set_meanwhile_counts_afterwards,
    callers_are_served_in_order_whatever_their_priority,
];

/// Calls of a thread: who, which server, and when, in milliseconds.
struct Calls {
    thread: u64,
    endpoint: Endpoint,
    after_ms: u64,
}

impl Calls {
    fn to_argument(&self) -> u64 {
        self.endpoint.0 << 16 | self.after_ms << 8 | self.thread
    }

    fn from_argument(argument: u64) -> Self {
        Self { thread: argument & 0xff, after_ms: argument >> 8 & 0xff, endpoint: Endpoint(argument >> 16) }
    }
}

/// Sleeps, calls a server and notes the end.
extern "C" fn call_after(argument: u64) {
    let Calls { thread, endpoint, after_ms } = Calls::from_argument(argument);
    task(thread).sleep(after_ms * MS).expect("nobody stops it");
    endpoint.call([thread, 0, 0, 0]).expect("it answers");
    log(thread);
    finish(thread);
}

fn start_caller(thread: u64, priority: u8, endpoint: Endpoint, after_ms: u64) -> Task {
    start(thread, priority, call_after, Calls { thread, endpoint, after_ms }.to_argument())
}

/// Sleeps, computes for 20 ms, whoever has the processor meanwhile, and notes begin (100) and end.
extern "C" fn compute_after(argument: u64) {
    let Calls { thread, after_ms, .. } = Calls::from_argument(argument);
    task(thread).sleep(after_ms * MS).expect("nobody stops it");
    log(100 + thread);
    work_ms(20);
    log(thread);
    finish(thread);
}

fn start_computing(thread: u64, priority: u8, after_ms: u64) -> Task {
    start(thread, priority, compute_after, Calls { thread, endpoint: Endpoint(0), after_ms }.to_argument())
}

/// Works for 8 ms, and notes 200 plus the caller when it is done.
fn work(_: u64, message: &mut [u64; 4]) {
    let [caller, ..] = *message;
    work_ms(8);
    log(200 + caller);
}

service!(fn work_entry = work);

fn both_ways(test: impl Fn(Endpoint)) {
    for endpoint in [near(0), far(0)] {
        on_stage(|| test(endpoint));
    }
}

fn a_called_task_is_as_urgent_as_its_caller() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        start_caller(1, 30, server, 0);
        start_computing(2, 20, 2);
        let_run(40);
        check_log(&[201, 1, 102, 2]);
    });
}

fn a_called_task_is_no_more_urgent_than_its_caller() {
    both_ways(|server| {
        serve(0, 50, work_entry, 0);
        start_caller(1, 10, server, 0);
        start_computing(2, 20, 2);
        let_run(40);
        check_log(&[102, 2, 201, 1]);
    });
}

fn a_waiting_caller_lends_its_priority() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        // 1 is served; 2 would hold it up for long; 3 waits for it.
        start_caller(1, 10, server, 0);
        start_computing(2, 20, 2);
        start_caller(3, 30, server, 4);
        let_run(60);
        check_log(&[102, 201, 203, 3, 2, 1]);
    });
}

/// Calls server 0 on behalf of its caller.
fn pass_on(_: u64, message: &mut [u64; 4]) {
    *message = near(0).call(*message).expect("it answers");
}

service!(fn pass_on_entry = pass_on);

fn a_waiting_caller_lends_to_all_on_whom_it_depends() {
    for endpoint in [near(5), far(5)] {
        on_stage(|| {
            serve(0, 10, work_entry, 0);
            serve(4, 10, pass_on_entry, 0);
            serve(5, 10, pass_on_to_4_entry, 0);
            // 1 is served by 0 on behalf of 4 and 5, or 6 is, while the others wait.
            start_caller(6, 9, near(0), 0);
            start_caller(1, 10, endpoint, 1);
            start_computing(2, 20, 3);
            start_caller(3, 30, endpoint, 5);
            let_run(80);
            check_log(&[102, 206, 201, 203, 3, 2, 1, 6]);
        });
    }
}

fn pass_on_to_4(_: u64, message: &mut [u64; 4]) {
    *message = far(4).call(*message).expect("it answers");
}

service!(fn pass_on_to_4_entry = pass_on_to_4);

fn what_was_lent_ends_with_the_call() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        start_caller(1, 10, server, 0);
        start_caller(3, 30, server, 2);
        let_run(30);
        check_log(&[201, 203, 3, 1]);
        // The next caller is not urgent, and neither is the server when it works for it.
        start_caller(4, 10, server, 0);
        start_computing(2, 20, 2);
        let_run(40);
        check_log(&[102, 2, 204, 4]);
    });
}

fn those_who_still_wait_go_on_lending() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        // The most urgent is the last in the queue: whoever is served before it is served at its priority.
        start_caller(1, 10, server, 0);
        start_caller(4, 11, server, 1);
        start_caller(3, 30, server, 2);
        start_computing(2, 20, 4);
        let_run(70);
        check_log(&[201, 204, 203, 3, 102, 2, 4, 1]);
    });
}

fn what_a_waiter_lent_is_forgotten_when_nobody_waits() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        start_caller(1, 10, server, 0);
        start_caller(3, 30, server, 2);
        let_run(4);
        task(3).stop().expect("it waits");
        let_run(10);
        check_log(&[201, 1]);
        // Had the server kept what 3 lent, it would work at 30 for 5, since 6 waits.
        start_caller(4, 10, server, 0);
        start_caller(5, 11, server, 1);
        start_caller(6, 12, server, 2);
        start_computing(2, 20, 10);
        let_run(70);
        check_log(&[204, 102, 2, 205, 206, 6, 5, 4]);
    });
}

/// Sleeps for 3 ms, so that less urgent tasks run, and works.
fn sleep_and_work(own: u64, message: &mut [u64; 4]) {
    task(own).sleep(3 * MS).expect("nobody stops it");
    work(own, message);
}

service!(fn sleep_and_work_entry = sleep_and_work);

fn a_less_urgent_waiter_lends_nothing() {
    both_ways(|server| {
        serve(0, 10, sleep_and_work_entry, 0);
        start_caller(1, 30, server, 0);
        start_caller(3, 10, server, 1);
        start_computing(2, 20, 2);
        let_run(60);
        // While it serves 1 it is above 2; then 2 is above it.
        check_log(&[102, 201, 1, 2, 203, 3]);
    });
}

fn a_priority_that_is_set_meanwhile_counts_afterwards() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        start_caller(1, 30, server, 0);
        start_computing(2, 20, 2);
        let_run(1);
        task(0).set_priority(5).expect("the root task is the most urgent");
        let_run(40);
        check_log(&[201, 1, 102, 2]);
        // It has no caller when it is started: that is when its own priority counts.
        task(0).stop().expect("it accepts");
        crate::harness::prepare_stack(0, log_and_finish, 0);
        start(3, 6, log_and_finish, 3);
        task(0).start(log_0 as *const () as u64, 0).expect("it is stopped");
        start(4, 4, log_and_finish, 4);
        let_run(1);
        check_log(&[3, 0, 4]);
    });
}

extern "C" fn log_and_finish(thread: u64) {
    log(thread);
    finish(thread);
}

/// The stack of a server has no function on it.
#[unsafe(naked)]
extern "C" fn log_0() {
    core::arch::naked_asm!("xor edi, edi", "call {body}", "ud2", body = sym log_and_finish)
}

fn callers_are_served_in_order_whatever_their_priority() {
    both_ways(|server| {
        serve(0, 10, work_entry, 0);
        for (thread, priority, after_ms) in [(1, 10, 0), (2, 20, 1), (3, 30, 2), (4, 40, 3)] {
            start_caller(thread, priority, server, after_ms);
        }
        let_run(50);
        check_log(&[201, 202, 203, 204, 4, 3, 2, 1]);
    });
}
