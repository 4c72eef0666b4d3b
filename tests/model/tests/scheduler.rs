//! Whatever tasks do to each other, the most urgent one runs, nobody waits for one that is less urgent, and nobody wakes too early.

use std::cell::Cell;

use flatmk_model::run::config;
use flatmk_model::scheduler::{Seen, events, run};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;

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
