//! Yielding, sleeping, and having nothing to do.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, Operation};
use flatmk_runtime::object::OWN_TASK;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{invoke, tests, time_stamp};

use crate::calibration::{at_least_ms, at_most_ms, steps_in_ns};
use crate::harness::Random;
use crate::threads::{
    MS, check_log, finish, let_run, log, on_stage, prepare, shared, spin, start, status, take_log, task,
};

pub(crate) const TESTS: &[Test] = tests![
    a_yield_lets_those_as_urgent_run_once_and_nobody_else,
    a_yield_of_another_task_is_refused,
    a_sleep_is_never_shorter_and_at_most_a_tick_longer,
    a_sleep_that_begins_at_any_time_is_as_exact,
    long_sleeps_are_as_exact_as_short_ones,
    a_sleep_of_no_time_is_a_yield,
    a_sleep_of_another_task_is_refused,
    a_sleep_that_never_ends_overflows_nothing,
    sleepers_wake_in_the_order_of_their_times,
    many_sleepers_wake_with_one_tick,
    half_a_minute_without_work_passes_at_once,
    a_sleep_of_a_busy_machine_ends_as_well,
];

extern "C" fn log_twice(thread: u64) {
    for _ in 0..2 {
        log(thread);
        task(thread).yield_now().expect("a thread may yield");
    }
    finish(thread);
}

fn a_yield_lets_those_as_urgent_run_once_and_nobody_else() {
    on_stage(|| {
        for (thread, priority) in [(0, 20), (1, 19), (2, 20), (3, 20), (4, 21)] {
            start(thread, priority, log_twice, thread);
        }
        let_run(1);
        check_log(&[4, 4, 0, 2, 3, 0, 2, 3, 1, 1]);
    });
}

fn a_yield_of_another_task_is_refused() {
    on_stage(|| {
        let other = prepare(0, 20, spin, 0);
        assert_eq!(other.yield_now(), Err(Error::InvalidState));
    });
}

/// How much time may pass between the tick and the instruction behind the system call, in nanoseconds: some thousand instructions.
const LATENCY_NS: u64 = 150_000;

/// Sleeps, and checks for how long.
#[track_caller]
fn check_sleep(time_ns: u64) {
    let started = time_stamp();
    OWN_TASK.sleep(time_ns).expect("a task may sleep");
    let took = time_stamp() - started;
    let (least, _) = steps_in_ns(time_ns);
    // A tick is not quite a millisecond, and a millionth of the time is lost when it is counted in ticks.
    let (_, most) = steps_in_ns(time_ns + time_ns / 500_000 + MS + LATENCY_NS);
    let took_us = took * 1000 / at_least_ms(1);
    assert!((least..=most).contains(&took), "{time_ns} ns took {took_us} us");
}

fn a_sleep_is_never_shorter_and_at_most_a_tick_longer() {
    for time_ns in [1, 999, MS - 1, MS, MS + 1, 2 * MS, 2_500_000, 10 * MS, 33 * MS, 100 * MS] {
        (0..5).for_each(|_| check_sleep(time_ns));
    }
}

fn a_sleep_that_begins_at_any_time_is_as_exact() {
    let mut random = Random(0x5eed_0008);
    for _ in 0..300 {
        let end = time_stamp() + random.below(at_least_ms(2));
        while time_stamp() < end {}
        check_sleep(random.below(5 * MS));
    }
}

fn long_sleeps_are_as_exact_as_short_ones() {
    [1_000, 2_000, 5_000, 10_000].into_iter().for_each(|time| check_sleep(time * MS));
}

extern "C" fn sleep_no_time(thread: u64) {
    for _ in 0..2 {
        log(thread);
        task(thread).sleep(0).expect("a task may sleep");
    }
    finish(thread);
}

fn a_sleep_of_no_time_is_a_yield() {
    on_stage(|| {
        for (thread, priority) in [(0, 20), (1, 19), (2, 20)] {
            start(thread, priority, sleep_no_time, thread);
        }
        let_run(1);
        check_log(&[0, 2, 0, 2, 1, 1]);
        let started = time_stamp();
        assert_eq!(OWN_TASK.sleep(0), Ok(()));
        assert!(time_stamp() - started < at_least_ms(1) / 4, "alone, it goes on at once");
    });
}

fn a_sleep_of_another_task_is_refused() {
    on_stage(|| {
        let other = prepare(0, 20, spin, 0);
        for time_ns in [0, 1, u64::MAX] {
            assert_eq!(other.sleep(time_ns), Err(Error::InvalidState));
        }
    });
}

extern "C" fn sleep_very_long(argument: u64) {
    let (thread, too_little) = (argument & 0xff, argument >> 8);
    log(task(thread).sleep(u64::MAX - too_little).map_or_else(status, |()| thread));
    finish(thread);
}

fn a_sleep_that_never_ends_overflows_nothing() {
    on_stage(|| {
        for (thread, too_little) in [(0, 0), (1, 1), (2, 1_000_000), (3, u64::MAX >> 8), (4, 1 << 40)] {
            start(thread, 20, sleep_very_long, too_little << 8 | thread);
        }
        let_run(50);
        check_log(&[]);
        (0..5).for_each(|thread| task(thread).stop().expect("it sleeps"));
        (0..5).for_each(|thread| task(thread).resume().expect("it is stopped"));
        let_run(1);
        check_log(&[status(Error::Interrupted); 5]);
    });
}

/// Sleeps for this number of milliseconds, and notes it.
extern "C" fn sleep_and_log(argument: u64) {
    let (thread, milliseconds) = (argument & 0xff, argument >> 8);
    task(thread).sleep(milliseconds * MS).expect("nobody stops it");
    log(milliseconds);
    finish(thread);
}

fn sleepers_wake_in_the_order_of_their_times() {
    let mut random = Random(0x5eed_0009);
    for _ in 0..20 {
        on_stage(|| {
            let mut times: [u64; 12] = core::array::from_fn(|_| 1 + 2 * random.below(30));
            for (thread, time) in (0..).zip(times) {
                start(thread, 20, sleep_and_log, time << 8 | thread);
            }
            let_run(3);
            // Some of them do not wake at all.
            let stopped: [u64; 3] = core::array::from_fn(|_| random.below(12));
            for thread in stopped {
                // Perhaps it was stopped before, or has stopped itself.
                task(thread).stop().unwrap_or_default();
            }
            let_run(65);
            let mut expected = [u64::MAX; 12];
            for ((thread, time), place) in (0..).zip(times).zip(&mut expected) {
                if time <= 3 || !stopped.contains(&thread) {
                    *place = time;
                }
            }
            expected.sort_unstable();
            times = expected;
            let awake = times.iter().copied().filter(|&time| time != u64::MAX);
            // Whether who slept for 3 ms was awake before it was stopped is a question of the moment.
            let is_certain = |time: &u64| *time != 3;
            assert!(take_log().filter(is_certain).eq(awake.filter(is_certain)), "in order");
        });
    }
}

fn many_sleepers_wake_with_one_tick() {
    on_stage(|| {
        (0..12).for_each(|thread| {
            start(thread, 20, sleep_and_log, 5 << 8 | thread);
        });
        let_run(7);
        check_log(&[5; 12]);
    });
}

/// If the processor did not rest this would take an emulator longer than a test may.
fn half_a_minute_without_work_passes_at_once() {
    const LONG_MS: u64 = 30_000;
    let started = time_stamp();
    OWN_TASK.sleep(LONG_MS * MS).expect("a task may sleep");
    assert!(time_stamp() - started >= at_least_ms(LONG_MS));
}

/// Makes system calls all the time.
extern "C" fn busy(thread: u64) {
    loop {
        shared(5).fetch_add(1, Relaxed);
        invoke(task(thread).0, Operation::Identify, [0; 4]).expect("it is there");
        task(thread).yield_now().expect("a thread may yield");
    }
}

fn a_sleep_of_a_busy_machine_ends_as_well() {
    on_stage(|| {
        (0..3).for_each(|thread| {
            start(thread, 20, busy, thread);
        });
        let started = time_stamp();
        (1..=20).for_each(|time| check_sleep(time * MS / 3));
        assert!(time_stamp() - started < at_most_ms(200));
    });
}
