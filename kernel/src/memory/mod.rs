//! Physical pages and address spaces.
//!
//! - `pages`: the table of pages: what each physical page is used for.
//! - `region`: ranges of free pages, from which pages are taken and to which they go back.
//! - `table`: page tables, entry by entry.
//! - `space`: address spaces: mapping, unmapping, protecting, translating.
//! - `kernel`: the kernel's own address space: guard pages, protection features, the check that nothing is writable and executable.
//! - `explanation`: what a page fault means, in words; `fault`: those of the kernel itself.
//! - `flush`: what the processor may still remember; `root`: what a task keeps of its space; `note`: a number kept with a space.
//! - `device`: ranges of device memory, from chapter 11 on.
//! - `later`: where chapter 9 comes in, with `global` and `isolation`: the kernel's pages as user mode's page tables have them.
//!
//! The kernel reaches physical memory through a window in which all of it is mapped.

#[cfg(feature = "chapter11")]
mod device;
mod explanation;
mod fault;
mod flush;
#[cfg(feature = "chapter9")]
mod global;
#[cfg(feature = "chapter9")]
mod isolation;
mod kernel;
mod later;
#[cfg(feature = "chapter9")]
mod note;
mod pages;
mod region;
#[cfg(all(feature = "chapter5", not(feature = "chapter9")))]
mod root;
mod space;
mod table;
mod window;

use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegion;

#[cfg(feature = "chapter9")]
pub(crate) use crate::pcid::SpaceRoot;
#[cfg(feature = "chapter11")]
pub(crate) use device::{Caching, DevicePages};
pub use explanation::{Attempt, Cause, Explanation, explain};
pub use flush::{Flush, Old};
#[cfg(feature = "chapter9")]
pub(crate) use global::make_kernel_global;
#[cfg(feature = "chapter10")]
pub(crate) use isolation::borrow_lowest;
#[cfg(feature = "chapter9")]
pub(crate) use isolation::isolate;
#[cfg(feature = "chapter9")]
pub(crate) use kernel::write_to_code;
pub use kernel::{Audit, FIRMWARES, audit, kernel_frame, kernel_space, switch_protections_on};
pub use pages::{Owner, PageEntry, PageKind, entry_of, page_count};
pub use region::{Region, Regions, boot_regions, take_boot_page, take_boot_regions};
#[cfg(all(feature = "chapter5", not(feature = "chapter9")))]
pub(crate) use root::SpaceRoot;
#[cfg(feature = "chapter4")]
pub(crate) use space::tables_below;
pub use space::{AddressSpace, FrameSize, MapError, Mapping, Translation};
#[cfg(feature = "chapter4")]
pub(crate) use table::{ENTRIES, TOP_LEVEL, UPPER_HALF};
pub use window::{Frame, LARGE_FRAME_PAGES, OwnedLargeFrame, OwnedPage, read_frame};

use crate::{interrupts, println};

/// Builds the table of pages, makes the kernel's own address space, and reports page faults from now on.
pub(crate) fn initialize(information: &BootInfo) {
    initialize_pages(&information.memory_regions);
    kernel::initialize(&information.memory_regions);
    interrupts::set_handler(interrupts::exceptions::PAGE_FAULT, Some(fault::stop_on_fault));
    interrupts::set_handler(interrupts::exceptions::DOUBLE_FAULT, Some(fault::stop_on_double_fault));
}

fn initialize_pages(map: &[MemoryRegion]) {
    region::set_boot_regions(pages::place_table(region::usable(map)));
}

/// The same on the host, where a test has set the window to memory of its own. The kernel's space is empty there.
#[cfg(not(target_os = "none"))]
pub fn initialize_on_host(map: &[MemoryRegion]) {
    initialize_pages(map);
    if let Some(top) = take_boot_page(PageKind::AddressSpace) {
        kernel::use_kernel_space(top.frame());
    }
}

/// Maps a page in a new address space, looks at it from both sides, and shows what is refused.
pub fn demonstrate() {
    use flatmk_abi::Access;

    let free: u64 = boot_regions(|regions| regions.iter().map(|region| u64::from(region.free_pages())).sum());
    println!("{} pages in the table of pages, {free} of them free", page_count());

    const ADDRESS: u64 = 0x40_0000;
    let shown = boot_regions(|regions| {
        let region = regions.iter_mut().max_by_key(|region| region.free_pages()).ok_or(MapError::OutOfMemory)?;
        let space = AddressSpace::new(region)?;
        let frame = region.take(PageKind::Frame).ok_or(MapError::OutOfMemory)?;
        space.map(ADDRESS, frame, FrameSize::Small, Access::ReadWrite, region)?;
        println!("mapped {ADDRESS:#x}: {:?}", space.translate(ADDRESS));
        space.protect(ADDRESS, Access::ReadExecute)?.now();
        println!("protected: {:?}", space.translate(ADDRESS));
        println!("mapping it a second time: {:?}", space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region));
        let (mapping, flush) = space.unmap(ADDRESS)?;
        flush.now();
        region.give(mapping.frame);
        space.destroy(region);
        Ok::<(), MapError>(())
    });
    println!("the demonstration ended with {shown:?}");
    println!("kernel mappings: {:?}", audit());
}
