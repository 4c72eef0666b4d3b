//! The kernel's own pages are the same in all spaces, so the processor need not forget them when another space becomes the current one.

use x86_64::structures::paging::PageTableFlags as Flags;

use super::kernel::kernel_space;
use super::table::{ENTRIES, Entry, TOP_LEVEL, UPPER_HALF, read, write};
use super::window::Frame;

// ANCHOR: global
/// Makes all pages of the kernel global (Intel SDM vol. 3A, 4.10.2.4). Returns how many there are, large or small.
pub(crate) fn make_kernel_global() -> u64 {
    make_global(kernel_space().top(), TOP_LEVEL)
}

/// The same below one table: at most four levels deep, so the recursion is bounded.
fn make_global(table: Frame, level: u8) -> u64 {
    let start = if level == TOP_LEVEL { UPPER_HALF } else { 0 };
    let mut pages = 0;
    for index in start..ENTRIES {
        let entry = read(table, index);
        let Some(frame) = entry.frame() else { continue };
        if level > 1 && !entry.flags().contains(Flags::HUGE_PAGE) {
            pages += make_global(frame, level - 1);
        } else {
            // SAFETY: a page of the kernel's, which stays what it is.
            unsafe { write(table, index, Entry(entry.0 | Flags::GLOBAL.bits())) };
            pages += 1;
        }
    }
    pages
}
// ANCHOR_END: global
