//! Translations that the processor may still remember.

use super::later;
use super::space::AddressSpace;
use crate::planted::{Bug, planted};

// ANCHOR: flush
/// What an entry of a page table led to before it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// A page.
    Page,
    /// A lower table, with nothing in it.
    Table,
}

/// A page table has changed, and the processor may still use what it said before. Must be used: a forgotten flush is a
/// stale translation.
#[derive(Debug)]
#[must_use = "the processor may still use the old translation"]
pub struct Flush {
    space: AddressSpace,
    address: u64,
    old: Old,
}

impl Flush {
    pub(super) fn new(space: AddressSpace, address: u64, old: Old) -> Self {
        Self { space, address, old }
    }

    /// Removes the old translation.
    pub fn now(self) {
        if !planted(Bug::FlushIsForgotten) {
            later::forget(self.space, self.address, self.old);
        }
    }
}
// ANCHOR_END: flush
