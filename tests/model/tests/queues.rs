//! The queues of the scheduler give their tasks in the right order, whatever was done before, and keep their own rules.

use flatmk_model::run::config;
use flatmk_model::timer_queue::Operation;
use flatmk_model::{run_queue, timer_queue};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4000, ..config(2000) })]

    #[test]
    fn the_run_queue_is_a_list_for_each_priority(operations in run_queue::operations()) {
        run_queue::compare(&operations)?;
    }

    #[test]
    fn the_heap_of_timers_is_a_map_by_time((count, operations) in timer_queue::operations()) {
        timer_queue::compare(count, &operations)?;
    }
}

#[test]
fn the_most_urgent_is_taken_first_and_of_equals_the_one_that_came_first() {
    use run_queue::Operation::{Pop, Push, SetPriority};
    let priorities = [(0, 0), (1, 63), (2, 31), (3, 63), (4, 32)].map(|(task, priority)| SetPriority(task, priority));
    let operations: Vec<_> = priorities.into_iter().chain((0..5).map(Push)).chain([Pop; 6]).collect();
    run_queue::compare(&operations).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_time_slice_is_over_when_its_ticks_are() {
    use run_queue::Operation::{Pop, Push, PushFirst, Tick};
    // One is interrupted in its slice, and goes on with the rest.
    let operations =
        [Push(0), Pop, Tick(0), Tick(4), Tick(1), PushFirst(0), Push(1), Pop, Tick(4), Tick(1), Tick(3), Pop, Tick(12)];
    run_queue::compare(&operations).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn whoever_begins_to_wait_has_a_place_in_the_heap() {
    let mixed: Vec<u64> = (0..40_u64).map(|task| task * 7 % 11).collect();
    let (up, down): (Vec<u64>, Vec<u64>) = ((0..40).collect(), (0..40).rev().collect());
    for times in [mixed, up, down, vec![1; 40]] {
        timer_queue::fill(&times).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// As many as would show a way down that is too long, or a step that is.
const MANY: usize = 3000;

/// Everybody begins to wait, every third waits no more, from the last to the first, and time passes.
fn check_many(time: fn(usize) -> u64) {
    let insert = (0..MANY).map(|task| Operation::Insert(task, time(task)));
    let remove = (0..MANY).rev().step_by(3).map(Operation::Remove);
    let pass = [1, 1, 100, 1000].map(Operation::Pass);
    let operations: Vec<Operation> = insert.chain(remove).chain(pass).collect();
    timer_queue::compare(MANY, &operations).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn thousands_wait_each_longer_than_the_one_before() {
    check_many(|task| task as u64);
}

#[test]
fn thousands_wait_each_shorter_than_the_one_before() {
    check_many(|task| (MANY - task) as u64);
}

#[test]
fn thousands_wait_for_the_same_time() {
    check_many(|_| 1);
}

#[test]
fn thousands_wait_for_times_without_order() {
    check_many(|task| (task as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50);
}
