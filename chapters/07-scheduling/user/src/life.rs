//! A task is made, configured, started, and destroyed.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, Kind, Rights};
use flatmk_runtime::object::{AddressSpace, OWN_SPACE, OWN_TABLE, Table, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::entries::{check_entry, look_entry, times_entered};
use crate::harness::{SCRATCH, at, end_thread, free_pages, make, make_thread, prepare_stack, stack_top, thread_slot};
use crate::threads::{
    ALL, OBJECT, check_log, entry, far, finish, let_run, log, make_server, near, notification, on_stage, outcome,
    prepare, serve, shared, spin, start, status, task,
};

pub(crate) const TESTS: &[Test] = tests![
    a_new_task_cannot_run_before_it_is_configured,
    a_task_is_configured_once,
    a_task_starts_with_its_argument_its_stack_and_nothing_else,
    a_started_task_comes_after_all_that_are_as_urgent,
    a_started_task_that_is_more_urgent_runs_at_once,
    only_a_stopped_task_can_be_started,
    threads_share_memory_and_capabilities,
    a_task_that_loses_its_table_or_its_space_never_runs_again,
    a_destroyed_task_never_runs_again_and_gives_its_page_back,
    whoever_waits_for_a_destroyed_task_is_told,
];

fn a_new_task_cannot_run_before_it_is_configured() {
    on_stage(|| {
        let task = Task(make(Kind::Task, OBJECT));
        assert_eq!(task.start(entry(), 0), Err(Error::InvalidState));
        assert_eq!(task.resume(), Err(Error::InvalidState));
        assert_eq!(task.stop(), Err(Error::InvalidState), "it is stopped");
        task.configure(OWN_TABLE, OWN_SPACE, stack_top(0)).expect("it is new");
        assert_eq!(task.resume(), Err(Error::InvalidAddress), "it has no code to go on with");
        assert_eq!(task.start(entry(), 0), Ok(()));
    });
}

fn a_task_is_configured_once() {
    on_stage(|| {
        let task = prepare(0, 20, spin, 0);
        let again = || task.configure(OWN_TABLE, OWN_SPACE, stack_top(0));
        assert_eq!(again(), Err(Error::InvalidState));
        task.start(entry(), 0).expect("it is configured");
        assert_eq!(again(), Err(Error::InvalidState));
        task.stop().expect("it runs");
        assert_eq!(again(), Err(Error::InvalidState));
    });
}

fn a_task_starts_with_its_argument_its_stack_and_nothing_else() {
    on_stage(|| {
        let task = make_thread(0, stack_top(0));
        for argument in [0x1234_5678_9abc_def0, 0] {
            task.start(look_entry as *const () as u64, argument).expect("it is stopped");
            let_run(1);
            check_entry(0, argument, [0; 4]);
            assert_eq!(times_entered(), 1);
            task.stop().expect("it waits to be called");
        }
    });
}

extern "C" fn log_once(thread: u64) {
    log(thread);
    finish(thread);
}

fn a_started_task_comes_after_all_that_are_as_urgent() {
    on_stage(|| {
        (0..5).for_each(|thread| {
            start(thread, 20, log_once, thread);
        });
        check_log(&[]);
        let_run(1);
        check_log(&[0, 1, 2, 3, 4]);
    });
}

/// Starts threads 1 (less urgent), 2 (as urgent) and 3 (more urgent).
extern "C" fn start_others(thread: u64) {
    for other in 1..=3 {
        log(10 + other);
        task(other).start(entry(), 0).expect("it is configured");
    }
    log(20);
    finish(thread);
}

fn a_started_task_that_is_more_urgent_runs_at_once() {
    on_stage(|| {
        for (thread, priority) in [(1, 20), (2, 21), (3, 22)] {
            prepare(thread, priority, log_once, thread);
        }
        start(0, 21, start_others, 0);
        let_run(1);
        check_log(&[11, 12, 13, 3, 20, 2, 1]);
    });
}

pub(crate) extern "C" fn sleep_long(thread: u64) {
    log(task(thread).sleep(u64::MAX).map_or_else(status, |()| thread));
    finish(thread);
}

/// Calls the server in the lowest byte, and notes the answer.
pub(crate) extern "C" fn call_server(argument: u64) {
    let (callee, is_far, thread) = (argument & 0xff, argument >> 8 & 1, argument >> 9);
    let endpoint = if is_far == 0 { near(callee) } else { far(callee) };
    log(outcome(endpoint.call([thread, 0, 0, 0])));
    finish(thread);
}

/// The argument of `call_server`. Odd threads take the slow path.
pub(crate) const fn calling(thread: u64, callee: u64) -> u64 {
    thread << 9 | (thread & 1) << 8 | callee
}

pub(crate) fn never_return(thread: u64, _: &mut [u64; 4]) {
    sleep_long(thread);
}

service!(pub(crate) fn never_return_entry = never_return);

/// A thread in each state but that of a stopped task, with its name.
pub(crate) fn in_each_state() -> impl Iterator<Item = (Task, &'static str)> {
    serve(0, 20, never_return_entry, 0);
    serve(1, 20, never_return_entry, 1);
    start(2, 20, call_server, calling(2, 0));
    start(3, 20, call_server, calling(3, 0));
    start(SLEEPER, 20, sleep_long, SLEEPER);
    let_run(1);
    start(5, 20, spin, 0);
    let names = ["serves", "accepts", "calls", "waits for its turn", "sleeps", "is ready"];
    (0..).map(task).zip(names)
}

const SLEEPER: u64 = 4;

fn only_a_stopped_task_can_be_started() {
    on_stage(|| {
        for (task, name) in in_each_state() {
            assert_eq!(task.start(entry(), 0), Err(Error::InvalidState), "{name}");
        }
        task(SLEEPER).stop().expect("it sleeps");
        assert_eq!(task(SLEEPER).start(entry(), 0), Ok(()));
    });
}

extern "C" fn share(thread: u64) {
    shared(0).fetch_add(thread + 1, Relaxed);
    // The pointer was given to the other thread.
    notification_of_the_test().signal(1 << thread).expect("the capability is in the common table");
    finish(thread);
}

fn notification_of_the_test() -> flatmk_runtime::object::Notification {
    flatmk_runtime::object::Notification(at(OBJECT))
}

fn threads_share_memory_and_capabilities() {
    on_stage(|| {
        shared(0).store(0, Relaxed);
        let common = notification(OBJECT);
        (0..4).for_each(|thread| {
            start(thread, 20, share, thread);
        });
        let_run(1);
        assert_eq!(shared(0).load(Relaxed), 1 + 2 + 3 + 4);
        assert_eq!(common.poll(), Ok(0b1111));
    });
}

pub(crate) extern "C" fn count(_: u64) {
    loop {
        shared(1).fetch_add(1, Relaxed);
    }
}

/// Whether thread 0, which counts, runs.
pub(crate) fn counts() -> bool {
    let before = shared(1).load(Relaxed);
    let_run(2);
    shared(1).load(Relaxed) != before
}

fn a_task_that_loses_its_table_or_its_space_never_runs_again() {
    for goes in [OBJECT, OBJECT + 1] {
        on_stage(|| {
            let task = Task(make(Kind::Task, thread_slot(0)));
            SCRATCH.copy(OBJECT, OWN_TABLE.0, ALL).expect("a free slot");
            SCRATCH.copy(OBJECT + 1, OWN_SPACE.0, ALL).expect("a free slot");
            let stack = prepare_stack(0, count, 0);
            task.configure(Table(at(OBJECT)), AddressSpace(at(OBJECT + 1)), stack).expect("it is new");
            task.set_priority(20).expect("the root task is the most urgent");
            task.start(entry(), 0).expect("it is configured");
            assert!(counts());
            // The task's own capability is derived from the one with which it was configured.
            SCRATCH.revoke(goes).expect("it is there");
            assert!(!counts());
            assert_eq!(task.stop(), Err(Error::InvalidState));
            assert_eq!(task.start(entry(), 0), Err(Error::InvalidState));
            assert_eq!(task.resume(), Err(Error::InvalidState));
            assert_eq!(task.configure(OWN_TABLE, OWN_SPACE, stack), Err(Error::InvalidState));
        });
    }
}

fn a_destroyed_task_never_runs_again_and_gives_its_page_back() {
    on_stage(|| {
        let free = free_pages();
        start(0, 20, count, 0);
        SCRATCH.copy(OBJECT, task(0).0, Rights::MANAGE).expect("a free slot");
        assert!(counts());
        end_thread(0);
        assert!(counts(), "another capability keeps it alive");
        SCRATCH.delete(OBJECT).expect("it is there");
        assert!(!counts());
        assert_eq!(free_pages(), free);
    });
}

fn whoever_waits_for_a_destroyed_task_is_told() {
    on_stage(|| {
        serve(0, 20, never_return_entry, 0);
        (1..=4).for_each(|thread| {
            start(thread, 20, call_server, calling(thread, 0));
        });
        let_run(1);
        check_log(&[]);
        SCRATCH.revoke(thread_slot(0)).expect("it is there");
        end_thread(0);
        let_run(1);
        check_log(&[status(Error::CalleeGone); 4]);
        // Nothing of it is left to call.
        assert_eq!(near(0).call([0; 4]), Err(Error::InvalidCapability));
        make_server(0, 20, never_return_entry, 0);
        assert_eq!(near(0).call([0; 4]), Err(Error::InvalidState), "one that was not started");
    });
}
