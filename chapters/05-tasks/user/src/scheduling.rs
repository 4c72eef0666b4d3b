//! A yield lets every other ready task run once, in order.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use flatmk_runtime::object::Task;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{THREADS, at, end_thread, start_thread, thread_slot, with_scratch, yield_once};

pub(crate) const TESTS: &[Test] = tests![
    a_task_that_is_alone_goes_on_at_once,
    tasks_take_turns_until_each_ends_itself,
    two_tasks_take_turns,
    three_tasks_take_turns,
    many_tasks_take_turns,
    a_task_that_is_deleted_loses_its_place,
    a_new_task_is_last_in_the_row,
];

const ROUNDS: u64 = 5;
const LOG_LENGTH: usize = 256;
const MAIN: u64 = 99;

static LOG: [AtomicU64; LOG_LENGTH] = [const { AtomicU64::new(0) }; LOG_LENGTH];
static LOGGED: AtomicUsize = AtomicUsize::new(0);

fn log(who: u64) {
    let index = LOGGED.fetch_add(1, Relaxed);
    LOG.get(index).expect("the log is long enough").store(who, Relaxed);
}

extern "C" fn log_and_yield(thread: u64) {
    loop {
        log(thread);
        Task(at(thread_slot(thread))).yield_now().expect("a thread may yield");
    }
}

fn start(thread: u64) {
    start_thread(thread, log_and_yield, thread);
}

fn round() {
    log(MAIN);
    yield_once();
}

/// Checks that the log repeats these turns, and empties it.
fn check(turns: impl Iterator<Item = u64> + Clone) {
    let length = LOGGED.swap(0, Relaxed);
    assert!(length > 0);
    let logged = LOG.iter().take(length).map(|entry| entry.load(Relaxed));
    for (index, (found, expected)) in logged.zip(turns.cycle()).enumerate() {
        assert_eq!(found, expected, "turn {index}");
    }
}

fn check_turns_of(threads: u64) {
    with_scratch(|| {
        (0..threads).for_each(start);
        (0..ROUNDS).for_each(|_| round());
        assert_eq!(LOGGED.load(Relaxed) as u64, ROUNDS * (threads + 1));
        check([MAIN].into_iter().chain(0..threads));
        (0..threads).for_each(end_thread);
    });
}

fn a_task_that_is_alone_goes_on_at_once() {
    check_turns_of(0);
}

extern "C" fn take_turns_and_end(thread: u64) {
    for _ in 0..ROUNDS {
        log(thread);
        Task(at(thread_slot(thread))).yield_now().expect("a thread may yield");
    }
    end_thread(thread);
}

/// Nobody who is ready is deleted: the threads end while they run.
fn tasks_take_turns_until_each_ends_itself() {
    with_scratch(|| {
        (0..3).for_each(|thread| {
            start_thread(thread, take_turns_and_end, thread);
        });
        (0..=ROUNDS).for_each(|_| round());
        assert_eq!(LOGGED.load(Relaxed) as u64, ROUNDS * 4 + 1);
        check([MAIN, 0, 1, 2].into_iter());
    });
}

fn two_tasks_take_turns() {
    check_turns_of(1);
}

fn three_tasks_take_turns() {
    check_turns_of(2);
}

fn many_tasks_take_turns() {
    check_turns_of(THREADS);
}

/// From the front, the middle and the end of the queue.
fn a_task_that_is_deleted_loses_its_place() {
    with_scratch(|| {
        (0..5).for_each(start);
        round();
        check([MAIN, 0, 1, 2, 3, 4].into_iter());
        end_thread(2);
        round();
        check([MAIN, 0, 1, 3, 4].into_iter());
        end_thread(0);
        round();
        check([MAIN, 1, 3, 4].into_iter());
        end_thread(4);
        round();
        check([MAIN, 1, 3].into_iter());
        end_thread(1);
        end_thread(3);
        round();
        check([MAIN].into_iter());
    });
}

fn a_new_task_is_last_in_the_row() {
    with_scratch(|| {
        start(1);
        round();
        start(0);
        round();
        round();
        check([MAIN, 1, MAIN, 1, 0, MAIN, 1, 0].into_iter());
        end_thread(0);
        end_thread(1);
    });
}
