//! The clock tells the time: it never goes back, and agrees with how long a task has slept.

use flatmk_abi::{Error, Kind, Rights, slots};
use flatmk_runtime::object::{OWN_TASK, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{copy, make, with_scratch};

pub(crate) const TESTS: &[Test] =
    tests![the_clock_never_goes_back, the_clock_agrees_with_sleep, only_the_own_task_reads_the_clock];

fn now_ns() -> u64 {
    OWN_TASK.read_clock().expect("it is the own task").0
}

fn the_clock_never_goes_back() {
    let (mut before, first_tick) = (now_ns(), OWN_TASK.read_clock().expect("it is the own task").2);
    // Over some ticks, at which the counter begins anew.
    let mut readings = 0_u64;
    while OWN_TASK.read_clock().expect("it is the own task").2 < first_tick + 20 {
        let now = now_ns();
        assert!(now >= before, "{before} and then {now}");
        before = now;
        readings += 1;
    }
    assert!(readings > 20, "many readings a tick");
}

fn the_clock_agrees_with_sleep() {
    const TICK_NS: u64 = 1_000_000;
    for time_ns in [1, TICK_NS, 5 * TICK_NS, 20 * TICK_NS] {
        let before = now_ns();
        OWN_TASK.sleep(time_ns).expect("it may rest");
        let slept_ns = now_ns() - before;
        // Up to a tick more, and what a reading takes.
        assert!((time_ns..time_ns + 2 * TICK_NS).contains(&slept_ns), "{slept_ns} in the place of {time_ns}");
    }
}

fn only_the_own_task_reads_the_clock() {
    with_scratch(|| {
        let other = Task(make(Kind::Task, 1));
        assert_eq!(other.read_clock(), Err(Error::InvalidState));
        assert_eq!(Task(copy(2, slots::SELF, Rights::empty())).read_clock(), Err(Error::MissingRight));
        assert_eq!(Task(slots::CONSOLE).read_clock(), Err(Error::WrongKind));
        assert_eq!(Task(crate::harness::at(9)).read_clock(), Err(Error::InvalidCapability));
    });
}
