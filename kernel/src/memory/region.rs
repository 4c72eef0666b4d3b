//! Regions: ranges of free pages.
//!
//! A region hands out pages that were never used from its front, and pages that came back from a list through their entries.
//! Both take constant time. Regions can be split off its end. From chapter 4 on a region lives in a memory capability.

use core::ops::Range;

use arrayvec::ArrayVec;
use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use super::pages::{PageKind, entry_of};
use super::window::{Frame, LARGE_FRAME_PAGES, OwnedLargeFrame, OwnedPage};
use crate::planted::{Bug, planted};
use crate::sync::Exclusive;

/// The most regions of memory that are used, the largest; further ones stay reserved.
pub(super) const MOST_REGIONS: usize = 32;

/// The regions of a machine's memory.
pub type Regions = ArrayVec<Region, MOST_REGIONS>;

// ANCHOR: region
/// A range of pages, and which of them are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first page, by number. It names the region in the entries of its pages.
    start: u32,
    /// One past the last page.
    end: u32,
    /// The first page that was never handed out.
    unused: u32,
    /// Where the unused pages end: from here on the pages belong to regions that were split off.
    top: u32,
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
        Self { start, end, unused: start, top: end, returned: 0, returned_count: 0 }
    }

    /// The region in three words, without its first page, as a memory capability keeps it.
    #[must_use]
    pub fn to_words(&self) -> [u64; 3] {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [pair(self.unused, self.top), pair(self.returned, self.returned_count), u64::from(self.end)]
    }

    /// The region that [`to_words`](Self::to_words) has put into these words.
    #[must_use]
    pub fn from_words(first: Frame, [unused, returned, end]: [u64; 3]) -> Self {
        Self {
            start: first.number(),
            end: end as u32,
            unused: unused as u32,
            top: (unused >> 32) as u32,
            returned: returned as u32,
            returned_count: (returned >> 32) as u32,
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

    /// The pages that were never handed out, by number.
    #[must_use]
    pub fn unused(&self) -> Range<u32> {
        self.unused..self.top
    }

    /// The pages that came back.
    pub fn returned(&self) -> impl Iterator<Item = Frame> {
        let first = Some(Frame::from_number(self.returned)).filter(|_| self.returned_count > 0);
        core::iter::successors(first, |&frame| entry_of(frame)?.next()).take(self.returned_count as usize)
    }

    /// How many pages can be taken.
    #[must_use]
    pub fn free_pages(&self) -> u32 {
        self.top - self.unused + self.returned_count
    }

    /// How many pages it has, free or not, split off or not.
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
        let frame = self.take_any()?;
        self.assign(frame, kind);
        // SAFETY: the page was free: no capability, mapping or list leads to it any more.
        let mut page = unsafe { OwnedPage::new(frame) };
        page.zero();
        Some(page)
    }
    // ANCHOR_END: take

    fn take_any(&mut self) -> Option<Frame> {
        // ANCHOR: exercise-3-1
        if self.returned_count > 0 {
            let frame = Frame::from_number(self.returned);
            self.returned = entry_of(frame)?.next().map_or(0, Frame::number);
            self.returned_count -= 1;
            Some(frame)
        } else if self.unused < self.top {
            self.unused += 1;
            Some(Frame::from_number(self.unused - 1))
        } else {
            None
        }
        // ANCHOR_END: exercise-3-1
    }

    fn assign(&self, frame: Frame, kind: PageKind) {
        if let Some(entry) = entry_of(frame) {
            entry.set_kind(kind);
            entry.set_region(Frame::from_number(self.start));
            entry.set_next(None);
        }
    }

    /// How many large frames can be taken: they need pages in a row that were never handed out.
    #[must_use]
    pub fn large_frames(&self) -> u32 {
        self.top.saturating_sub(self.unused.next_multiple_of(LARGE_FRAME_PAGES)) / LARGE_FRAME_PAGES
    }

    /// Takes the pages of a large frame, which are not zeroed. Pages before it that its alignment leaves over stay free.
    pub fn take_large(&mut self) -> Option<OwnedLargeFrame> {
        if self.large_frames() == 0 {
            return None;
        }
        let first = self.unused.next_multiple_of(LARGE_FRAME_PAGES);
        for number in self.unused..first {
            self.push(Frame::from_number(number));
        }
        self.unused = first + LARGE_FRAME_PAGES;
        for number in first..self.unused {
            self.assign(Frame::from_number(number), PageKind::LargeFrame);
        }
        // SAFETY: the pages were free.
        Some(unsafe { OwnedLargeFrame::new(Frame::from_number(first)) })
    }

    /// Gives a page back that was taken from this region.
    pub fn give(&mut self, frame: Frame) {
        if let Some(entry) = entry_of(frame) {
            debug_assert_eq!(entry.region().number(), self.start, "a page must go back to its own region");
            entry.set_kind(PageKind::Free);
            entry.set_anchor(0);
        }
        self.push(frame);
        self.tidy();
    }

    fn push(&mut self, frame: Frame) {
        if let Some(entry) = entry_of(frame) {
            entry.set_next(Some(Frame::from_number(self.returned)).filter(|_| self.returned_count > 0));
        }
        self.returned = frame.number();
        self.returned_count += 1;
    }

    /// With all pages back, the region is what it was at first.
    fn tidy(&mut self) {
        if self.free_pages() == self.pages() {
            *self = Self::new(self.start, self.end);
        }
    }

    // ANCHOR: split
    /// Whether [`split`](Self::split) can take so many pages. One page at least stays, so that no two regions begin with the same.
    #[must_use]
    pub fn can_split(&self, pages: u32) -> bool {
        let unused = self.top - self.unused;
        let most = if self.unused == self.start { unused.saturating_sub(1) } else { unused };
        (1..=most).contains(&pages)
    }

    /// Splits pages off, from the end of those that were never handed out.
    pub fn split(&mut self, pages: u32) -> Option<Region> {
        if !self.can_split(pages) {
            return None;
        }
        let end = self.top;
        if planted(Bug::PagesInTwoMemories) {
            return Some(Region::new(end - pages, end));
        }
        self.top -= pages;
        Some(Region::new(self.top, end))
    }

    /// Takes back what was split off, in pieces where it does not adjoin: at most `most` pages at a time. `None` is left when all
    /// is back.
    pub fn absorb(&mut self, mut other: Region, most: u32) -> Option<Region> {
        if other.start == self.top && other.free_pages() == other.pages() {
            self.top = other.end;
            self.tidy();
            return None;
        }
        for _ in 0..most {
            let Some(frame) = other.take_any() else {
                self.tidy();
                return None;
            };
            self.push(frame);
        }
        Some(other)
    }
    // ANCHOR_END: split

    /// The part that was never handed out, as a region of its own; what was taken before is no longer part of any.
    #[must_use]
    pub fn rest(&self) -> Region {
        Region::new(self.unused, self.top)
    }

    /// Cuts pages off the front for good; only before any was taken.
    pub(super) fn cut_front(&mut self, pages: u32) -> Option<Frame> {
        if self.unused != self.start || self.free_pages() < pages {
            return None;
        }
        let first = Frame::from_number(self.start);
        *self = Self::new(self.start + pages, self.end);
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
        .fold(Regions::new(), keep_largest)
}

/// Adds a region; where there are too many, the smallest is left out.
fn keep_largest(mut regions: Regions, region: Region) -> Regions {
    if let Err(full) = regions.try_push(region) {
        let region = full.element();
        let smallest = regions.iter_mut().min_by_key(|other| other.pages());
        if let Some(smallest) = smallest.filter(|smallest| smallest.pages() < region.pages()) {
            *smallest = region;
        }
    }
    regions
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
