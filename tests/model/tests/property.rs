//! Whatever is asked of the kernel, in whatever order, it does what the model does.

use std::cell::RefCell;

use flatmk_abi::{Error, OPERATIONS};
use flatmk_model::run::{Sequence, Statistics, config, sequences};
use proptest::test_runner::{TestCaseError, TestRunner};

#[test]
fn the_kernel_does_what_the_model_does() {
    const CASES: u32 = 2000;
    let total = RefCell::new(Statistics::default());
    let result = TestRunner::new(config(CASES)).run(&sequences(), |sequence: Sequence| {
        let statistics = sequence.run().map_err(|_| TestCaseError::fail(sequence.shorten().unwrap_err()))?;
        total.borrow_mut().add(statistics);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let total = total.into_inner();
    println!("done and failed: {:?}, {total:?}", total.totals());
    everything_has_happened(&total);
}

/// The property says little about what has not happened: each operation has succeeded, and failed with each error of its own.
fn everything_has_happened(total: &Statistics) {
    // A single sequence does not split memory so often; a test of its own does.
    const SELDOM: [(&str, Error); 1] = [("Split", Error::InvalidState)];
    let happened = |name| total.outcomes.contains_key(&(name, 0));
    let operations: Vec<_> = OPERATIONS.iter().filter(|info| happened(info.name)).collect();
    assert_eq!(operations.len(), 14, "some operations have never succeeded: {total:?}");
    for info in operations {
        for (error, cause) in info.errors.iter().filter(|(error, _)| !SELDOM.contains(&(info.name, *error))) {
            let count = total.outcomes.get(&(info.name, error.status())).copied().unwrap_or(0);
            assert!(count > 10, "{} has failed only {count} times because {cause}", info.name);
        }
    }
}
