//! Whoever has all device memory reaches no page of memory, no program's and not the kernel's, by it.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Error, slots};
use flatmk_runtime::object::{Memory, OWN_SPACE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::device::{DEVICES, SCREEN, part, screen};
use crate::harness::{SCRATCH, with_scratch};

pub(crate) const TESTS: &[Test] = tests![
    the_devices_have_none_of_the_memory,
    the_devices_are_not_mapped_as_a_whole,
    the_devices_have_neither_the_screen_nor_the_interrupt_controllers,
    the_devices_end_where_addresses_do,
    the_firmwares_tables_are_where_it_is_told,
];

/// How much of what is below 4 GiB is tried at a time.
const PAGES_AT_A_TIME: u64 = 512;

const FOUR_GIBIBYTE: u64 = (4 << 30) / PAGE_SIZE;

fn is_device(first: u64, count: u64) -> bool {
    match part(1, DEVICES, first, count) {
        Ok(_) => {
            SCRATCH.delete(1).expect("it was made");
            true
        }
        Err(error) => {
            assert_eq!(error, Error::InvalidArgument);
            false
        }
    }
}

fn the_devices_have_none_of_the_memory() {
    with_scratch(|| {
        let memories = (slots::MEMORY..slots::FRAMEBUFFER).map_while(|slot| Memory(slot).measure().ok());
        let (pages, memories) = memories.fold((0, 0), |(pages, count), (_, more)| (pages + more, count + 1));
        assert!(memories > 0);
        let refused: u64 = (0..FOUR_GIBIBYTE)
            .step_by(PAGES_AT_A_TIME as usize)
            .filter(|&first| !is_device(first, PAGES_AT_A_TIME))
            .map(|first| (first..first + PAGES_AT_A_TIME).filter(|&page| !is_device(page, 1)).count() as u64)
            .sum();
        // Some more are the kernel's, the screen's and the interrupt controllers'; but far from all.
        let others = (refused - pages) * PAGE_SIZE;
        assert!(refused > pages, "{pages} pages of memory, {refused} refused");
        assert!(others < 128 << 20, "{others} bytes are neither memory for programs nor device memory");
    });
}

fn the_devices_are_not_mapped_as_a_whole() {
    const AREA: u64 = 0x20_0000_0000;
    assert_eq!(OWN_SPACE.map(DEVICES, AREA, Access::Read), Err(Error::InvalidArgument));
    assert_eq!(DEVICES.unmap(), Err(Error::NotMapped));
    with_scratch(|| {
        // Neither are parts in which there is memory somewhere: the first 4 GiB, and what begins or ends within the first MiB.
        for (first, count) in [(0, FOUR_GIBIBYTE), (0, 1), (1, 1), (8, 1), (0, 256), (16, 512)] {
            assert!(!is_device(first, count), "{first} and {count}");
        }
    });
}

fn the_devices_have_neither_the_screen_nor_the_interrupt_controllers() {
    with_scratch(|| {
        assert!(!is_device(0xfee00, 1) && !is_device(0xfec00, 1), "registers of interrupt controllers");
        assert!(!is_device(0xfedff, 2) && !is_device(0xfef00 - 1, 1));
        assert!(is_device(0xfed00, 1), "the timers beside them");
        // The screen is one of the ranges that are refused, wherever it is; there is one of its size, and one page beside it is not.
        let count = screen().size_bytes.div_ceil(PAGE_SIZE);
        part(1, SCREEN, 0, count).expect("the whole screen");
        SCRATCH.delete(1).expect("it was made");
    });
}

fn the_devices_end_where_addresses_do() {
    with_scratch(|| {
        // By its number of bits a physical address has at most 52.
        let ends = (24..32).filter(|&bits| is_device((1 << bits) - 1, 1) && !is_device(1 << bits, 1)).count();
        assert_eq!(ends, 1, "one power of two is the end");
        assert!(!is_device(0xffff_ffff, 1) || ends == 0);
    });
}

fn the_firmwares_tables_are_where_it_is_told() {
    const AREA: u64 = 0x20_0000_0000;
    let [address, rest @ ..] = DEVICES.describe().expect("it is device memory");
    assert_eq!(rest, [0; 3]);
    assert_ne!(address, 0, "both emulators have ACPI");
    with_scratch(|| {
        let page = part(1, DEVICES, address / PAGE_SIZE, 1).expect("the tables are no memory");
        OWN_SPACE.map(page, AREA, Access::Read).expect("a free place");
        let place = core::ptr::with_exposed_provenance::<[u8; 8]>((AREA + address % PAGE_SIZE) as usize);
        // SAFETY: the page is mapped, and what is looked for lies within it: it begins at a multiple of 16.
        assert_eq!(&unsafe { place.read_volatile() }, b"RSD PTR ");
    });
}
