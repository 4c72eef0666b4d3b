//! Address spaces with identifiers: each sees its own memory, whatever the processor remembers, and however many there are.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]

use flatmk_abi::Access;
use flatmk_abi::layout::PAGE_SIZE;
use kernel::arch::without_interrupts;
use kernel::memory::{AddressSpace, Frame, FrameSize, PageKind, Region, audit, kernel_space};
use kernel::pcid::{LAST_IDENTIFIER, are_on, counts};
use kernel::println;
use kernel::processor::Processor;
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

#[path = "../../03-paging/tests/shared.rs"]
mod shared;
#[path = "../../03-paging/tests/user_access.rs"]
mod user_access;

use shared::{ADDRESS, with_pages};
use user_access::{read_user, write_user};

kernel::test_entry!();

/// What a space takes that has pages at two addresses near each other: four tables.
const PAGES_OF_SPACE: u32 = 4;

#[test_case]
fn identifiers_are_used_where_the_processor_has_them() {
    assert_eq!(are_on(), Processor::identify().has_pcid());
    assert_eq!(Cr4::read().contains(Cr4Flags::PCID), are_on());
}

#[test_case]
fn the_kernels_own_space_has_identifier_0() {
    assert_eq!(identifier_in_use(), 0);
}

#[test_case]
fn all_pages_of_the_kernel_are_global() {
    let audit = audit();
    assert!(audit.pages > 100, "{audit:?}");
    assert_eq!(audit.global, audit.pages, "{audit:?}");
}

#[test_case]
fn each_space_has_an_identifier_of_its_own() {
    with_spaces(|_, [first, second], _| {
        let identifiers = [first, second, first, second].map(|space| {
            space.activate();
            identifier_in_use()
        });
        let [a, b, ..] = identifiers;
        assert_eq!(identifiers, [a, b, a, b]);
        assert_eq!(are_on(), a != 0 && b != 0 && a != b, "{identifiers:?}");
    });
}

#[test_case]
fn spaces_keep_their_memory_apart() {
    with_spaces(|region, spaces, frames| {
        for (space, frame) in spaces.into_iter().zip(frames) {
            space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        }
        for _ in 0..3 {
            for (space, content) in spaces.into_iter().zip(CONTENTS) {
                space.activate();
                assert_eq!(read_user(ADDRESS), Some(content));
            }
        }
    });
}

#[test_case]
fn an_address_that_is_unmapped_in_another_space_is_gone_when_that_is_used() {
    with_spaces(|region, [changed, other], [frame, next]| {
        changed.activate();
        changed.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        assert_eq!(read_user(ADDRESS), Some(CONTENTS[0]));
        other.activate();
        changed.unmap(ADDRESS).expect("unmapped").1.now();
        changed.activate();
        assert_eq!(read_user(ADDRESS), None);
        other.activate();
        changed.map(ADDRESS, next, FrameSize::Small, Access::Read, region).expect("mapped");
        changed.activate();
        assert_eq!(read_user(ADDRESS), Some(CONTENTS[1]));
    });
}

#[test_case]
fn several_addresses_that_change_in_another_space_are_new_when_that_is_used() {
    with_spaces(|region, [changed, other], frames| {
        let addresses = [ADDRESS, ADDRESS + PAGE_SIZE];
        changed.activate();
        for (address, frame) in addresses.into_iter().zip(frames) {
            changed.map(address, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        }
        assert_eq!(addresses.map(read_user), CONTENTS.map(Some));
        other.activate();
        addresses.into_iter().for_each(|address| changed.unmap(address).expect("unmapped").1.now());
        for (address, frame) in addresses.into_iter().rev().zip(frames) {
            changed.map(address, frame, FrameSize::Small, Access::Read, region).expect("mapped");
        }
        let before = counts();
        changed.activate();
        let [first, second] = CONTENTS;
        assert_eq!(addresses.map(read_user), [Some(second), Some(first)]);
        assert_eq!(counts().forgotten - before.forgotten, u64::from(are_on()));
        other.activate();
        changed.activate();
        assert_eq!(counts().forgotten - before.forgotten, u64::from(are_on()), "once is enough");
    });
}

#[test_case]
fn what_is_protected_in_another_space_cannot_be_written_when_that_is_used() {
    with_spaces(|region, [changed, other], [frame, _]| {
        changed.activate();
        changed.map(ADDRESS, frame, FrameSize::Small, Access::ReadWrite, region).expect("mapped");
        assert!(write_user(ADDRESS, b'w'));
        other.activate();
        changed.protect(ADDRESS, Access::Read).expect("protected").now();
        changed.activate();
        assert!(!write_user(ADDRESS, b'-'));
        assert_eq!(read_user(ADDRESS), Some(b'w'));
    });
}

#[test_case]
fn a_space_on_the_page_of_one_that_has_ended_finds_nothing_of_it() {
    with_spaces(|region, [other, _], frames| {
        let contents = frames.into_iter().zip(CONTENTS);
        for (frame, content) in contents.clone().chain(contents) {
            let space = AddressSpace::new(region).expect("a space");
            space.activate();
            assert_eq!(read_user(ADDRESS), None);
            space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
            assert_eq!(read_user(ADDRESS), Some(content));
            other.activate();
            space.destroy(region);
        }
    });
}

/// More than there are identifiers, twice: each is taken from a space that is still there.
#[test_case]
fn ten_thousand_spaces_share_the_identifiers() {
    const SPACES: usize = 10_000;
    without_interrupts(|| {
        with_pages(SPACES as u32 * (PAGES_OF_SPACE + 1), |region| {
            let before = counts();
            let mut spaces = [kernel_space(); SPACES];
            for (number, space) in spaces.iter_mut().enumerate() {
                *space = AddressSpace::new(region).expect("a space");
                let frame = frame_with(region, number as u8);
                space.map(ADDRESS, frame, FrameSize::Small, Access::Read, region).expect("mapped");
            }
            for _ in 0..2 {
                for (number, space) in spaces.iter().enumerate() {
                    space.activate();
                    assert_eq!(read_user(ADDRESS), Some(number as u8), "space {number}");
                }
            }
            let counts = counts();
            let (taken, forgotten) = (counts.taken - before.taken, counts.forgotten - before.forgotten);
            println!(
                "{SPACES} spaces, used twice: {taken} identifiers taken, {forgotten} loads without the bit that keeps"
            );
            assert_eq!(taken, if are_on() { 2 * SPACES as u64 } else { 0 });
            assert_eq!(forgotten, taken, "nothing is flushed but the identifier that is taken");
            // Those that were used last have theirs still.
            let last = usize::from(LAST_IDENTIFIER);
            spaces.iter().skip(SPACES - last).for_each(|space| space.activate());
            assert_eq!(kernel::pcid::counts(), counts);
            kernel_space().activate();
            for space in spaces {
                let (mapping, flush) = space.unmap(ADDRESS).expect("unmapped");
                flush.now();
                region.give(mapping.frame);
                space.destroy(region);
            }
        });
    });
}

/// What the frames of [`with_spaces`] hold.
const CONTENTS: [u8; 2] = *b"12";

/// Two spaces, and two frames with [`CONTENTS`].
fn with_spaces(test: impl FnOnce(&mut Region, [AddressSpace; 2], [Frame; 2])) {
    without_interrupts(|| {
        with_pages(4 * (PAGES_OF_SPACE + 1), |region| {
            let frames = CONTENTS.map(|content| frame_with(region, content));
            let spaces = [(); 2].map(|()| AddressSpace::new(region).expect("a space"));
            test(region, spaces, frames);
            kernel_space().activate();
            spaces.into_iter().for_each(|space| space.destroy(region));
            frames.into_iter().for_each(|frame| region.give(frame));
        });
    });
}

fn frame_with(region: &mut Region, content: u8) -> Frame {
    let mut page = region.take_owned(PageKind::Frame).expect("a page");
    page.bytes().fill(content);
    page.frame()
}

fn identifier_in_use() -> u16 {
    if are_on() { Cr3::read_pcid().1.value() } else { Cr3::read_raw().1 & 0xfff }
}
