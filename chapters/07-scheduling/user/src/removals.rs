//! A long removal gives way to a more urgent task, and is finished in any case.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::Kind;
use flatmk_runtime::object::{Memory, OWN_TASK, Table};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{tests, time_stamp};

use crate::calibration::{at_least_ms, at_most_ms};
use crate::harness::{MEMORY, SCRATCH, at, make};
use crate::threads::{ALL, MS, finish, let_run, on_stage, outcome, shared, start};

pub(crate) const TESTS: &[Test] = tests![
    a_long_removal_gives_way_to_a_more_urgent_task,
    another_removal_first_finishes_the_one_that_gave_way,
    a_capability_that_moves_meanwhile_is_revoked_to_the_end,
    a_task_that_is_stopped_in_a_removal_has_finished_it,
];

/// The slots of the scratch table for the memory that is revoked, for where it moves, and for the tables of what is made from it.
const PART: u64 = 1;
const MOVED: u64 = 2;
const TABLES: core::ops::Range<u64> = 4..20;

const PER_TABLE: u64 = 63;
const PAGES: u64 = (TABLES.end - TABLES.start) * (PER_TABLE + 1) + 1;

/// In the place of an outcome: none yet.
const PENDING: u64 = 0x7070;

extern "C" fn revoke(thread: u64) {
    let result = flatmk_runtime::invoke(SCRATCH.0, flatmk_abi::Operation::Revoke, [PART, 0, 0, 0]);
    shared(0).store(outcome(result), Relaxed);
    finish(thread);
}

fn is_pending() -> bool {
    shared(0).load(Relaxed) == PENDING
}

/// Makes a thousand address spaces, each of which takes some thousand instructions to take apart, and lets a thread of little urgency revoke the
/// memory that they are made of. It has begun when this returns.
fn begin_long_removal() -> Memory {
    let part = Memory(at(PART));
    MEMORY.split(PAGES, SCRATCH, PART).expect("enough pages");
    for slot in TABLES {
        part.make(Kind::Table, 1, SCRATCH, slot).expect("enough pages");
        part.make(Kind::AddressSpace, PER_TABLE, Table(at(slot)), 1).expect("enough pages");
    }
    shared(0).store(PENDING, Relaxed);
    start(0, 20, revoke, 0);
    let_run(1);
    assert!(is_pending(), "it takes longer than this");
    part
}

fn a_long_removal_gives_way_to_a_more_urgent_task() {
    on_stage(|| {
        let part = begin_long_removal();
        let mut times = 0;
        while is_pending() {
            let began = time_stamp();
            OWN_TASK.sleep(MS / 10).expect("a task may sleep");
            let steps = time_stamp() - began;
            // To the next tick, and for one step of the removal.
            assert!(steps < at_most_ms(1) + at_least_ms(1) / 4, "{steps} ticks");
            times += 1;
        }
        assert!(times >= 2, "it has given way {times} times");
        assert_eq!(shared(0).load(Relaxed), 0, "it has succeeded");
        assert_eq!(part.measure(), Ok((PAGES, PAGES)));
    });
}

fn another_removal_first_finishes_the_one_that_gave_way() {
    on_stage(|| {
        make(Kind::Frame, 30);
        let part = begin_long_removal();
        SCRATCH.delete(30).expect("it is there");
        assert_eq!(part.measure(), Ok((PAGES, PAGES)));
        assert!(is_pending(), "its task has not run since");
        let_run(1);
        assert_eq!(shared(0).load(Relaxed), 0, "it has succeeded");
    });
}

fn a_capability_that_moves_meanwhile_is_revoked_to_the_end() {
    on_stage(|| {
        begin_long_removal();
        let moved = Memory(at(MOVED));
        SCRATCH.move_here(MOVED, at(PART)).expect("a free slot");
        // What comes into its place is left alone.
        SCRATCH.copy(PART, flatmk_abi::slots::SELF, ALL).expect("it is empty");
        while is_pending() {
            let_run(1);
        }
        assert_eq!(shared(0).load(Relaxed), 0, "it has succeeded");
        assert_eq!(moved.measure(), Ok((PAGES, PAGES)));
        SCRATCH.delete(PART).expect("the copy is there");
    });
}

fn a_task_that_is_stopped_in_a_removal_has_finished_it() {
    on_stage(|| {
        let part = begin_long_removal();
        let task = crate::threads::task(0);
        task.stop().expect("it is ready");
        assert_eq!(part.measure(), Ok((PAGES, PAGES)));
        task.resume().expect("it is stopped");
        let_run(1);
        assert_eq!(shared(0).load(Relaxed), 0, "it has succeeded");
    });
}
