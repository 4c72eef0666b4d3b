//! The processor itself.

use core::arch::asm;

use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::Cr3;

#[inline(always)]
pub(super) fn window_start() -> u64 {
    crate::boot::PHYSICAL_WINDOW
}

pub(super) fn top_table() -> u64 {
    Cr3::read().0.start_address().as_u64()
}

/// # Safety
///
/// That of [`super::load_top_table`].
#[inline(always)]
pub(super) unsafe fn load_top_table(cr3: u64) {
    // SAFETY: the caller vouches for the table.
    unsafe { asm!("mov cr3, {}", in(reg) cr3, options(nostack, preserves_flags)) };
}

pub(super) fn flush(address: u64) {
    tlb::flush(VirtAddr::new_truncate(address));
}
