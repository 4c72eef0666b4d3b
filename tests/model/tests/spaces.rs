//! Whatever is mapped, unmapped and switched to, with however few identifiers, the processor never uses what the page tables do not say.

use std::cell::Cell;

use flatmk_model::run::config;
use flatmk_model::spaces::{cases, run};
use kernel::pcid::Counts;
use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;

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
