//! Regions: ranges of free pages.
//!
//! A region hands out pages that were never used from its front, and pages that came back from a list through their entries.
//! Both take constant time. From chapter 4 on a region lives in the four words of a memory capability.

use arrayvec::ArrayVec;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use super::pages::{PageEntry, PageKind, entry_of};
use super::window::{Frame, OwnedPage};
use crate::sync::Exclusive;

/// The most regions of memory that are used; further ones stay reserved.
pub(super) const MOST_REGIONS: usize = 32;

/// The regions of a machine's memory.
pub type Regions = ArrayVec<Region, MOST_REGIONS>;

// ANCHOR: region
/// A range of pages, and which of them are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first page, by number. It names the region in the entries of its pages.
    start: u32,
    /// The first page that was never handed out.
    unused: u32,
    /// One past the last page.
    end: u32,
    /// The first page that was handed out and came back; 0 for none.
    returned: u32,
    /// How many pages came back and were not handed out again.
    returned_count: u32,
}
// ANCHOR_END: region

impl Region {
    /// The pages from number `start` up to, not including, `end`, all free.
    #[must_use]
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, unused: start, end, returned: 0, returned_count: 0 }
    }

    /// The region in four words, as a memory capability keeps it.
    #[must_use]
    pub fn to_words(&self) -> [u64; 4] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [pair(self.start, self.end), u64::from(self.unused), u64::from(self.returned), u64::from(self.returned_count)]
    }

    /// The region that [`to_words`](Self::to_words) has put into these words.
    #[must_use]
    pub fn from_words([range, unused, returned, returned_count]: [u64; 4]) -> Self {
        Self {
            start: range as u32,
            end: (range >> 32) as u32,
            unused: unused as u32,
            returned: returned as u32,
            returned_count: returned_count as u32,
        }
    }

    /// The first page, by number.
    #[must_use]
    pub fn start(&self) -> u32 {
        self.start
    }

    /// One past the last page, by number.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.end
    }

    /// How many pages can be taken.
    #[must_use]
    pub fn free_pages(&self) -> u32 {
        self.end - self.unused + self.returned_count
    }

    /// How many pages it has, free or not.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.end - self.start
    }

    // ANCHOR: take
    /// Takes a page for an object of this kind. It is zeroed. `None` when no page is free.
    pub fn take(&mut self, kind: PageKind) -> Option<Frame> {
        self.take_owned(kind).map(|page| page.frame())
    }

    /// Takes a page, to be filled before anybody else knows of it.
    pub fn take_owned(&mut self, kind: PageKind) -> Option<OwnedPage> {
        let (frame, entry) = self.take_returned().or_else(|| self.take_unused())?;
        entry.set_kind(kind);
        entry.set_region(Frame::from_number(self.start));
        entry.set_next(None);
        // SAFETY: the page was free: no capability, mapping or list leads to it any more.
        let mut page = unsafe { OwnedPage::new(frame) };
        page.bytes().fill(0);
        Some(page)
    }
    // ANCHOR_END: take

    fn take_returned(&mut self) -> Option<(Frame, &'static PageEntry)> {
        self.returned_count = self.returned_count.checked_sub(1)?;
        let frame = Frame::from_number(self.returned);
        let entry = entry_of(frame)?;
        self.returned = entry.next().map_or(0, Frame::number);
        Some((frame, entry))
    }

    fn take_unused(&mut self) -> Option<(Frame, &'static PageEntry)> {
        if self.unused == self.end {
            return None;
        }
        let frame = Frame::from_number(self.unused);
        let entry = entry_of(frame)?;
        self.unused += 1;
        Some((frame, entry))
    }

    /// Gives a page back that was taken from this region.
    pub fn give(&mut self, frame: Frame) {
        let Some(entry) = entry_of(frame) else { return };
        debug_assert_eq!(entry.region().number(), self.start, "a page must go back to its own region");
        entry.set_kind(PageKind::Free);
        entry.set_anchor(0);
        entry.set_next(Some(Frame::from_number(self.returned)).filter(|frame| frame.number() != 0));
        self.returned = frame.number();
        self.returned_count += 1;
    }

    /// Cuts pages off the front for good; only before any was taken.
    pub(super) fn cut_front(&mut self, pages: u32) -> Option<Frame> {
        if self.unused != self.start || self.free_pages() < pages {
            return None;
        }
        let first = Frame::from_number(self.start);
        self.start += pages;
        self.unused = self.start;
        Some(first)
    }
}

/// The regions of the memory map that can be used, rounded inwards to whole pages. The first page stays reserved, so that
/// page number 0 can mean "none".
pub(super) fn usable(map: &[MemoryRegion]) -> Regions {
    let page = flatmk_abi::layout::PAGE_SIZE;
    map.iter()
        .filter(|region| region.kind == MemoryRegionKind::Usable)
        .filter_map(|region| {
            let start = u32::try_from(region.start.div_ceil(page)).ok()?.max(1);
            let end = u32::try_from(region.end / page).ok()?;
            (start < end).then(|| Region::new(start, end))
        })
        .take(MOST_REGIONS)
        .collect()
}

/// The memory that nobody owns yet. From chapter 5 on the root task gets it, as memory capabilities.
static BOOT_REGIONS: Exclusive<Regions> = Exclusive::new(Regions::new_const());

pub(super) fn set_boot_regions(regions: Regions) {
    BOOT_REGIONS.with(|current| *current = regions);
}

/// Lends the regions that nobody owns yet.
pub fn boot_regions<R>(use_them: impl FnOnce(&mut Regions) -> R) -> R {
    BOOT_REGIONS.with(use_them)
}

/// Hands the regions over: the kernel has no memory of its own from here on.
pub fn take_boot_regions() -> Regions {
    boot_regions(core::mem::take)
}

/// Takes a page at boot from whichever region has one.
pub fn take_boot_page(kind: PageKind) -> Option<OwnedPage> {
    boot_regions(|regions| regions.iter_mut().find_map(|region| region.take_owned(kind)))
}
