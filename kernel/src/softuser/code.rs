//! Where the instructions of a guest come from: the executable pages of its address space.

use flatmk_abi::Access;
use flatmk_abi::layout::PAGE_SIZE;
use flatmk_softuser::engine::Code;

use crate::arch::softuser::{allow_access, forbid_access, has_access_prevention};
use crate::memory::{AddressSpace, read_frame};

/// A guest's memory, as the engine needs it.
pub(super) struct Guest {
    space: AddressSpace,
    is_guarded: bool,
}

impl Guest {
    pub(super) fn new(space: AddressSpace) -> Self {
        Self { space, is_guarded: has_access_prevention() }
    }

    /// Two bytes of code. They do not cross the end of a page.
    fn fetch_half(&self, pc: u32) -> Option<u16> {
        let page = self.space.translate(pc.into()).filter(|page| page.access == Access::ReadExecute)?;
        let mut bytes = [0; 2];
        read_frame(page.frame, u64::from(pc) % PAGE_SIZE, &mut bytes);
        Some(u16::from_le_bytes(bytes))
    }

    /// How often its code has changed.
    #[inline(always)]
    pub(super) fn code_changes(&self) -> u64 {
        self.space.code_changes()
    }

    /// Whether something is mapped there.
    pub(super) fn is_mapped(&self, address: u64) -> bool {
        self.space.translate(address).is_some()
    }
}

// ANCHOR: code
impl Code for Guest {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        let first = self.fetch_half(pc)?;
        let second = self.fetch_half(pc.wrapping_add(2)).unwrap_or(0);
        Some(u32::from(first) | u32::from(second) << 16)
    }

    #[inline(always)]
    fn allow_access(&mut self) {
        if self.is_guarded {
            allow_access();
        }
    }

    #[inline(always)]
    fn forbid_access(&mut self) {
        if self.is_guarded {
            forbid_access();
        }
    }
}
// ANCHOR_END: code
