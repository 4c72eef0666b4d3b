//! Translations that the processor may still remember.

use super::later;
use super::space::AddressSpace;
use crate::planted::{Bug, planted};

// ANCHOR: flush
/// A page table has changed, and the processor may still use what it said before. Must be used: a forgotten flush is a
/// stale translation.
#[derive(Debug)]
#[must_use = "the processor may still use the old translation"]
pub struct Flush {
    space: AddressSpace,
    address: u64,
}

impl Flush {
    pub(super) fn new(space: AddressSpace, address: u64) -> Self {
        Self { space, address }
    }

    /// Removes the old translation.
    pub fn now(self) {
        if !planted(Bug::FlushIsForgotten) {
            later::forget(self.space, self.address);
        }
    }
}
// ANCHOR_END: flush
