//! A guest's memory: where its instructions come from, and what has to be done before the engine can access it.

use flatmk_abi::Access;
use flatmk_abi::layout::PAGE_SIZE;
use flatmk_softuser::engine::Code;

use crate::arch::{isolation, softuser};
use crate::memory::{AddressSpace, borrow_lowest, read_frame};

/// A guest's memory, as the engine needs it.
pub(super) struct Guest {
    space: AddressSpace,
    /// Whether the processor keeps the kernel from user memory as long as it is not told otherwise.
    is_guarded: bool,
}

impl Guest {
    pub(super) fn new(space: AddressSpace) -> Self {
        Self { space, is_guarded: softuser::has_access_prevention() }
    }

    /// Two bytes of code. They do not cross the end of a page.
    fn fetch_half(&self, pc: u32) -> Option<u16> {
        let page = self.space.translate(pc.into()).filter(|page| page.access == Access::ReadExecute)?;
        let mut bytes = [0; 2];
        read_frame(page.frame, u64::from(pc) % PAGE_SIZE, &mut bytes);
        Some(u16::from_le_bytes(bytes))
    }

    pub(super) fn space(&self) -> AddressSpace {
        self.space
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
            softuser::allow_access();
        }
    }

    #[inline(always)]
    fn forbid_access(&mut self) {
        if self.is_guarded {
            softuser::forbid_access();
        }
    }
}
// ANCHOR_END: code

// ANCHOR: borrow
/// Does something with the user memory of a space in the kernel's page tables. Where the kernel is isolated it borrows that.
pub(super) fn with_memory_of<R>(space: AddressSpace, work: impl FnOnce() -> R) -> R {
    if !isolation::is_on() {
        return work();
    }
    borrow_lowest(Some(space));
    let result = work();
    borrow_lowest(None);
    result
}
// ANCHOR_END: borrow
