//! A frame is mapped once per capability; its mapping goes with the capability, the space or the memory, at once.

use flatmk_abi::layout::{LARGE_FRAME_SIZE, USER_END};
use flatmk_abi::{Access, Error, Kind, Rights};
use kernel::capability::{Extent, MapRequest, ProtectRequest, Table};
use kernel::memory::{AddressSpace, kernel_space};
use x86_64::instructions::interrupts::without_interrupts;

use crate::shared::{
    ALL, FIRST, MEMORY, SECOND, SPACE, check, copy, delete, free_pages, make, make_from, map, move_to, remove, revoke,
    slot, space_in, split_from, unmap, with_memory,
};
use crate::user_access::{read_user, write_user};

#[test_case]
fn a_frame_is_mapped_once_per_capability_and_unmapped_with_it() {
    with_memory(8, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        copy(table, SECOND, FIRST, ALL).expect("copied");
        let space = space_in(table, SPACE);
        map(table, FIRST, 0x1000, Access::ReadWrite).expect("mapped");
        assert_eq!(map(table, FIRST, 0x2000, Access::ReadWrite), Err(Error::AlreadyMapped));
        map(table, SECOND, 0x2000, Access::Read).expect("mapped");
        assert_eq!(space.translate(0x1000).expect("mapped").frame, space.translate(0x2000).expect("mapped").frame);
        delete(table, FIRST).expect("deleted");
        assert_eq!(space.translate(0x1000), None);
        unmap(slot(table, SECOND)).expect("unmapped");
        assert_eq!(space.translate(0x2000), None);
        assert_eq!(unmap(slot(table, SECOND)), Err(Error::NotMapped));
    });
}

#[test_case]
fn a_mapping_that_is_not_allowed_is_refused() {
    with_memory(8, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        for (rights, access) in [
            (Rights::READ, Access::ReadWrite),
            (Rights::READ, Access::ReadExecute),
            (Rights::WRITE, Access::ReadWrite),
            (Rights::empty(), Access::Read),
        ] {
            copy(table, SECOND, FIRST, u64::from(rights.bits())).expect("copied");
            assert_eq!(map(table, SECOND, 0x1000, access), Err(Error::MissingRight), "{rights:?} {access:?}");
            delete(table, SECOND).expect("deleted");
        }
        for address in [0, 0x1001, USER_END, 0xffff_8000_0000_0000] {
            assert_eq!(map(table, FIRST, address, Access::Read), Err(Error::InvalidAddress), "{address:#x}");
        }
        let (space, frame) = (slot(table, SPACE), slot(table, FIRST));
        let refused = |space, frame, access| {
            AddressSpace::from_capability(space)
                .and_then(|space| MapRequest::decode(space, frame, 0x1000, access))
                .err()
        };
        assert_eq!(refused(space, frame, 3), Some(Error::InvalidArgument));
        assert_eq!(refused(frame, frame, 0), Some(Error::WrongKind));
        assert_eq!(refused(space, space, 0), Some(Error::WrongKind));
        assert_eq!(refused(space, slot(table, MEMORY), 0), Some(Error::WrongKind));
        assert_eq!(refused(space, slot(table, 60), 0), Some(Error::InvalidCapability));
    });
}

#[test_case]
fn a_space_takes_its_tables_along_and_the_frames_are_free_to_be_mapped_elsewhere() {
    with_memory(8, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        map(table, FIRST, 0x1000, Access::Read).expect("mapped");
        assert_eq!(free_pages(table), 3);
        delete(table, SPACE).expect("deleted");
        assert_eq!(free_pages(table), 7);
        assert_eq!(unmap(slot(table, FIRST)), Err(Error::NotMapped));
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        map(table, FIRST, 0x1000, Access::Read).expect("mapped again");
    });
}

fn protect(table: &Table, frame: u64, access: u64) -> Result<(), Error> {
    ProtectRequest::decode(slot(table, frame), access)?.perform()
}

#[test_case]
fn the_tables_of_a_space_come_from_the_memory_it_was_made_from() {
    with_memory(40, |table| {
        split_from(slot(table, MEMORY), 8, table, 10).expect("split");
        make_from(slot(table, 10), Kind::AddressSpace, table, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        let free = free_pages(table);
        map(table, FIRST, 0x1000, Access::Read).expect("mapped");
        assert_eq!((free_pages(table), kernel::capability::measure(slot(table, 10))), (free, (4, 8)));
        // It finds its memory wherever that has moved.
        move_to(table, 11, slot(table, 10)).expect("moved");
        copy(table, SECOND, FIRST, ALL).expect("copied");
        map(table, SECOND, 1 << 40, Access::Read).expect("mapped");
        assert_eq!(kernel::capability::measure(slot(table, 11)), (1, 8));
        delete(table, SPACE).expect("deleted");
        assert_eq!(kernel::capability::measure(slot(table, 11)), (8, 8));
    });
}

#[test_case]
fn a_mapping_is_protected_within_the_rights_of_its_capability() {
    with_memory(2000, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        for kind in [Kind::Frame, Kind::LargeFrame] {
            make(table, kind, FIRST, 1).expect("made");
            let space = space_in(table, SPACE);
            let access = || space.translate(LARGE_FRAME_SIZE).expect("mapped").access;
            assert_eq!(protect(table, FIRST, 0), Err(Error::NotMapped));
            map(table, FIRST, LARGE_FRAME_SIZE, Access::Read).expect("mapped");
            for wanted in [Access::ReadWrite, Access::ReadExecute, Access::Read] {
                protect(table, FIRST, wanted as u64).expect("protected");
                assert_eq!(access(), wanted);
                check();
            }
            assert_eq!(protect(table, FIRST, 3), Err(Error::InvalidArgument));
            copy(table, SECOND, FIRST, u64::from(Rights::READ.bits())).expect("copied");
            assert_eq!(protect(table, SECOND, 0), Err(Error::NotMapped), "the copy is not mapped");
            unmap(slot(table, FIRST)).expect("unmapped");
            map(table, SECOND, LARGE_FRAME_SIZE, Access::Read).expect("mapped");
            for wanted in [Access::ReadWrite, Access::ReadExecute] {
                assert_eq!(protect(table, SECOND, wanted as u64), Err(Error::MissingRight));
            }
            assert_eq!(access(), Access::Read);
            delete(table, SECOND).expect("deleted");
            delete(table, FIRST).expect("deleted");
        }
        assert_eq!(protect(table, MEMORY, 0), Err(Error::WrongKind));
        assert_eq!(protect(table, FIRST, 0), Err(Error::InvalidCapability));
    });
}

#[test_case]
fn a_large_frame_takes_the_place_of_small_ones_that_are_gone() {
    with_memory(1200, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        make(table, Kind::Frame, FIRST, 1).expect("made");
        make(table, Kind::LargeFrame, SECOND, 1).expect("made");
        map(table, FIRST, LARGE_FRAME_SIZE + 0x5000, Access::Read).expect("mapped");
        assert_eq!(map(table, SECOND, LARGE_FRAME_SIZE, Access::Read), Err(Error::AlreadyMapped));
        unmap(slot(table, FIRST)).expect("unmapped");
        let free = free_pages(table);
        map(table, SECOND, LARGE_FRAME_SIZE, Access::Read).expect("mapped");
        assert_eq!(free_pages(table), free + 1, "the empty page table is back");
        assert_eq!(map(table, FIRST, LARGE_FRAME_SIZE + 0x5000, Access::Read), Err(Error::AlreadyMapped));
        assert_eq!(map(table, SECOND, 2 * LARGE_FRAME_SIZE, Access::Read), Err(Error::AlreadyMapped));
        check();
        // Neither an address that is not aligned nor the last page of the lower half will do.
        unmap(slot(table, SECOND)).expect("unmapped");
        for address in [0x1000, LARGE_FRAME_SIZE + 0x1000, (1 << 47) - LARGE_FRAME_SIZE, 1 << 47] {
            assert_eq!(map(table, SECOND, address, Access::Read), Err(Error::InvalidAddress), "{address:#x}");
        }
    });
}

/// What takes a mapping away, by the slot and the extent of a removal.
#[test_case]
fn no_stale_translation_after_a_removal() {
    for kind in [Kind::Frame, Kind::LargeFrame] {
        for (index, extent) in [
            (FIRST, Extent::Itself),
            (10, Extent::Derived),
            (10, Extent::Itself),
            (SPACE, Extent::Itself),
            (MEMORY, Extent::Derived),
        ] {
            with_memory(2000, |table| {
                make(table, Kind::AddressSpace, SPACE, 1).expect("made");
                split_from(slot(table, MEMORY), 1100, table, 10).expect("split");
                make_from(slot(table, 10), kind, table, FIRST, 1).expect("made");
                map(table, FIRST, LARGE_FRAME_SIZE, Access::ReadWrite).expect("mapped");
                without_interrupts(|| {
                    space_in(table, SPACE).activate();
                    assert!(write_user(LARGE_FRAME_SIZE + 9, b'x'));
                    assert_eq!(read_user(LARGE_FRAME_SIZE + 9), Some(b'x'));
                    remove(table, index, extent).expect("allowed");
                    assert_eq!(read_user(LARGE_FRAME_SIZE + 9), None);
                    // The space that is gone is not the processor's any more.
                    let space_is_gone = index == SPACE || index == MEMORY;
                    assert_eq!(AddressSpace::current() == kernel_space(), space_is_gone);
                    kernel_space().activate();
                });
            });
        }
    }
}

#[test_case]
fn no_stale_translation_after_protect() {
    with_memory(1200, |table| {
        make(table, Kind::AddressSpace, SPACE, 1).expect("made");
        for (kind, offset) in [(Kind::Frame, 0), (Kind::LargeFrame, 0x12_3456)] {
            make(table, kind, FIRST, 1).expect("made");
            map(table, FIRST, LARGE_FRAME_SIZE, Access::ReadWrite).expect("mapped");
            without_interrupts(|| {
                space_in(table, SPACE).activate();
                assert!(write_user(LARGE_FRAME_SIZE + offset, b'x'));
                protect(table, FIRST, Access::Read as u64).expect("protected");
                assert!(!write_user(LARGE_FRAME_SIZE + offset, b'y'));
                assert_eq!(read_user(LARGE_FRAME_SIZE + offset), Some(b'x'));
                protect(table, FIRST, Access::ReadWrite as u64).expect("protected");
                assert!(write_user(LARGE_FRAME_SIZE + offset, b'z'));
                kernel_space().activate();
            });
            revoke(table, FIRST).expect("nothing was derived");
            delete(table, FIRST).expect("deleted");
        }
    });
}
