//! Which physical pages are memory. All others are devices, firmware, or nothing.

use core::ops::Range;

use arrayvec::ArrayVec;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use flatmk_abi::layout::PAGE_SIZE;

use super::screen;
use crate::memory::Frame;
use crate::processor::Processor;
use crate::sync::Exclusive;

/// How many separate ranges are kept. With more of them, those in between count as memory, too: too little is a device, never too much.
const MOST_RANGES: usize = 64;

/// The registers of all interrupt controllers, I/O and local, and the addresses at which an interrupt is a write (Intel SDM vol. 3A, 10.11.1): the
/// kernel's own. Whoever could write there could raise any exception.
const CONTROLLERS: [Range<u64>; 2] = [0xfec0_0000..0xfed0_0000, 0xfee0_0000..0xfef0_0000];

/// Ranges of pages, by number, none of which adjoins another.
type Ranges = ArrayVec<Range<u32>, MOST_RANGES>;

static TAKEN: Exclusive<Ranges> = Exclusive::new(Ranges::new_const());

// ANCHOR: initialize
/// Notes what no program may map as a device: all memory, whoever uses it, and the interrupt controllers.
pub(super) fn initialize(map: &[MemoryRegion]) {
    TAKEN.with(|taken| {
        map.iter().filter_map(pages_of).for_each(|pages| add(taken, pages));
        CONTROLLERS.iter().for_each(|bytes| add(taken, outwards(bytes.start, bytes.end)));
    });
}

/// The pages of memory that a region covers.
fn pages_of(region: &MemoryRegion) -> Option<Range<u32>> {
    match region.kind {
        // What is left of its first and last page nobody uses as memory.
        MemoryRegionKind::Usable => {
            Some(number_of(region.start.div_ceil(PAGE_SIZE))..number_of(region.end / PAGE_SIZE))
        }
        MemoryRegionKind::Bootloader => Some(outwards(region.start, region.end)),
        _ => None,
    }
    .filter(|pages| !pages.is_empty())
}
// ANCHOR_END: initialize

fn outwards(start: u64, end: u64) -> Range<u32> {
    number_of(start / PAGE_SIZE)..number_of(end.div_ceil(PAGE_SIZE))
}

fn number_of(page: u64) -> u32 {
    u32::try_from(page).unwrap_or(u32::MAX)
}

/// Adds pages to the ranges.
fn add(ranges: &mut Ranges, pages: Range<u32>) {
    let mut pages = pages;
    while let Some(index) = ranges.iter().position(|other| other.start <= pages.end && pages.start <= other.end) {
        pages = join(&pages, &ranges.swap_remove(index));
    }
    if let Err(full) = ranges.try_push(pages)
        && let Some(last) = ranges.pop()
    {
        add(ranges, join(&last, &full.element()));
    }
}

fn join(one: &Range<u32>, other: &Range<u32>) -> Range<u32> {
    one.start.min(other.start)..one.end.max(other.end)
}

/// Whether none of these pages is memory, or an interrupt controller's.
pub(super) fn is_free(pages: &Range<u32>) -> bool {
    TAKEN.with(|taken| !taken.iter().any(|other| overlaps(other, pages)))
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

fn overlaps(one: &Range<u32>, other: &Range<u32>) -> bool {
    one.start < other.end && other.start < one.end
}

/// All pages that the processor can address, as far as they have a number: up to 16 TiB.
pub(super) fn all() -> Range<u32> {
    0..number_of(1 << Processor::identify().physical_address_bits().saturating_sub(PAGE_SIZE.trailing_zeros() as u8))
}
