//! Regions hand out each of their pages once at a time, as sets of pages do.
#![expect(clippy::indexing_slicing, reason = "whoever looks for something that is not there has found a mistake")]

use std::collections::BTreeSet;

use flatmk_model::machine::fresh_region;
use kernel::memory::{Frame, LARGE_FRAME_PAGES, PageKind, Region};
use proptest::prelude::*;

/// A region and the pages that it should have.
struct Modelled {
    region: Region,
    free: BTreeSet<u32>,
    taken: Vec<u32>,
    /// The region it was split off.
    parent: Option<usize>,
    children: usize,
}

impl Modelled {
    fn new(region: Region, parent: Option<usize>) -> Self {
        let free = (region.start()..region.end()).collect();
        Self { region, free, taken: Vec::new(), parent, children: 0 }
    }

    /// Whether an aligned run of pages was never handed out.
    fn has_large(&self) -> bool {
        let unused = self.region.unused();
        unused.clone().any(|page| page % LARGE_FRAME_PAGES == 0 && page + LARGE_FRAME_PAGES <= unused.end)
    }

    fn check(&self) {
        let listed: Vec<u32> = self.region.unused().chain(self.region.returned().map(Frame::number)).collect();
        assert_eq!(listed.len(), self.region.free_pages() as usize);
        assert_eq!(listed.into_iter().collect::<BTreeSet<u32>>(), self.free);
        if self.free.len() == self.region.pages() as usize {
            assert_eq!(self.region, Region::new(self.region.start(), self.region.end()));
        }
    }

    fn take(&mut self) {
        match self.region.take(PageKind::Frame) {
            Some(page) => {
                assert!(self.free.remove(&page.number()), "{page:?} was not free");
                self.taken.push(page.number());
            }
            None => assert!(self.free.is_empty()),
        }
    }

    fn take_large(&mut self) {
        let has_large = self.has_large();
        match self.region.take_large() {
            Some(large) => {
                let pages: Vec<u32> = large.into_pages().map(|page| page.frame().number()).collect();
                assert!(
                    pages[0].is_multiple_of(LARGE_FRAME_PAGES) && pages.iter().copied().eq(pages[0]..pages[0] + 512)
                );
                assert!(pages.iter().all(|page| self.free.remove(page)), "{} was not free", pages[0]);
                self.taken.extend(pages);
            }
            None => assert!(!has_large),
        }
    }

    fn give(&mut self, choice: u32) {
        if !self.taken.is_empty() {
            let page = self.taken.swap_remove(choice as usize % self.taken.len());
            self.region.give(Frame::from_number(page));
            self.free.insert(page);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Take,
    TakeLarge,
    Give(u32),
    GiveAll,
    Split(u32),
    /// Give it back to the one it was split off, so many pages at a time.
    Absorb(u32),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => Just(Operation::Take),
        1 => Just(Operation::TakeLarge),
        3 => any::<u32>().prop_map(Operation::Give),
        1 => Just(Operation::GiveAll),
        2 => (0..40_u32).prop_map(Operation::Split),
        1 => (0..1700_u32).prop_map(Operation::Split),
        3 => (1..100_u32).prop_map(Operation::Absorb),
    ]
}

fn perform(regions: &mut Vec<Modelled>, index: usize, operation: Operation) {
    let modelled = &mut regions[index];
    match operation {
        Operation::Take => modelled.take(),
        Operation::TakeLarge => modelled.take_large(),
        Operation::Give(choice) => modelled.give(choice),
        Operation::GiveAll => (0..modelled.taken.len()).for_each(|_| modelled.give(0)),
        Operation::Split(pages) => {
            let unused = modelled.region.unused();
            let stays = u32::from(unused.start == modelled.region.start());
            let can = pages > 0 && pages + stays <= unused.len() as u32;
            assert_eq!(modelled.region.can_split(pages), can);
            let Some(part) = modelled.region.split(pages) else { return assert!(!can) };
            assert!(can && part.pages() == pages && part.end() == unused.end);
            assert!((part.start()..part.end()).all(|page| modelled.free.remove(&page)));
            modelled.children += 1;
            regions.push(Modelled::new(part, Some(index)));
        }
        Operation::Absorb(most) => {
            let Some(parent) = modelled.parent.filter(|_| modelled.children == 0 && modelled.taken.is_empty()) else {
                return;
            };
            let mut left = Some(modelled.region);
            let mut free = std::mem::take(&mut modelled.free);
            // It is no region any more: nothing is taken from it or split off.
            modelled.region = Region::new(0, 0);
            modelled.parent = None;
            while let Some(region) = left {
                left = regions[parent].region.absorb(region, most);
            }
            regions[parent].free.append(&mut free);
            regions[parent].children -= 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_region_is_a_set_of_pages(operations in prop::collection::vec((any::<prop::sample::Index>(), operation()), 1..120)) {
        let (_running, region) = fresh_region();
        let mut regions = vec![Modelled::new(region.rest(), None)];
        for (index, operation) in operations {
            let index = index.index(regions.len());
            if regions[index].region.pages() > 0 {
                perform(&mut regions, index, operation);
            }
            regions.iter().filter(|modelled| modelled.region.pages() > 0).for_each(Modelled::check);
        }
    }
}
