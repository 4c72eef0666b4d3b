//! A thousand tasks for a minute. Each does at random what tasks can do to each other, and to itself; the root task destroys some, and makes others in
//! their place. Whatever happens, an answer is that of the server that was called, to the caller that has called it; at the end nobody is left
//! waiting, and all pages come back.
#![no_std]
#![no_main]

mod objects;
mod tasks;

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::slots;
use flatmk_runtime::object::{Memory, OWN_TABLE, OWN_TASK};
use flatmk_runtime::testing::{self, Test};
use flatmk_runtime::{print, tests};

use objects::{HANDLERS, LIFE, Random, TASKS};
use tasks::{COUNTS, DRAINING, outstanding_calls};

flatmk_runtime::entry!(main);

const TESTS: &[Test] = tests![
    a_thousand_tasks_are_made,
    the_first_ten_seconds_keep_everything_in_order,
    the_second_ten_seconds_keep_everything_in_order,
    the_third_ten_seconds_keep_everything_in_order,
    the_fourth_ten_seconds_keep_everything_in_order,
    the_fifth_ten_seconds_keep_everything_in_order,
    the_sixth_ten_seconds_keep_everything_in_order,
    everybody_who_waits_gets_an_answer_or_an_error,
    all_pages_come_back,
];

const MS: u64 = 1_000_000;
/// How often the root task makes a task anew.
const PERIOD_MS: u64 = 5;
const TEN_SECONDS_MS: u64 = 10_000;

static FREE: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

fn free_pages() -> u64 {
    Memory(slots::MEMORY).measure().expect("the root task has memory").0
}

fn rest(milliseconds: u64) {
    OWN_TASK.sleep(milliseconds * MS).expect("a task may sleep");
}

fn a_thousand_tasks_are_made() {
    FREE.store(free_pages(), Relaxed);
    objects::prepare();
    let mut random = Random(0x5eed_0017);
    (0..TASKS).for_each(|task| objects::make(task, &mut random));
    (0..TASKS).for_each(|task| objects::let_live(task, &mut random));
}

fn ten_seconds(seed: u64) {
    let before = COUNTS.each_ref().map(|count| count.load(Relaxed));
    let mut random = Random(seed);
    for _ in 0..TEN_SECONDS_MS / PERIOD_MS {
        rest(PERIOD_MS);
        let task = HANDLERS + random.below(TASKS - HANDLERS);
        match random.below(4) {
            0 => {
                objects::destroy(task);
                objects::make(task, &mut random);
                objects::let_live(task, &mut random);
            }
            // Whatever state it is in.
            1 => objects::task(objects::OF_ROOT, task).stop().unwrap_or_default(),
            2 => objects::task(objects::OF_ROOT, task).resume().unwrap_or_default(),
            _ => {
                objects::task(objects::OF_ROOT, task).stop().unwrap_or_default();
                objects::let_live(task, &mut random);
            }
        }
    }
    let counts = COUNTS.each_ref().map(|count| count.load(Relaxed));
    for ((name, after), before) in tasks::COUNTED.iter().zip(counts).zip(before) {
        print!("{} {name}, ", after - before);
        // Of everything there was a lot.
        assert!(after - before > 50, "{name}");
    }
}

macro_rules! ten_seconds {
    ($($name:ident: $seed:literal;)+) => {$(
        fn $name() {
            ten_seconds($seed);
        }
    )+};
}

ten_seconds! {
    the_first_ten_seconds_keep_everything_in_order: 0x9e3779b97f4a7c15;
    the_second_ten_seconds_keep_everything_in_order: 0x3c6ef372fe94f82a;
    the_third_ten_seconds_keep_everything_in_order: 0xdaa66d2c7ddf743f;
    the_fourth_ten_seconds_keep_everything_in_order: 0x78dde6e5fd29f054;
    the_fifth_ten_seconds_keep_everything_in_order: 0x1715609f7c746c69;
    the_sixth_ten_seconds_keep_everything_in_order: 0xb54cda58fbbee87e;
}

/// Nothing new is begun. Whoever was stopped goes on, and capabilities to return that somebody keeps are deleted: then every call must end.
fn everybody_who_waits_gets_an_answer_or_an_error() {
    DRAINING.store(1, Relaxed);
    print!("{} calls are under way ", outstanding_calls());
    // As many rounds as servers may wait for each other in a row.
    for _ in 0..20 {
        (0..TASKS).for_each(|task| objects::task(objects::OF_ROOT, task).resume().unwrap_or_default());
        (0..TASKS).for_each(objects::delete_kept_reply);
        rest(50);
    }
    assert_eq!(outstanding_calls(), 0, "calls are left without an answer");
}

fn all_pages_come_back() {
    OWN_TABLE.delete(LIFE.0).expect("it is there");
    assert_eq!(free_pages(), FREE.load(Relaxed));
}

fn main(_: u64, _: [u64; 4]) {
    testing::run(TESTS);
}
