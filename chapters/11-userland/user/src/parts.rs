//! A driver gets a part of device memory, and nothing beside it.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Error, Kind, Rights, slots};
use flatmk_runtime::object::identify;
use flatmk_runtime::object::{Frame, OWN_SPACE, OWN_TABLE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::device::{DEVICES, SCREEN, pages, part, screen};
use crate::harness::{SCRATCH, at, copy, make, with_scratch};

pub(crate) const TESTS: &[Test] = tests![
    the_root_task_has_the_screen_and_the_devices,
    a_part_lies_within_its_source,
    a_part_of_a_part_counts_from_there,
    a_part_needs_the_rights_of_a_mint,
    a_part_outlives_its_source_unless_that_is_revoked,
    only_device_memory_is_described,
];

fn the_root_task_has_the_screen_and_the_devices() {
    for memory in [SCREEN, DEVICES] {
        assert_eq!(identify(memory.0), Ok((Kind::DeviceMemory, Rights::all() - Rights::EXECUTE)));
    }
}

fn a_part_lies_within_its_source() {
    with_scratch(|| {
        let count = screen().size_bytes.div_ceil(PAGE_SIZE);
        let refused =
            [(0, 0), (0, count + 1), (count, 1), (1, count), (count - 1, 2), (0xffff_ffff, 1), (1, 0xffff_ffff)];
        for (first, count) in refused {
            let outcome = part(1, SCREEN, first, count).err();
            assert_eq!(outcome, Some(Error::InvalidArgument), "{first} and {count} of the screen's pages");
        }
        for (first, count) in [(0, count), (count - 1, 1), (1, count - 1)] {
            part(1, SCREEN, first, count).expect("it lies within");
            SCRATCH.delete(1).expect("it was made");
        }
    });
}

fn a_part_of_a_part_counts_from_there() {
    with_scratch(|| {
        let outer = part(1, SCREEN, 2, 4).expect("it lies within");
        let inner = part(2, outer, 3, 1).expect("it lies within");
        assert_eq!(part(3, outer, 3, 2).err(), Some(Error::InvalidArgument));
        assert_eq!(part(3, outer, 4, 1).err(), Some(Error::InvalidArgument));
        let same = part(3, SCREEN, 5, 1).expect("it lies within");
        const PLACES: [u64; 2] = [0x20_0000_0000, 0x20_0000_1000];
        OWN_SPACE.map(inner, PLACES[0], Access::ReadWrite).expect("a free place");
        OWN_SPACE.map(same, PLACES[1], Access::Read).expect("a free place");
        let word = |place: u64| core::ptr::with_exposed_provenance_mut::<u32>(place as usize);
        for value in [0x00aa_bb55, 0] {
            // SAFETY: both places were just mapped, the first one to write.
            let seen = unsafe {
                word(PLACES[0]).write_volatile(value);
                word(PLACES[1]).read_volatile()
            };
            assert_eq!(seen, value);
        }
    });
}

fn a_part_needs_the_rights_of_a_mint() {
    with_scratch(|| {
        let context = pages(0, 1);
        for missing in [Rights::GRANT, Rights::MANAGE] {
            let source = copy(1, SCREEN.0, Rights::all() - missing);
            assert_eq!(SCRATCH.mint(2, source, Rights::all(), context), Err(Error::MissingRight));
            SCRATCH.delete(1).expect("it is there");
        }
        assert_eq!(SCRATCH.mint(0, SCREEN.0, Rights::all(), context), Err(Error::InvalidArgument));
        assert_eq!(SCRATCH.mint(64, SCREEN.0, Rights::all(), context), Err(Error::InvalidArgument));
        assert_eq!(SCRATCH.mint(2, at(9), Rights::all(), context), Err(Error::InvalidCapability));
        assert_eq!(SCRATCH.mint(2, make(Kind::Frame, 3), Rights::all(), context), Err(Error::WrongKind));
        assert_eq!(SCRATCH.mint(3, SCREEN.0, Rights::all(), context), Err(Error::SlotOccupied));
        SCRATCH.mint(2, SCREEN.0, Rights::READ, context).expect("a part to read");
        assert_eq!(identify(at(2)), Ok((Kind::DeviceMemory, Rights::READ)));
    });
}

fn a_part_outlives_its_source_unless_that_is_revoked() {
    with_scratch(|| {
        let outer = part(1, SCREEN, 0, 4).expect("it lies within");
        part(2, outer, 0, 2).expect("it lies within");
        SCRATCH.delete(1).expect("it is there");
        assert!(identify(at(2)).is_ok());
        let outer = part(1, SCREEN, 0, 4).expect("it lies within");
        part(3, outer, 0, 2).expect("it lies within");
        SCRATCH.revoke(1).expect("it is there");
        assert_eq!(identify(at(3)), Err(Error::InvalidCapability));
        assert!(identify(at(2)).is_ok(), "it was no longer derived from this one");
    });
}

fn only_device_memory_is_described() {
    for pointer in [slots::CONSOLE, slots::SELF, OWN_TABLE.0] {
        assert_eq!(Frame(pointer).describe(), Err(Error::WrongKind));
    }
    assert_eq!(Frame(at(1)).describe(), Err(Error::InvalidCapability));
    with_scratch(|| {
        let nothing = Frame(copy(1, SCREEN.0, Rights::empty()));
        assert_eq!(nothing.describe(), SCREEN.describe(), "it takes no right to know");
        let some = part(2, SCREEN, 1, 1).expect("it lies within");
        assert_eq!(some.describe(), SCREEN.describe(), "a part tells of the whole screen");
    });
}
