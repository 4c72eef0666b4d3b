//! A set of pages, as few ranges of their numbers.

use core::ops::Range;

use arrayvec::ArrayVec;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use flatmk_abi::layout::PAGE_SIZE;

/// How many separate ranges are kept. With more of them, what lies in between belongs to the set, too: too little is a device, never too much.
pub(super) const MOST_RANGES: usize = 64;

/// Ranges of pages in order, none of which adjoins another. There is room for one too many.
pub(super) struct Pages(ArrayVec<Range<u32>, { MOST_RANGES + 1 }>);

impl Pages {
    /// None.
    pub(super) const fn none() -> Self {
        Self(ArrayVec::new_const())
    }

    /// Adds pages. Where there are too many ranges then, two are joined: over the smallest gap, and over what `is_needed` only where all of them are.
    pub(super) fn add(&mut self, pages: Range<u32>, is_needed: impl Fn(&Range<u32>) -> bool) {
        let mut pages = pages;
        while let Some(index) = self.0.iter().position(|other| other.start <= pages.end && pages.start <= other.end) {
            let other = self.0.remove(index);
            pages = pages.start.min(other.start)..pages.end.max(other.end);
        }
        let place = self.0.partition_point(|other| other.start < pages.start);
        self.0.insert(place, pages);
        if self.0.is_full() {
            self.join_over_a_gap(is_needed);
        }
    }

    fn join_over_a_gap(&mut self, is_needed: impl Fn(&Range<u32>) -> bool) {
        let gaps = self.0.iter().zip(self.0.iter().skip(1)).map(|(before, behind)| before.end..behind.start);
        let least = gaps.enumerate().min_by_key(|(_, gap)| (is_needed(gap), gap.len()));
        if let Some((index, _)) = least {
            let behind = self.0.remove(index + 1);
            if let Some(before) = self.0.get_mut(index) {
                before.end = behind.end;
            }
        }
    }

    /// Whether it has none of these.
    pub(super) fn has_none_of(&self, pages: &Range<u32>) -> bool {
        !self.0.iter().any(|other| overlaps(other, pages))
    }
}

/// The pages of memory that a region covers.
pub(super) fn memory_in(region: &MemoryRegion) -> Option<Range<u32>> {
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

/// Whether a region has the firmware's tables (ACPI specification, tables 15.4 and 15.6).
pub(super) fn has_tables(region: &MemoryRegion) -> bool {
    matches!(region.kind, MemoryRegionKind::UnknownBios(3 | 4) | MemoryRegionKind::UnknownUefi(9 | 10))
}

/// All pages of which these bytes have something.
pub(super) fn outwards(start: u64, end: u64) -> Range<u32> {
    number_of(start / PAGE_SIZE)..number_of(end.div_ceil(PAGE_SIZE))
}

pub(super) fn number_of(page: u64) -> u32 {
    u32::try_from(page).unwrap_or(u32::MAX)
}

pub(super) fn overlaps(one: &Range<u32>, other: &Range<u32>) -> bool {
    one.start < other.end && other.start < one.end
}
