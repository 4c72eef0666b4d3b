//! The table of pages, regions and address spaces do what they say; the kernel's own mappings are as tight as they should be.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use flatmk_abi::Access;
use flatmk_abi::layout::{PAGE_SIZE, USER_END, USER_START};
use kernel::memory::{
    AddressSpace, Attempt, Cause, FIRMWARES, Flush, Frame, FrameSize, MapError, PageKind, Region, Translation, audit,
    boot_regions, entry_of, explain, kernel_frame, kernel_space, page_count, switch_protections_on, take_boot_page,
};

use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr4, Cr4Flags};

#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod large_frames;
#[expect(unreachable_pub, reason = "the test framework makes tests public")]
mod regions;
mod shared;
mod user_access;

use shared::{ADDRESS, with_pages, with_region};
use user_access::{read_user, write_user};

kernel::test_entry!();

#[test_case]
fn an_entry_of_a_page_takes_32_bytes_and_pages_beyond_memory_have_none() {
    assert_eq!(size_of::<kernel::memory::PageEntry>(), 32);
    let last = u32::try_from(page_count() - 1).expect("fewer than 2^32 pages");
    assert!(entry_of(Frame::from_number(last)).is_some());
    assert!(entry_of(Frame::from_number(last + 1)).is_none());
}

#[test_case]
fn the_first_page_is_never_free() {
    assert_eq!(entry_of(Frame::from_number(0)).expect("an entry").kind(), PageKind::Reserved);
}

#[test_case]
fn the_kernel_itself_is_not_free_memory() {
    let frame = kernel_frame(page_count as *const () as u64).expect("code is mapped");
    assert_eq!(entry_of(frame).expect("an entry").kind(), PageKind::Reserved);
}

#[test_case]
fn an_empty_space_translates_nothing() {
    with_region(|region| {
        let space = AddressSpace::new(region).expect("a space");
        for address in [USER_START, ADDRESS, USER_END - PAGE_SIZE] {
            assert_eq!(space.translate(address), None, "{address:#x}");
        }
        space.destroy(region);
    });
}

#[test_case]
fn what_is_mapped_can_be_translated_and_what_is_not_cannot() {
    with_region(|region| {
        let space = AddressSpace::new(region).expect("a space");
        let frame = region.take(PageKind::Frame).expect("a page");
        assert_eq!(space.translate(ADDRESS), None);
        space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        assert_eq!(space.translate(ADDRESS + 5), Some(Translation { frame, access: Access::Read }));
        assert_eq!(space.translate(ADDRESS + PAGE_SIZE), None);
        space.destroy(region);
        region.give(frame);
    });
}

#[test_case]
fn every_kind_of_access_is_kept_and_can_be_changed() {
    with_region(|region| {
        let space = AddressSpace::new(region).expect("a space");
        let frame = region.take(PageKind::Frame).expect("a page");
        space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        for access in [Access::ReadWrite, Access::ReadExecute, Access::Read] {
            space.protect(ADDRESS, access).expect("protected").now();
            assert_eq!(space.translate(ADDRESS), Some(Translation { frame, access }));
        }
        space.destroy(region);
        region.give(frame);
    });
}

#[test_case]
fn bad_addresses_are_refused() {
    with_region(|region| {
        let space = AddressSpace::new(region).expect("a space");
        let frame = region.take(PageKind::Frame).expect("a page");
        let free = region.free_pages();
        for address in [0, USER_START + 1, USER_START - PAGE_SIZE, USER_END, 1 << 47, 0xffff_8000_0000_0000, u64::MAX] {
            let refused = space.map(address, frame, FrameSize::Small, Access::Read, region);
            assert_eq!(refused, Err(MapError::InvalidAddress), "{address:#x}");
        }
        space
            .map(USER_END - PAGE_SIZE, frame, FrameSize::Small, Access::Read, region)
            .expect("the last user page can be mapped");
        assert_eq!(region.free_pages(), free - 3);
        space.destroy(region);
        region.give(frame);
    });
}

#[test_case]
fn a_second_mapping_at_the_same_address_is_refused() {
    with_region(|region| {
        let space = AddressSpace::new(region).expect("a space");
        let frame = region.take(PageKind::Frame).expect("a page");
        space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        assert_eq!(space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region), Err(MapError::AlreadyMapped));
        space.destroy(region);
        region.give(frame);
    });
}

#[test_case]
fn what_is_not_mapped_can_be_neither_unmapped_nor_protected() {
    with_region(|region| {
        let space = AddressSpace::new(region).expect("a space");
        assert_eq!(space.unmap(ADDRESS).map(|_| ()), Err(MapError::NotMapped));
        assert_eq!(space.protect(ADDRESS, Access::Read).map(Flush::now), Err(MapError::NotMapped));
        space.destroy(region);
    });
}

#[test_case]
fn mapping_without_memory_for_the_tables_changes_nothing() {
    // A first mapping needs three tables. With fewer pages each attempt fails and takes none.
    for pages in 0..3 {
        with_region(|region| {
            let mut tables = region.split(3).expect("unused pages");
            let taken: [_; 3] = core::array::from_fn(|_| tables.take(PageKind::Frame).expect("a page"));
            taken.iter().take(pages).for_each(|&page| tables.give(page));
            let space = AddressSpace::new(region).expect("a space");
            let frame = region.take(PageKind::Frame).expect("a page");
            let refused = space.map(ADDRESS, frame, FrameSize::Small, Access::Read, &mut tables);
            assert_eq!((refused, tables.free_pages()), (Err(MapError::OutOfMemory), pages as u32));
            assert_eq!(space.translate(ADDRESS), None);
            let mut count = 0;
            space.for_each_table(|_| count += 1);
            assert_eq!(count, 0);
            space.destroy(region);
            region.give(frame);
            taken.iter().skip(pages).for_each(|&page| tables.give(page));
            assert_eq!(region.absorb(tables, 3), None);
        });
    }
}

#[test_case]
fn destroying_a_space_gives_all_tables_back() {
    with_region(|region| {
        let free = region.free_pages();
        let space = AddressSpace::new(region).expect("a space");
        let frame = region.take(PageKind::Frame).expect("a page");
        for address in [USER_START, ADDRESS, 1 << 30, 1 << 40, USER_END - PAGE_SIZE] {
            space.map(address, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        }
        space.destroy(region);
        region.give(frame);
        assert_eq!(region.free_pages(), free);
    });
}

// ANCHOR: stale
#[test_case]
fn no_stale_translation_after_unmap_and_map() {
    x86_64::instructions::interrupts::without_interrupts(|| {
        with_region(|region| {
            let space = AddressSpace::new(region).expect("a space");
            let frames = [b'1', b'2'].map(|content| {
                let mut page = region.take_owned(PageKind::Frame).expect("a page");
                page.bytes().fill(content);
                page.frame()
            });
            space.activate();
            for (frame, content) in frames.into_iter().zip([b'1', b'2']) {
                space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
                assert_eq!(read_user(ADDRESS), Some(content));
                let (unmapped, flush) = space.unmap(ADDRESS).expect("unmapped");
                flush.now();
                assert_eq!(read_user(ADDRESS), None);
                assert_eq!((unmapped.frame, unmapped.address, unmapped.size), (frame, ADDRESS, FrameSize::Small));
            }
            kernel_space().activate();
            space.destroy(region);
            frames.into_iter().for_each(|frame| region.give(frame));
        });
    });
}
// ANCHOR_END: stale

#[test_case]
fn no_stale_translation_after_protect() {
    x86_64::instructions::interrupts::without_interrupts(|| {
        with_pages(8, |region| {
            let space = AddressSpace::new(region).expect("a space");
            let frame = region.take(PageKind::Frame).expect("a page");
            space.activate();
            space.map(ADDRESS, frame, FrameSize::Small, Access::ReadWrite, region).expect("mapped");
            for byte in [b'1', b'2'] {
                assert!(write_user(ADDRESS, byte));
                space.protect(ADDRESS, Access::Read).expect("protected").now();
                assert!(!write_user(ADDRESS, b'-'));
                assert_eq!(read_user(ADDRESS), Some(byte));
                space.protect(ADDRESS, Access::ReadWrite).expect("protected").now();
            }
            kernel_space().activate();
            assert_eq!(read_user(ADDRESS), None, "another space, without a flush");
            space.destroy(region);
            region.give(frame);
        });
    });
}

#[test_case]
fn a_frame_above_4_gib_is_mapped_whole() {
    with_pages(5, |region| {
        let space = AddressSpace::new(region).expect("a space");
        // Only the tables are looked at: the machine need not have so much memory.
        for number in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, u32::MAX] {
            let frame = Frame::from_number(number);
            assert_eq!(frame.address(), u64::from(number) * PAGE_SIZE);
            space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
            assert_eq!(space.translate(ADDRESS), Some(Translation { frame, access: Access::Read }));
            let (mapping, flush) = space.unmap(ADDRESS).expect("unmapped");
            flush.now();
            assert_eq!(mapping.frame, frame);
        }
        space.destroy(region);
    });
}

#[test_case]
fn no_kernel_page_is_writable_and_executable_or_the_users() {
    let audit = audit();
    assert!(audit.pages > 100 && audit.executable > 10, "{audit:?}");
    assert_eq!((audit.writable_and_executable, audit.user), (0, 0), "{audit:?}");
}

/// What of [`FIRMWARES`] this processor has; to set the rest would fault.
fn firmwares_here() -> Cr4Flags {
    let cpuid = CpuId::new();
    let has_virtual_8086 = cpuid.get_feature_info().is_some_and(|features| features.has_vme());
    let has_bases = cpuid.get_extended_feature_info().is_some_and(|features| features.has_fsgsbase());
    let mut flags = FIRMWARES;
    flags.set(Cr4Flags::VIRTUAL_8086_MODE_EXTENSIONS | Cr4Flags::PROTECTED_MODE_VIRTUAL_INTERRUPTS, has_virtual_8086);
    flags.set(Cr4Flags::FSGSBASE, has_bases);
    flags
}

#[test_case]
fn what_firmware_may_have_left_on_is_switched_off() {
    assert!(!Cr4::read().intersects(FIRMWARES), "{:?} at first", Cr4::read());
    let left = firmwares_here();
    // SAFETY: the processor has these features, and none of them changes what the kernel may do.
    unsafe { Cr4::update(|cr4| cr4.insert(left)) };
    assert!(Cr4::read().contains(left), "{:?} as firmware may leave it", Cr4::read());
    switch_protections_on();
    assert!(!Cr4::read().intersects(FIRMWARES), "{:?} at last", Cr4::read());
}

#[test_case]
fn a_machine_check_is_an_exception() {
    let has_them = CpuId::new().get_feature_info().is_some_and(|features| features.has_mce());
    assert_eq!(Cr4::read().contains(Cr4Flags::MACHINE_CHECK_EXCEPTION), has_them, "{:?}", Cr4::read());
}

#[test_case]
fn nothing_is_mapped_in_the_lower_half_of_the_kernels_space() {
    let mut pages = 0;
    kernel_space().for_each_page(|_| pages += 1);
    assert_eq!(pages, 0);
}

#[test_case]
fn a_boot_page_comes_from_the_boot_regions() {
    let free = || boot_regions(|regions| regions.iter().map(Region::free_pages).sum::<u32>());
    let before = free();
    let page = take_boot_page(PageKind::Frame).expect("a page");
    assert_eq!(free(), before - 1);
    assert_eq!(entry_of(page.frame()).expect("an entry").kind(), PageKind::Frame);
}

#[test_case]
fn a_page_fault_is_explained() {
    let write = explain(0x1234, 0b00111);
    assert_eq!((write.attempt, write.cause, write.from_user), (Attempt::Write, Cause::Protection, true));
    let fetch = explain(0x1234, 0b10000);
    assert_eq!((fetch.attempt, fetch.cause, fetch.from_user), (Attempt::Execute, Cause::NotMapped, false));
    let reserved = explain(0x1234, 0b01001);
    assert_eq!((reserved.attempt, reserved.cause), (Attempt::Read, Cause::ReservedBit));
}
