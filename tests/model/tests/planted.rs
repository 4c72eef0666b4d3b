//! The properties are worth something: each bug that is planted in the kernel is found by one of them, within few sequences.

use flatmk_model::run::{Sequence, config, sequences};
use flatmk_model::{run_queue, scheduler, spaces, timer_queue};
use kernel::planted::{self, Bug};
use proptest::strategy::Strategy;
use proptest::test_runner::{TestCaseError, TestRunner};

/// What is compared with a model, or must hold, in random sequences.
#[derive(Clone, Copy, Debug)]
enum Property {
    Capabilities,
    RunQueue,
    TimerQueue,
    Scheduler,
    Spaces,
}

/// Which property finds a bug.
fn property_for(bug: Bug) -> Property {
    match bug {
        Bug::FirstGoesLast | Bug::OccupiedBitStays => Property::RunQueue,
        Bug::RankStays | Bug::ParentLinkIsLost => Property::TimerQueue,
        Bug::WakesEarly | Bug::PriorityIsNotLent => Property::Scheduler,
        Bug::FirstSwitchKeeps
        | Bug::StaleSwitchKeeps
        | Bug::ChangeIsNotNoted
        | Bug::SecondChangeIsLost
        | Bug::TableCountsAsPage
        | Bug::ForgetsBeforeLoad
        | Bug::TasksAreNotTold
        | Bug::IdentifierIsShared
        | Bug::UserPageIsGlobal
        | Bug::WayOutKeeps
        | Bug::PendingIsLost => Property::Spaces,
        _ => Property::Capabilities,
    }
}

/// The problem that a property finds with this bug, in one line.
fn problem_with(bug: Option<Bug>, property: Property) -> Option<String> {
    planted::set(bug);
    let found = match property {
        Property::Capabilities => {
            let run = |sequence: Sequence| sequence.run().map(|_| ()).map_err(TestCaseError::fail);
            problem(&sequences(), run)
        }
        Property::RunQueue => problem(&run_queue::operations(), |operations| run_queue::compare(&operations)),
        Property::TimerQueue => {
            problem(&timer_queue::operations(), |(count, operations)| timer_queue::compare(count, &operations))
        }
        Property::Scheduler => problem(&scheduler::events(), |events| scheduler::run(&events).map(|_| ())),
        Property::Spaces => problem(&spaces::cases(), |(processor, steps)| spaces::run(processor, &steps).map(|_| ())),
    };
    planted::set(None);
    found
}

fn problem<S: Strategy>(sequences: &S, run: impl Fn(S::Value) -> Result<(), TestCaseError>) -> Option<String> {
    const CASES: u32 = 100;
    let text = TestRunner::new(config(CASES)).run(sequences, run).err()?.to_string();
    Some(text.lines().next().unwrap_or_default().chars().take(160).collect())
}

/// One test, since a planted bug is there for everybody.
#[test]
fn each_planted_bug_is_found() {
    let missed: Vec<Bug> = Bug::ALL
        .into_iter()
        .filter(|&bug| {
            let problem = problem_with(Some(bug), property_for(bug));
            println!("{bug:?}: {}", problem.as_deref().unwrap_or("not found"));
            problem.is_none()
        })
        .collect();
    use Property::{Capabilities, RunQueue, Scheduler, Spaces, TimerQueue};
    for property in [Capabilities, RunQueue, TimerQueue, Scheduler, Spaces] {
        assert_eq!(problem_with(None, property), None, "{property:?} without a bug");
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
