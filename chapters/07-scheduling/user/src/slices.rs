//! Tasks of one priority share the processor, a time slice each.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests, time_stamp};

use crate::calibration::{at_least_ms, at_most_ms};
use crate::threads::{MS, check_log, far, finish, let_run, log, near, on_stage, serve, start, task, work_ms};

pub(crate) const TESTS: &[Test] = tests![
    tasks_of_one_priority_take_turns,
    a_time_slice_is_ten_milliseconds,
    a_task_that_is_alone_goes_on_after_its_slice,
    a_preempted_task_keeps_its_place_and_the_rest_of_its_slice,
    a_task_that_gives_way_has_a_new_slice,
    a_called_task_runs_in_its_callers_time_slice,
];

const THREADS: usize = 12;
const TURNS: usize = 24;

/// When each thread had the processor: the beginnings and ends of its turns.
static TURN: [[[AtomicU64; 2]; TURNS]; THREADS] =
    [const { [const { [const { AtomicU64::new(0) }; 2] }; TURNS] }; THREADS];

/// Computes, and notes its turns. A gap shorter than this is a tick of the timer.
fn note_turns(thread: u64) -> ! {
    let gap = at_least_ms(1) / 4;
    let turns = TURN.get(thread as usize).expect("there are as many as threads");
    let mut last = time_stamp();
    for [begin, end] in turns {
        begin.store(last, Relaxed);
        loop {
            let now = time_stamp();
            if now - last > gap {
                end.store(last, Relaxed);
                last = now;
                break;
            }
            last = now;
        }
    }
    loop {
        finish(thread);
    }
}

extern "C" fn compute(thread: u64) {
    note_turns(thread);
}

fn forget_turns() {
    TURN.iter().flatten().flatten().for_each(|time| time.store(0, Relaxed));
}

/// The turns of a thread that are over.
fn turns_of(thread: u64) -> impl Iterator<Item = (u64, u64)> {
    let turns = TURN.get(thread as usize).expect("there are as many as threads");
    turns.iter().map(|[begin, end]| (begin.load(Relaxed), end.load(Relaxed))).take_while(|&(_, end)| end != 0)
}

/// The turns of these threads, in the order of time: who, and how long.
fn all_turns(threads: &[u64], each: &mut dyn FnMut(u64, u64)) {
    let mut after = 0;
    loop {
        let next = threads
            .iter()
            .flat_map(|&thread| turns_of(thread).map(move |(begin, end)| (begin, end, thread)))
            .filter(|&(begin, ..)| begin > after)
            .min();
        let Some((begin, end, thread)) = next else { break };
        after = begin;
        each(thread, end - begin);
    }
}

/// Checks that a time is so many ticks of the timer, which began somewhere within the first.
#[track_caller]
fn assert_is_about_ms(steps: u64, milliseconds: u64) {
    assert!(
        steps > at_least_ms(milliseconds - 1) - at_least_ms(1) / 4
            && steps < at_most_ms(milliseconds) + at_most_ms(1) / 4,
        "{} us instead of {milliseconds} ms",
        steps * 1000 / at_least_ms(1)
    );
}

fn tasks_of_one_priority_take_turns() {
    on_stage(|| {
        forget_turns();
        (0..5).for_each(|thread| {
            start(thread, 20, compute, thread);
        });
        let_run(205);
        let mut expected = (0..5).cycle();
        let mut count = 0;
        all_turns(&[0, 1, 2, 3, 4], &mut |thread, _| {
            assert_eq!(Some(thread), expected.next(), "turn {count}");
            count += 1;
        });
        assert!(count >= 15, "{count} turns in 205 ms");
    });
}

fn a_time_slice_is_ten_milliseconds() {
    on_stage(|| {
        forget_turns();
        [0, 1].into_iter().for_each(|thread| {
            start(thread, 20, compute, thread);
        });
        let_run(125);
        let mut count = 0;
        all_turns(&[0, 1], &mut |_, steps| {
            assert_is_about_ms(steps, 10);
            count += 1;
        });
        assert!(count >= 10, "{count} turns in 125 ms");
    });
}

fn a_task_that_is_alone_goes_on_after_its_slice() {
    on_stage(|| {
        forget_turns();
        start(0, 20, compute, 0);
        start(1, 19, compute, 1);
        let_run(45);
        assert_eq!(turns_of(0).count() + turns_of(1).count(), 0, "no turn has ended, and thread 1 had none");
    });
}

/// A more urgent thread is awake every fourth millisecond or so. Neither of the others loses its turn by that.
fn a_preempted_task_keeps_its_place_and_the_rest_of_its_slice() {
    const ENOUGH: u64 = 5;
    on_stage(|| {
        forget_turns();
        start(2, 30, disturb, 2);
        [0, 1].into_iter().for_each(|thread| {
            start(thread, 20, compute, thread);
        });
        let_run(110);
        // Turns of one thread that follow each other are parts of one slice.
        let (mut now, mut sum, mut parts, mut slices) = (0, 0, 0, 0);
        all_turns(&[0, 1], &mut |thread, steps| {
            if thread == now {
                sum += steps;
                parts += 1;
                return;
            }
            // The last parts are noted only when their thread runs again.
            if slices < ENOUGH {
                assert!(parts >= 3, "{parts} parts");
                assert_is_about_ms(sum, 10);
            }
            (now, sum, parts) = (thread, steps, 1);
            slices += 1;
        });
        assert!(slices >= ENOUGH, "{slices} slices");
    });
}

extern "C" fn disturb(thread: u64) {
    loop {
        task(thread).sleep(3 * MS).expect("nobody stops it");
        work_ms(1);
    }
}

/// Works for 6 ms and yields, and so on.
extern "C" fn work_and_yield(thread: u64) {
    for _ in 0..6 {
        work_ms(6);
        log(thread);
        task(thread).yield_now().expect("a thread may yield");
    }
    finish(thread);
}

fn a_task_that_gives_way_has_a_new_slice() {
    on_stage(|| {
        [0, 1].into_iter().for_each(|thread| {
            start(thread, 20, work_and_yield, thread);
        });
        let_run(85);
        // With what was left of the first slice the second work would be cut in two, and the threads would come out of step.
        check_log(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    });
}

/// Works for as long as the message says.
fn work(_: u64, message: &mut [u64; 4]) {
    let [milliseconds, ..] = *message;
    work_ms(milliseconds);
    log(7);
}

service!(fn work_entry = work);

/// Works for 6 ms, and has a server work for another 6: that is more than a slice.
extern "C" fn work_and_call(argument: u64) {
    let (thread, endpoint) = (argument & 0xff, argument >> 8);
    work_ms(6);
    log(thread);
    flatmk_runtime::object::Endpoint(endpoint).call([6, 0, 0, 0]).expect("the server is ready");
    log(thread);
    finish(thread);
}

/// Notes that it is its turn.
extern "C" fn log_turn(thread: u64) {
    log(thread);
    finish(thread);
}

fn a_called_task_runs_in_its_callers_time_slice() {
    for endpoint in [near(3), far(3)] {
        on_stage(|| {
            serve(3, 20, work_entry, 0);
            start(0, 20, work_and_call, endpoint.0 << 8);
            start(1, 20, log_turn, 1);
            let_run(20);
            // The server is preempted in its work, 10 ms after its caller's slice began; then it has a new slice.
            check_log(&[0, 1, 7, 0]);
        });
        on_stage(|| {
            // The rest of it is the caller's again after the return.
            serve(3, 20, work_entry, 0);
            start(0, 20, call_and_work, endpoint.0 << 8);
            start(1, 20, log_turn, 1);
            let_run(20);
            check_log(&[7, 0, 1, 0]);
        });
    }
}

/// Has a server work for 4 ms, and works for 3 and for 6.
extern "C" fn call_and_work(argument: u64) {
    let (thread, endpoint) = (argument & 0xff, argument >> 8);
    flatmk_runtime::object::Endpoint(endpoint).call([4, 0, 0, 0]).expect("the server is ready");
    work_ms(3);
    log(thread);
    work_ms(6);
    log(thread);
    finish(thread);
}
