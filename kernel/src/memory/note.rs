//! A number that is kept with an address space, for whoever needs one.

use super::space::AddressSpace;
use super::table::{Entry, frame_in, read, write};

/// The entry of the top-level table that keeps it: one of the kernel's half that is never present. Of such an entry the processor
/// ignores all bits but the lowest (Intel SDM vol. 3A, 4.5).
pub(super) const INDEX: u64 = 319;

impl AddressSpace {
    /// The number; 0 in a new space.
    pub(crate) fn note(self) -> u16 {
        (read(self.top(), INDEX).0 >> 1) as u16
    }

    /// Keeps a number.
    pub(crate) fn set_note(self, number: u16) {
        // SAFETY: the entry is not present, before and afterwards.
        unsafe { write(self.top(), INDEX, Entry(u64::from(number) << 1)) };
    }

    /// The space whose top-level table CR3 names, or would with this content.
    pub(crate) fn of_cr3(cr3: u64) -> Self {
        Self::from_top(frame_in(cr3))
    }
}
