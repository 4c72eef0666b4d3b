//! Whatever is mapped, unmapped and switched to, with however few identifiers, the processor never uses what the page tables do not say.

use std::cell::Cell;

use flatmk_model::run::config;
use flatmk_model::spaces::{Event, Processor, cases, run};
use kernel::pcid::Counts;
use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;

/// Lets all this happen with so many identifiers. The kernel is left after each event.
fn happen(identifiers: u16, events: impl IntoIterator<Item = Event>) -> Counts {
    let processor = Processor { identifiers: Some(identifiers), is_isolated: false };
    let steps: Vec<_> = events.into_iter().map(|event| (event, true)).collect();
    run(processor, &steps).unwrap_or_else(|error| panic!("{error}"))
}

/// Of five spaces with two tasks each, one after the other.
fn switches() -> impl Iterator<Item = Event> + Clone {
    (0..10).map(Event::Switch)
}

#[test]
fn as_many_spaces_as_there_are_identifiers_keep_theirs() {
    let counts = happen(5, switches().chain(switches()));
    assert_eq!(counts, Counts { taken: 5, forgotten: 5 });
}

#[test]
fn with_one_identifier_less_each_space_takes_it_from_another() {
    let mapped = (0..5).flat_map(|space| [Event::Map(space, 0, 0), Event::Switch(2 * space), Event::Touch(0)]);
    let counts = happen(4, mapped.chain(switches()));
    assert_eq!(counts, Counts { taken: 10, forgotten: 10 });
}

#[test]
fn what_changes_under_an_identifier_is_forgotten_before_it_is_used() {
    let (here, there) = (Event::Switch(0), Event::Switch(2));
    let begin = [Event::Map(0, 0, 0), Event::Map(0, 1, 1), here, Event::Touch(0), Event::Touch(1)];
    // In the space that is used; one address in another; two; a page table.
    let changes: [&[Event]; 4] = [
        &[Event::Unmap(0, 0)],
        &[there, Event::Unmap(0, 0), here],
        &[there, Event::Unmap(0, 0), Event::Protect(0, 1), here],
        &[Event::Unmap(0, 1), there, Event::TakeTable(0, 0), here],
    ];
    // Only where more than an address has changed is everything forgotten; before that, two spaces have taken an identifier.
    for (events, forgotten) in changes.into_iter().zip([1, 2, 3, 3]) {
        assert_eq!(happen(5, begin.iter().chain(events).copied()).forgotten, forgotten, "{events:?}");
    }
}

#[test]
fn no_translation_is_used_that_the_page_tables_do_not_have() {
    const CASES: u32 = 10_000;
    let total = Cell::new(Counts::default());
    let config = ProptestConfig { max_shrink_iters: 4000, ..config(CASES) };
    let result = TestRunner::new(config).run(&cases(), |(processor, steps)| {
        let (sum, counts) = (total.get(), run(processor, &steps)?);
        total.set(Counts { taken: sum.taken + counts.taken, forgotten: sum.forgotten + counts.forgotten });
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let Counts { taken, forgotten } = total.get();
    println!("{:?}", total.get());
    // The property says little about what has not happened: identifiers were taken from others, and much had changed under some.
    assert!(taken > 10_000 && forgotten > taken + 1000);
}
