//! A notification keeps bits until somebody takes them.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, NO_TIMEOUT, Rights};
use flatmk_runtime::object::{Notification, OWN_TABLE, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{tests, time_stamp};

use crate::calibration::{at_least_ms, steps_in_ns};
use crate::harness::{SCRATCH, at, copy, free_pages};
use crate::threads::{
    MS, OBJECT, check_log, finish, let_run, log, notification, on_stage, shared, start, status, task,
};

pub(crate) const TESTS: &[Test] = tests![
    a_new_notification_has_no_bits,
    bits_stay_until_they_are_taken,
    a_wait_takes_all_bits_at_once,
    a_poll_takes_all_bits_and_never_waits,
    a_signal_wakes_the_first_waiter_with_all_bits,
    waiters_are_woken_in_order,
    a_wait_without_time_does_not_wait,
    a_wait_ends_when_its_time_is_over,
    a_wait_without_limit_waits,
    a_signal_in_time_ends_the_wait_and_its_time_out,
    a_waiter_whose_time_is_over_leaves_the_queue,
    a_waiter_that_is_destroyed_leaves_the_queue,
    whoever_waits_for_a_destroyed_notification_is_told,
    a_notification_lives_as_long_as_a_capability,
    a_signal_without_bits_is_refused,
    each_operation_needs_its_right,
    a_signal_to_a_more_urgent_waiter_preempts,
    a_signal_to_one_as_urgent_or_less_does_not_preempt,
    a_signal_from_another_task_is_not_lost,
];

const COMMON: Notification = Notification(at(OBJECT));

fn a_new_notification_has_no_bits() {
    on_stage(|| {
        let used = notification(OBJECT);
        used.signal(u64::MAX).expect("it may be signalled");
        SCRATCH.delete(OBJECT).expect("it is there");
        // Perhaps on the same page.
        let fresh = notification(OBJECT);
        assert_eq!(fresh.poll(), Ok(0));
        assert_eq!(fresh.wait_for(0), Err(Error::TimedOut));
    });
}

fn bits_stay_until_they_are_taken() {
    on_stage(|| {
        let common = notification(OBJECT);
        for bits in [1, 1 << 63, 1, 0x100] {
            common.signal(bits).expect("it may be signalled");
        }
        let_run(3);
        assert_eq!(common.poll(), Ok(1 << 63 | 0x101), "each bit once");
        assert_eq!(common.poll(), Ok(0));
        for bit in 0..64 {
            common.signal(1 << bit).expect("it may be signalled");
            assert_eq!(common.poll(), Ok(1 << bit));
        }
    });
}

fn a_wait_takes_all_bits_at_once() {
    on_stage(|| {
        let common = notification(OBJECT);
        for timeout_ns in [0, 1, MS, NO_TIMEOUT] {
            common.signal(0b0101).expect("it may be signalled");
            common.signal(0b0110).expect("it may be signalled");
            let started = time_stamp();
            assert_eq!(common.wait_for(timeout_ns), Ok(0b0111));
            assert!(time_stamp() - started < at_least_ms(1) / 4, "there was nothing to wait for");
            assert_eq!(common.poll(), Ok(0));
        }
    });
}

fn a_poll_takes_all_bits_and_never_waits() {
    on_stage(|| {
        let common = notification(OBJECT);
        let started = time_stamp();
        assert_eq!(common.poll(), Ok(0));
        common.signal(7).expect("it may be signalled");
        assert_eq!(common.poll(), Ok(7));
        assert_eq!(common.poll(), Ok(0));
        assert!(time_stamp() - started < at_least_ms(1) / 4);
    });
}

/// Waits without limit, notes who it is and what has come, and again.
extern "C" fn wait_for_ever(thread: u64) {
    loop {
        let outcome = COMMON.wait();
        log(outcome.map_or_else(status, |bits| thread << 32 | bits));
        if outcome.is_err() {
            finish(thread);
        }
    }
}

fn start_waiters(threads: impl Iterator<Item = u64>) {
    threads.for_each(|thread| {
        start(thread, 20, wait_for_ever, thread);
    });
    let_run(1);
}

fn signal(bits: u64) {
    COMMON.signal(bits).expect("it may be signalled");
}

fn a_signal_wakes_the_first_waiter_with_all_bits() {
    on_stage(|| {
        notification(OBJECT);
        start_waiters([3, 1].into_iter());
        signal(0b11);
        // The waiter has them, though it has not run yet.
        assert_eq!(COMMON.poll(), Ok(0));
        signal(0b100);
        signal(0b1000);
        signal(0b10000);
        let_run(1);
        // The last two found nobody, and stayed for whoever came first.
        check_log(&[3 << 32 | 0b11, 3 << 32 | 0b11000, 1 << 32 | 0b100]);
    });
}

fn waiters_are_woken_in_order() {
    on_stage(|| {
        notification(OBJECT);
        start_waiters([4, 2, 7, 0, 5].into_iter());
        for turn in 1..=10 {
            signal(turn);
            let_run(1);
        }
        check_log(&[
            4 << 32 | 1,
            2 << 32 | 2,
            7 << 32 | 3,
            4,
            5 << 32 | 5,
            4 << 32 | 6,
            2 << 32 | 7,
            7 << 32 | 8,
            9,
            5 << 32 | 10,
        ]);
    });
}

fn a_wait_without_time_does_not_wait() {
    on_stage(|| {
        let common = notification(OBJECT);
        let started = time_stamp();
        assert_eq!(common.wait_for(0), Err(Error::TimedOut));
        assert!(time_stamp() - started < at_least_ms(1) / 4);
    });
}

fn a_wait_ends_when_its_time_is_over() {
    on_stage(|| {
        let common = notification(OBJECT);
        for timeout_ns in [1, MS, 5 * MS, 1000 * MS] {
            let started = time_stamp();
            assert_eq!(common.wait_for(timeout_ns), Err(Error::TimedOut));
            let took = time_stamp() - started;
            let (least, _) = steps_in_ns(timeout_ns);
            let (_, most) = steps_in_ns(timeout_ns + timeout_ns / 500_000 + MS + MS / 5);
            assert!((least..=most).contains(&took), "{timeout_ns} ns took {took} steps");
        }
        signal(1);
        assert_eq!(common.poll(), Ok(1), "nobody waits any more");
    });
}

fn a_wait_without_limit_waits() {
    on_stage(|| {
        notification(OBJECT);
        start_waiters(0..1);
        let_run(10_000);
        check_log(&[]);
        signal(9);
        let_run(1);
        check_log(&[9]);
    });
}

/// Waits for 5 ms at most, and sleeps for 10.
extern "C" fn wait_then_sleep(thread: u64) {
    log(COMMON.wait_for(5 * MS).unwrap_or_else(status));
    log(task(thread).sleep(10 * MS).map_or_else(status, |()| 100));
    finish(thread);
}

fn a_signal_in_time_ends_the_wait_and_its_time_out() {
    on_stage(|| {
        notification(OBJECT);
        start(0, 20, wait_then_sleep, 0);
        let_run(2);
        signal(6);
        let_run(7);
        // The time-out does not come in the middle of the sleep.
        check_log(&[6]);
        let_run(8);
        check_log(&[100]);
    });
}

extern "C" fn wait_five_ms(thread: u64) {
    log(COMMON.wait_for(5 * MS).map_or_else(status, |bits| thread << 32 | bits));
    finish(thread);
}

fn a_waiter_whose_time_is_over_leaves_the_queue() {
    on_stage(|| {
        notification(OBJECT);
        start_waiters(0..1);
        start(1, 20, wait_five_ms, 1);
        let_run(1);
        start_waiters(2..3);
        let_run(10);
        check_log(&[status(Error::TimedOut)]);
        signal(1);
        signal(2);
        signal(4);
        let_run(1);
        check_log(&[1, 4, 2 << 32 | 2]);
    });
}

fn a_waiter_that_is_destroyed_leaves_the_queue() {
    for gone in 0..3 {
        on_stage(|| {
            notification(OBJECT);
            start_waiters(0..3);
            crate::harness::end_thread(gone);
            signal(1);
            signal(2);
            let_run(1);
            let [first, second] = match gone {
                0 => [1, 2],
                1 => [0, 2],
                _ => [0, 1],
            };
            check_log(&[first << 32 | 1, second << 32 | 2]);
        });
    }
}

fn whoever_waits_for_a_destroyed_notification_is_told() {
    on_stage(|| {
        let free = free_pages();
        notification(OBJECT);
        start_waiters(0..4);
        start(4, 20, wait_five_ms, 4);
        let_run(1);
        SCRATCH.delete(OBJECT).expect("it is there");
        assert_eq!(free_pages() + 5, free, "its page is back; five tasks are there");
        let_run(10);
        check_log(&[status(Error::CalleeGone); 5]);
    });
}

fn a_notification_lives_as_long_as_a_capability() {
    on_stage(|| {
        let common = notification(OBJECT);
        let other = Notification(copy(OBJECT + 1, common.0, Rights::all()));
        start_waiters(0..1);
        SCRATCH.delete(OBJECT + 1).expect("it is there");
        signal(3);
        let_run(1);
        check_log(&[3]);
        assert_eq!(other.signal(1), Err(Error::InvalidCapability));
    });
}

fn a_signal_without_bits_is_refused() {
    on_stage(|| {
        let common = notification(OBJECT);
        start_waiters(0..1);
        assert_eq!(common.signal(0), Err(Error::InvalidArgument));
        let_run(1);
        check_log(&[]);
    });
}

fn each_operation_needs_its_right() {
    on_stage(|| {
        let common = notification(OBJECT);
        let [reader, writer] = [(OBJECT + 1, Rights::READ), (OBJECT + 2, Rights::WRITE)]
            .map(|(slot, rights)| Notification(copy(slot, common.0, rights)));
        assert_eq!(reader.signal(1), Err(Error::MissingRight));
        assert_eq!(writer.poll(), Err(Error::MissingRight));
        assert_eq!(writer.wait_for(0), Err(Error::MissingRight));
        assert_eq!(writer.signal(2), Ok(()));
        assert_eq!(reader.wait_for(0), Ok(2));
        writer.signal(4).expect("it may be signalled");
        assert_eq!(reader.poll(), Ok(4));
        // And each is of notifications alone.
        for other in [OWN_TABLE.0, task(0).0] {
            let expected = if other == OWN_TABLE.0 { Error::WrongKind } else { Error::InvalidCapability };
            assert_eq!(Notification(other).signal(1), Err(expected));
            assert_eq!(Notification(other).poll(), Err(expected));
            assert_eq!(Notification(other).wait_for(0), Err(expected));
        }
    });
}

/// Signals once, and notes that it goes on.
extern "C" fn signal_and_log(thread: u64) {
    log(100);
    signal(5);
    log(101);
    finish(thread);
}

fn a_signal_to_a_more_urgent_waiter_preempts() {
    on_stage(|| {
        notification(OBJECT);
        start_waiters(0..1);
        start(1, 19, signal_and_log, 1);
        let_run(1);
        check_log(&[100, 5, 101]);
    });
}

fn a_signal_to_one_as_urgent_or_less_does_not_preempt() {
    for priority in [20, 21] {
        on_stage(|| {
            notification(OBJECT);
            start_waiters(0..1);
            start(1, priority, signal_and_log, 1);
            let_run(1);
            check_log(&[100, 101, 5]);
        });
    }
}

const EXCHANGES: u64 = 2_000;

/// Two threads that count together, each on the other's signal.
extern "C" fn play(thread: u64) {
    let (own, other) = (Notification(at(OBJECT + thread)), Notification(at(OBJECT + 1 - thread)));
    for turn in 0..EXCHANGES {
        assert_eq!(own.wait(), Ok(turn + 1));
        shared(6).fetch_add(1, Relaxed);
        other.signal(turn + 1 + thread).expect("it may be signalled");
    }
    finish(thread);
}

fn a_signal_from_another_task_is_not_lost() {
    on_stage(|| {
        shared(6).store(0, Relaxed);
        [OBJECT, OBJECT + 1].into_iter().for_each(|slot| {
            notification(slot);
        });
        let players: [Task; 2] = [start(0, 20, play, 0), start(1, 20, play, 1)];
        signal(1);
        let_run(200);
        assert_eq!(shared(6).load(Relaxed), 2 * EXCHANGES);
        // The last of them was for a turn that nobody plays.
        assert_eq!(COMMON.poll(), Ok(EXCHANGES + 1));
        assert!(players.into_iter().all(|player| player.stop() == Err(Error::InvalidState)), "both have finished");
    });
}
