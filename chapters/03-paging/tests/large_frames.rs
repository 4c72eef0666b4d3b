//! Large frames: 512 pages in a row, mapped by one entry, beside small ones and in their place.

use flatmk_abi::Access;
use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, USER_END, USER_START};
use kernel::memory::{
    AddressSpace, Flush, Frame, FrameSize, LARGE_FRAME_PAGES, MapError, Mapping, PageKind, Region, Translation,
    entry_of, kernel_space,
};
use x86_64::instructions::interrupts::without_interrupts;

use crate::shared::{ADDRESS, with_pages};
use crate::user_access::{read_user, write_user};

/// Enough for a large frame wherever the region begins, and for page tables.
const PAGES: u32 = 2 * LARGE_FRAME_PAGES + 16;

/// Takes a large frame. Each of its pages is filled with a byte.
fn take_large(region: &mut Region, content: u8) -> Frame {
    let large = region.take_large().expect("aligned pages in a row");
    let first = large.frame();
    large.into_pages().for_each(|mut page| page.bytes().fill(content));
    first
}

fn give_large(region: &mut Region, first: Frame) {
    (0..LARGE_FRAME_PAGES).for_each(|offset| region.give(Frame::from_number(first.number() + offset)));
}

/// Runs a test with a space and a large frame.
fn with_large(test: impl FnOnce(&mut Region, AddressSpace, Frame)) {
    with_pages(PAGES, |region| {
        let large = take_large(region, 0);
        let space = AddressSpace::new(region).expect("a space");
        test(region, space, large);
        space.destroy(region);
        give_large(region, large);
    });
}

fn map(space: AddressSpace, address: u64, frame: Frame, size: FrameSize, region: &mut Region) -> Result<(), MapError> {
    space.map(address, frame, size, Access::ReadWrite, region)
}

fn unmap(space: AddressSpace, address: u64) -> Result<Mapping, MapError> {
    let (mapping, flush) = space.unmap(address)?;
    flush.now();
    Ok(mapping)
}

#[test_case]
fn a_large_frame_is_aligned_and_the_pages_before_it_stay_free() {
    with_pages(PAGES, |region| {
        let begins_at = region.unused().start;
        let large = take_large(region, 1);
        assert!(large.number().is_multiple_of(LARGE_FRAME_PAGES));
        assert_eq!(region.free_pages(), PAGES - LARGE_FRAME_PAGES);
        assert_eq!(region.returned().count() as u32, large.number() - begins_at);
        let kind = |number| entry_of(Frame::from_number(number)).expect("an entry").kind();
        assert!((large.number()..large.number() + LARGE_FRAME_PAGES).all(|page| kind(page) == PageKind::LargeFrame));
        assert!((begins_at..large.number()).all(|page| kind(page) == PageKind::Free));
        give_large(region, large);
        assert_eq!(region.unused().count() as u32, PAGES, "with all pages back there is a large one again");
    });
}

#[test_case]
fn there_are_as_many_large_frames_as_the_region_says() {
    for pages in [1, LARGE_FRAME_PAGES - 1, LARGE_FRAME_PAGES, 2 * LARGE_FRAME_PAGES, 4 * LARGE_FRAME_PAGES + 3] {
        with_pages(pages, |region| {
            let count = region.large_frames();
            assert!(count == pages / LARGE_FRAME_PAGES || count + 1 == pages / LARGE_FRAME_PAGES);
            let mut taken = [None; 4];
            for place in taken.iter_mut().take(count as usize) {
                *place = Some(take_large(region, 0));
            }
            let free = region.free_pages();
            assert!(region.take_large().is_none());
            assert_eq!(region.free_pages(), free);
            taken.into_iter().flatten().for_each(|large| give_large(region, large));
        });
    }
}

#[test_case]
fn every_page_of_a_large_frame_is_translated() {
    with_large(|region, space, large| {
        let free = region.free_pages();
        map(space, ADDRESS, large, FrameSize::Large, region).expect("mapped");
        assert_eq!(region.free_pages(), free - 2, "two tables");
        for access in [Access::ReadWrite, Access::ReadExecute, Access::Read] {
            space.protect(ADDRESS, access).expect("protected").now();
            for offset in [0, 1, 255, LARGE_FRAME_PAGES - 1] {
                let frame = Frame::from_number(large.number() + offset);
                let address = ADDRESS + u64::from(offset) * PAGE_SIZE;
                assert_eq!(space.translate(address + 7), Some(Translation { frame, access }));
            }
        }
        assert_eq!(space.translate(ADDRESS - 1), None);
        assert_eq!(space.translate(ADDRESS + LARGE_FRAME_SIZE), None);
        let expected = Mapping { address: ADDRESS, frame: large, size: FrameSize::Large, access: Access::Read };
        assert_eq!(unmap(space, ADDRESS), Ok(expected));
        assert_eq!(space.translate(ADDRESS), None);
    });
}

#[test_case]
fn a_large_frame_is_unmapped_and_protected_at_its_beginning_only() {
    with_large(|region, space, large| {
        map(space, ADDRESS, large, FrameSize::Large, region).expect("mapped");
        for address in [ADDRESS + PAGE_SIZE, ADDRESS + LARGE_FRAME_SIZE - PAGE_SIZE, ADDRESS + LARGE_FRAME_SIZE] {
            assert_eq!(unmap(space, address), Err(MapError::NotMapped));
            assert_eq!(space.protect(address, Access::Read).map(Flush::now), Err(MapError::NotMapped));
        }
        assert_eq!(unmap(space, ADDRESS + 1), Err(MapError::InvalidAddress));
        assert!(space.translate(ADDRESS).is_some());
    });
}

#[test_case]
fn a_large_frame_needs_an_aligned_address_within_user_space() {
    const LAST: u64 = USER_END.next_multiple_of(LARGE_FRAME_SIZE) - 2 * LARGE_FRAME_SIZE;
    with_large(|region, space, large| {
        let free = region.free_pages();
        let bad = [0, USER_START, ADDRESS + PAGE_SIZE, ADDRESS + 1, ADDRESS + LARGE_FRAME_SIZE / 2];
        // The last page of the lower half is nobody's, so no large frame can end there.
        let beyond = [LAST + LARGE_FRAME_SIZE, 1 << 47, 0xffff_8000_0000_0000, u64::MAX - LARGE_FRAME_SIZE + 1];
        for address in bad.into_iter().chain(beyond) {
            let refused = map(space, address, large, FrameSize::Large, region);
            assert_eq!(refused, Err(MapError::InvalidAddress), "{address:#x}");
        }
        assert_eq!(region.free_pages(), free);
        for address in [LARGE_FRAME_SIZE, LAST] {
            map(space, address, large, FrameSize::Large, region).expect("a good address");
        }
    });
}

#[test_case]
fn a_large_frame_is_not_mapped_without_memory_for_its_tables() {
    with_large(|region, space, large| {
        for pages in 0..2 {
            let mut tables = region.split(2).expect("unused pages");
            let taken = [(); 2].map(|()| tables.take(PageKind::Frame).expect("a page"));
            taken.iter().take(pages).for_each(|&page| tables.give(page));
            let refused = map(space, ADDRESS, large, FrameSize::Large, &mut tables);
            assert_eq!((refused, tables.free_pages()), (Err(MapError::OutOfMemory), pages as u32));
            let mut count = 0;
            space.for_each_table(|_| count += 1);
            assert_eq!(count, 0);
            taken.iter().skip(pages).for_each(|&page| tables.give(page));
            assert_eq!(region.absorb(tables, 2), None);
        }
    });
}

#[test_case]
fn large_and_small_frames_do_not_overlap() {
    with_large(|region, space, large| {
        let small = region.take(PageKind::Frame).expect("a page");
        let inside = ADDRESS + 9 * PAGE_SIZE;
        map(space, ADDRESS, large, FrameSize::Large, region).expect("mapped");
        for address in [ADDRESS, inside, ADDRESS + LARGE_FRAME_SIZE - PAGE_SIZE] {
            assert_eq!(map(space, address, small, FrameSize::Small, region), Err(MapError::AlreadyMapped));
        }
        assert_eq!(map(space, ADDRESS, large, FrameSize::Large, region), Err(MapError::AlreadyMapped));
        assert_eq!(space.remove_empty_table(ADDRESS), None, "there is no table under a large frame");
        unmap(space, ADDRESS).expect("unmapped");
        map(space, inside, small, FrameSize::Small, region).expect("mapped");
        map(space, ADDRESS + LARGE_FRAME_SIZE, small, FrameSize::Small, region).expect("mapped");
        assert_eq!(map(space, ADDRESS, large, FrameSize::Large, region), Err(MapError::AlreadyMapped));
        assert_eq!(space.remove_empty_table(ADDRESS), None, "the table is not empty");
        assert_eq!(space.translate(inside).map(|found| found.frame), Some(small));
        region.give(small);
    });
}

#[test_case]
fn an_empty_page_table_makes_room_for_a_large_frame() {
    with_large(|region, space, large| {
        let small = region.take(PageKind::Frame).expect("a page");
        assert_eq!(space.remove_empty_table(ADDRESS), None, "nothing was ever mapped there");
        let last_inside = ADDRESS + LARGE_FRAME_SIZE - PAGE_SIZE;
        map(space, last_inside, small, FrameSize::Small, region).expect("mapped");
        unmap(space, last_inside).expect("unmapped");
        assert_eq!(map(space, ADDRESS, large, FrameSize::Large, region), Err(MapError::AlreadyMapped));
        let table = space.remove_empty_table(ADDRESS).expect("an empty table");
        assert_eq!(entry_of(table).map(|entry| entry.kind()), Some(PageKind::PageTable));
        region.give(table);
        map(space, ADDRESS, large, FrameSize::Large, region).expect("mapped");
        assert_eq!(space.translate(last_inside).map(|found| found.frame.number()), Some(large.number() + 511));
        region.give(small);
    });
}

#[test_case]
fn pages_of_both_sizes_are_visited_in_order() {
    with_large(|region, space, large| {
        let small = region.take(PageKind::Frame).expect("a page");
        let access = Access::ReadWrite;
        let expected = [
            Mapping { address: USER_START, frame: small, size: FrameSize::Small, access },
            Mapping { address: ADDRESS, frame: large, size: FrameSize::Large, access },
            Mapping { address: ADDRESS + LARGE_FRAME_SIZE, frame: small, size: FrameSize::Small, access },
            Mapping { address: 1 << 40, frame: large, size: FrameSize::Large, access },
        ];
        for mapping in expected.iter().rev() {
            map(space, mapping.address, mapping.frame, mapping.size, region).expect("mapped");
        }
        let mut rest = expected.iter();
        space.for_each_page(|found| assert_eq!(rest.next(), Some(&found)));
        assert_eq!(rest.next(), None);
        region.give(small);
    });
}

#[test_case]
fn no_stale_translation_of_a_large_frame() {
    without_interrupts(|| {
        with_large(|region, space, large| {
            let mut page = region.take_owned(PageKind::Frame).expect("a page");
            page.bytes().fill(b's');
            let inside = ADDRESS + 77 * PAGE_SIZE;
            space.activate();
            for byte in [b'1', b'2'] {
                map(space, ADDRESS, large, FrameSize::Large, region).expect("mapped");
                assert!(write_user(inside, byte) && write_user(ADDRESS, byte));
                space.protect(ADDRESS, Access::Read).expect("protected").now();
                assert!(!write_user(inside, b'-') && !write_user(ADDRESS, b'-'), "the whole frame is protected");
                assert_eq!([ADDRESS, inside].map(read_user), [Some(byte); 2]);
                unmap(space, ADDRESS).expect("unmapped");
                assert_eq!([ADDRESS, inside].map(read_user), [None; 2], "the whole frame is gone");
                map(space, inside, page.frame(), FrameSize::Small, region).expect("mapped");
                assert_eq!([ADDRESS, inside].map(read_user), [None, Some(b's')]);
                unmap(space, inside).expect("unmapped");
                assert_eq!(read_user(inside), None);
                // What the processor remembers of the table must go, too.
                region.give(space.remove_empty_table(ADDRESS).expect("an empty table"));
            }
            kernel_space().activate();
            region.give(page.frame());
        });
    });
}
