//! The property is worth something: each bug that is planted in the kernel is found by it, within few sequences.

use flatmk_model::run::{Sequence, config, sequences};
use kernel::planted::{self, Bug};
use proptest::test_runner::{TestCaseError, TestRunner};

/// The problem that the property finds with this bug, in one line.
fn problem_with(bug: Option<Bug>) -> Option<String> {
    const CASES: u32 = 100;
    planted::set(bug);
    let found = TestRunner::new(config(CASES))
        .run(&sequences(), |sequence: Sequence| sequence.run().map(|_| ()).map_err(TestCaseError::fail));
    planted::set(None);
    let text = found.err()?.to_string();
    Some(text.lines().next().unwrap_or_default().chars().take(160).collect())
}

/// One test, since a planted bug is there for everybody.
#[test]
fn each_planted_bug_is_found() {
    let missed: Vec<Bug> = Bug::ALL
        .into_iter()
        .filter(|&bug| {
            let problem = problem_with(Some(bug));
            println!("{bug:?}: {}", problem.as_deref().unwrap_or("not found"));
            problem.is_none()
        })
        .collect();
    assert_eq!(problem_with(None), None, "without a bug");
    assert!(missed.is_empty(), "not found: {missed:?}");
}
