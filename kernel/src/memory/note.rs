//! Numbers that are kept with an address space, for whoever needs them.

#[cfg(feature = "chapter10")]
use flatmk_abi::{Access, layout::SOFTUSER_END};

use super::space::AddressSpace;
use super::table::{Entry, frame_in, read, write};

/// The entry of the top-level table that keeps it: one of the kernel's half that is never present. Of such an entry the processor
/// ignores all bits but the lowest (Intel SDM vol. 3A, 4.5).
pub(super) const INDEX: u64 = 319;

/// Where the second number begins: 47 bits, which do not come to an end.
#[cfg(feature = "chapter10")]
const CHANGES_SHIFT: u32 = 17;

impl AddressSpace {
    /// The number; 0 in a new space.
    pub(crate) fn note(self) -> u16 {
        (read(self.top(), INDEX).0 >> 1) as u16
    }

    /// Keeps a number.
    pub(crate) fn set_note(self, number: u16) {
        let others = read(self.top(), INDEX).0 & !(u64::from(u16::MAX) << 1);
        // SAFETY: the entry is not present, before and afterwards.
        unsafe { write(self.top(), INDEX, Entry(others | u64::from(number) << 1)) };
    }

    /// How often executable pages below 4 GiB have changed.
    #[cfg(feature = "chapter10")]
    pub(crate) fn code_changes(self) -> u64 {
        read(self.top(), INDEX).0 >> CHANGES_SHIFT
    }

    /// A mapping has changed. If it was one of such a page, what was made of its content does not hold any more.
    #[cfg(feature = "chapter10")]
    #[inline(always)]
    pub(super) fn note_change(self, address: u64, access: Access) {
        if access == Access::ReadExecute && address < SOFTUSER_END {
            self.count_change();
        }
    }

    #[cfg(feature = "chapter10")]
    #[cold]
    #[inline(never)]
    fn count_change(self) {
        let entry = read(self.top(), INDEX).0.wrapping_add(1 << CHANGES_SHIFT);
        // SAFETY: as above.
        unsafe { write(self.top(), INDEX, Entry(entry)) };
    }

    /// The space whose top-level table CR3 names, or would with this content.
    pub(crate) fn of_cr3(cr3: u64) -> Self {
        Self::from_top(frame_in(cr3))
    }
}
