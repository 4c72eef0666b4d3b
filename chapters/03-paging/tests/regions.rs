//! Regions hand out every page once, take each back, and can be split and put together in any order.

use kernel::memory::{Frame, PageKind, Region, entry_of};

use crate::shared::{with_pages, with_region};

#[test_case]
fn a_page_is_zeroed_when_it_is_taken_again() {
    with_region(|region| {
        let mut page = region.take_owned(PageKind::Frame).expect("a page");
        page.bytes().fill(0xaa);
        let frame = page.frame();
        region.give(frame);
        let mut again = region.take_owned(PageKind::Frame).expect("a page");
        assert_eq!(again.frame(), frame);
        assert!(again.bytes().iter().all(|&byte| byte == 0));
        region.give(frame);
    });
}

#[test_case]
fn taking_and_giving_back_keeps_the_count() {
    with_pages(5, |region| {
        let pages = [(); 5].map(|()| region.take(PageKind::Frame).expect("a page"));
        assert_eq!(region.free_pages(), 0);
        pages.into_iter().for_each(|page| region.give(page));
    });
}

#[test_case]
fn an_exhausted_region_gives_none_until_a_page_comes_back() {
    with_pages(2, |region| {
        let pages = [(); 2].map(|()| region.take(PageKind::Frame).expect("a page"));
        assert_eq!(region.take(PageKind::Frame), None);
        for page in pages {
            region.give(page);
            assert_eq!(region.take(PageKind::Frame), Some(page));
        }
        pages.into_iter().for_each(|page| region.give(page));
    });
}

#[test_case]
fn a_region_survives_being_packed_into_words() {
    with_pages(4, |region| {
        let part = region.split(1).expect("an unused page");
        let pages = [(); 2].map(|()| region.take(PageKind::Frame).expect("a page"));
        for page in pages {
            region.give(page);
            let first = Frame::from_number(region.start());
            assert_eq!(Region::from_words(first, region.to_words()), *region);
        }
        assert_eq!(region.absorb(part, 0), None);
        // Numbers of 32 bits keep all of them.
        let high = Region::new(u32::MAX - 2, u32::MAX);
        assert_eq!(Region::from_words(Frame::from_number(u32::MAX - 2), high.to_words()), high);
    });
}

#[test_case]
fn only_pages_that_were_never_handed_out_are_split_off_and_one_stays() {
    with_pages(8, |region| {
        for (pages, possible) in [(0, false), (1, true), (7, true), (8, false), (u32::MAX, false)] {
            assert_eq!(region.can_split(pages), possible, "{pages}");
        }
        assert_eq!(region.split(8), None);
        let page = region.take(PageKind::Frame).expect("a page");
        assert!(region.can_split(7) && !region.can_split(8), "the page that was taken stays");
        let part = region.split(7).expect("unused pages");
        assert_eq!((part.start(), part.end()), (region.start() + 1, region.end()), "from the end");
        assert_eq!((region.free_pages(), region.pages(), part.free_pages()), (0, 8, 7));
        assert_eq!(region.absorb(part, 0), None);
        region.give(page);
        // A page that came back, while others have not, does not count as unused.
        let pages = [(); 3].map(|()| region.take(PageKind::Frame).expect("a page"));
        pages.into_iter().take(2).for_each(|page| region.give(page));
        assert!(region.can_split(5) && !region.can_split(6));
        pages.into_iter().skip(2).for_each(|page| region.give(page));
    });
}

/// All orders of four.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    (0..256)
        .map(|code| [code >> 6, code >> 4 & 3, code >> 2 & 3, code & 3])
        .filter(|order| (0..4).all(|member| order.contains(&member)))
}

#[test_case]
fn parts_come_back_in_every_order() {
    let mut count = 0;
    for order in orders() {
        with_pages(64, |region| {
            let (start, end) = (region.start(), region.end());
            let mut parts = [3, 20, 1, 9].map(|pages| region.split(pages));
            for &index in &order {
                let mut part = parts.get_mut(index).and_then(Option::take).expect("each once");
                let pages = part.pages();
                // Some have handed pages out of order, so these are on their list.
                let taken: [_; 3] = core::array::from_fn(|_| part.take(PageKind::Frame));
                taken.into_iter().flatten().rev().for_each(|page| part.give(page));
                let free = region.free_pages();
                let mut rounds = 0;
                let mut left = Some(part);
                while let Some(part) = left {
                    left = region.absorb(part, 4);
                    rounds += 1;
                }
                assert_eq!(region.free_pages(), free + pages);
                assert!(rounds <= pages.div_ceil(4) + 1, "{rounds} rounds for {pages} pages");
            }
            assert_eq!(*region, Region::new(start, end), "in one piece again");
        });
        count += 1;
    }
    assert_eq!(count, 24);
}

#[test_case]
fn parts_of_parts_come_back() {
    with_pages(100, |region| {
        let whole = *region;
        for _ in 0..3 {
            let mut outer = region.split(60).expect("unused pages");
            let mut middle = outer.split(40).expect("unused pages");
            let inner = middle.split(20).expect("unused pages");
            let other = outer.split(5).expect("unused pages");
            assert_eq!(middle.absorb(inner, 1), None);
            assert_eq!(outer.absorb(other, 1), None);
            assert_eq!(outer.absorb(middle, 1), None);
            assert_eq!(region.absorb(outer, 1), None);
            assert_eq!(*region, whole);
        }
    });
}

#[test_case]
fn no_page_is_handed_out_twice_after_parts_came_back() {
    with_pages(32, |region| {
        let [first, second] = [7, 11].map(|pages| region.split(pages).expect("unused pages"));
        // The upper part does not adjoin while the lower one is away.
        let mut left = Some(first);
        while let Some(part) = left {
            left = region.absorb(part, 2);
        }
        assert_eq!(region.absorb(second, 2), None);
        let taken: [_; 32] = core::array::from_fn(|_| region.take(PageKind::Frame).expect("a page"));
        assert_eq!(region.take(PageKind::Frame), None);
        for page in taken {
            let entry = entry_of(page).expect("an entry");
            assert_eq!((entry.kind(), entry.region().number()), (PageKind::Frame, region.start()));
            // Gives the page back, so that one that was handed out twice is not a frame the second time.
            region.give(page);
        }
    });
}
