//! Translations that the processor may still remember.

use super::space::AddressSpace;
use crate::arch::paging;
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

    /// Removes the old translation. Where the space is not the current one there is nothing to remove: loading CR3 has
    /// dropped everything but global translations, and there are none in the lower half (Intel SDM vol. 3A, 4.10.4.1).
    pub fn now(self) {
        if self.space.is_current() && !planted(Bug::FlushIsForgotten) {
            paging::flush(self.address);
        }
    }
}
// ANCHOR_END: flush
