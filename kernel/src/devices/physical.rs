//! Which physical pages are memory. All others are devices, firmware, or nothing.

use core::ops::Range;

use bootloader_api::info::MemoryRegion;
use flatmk_abi::layout::PAGE_SIZE;

use super::pages::{Pages, has_tables, memory_in, number_of, outwards, overlaps};
use super::screen;
use crate::memory::Frame;
use crate::processor::Processor;
use crate::sync::Exclusive;

/// The registers of all interrupt controllers, I/O and local, and the addresses at which an interrupt is a write (Intel SDM vol. 3A, 10.11.1): the
/// kernel's own. Whoever could write there could raise any exception.
const CONTROLLERS: [Range<u64>; 2] = [0xfec0_0000..0xfed0_0000, 0xfee0_0000..0xfef0_0000];

static TAKEN: Exclusive<Pages> = Exclusive::new(Pages::none());

// ANCHOR: initialize
/// Notes what no program may map as a device: all memory, whoever uses it, and the interrupt controllers. The screen and the firmware's tables count as
/// memory last of all.
pub(super) fn initialize(map: &[MemoryRegion]) {
    let tables = || map.iter().filter(|region| has_tables(region)).map(|region| outwards(region.start, region.end));
    let is_needed = |gap: &Range<u32>| tables().chain(screen::pages()).any(|pages| overlaps(&pages, gap));
    TAKEN.with(|taken| {
        map.iter().filter_map(memory_in).for_each(|pages| taken.add(pages, is_needed));
        CONTROLLERS.iter().for_each(|bytes| taken.add(outwards(bytes.start, bytes.end), is_needed));
    });
}
// ANCHOR_END: initialize

/// Whether none of these pages is memory, or an interrupt controller's.
pub(super) fn is_free(pages: &Range<u32>) -> bool {
    TAKEN.with(|taken| taken.has_none_of(pages))
}

/// Whether a program may map all of these pages as a device's. The screen has a capability of its own.
pub fn is_device(pages: &Range<u32>) -> bool {
    is_free(pages) && !screen::pages().is_some_and(|other| overlaps(&other, pages))
}

/// Whether a page that a program has mapped is memory.
pub(crate) fn is_memory(page: Frame) -> bool {
    let number = page.number();
    !is_free(&(number..number.saturating_add(1)))
}

/// All pages that the processor can address, as far as they have a number: up to 16 TiB.
pub(super) fn all() -> Range<u32> {
    0..number_of(1 << Processor::identify().physical_address_bits().saturating_sub(PAGE_SIZE.trailing_zeros() as u8))
}
