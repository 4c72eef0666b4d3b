//! What the tests share: memory of their own.

use kernel::memory::{Region, boot_regions};

pub(crate) const ADDRESS: u64 = 0x40_0000;

pub(crate) fn with_region<R>(test: impl FnOnce(&mut Region) -> R) -> R {
    boot_regions(|regions| test(regions.iter_mut().max_by_key(|region| region.free_pages()).expect("there is memory")))
}

/// Runs a test with a region of its own, in which all pages must be free again afterwards.
pub(crate) fn with_pages(pages: u32, test: impl FnOnce(&mut Region)) {
    with_region(|region| {
        let free = region.free_pages();
        let mut part = region.split(pages).expect("so many pages that were never handed out");
        test(&mut part);
        assert_eq!(part.free_pages(), pages, "all pages come back");
        assert_eq!(region.absorb(part, 0), None, "the part adjoins");
        assert_eq!(region.free_pages(), free);
    });
}
