//! Whatever tasks do to each other, the most urgent one runs, nobody waits for one that is less urgent, and nobody wakes too early.

use std::cell::Cell;

use flatmk_model::run::config;
use flatmk_model::scheduler::{Event, Seen, events, run};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;

/// While the most urgent rest, 4 waits for 3, which waits for 2. Then 7 wakes, and calls 4.
#[test]
fn priority_is_lent_along_a_chain_of_tasks_that_wait_for_each_other() {
    use Event::{Call, Pass, Sleep};
    let events = [Sleep(1), Sleep(1), Sleep(1), Call(3, false), Call(2, false), Pass(3), Call(4, false)];
    let seen = run(&events).unwrap_or_else(|error| panic!("{error}"));
    assert!(seen.woken == 3 && seen.lent_through_others >= 2, "{seen:?}");
}

#[test]
fn the_most_urgent_runs_and_lends_its_priority_to_those_it_waits_for() {
    const CASES: u32 = 10_000;
    let total = Cell::new(Seen::default());
    let config = ProptestConfig { max_shrink_iters: 4000, ..config(CASES) };
    let result = TestRunner::new(config).run(&events(), |events| {
        let mut sum = total.get();
        sum.add(run(&events)?);
        total.set(sum);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let Seen { lent, lent_through_others, woken, preempted } = total.get();
    println!("{:?}", total.get());
    // The property says little about what has not happened.
    assert!([lent, lent_through_others, woken, preempted].into_iter().all(|count| count > 1000));
}
