//! The kernel's `memory`: regions, page tables and address spaces.

#[path = "../../../../kernel/src/memory/explanation.rs"]
mod explanation;
#[path = "../../../../kernel/src/memory/flush.rs"]
mod flush;
mod kernel;
#[path = "../../../../kernel/src/memory/later.rs"]
mod later;
#[path = "../../../../kernel/src/memory/pages.rs"]
mod pages;
#[path = "../../../../kernel/src/memory/region.rs"]
mod region;
#[path = "../../../../kernel/src/memory/space.rs"]
mod space;
#[path = "../../../../kernel/src/memory/table.rs"]
mod table;
#[path = "../../../../kernel/src/memory/window.rs"]
mod window;

use alloc::vec::Vec;

use bootloader_api::info::MemoryRegion;

pub use explanation::{Attempt, Cause, Explanation, explain};
pub use flush::{Flush, Old};
pub(crate) use kernel::kernel_space;
pub use pages::{Owner, PageEntry, PageKind, entry_of, page_count};
pub use region::{Region, Regions, boot_regions, take_boot_page, take_boot_regions};
pub(crate) use space::tables_below;
pub use space::{AddressSpace, FrameSize, MapError, Mapping, Translation};
pub(crate) use table::{ENTRIES, TOP_LEVEL, UPPER_HALF};
pub use window::{Frame, LARGE_FRAME_PAGES, OwnedLargeFrame, OwnedPage, read_frame};

/// Makes the table of pages for this memory map, as at boot.
pub(crate) fn initialize(map: &[MemoryRegion]) {
    region::set_boot_regions(pages::place_table(region::usable(map)));
    if let Some(top) = take_boot_page(PageKind::AddressSpace) {
        kernel::use_kernel_space(top.frame());
    }
}

/// An entry of a page table, as a figure shows it.
pub(crate) struct Seen {
    /// Its index in its table.
    pub(crate) index: u64,
    /// All 64 bits.
    pub(crate) bits: u64,
    /// The frame to which it leads, if it does.
    pub(crate) frame: Option<Frame>,
    /// Whether that is a table.
    pub(crate) leads_to_table: bool,
    /// The names of its flags.
    pub(crate) flags: Vec<&'static str>,
}

/// The entry for an address in a table of a level.
pub(crate) fn see(table: Frame, address: u64, level: u8) -> Seen {
    let index = table::index(address, level);
    let entry = table::read(table, index);
    // At level 1 there is no table below; the flag for large pages means something else there.
    let leads_to_table = level > 1 && entry.table().is_some();
    let flags = entry.flags().iter_names().map(|(name, _)| name).collect();
    Seen { index, bits: entry.0, frame: entry.frame(), leads_to_table, flags }
}
