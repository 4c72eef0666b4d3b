//! The most urgent task that is ready runs.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, Kind, MAX_PRIORITY, Operation};
use flatmk_runtime::invoke;
use flatmk_runtime::object::{OWN_SPACE, OWN_TABLE, OWN_TASK, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{Random, make, prepare_stack, thread_slot};
use crate::life::{count, counts};
use crate::threads::{
    MS, check_log, entry, finish, let_run, log, on_stage, prepare, shared, spin, start, status, task,
};

pub(crate) const TESTS: &[Test] = tests![
    the_most_urgent_of_the_ready_tasks_runs,
    all_priorities_are_kept_apart,
    a_task_has_nothing_while_a_more_urgent_one_runs,
    a_task_that_wakes_preempts_a_less_urgent_one,
    a_task_that_wakes_does_not_preempt_one_as_urgent,
    there_are_sixty_four_priorities,
    nobody_makes_a_task_more_urgent_than_itself,
    a_new_task_is_as_urgent_as_the_one_who_configures_it,
    the_root_task_is_the_most_urgent,
    a_task_that_lowers_itself_gives_way_at_once,
    a_ready_task_that_is_raised_takes_its_place_among_the_others,
    a_start_begins_at_the_tasks_own_priority,
];

extern "C" fn log_once(thread: u64) {
    log(thread);
    finish(thread);
}

fn the_most_urgent_of_the_ready_tasks_runs() {
    on_stage(|| {
        for (thread, priority) in [(0, 5), (1, 40), (2, 0), (3, 62), (4, 40), (5, 33), (6, 0), (7, 31), (8, 32)] {
            start(thread, priority, log_once, thread);
        }
        let_run(1);
        check_log(&[3, 1, 4, 5, 8, 7, 0, 2, 6]);
    });
}

fn all_priorities_are_kept_apart() {
    let mut random = Random(0x5eed_0007);
    for _ in 0..40 {
        on_stage(|| {
            let mut threads: [(u64, u64); 12] = core::array::from_fn(|thread| (random.below(64), thread as u64));
            for (priority, thread) in threads {
                start(thread, priority as u8, log_once, thread);
            }
            // The root task yields to those who are as urgent, and to nobody else.
            let_run(1);
            threads.sort_unstable_by_key(|&(priority, thread)| (core::cmp::Reverse(priority), thread));
            check_log(&threads.map(|(_, thread)| thread));
        });
    }
}

fn a_task_has_nothing_while_a_more_urgent_one_runs() {
    on_stage(|| {
        start(0, 20, count, 0);
        let spinner = start(1, 21, spin, 0);
        let before = shared(1).load(Relaxed);
        let_run(50);
        assert_eq!(shared(1).load(Relaxed), before, "five time slices later");
        spinner.stop().expect("it runs");
        assert!(counts());
    });
}

extern "C" fn sleep_and_log(thread: u64) {
    for turn in 0..3 {
        task(thread).sleep(2 * MS).expect("nobody stops it");
        log(turn);
    }
    finish(thread);
}

fn a_task_that_wakes_preempts_a_less_urgent_one() {
    on_stage(|| {
        start(0, 20, spin, 0);
        start(1, 21, sleep_and_log, 1);
        let_run(10);
        check_log(&[0, 1, 2]);
    });
}

fn a_task_that_wakes_does_not_preempt_one_as_urgent() {
    on_stage(|| {
        start(1, 20, sleep_and_log, 1);
        let_run(1);
        start(0, 20, spin, 0);
        // It wakes after 2 ms, and the other has its slice of 10.
        let_run(7);
        check_log(&[]);
        let_run(6);
        check_log(&[0]);
    });
}

fn there_are_sixty_four_priorities() {
    on_stage(|| {
        let task = prepare(0, 20, spin, 0);
        for priority in [64, 65, 255, 256, 1 << 32, u64::MAX] {
            let outcome = invoke(task.0, Operation::SetPriority, [priority, 0, 0, 0]);
            assert_eq!(outcome, Err(Error::InvalidArgument), "{priority}");
        }
        for priority in 0..=MAX_PRIORITY {
            assert_eq!(task.set_priority(priority), Ok(()), "{priority}");
        }
        assert_eq!(MAX_PRIORITY, 63);
    });
}

/// Thread 0 has priority 20 and sets that of thread 1.
extern "C" fn set_priorities(thread: u64) {
    for priority in [21, 63, 20, 0] {
        log(task(1).set_priority(priority).map_or_else(status, |()| u64::from(priority)));
        log(task(thread).set_priority(priority.max(20)).map_or_else(status, |()| u64::from(priority)));
    }
    // Its own way up is closed behind it.
    task(thread).set_priority(19).expect("less than its own");
    log(task(thread).set_priority(20).map_or_else(status, |()| 20));
    finish(thread);
}

fn nobody_makes_a_task_more_urgent_than_itself() {
    on_stage(|| {
        prepare(1, 50, spin, 0);
        start(0, 20, set_priorities, 0);
        let_run(1);
        let missing = status(Error::MissingRight);
        check_log(&[missing, missing, missing, missing, 20, 20, 0, 0, missing]);
    });
}

/// Configures the tasks of threads 1 and 2, with two priorities.
extern "C" fn configure_others(thread: u64) {
    for other in [1, 2] {
        let stack = prepare_stack(other, log_once, other);
        task(other).configure(OWN_TABLE, OWN_SPACE, stack).expect("it is new");
        task(other).start(entry(), 0).expect("it is configured");
        task(thread).set_priority(20).expect("less than its own");
    }
    log(100);
    finish(thread);
}

fn a_new_task_is_as_urgent_as_the_one_who_configures_it() {
    on_stage(|| {
        [1, 2].into_iter().for_each(|thread| {
            make(Kind::Task, thread_slot(thread));
        });
        // As urgent as thread 1, less urgent than that, more urgent than thread 2.
        start(0, 30, configure_others, 0);
        start(3, 25, log_once, 3);
        start(4, 20, log_once, 4);
        start(5, 19, log_once, 5);
        let_run(1);
        // When thread 0 has lowered itself, 1 runs at 30 and 3 at 25. It has kept its turn, so 4 comes after it; then 2, at 20, too.
        check_log(&[1, 3, 100, 4, 2, 5]);
    });
}

fn the_root_task_is_the_most_urgent() {
    on_stage(|| {
        assert_eq!(OWN_TASK.set_priority(MAX_PRIORITY), Ok(()), "it may be so, since it is so");
        start(0, MAX_PRIORITY, log_once, 0);
        log(99);
        OWN_TASK.yield_now().expect("a task may yield");
        check_log(&[99, 0]);
    });
}

extern "C" fn lower_itself(thread: u64) {
    log(10);
    // As urgent as thread 1: that is no reason to give way. Then less urgent.
    for priority in [20, 19] {
        task(thread).set_priority(priority).expect("less than its own");
        log(u64::from(priority));
    }
    finish(thread);
}

fn a_task_that_lowers_itself_gives_way_at_once() {
    on_stage(|| {
        start(1, 20, log_once, 1);
        start(0, 21, lower_itself, 0);
        let_run(1);
        check_log(&[10, 20, 1, 19]);
    });
}

fn a_ready_task_that_is_raised_takes_its_place_among_the_others() {
    on_stage(|| {
        for (thread, priority) in [(0, 20), (1, 20), (2, 20), (3, 30), (4, 10)] {
            start(thread, priority, log_once, thread);
        }
        for (thread, priority) in [(4, 30), (0, 25), (3, 20)] {
            task(thread).set_priority(priority).expect("the root task is the most urgent");
        }
        let_run(1);
        check_log(&[4, 0, 1, 2, 3]);
    });
}

fn a_start_begins_at_the_tasks_own_priority() {
    on_stage(|| {
        let low: Task = prepare(0, 10, log_once, 0);
        let high: Task = prepare(1, 10, log_once, 1);
        high.set_priority(30).expect("the root task is the most urgent");
        for expected in [[2, 1, 0], [2, 1, 0]] {
            low.start(entry(), 0).expect("it is stopped");
            high.start(entry(), 0).expect("it is stopped");
            start_third();
            let_run(1);
            check_log(&expected);
            crate::harness::end_thread(2);
            [0, 1].into_iter().for_each(|thread| {
                prepare_stack(thread, log_once, thread);
            });
        }
    });
}

fn start_third() {
    start(2, 40, log_once, 2);
}
