//! The upper half of the page tables that user mode has where it may not have the kernel's.

use core::sync::atomic::{AtomicU32, Ordering};

use flatmk_abi::Access;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::kernel::{kernel_frame, kernel_space};
use super::pages::PageKind;
use super::region::take_boot_page;
#[cfg(feature = "chapter10")]
use super::space::AddressSpace;
use super::space::FrameSize;
use super::table::{Entry, TOP_LEVEL, index, read, write};
use super::window::Frame;
#[cfg(feature = "chapter10")]
use crate::arch::paging;
use crate::stop::{StopCode, stop};

/// The top-level table whose upper half each space has; 0: the kernel's.
static TEMPLATE: AtomicU32 = AtomicU32::new(0);

/// The top-level table whose upper half a new space has.
pub(super) fn upper_half() -> Frame {
    match TEMPLATE.load(Ordering::Relaxed) {
        0 => kernel_space().top(),
        number => Frame::from_number(number),
    }
}

/// From now on new spaces have these pages of the kernel only, at the same addresses.
pub(crate) fn isolate(pages: impl Iterator<Item = (u64, Access)>) {
    let top = take_table();
    for (address, access) in pages {
        let frame = kernel_frame(address).expect("a page of the kernel's image");
        let mut table = top;
        for level in (2..=TOP_LEVEL).rev() {
            let index = index(address, level);
            table = read(table, index).table().unwrap_or_else(|| {
                let lower = take_table();
                // SAFETY: the table is not in use yet.
                unsafe { write(table, index, Entry::to_table(lower)) };
                lower
            });
        }
        let entry = Entry(Entry::to_page(frame, FrameSize::Small, access).0 & !Flags::USER_ACCESSIBLE.bits());
        // SAFETY: as above.
        unsafe { write(table, index(address, 1), entry) };
    }
    TEMPLATE.store(top.number(), Ordering::Relaxed);
}

/// The kernel's own space has what lies in the lowest 512 GiB of a space, or, for none, nothing there. The processor forgets what was there before.
#[cfg(feature = "chapter10")]
pub(crate) fn borrow_lowest(space: Option<AddressSpace>) {
    const LOWEST: u64 = 0;
    let top = kernel_space().top();
    let entry = space.map_or(Entry::EMPTY, |space| read(space.top(), LOWEST));
    // SAFETY: nothing of the kernel's is there. It uses what it borrows only where the task whose space this is would.
    unsafe {
        write(top, LOWEST, entry);
        paging::load_top_table(top.address());
    }
}

fn take_table() -> Frame {
    match take_boot_page(PageKind::PageTable) {
        Some(page) => page.frame(),
        None => stop(StopCode::TooLittleMemory, format_args!("no page for the page tables of user mode")),
    }
}
