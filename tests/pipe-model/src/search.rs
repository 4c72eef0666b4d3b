//! The search through all orders of a program's steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::model::Builder;

/// Runs a program in all orders, and returns their number. It panics where the program does, or stops for ever.
pub(crate) fn all_orders(program: impl Fn() + Send + Sync + 'static) -> u64 {
    let orders = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&orders);
    let mut search = Builder::new();
    // Each of these can be set in the environment, and would leave out orders without a word.
    (search.max_permutations, search.max_duration, search.preemption_bound) = (None, None, None);
    // It would begin where another search has ended.
    search.checkpoint_file = None;
    search.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        program();
    });
    orders.load(Ordering::Relaxed)
}
