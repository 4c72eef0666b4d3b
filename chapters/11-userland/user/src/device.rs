//! What the tests of device memory share.

use flatmk_abi::{Error, Kind, Rights, slots};
use flatmk_runtime::object::{Frame, Memory};

use crate::harness::{MEMORY, SCRATCH, at, with_scratch};

/// The screen.
pub(crate) const SCREEN: Frame = Frame(slots::FRAMEBUFFER);

/// Everything else that is not memory.
pub(crate) const DEVICES: Frame = Frame(slots::DEVICES);

/// What `Describe` tells of the screen.
pub(crate) struct Screen {
    pub(crate) size_bytes: u64,
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) stride: u64,
    pub(crate) bytes_per_pixel: u64,
}

/// What the screen is like.
pub(crate) fn screen() -> Screen {
    let [size_bytes, area, lines, _] = SCREEN.describe().expect("the emulator has a screen");
    let (low, high) = (|word: u64| word & 0xffff_ffff, |word: u64| word >> 32);
    Screen { size_bytes, width: low(area), height: high(area), stride: low(lines), bytes_per_pixel: high(lines) }
}

/// The context word of a part.
pub(crate) const fn pages(first: u64, count: u64) -> u64 {
    first | count << 32
}

/// Makes a part of device memory in a slot of the scratch table.
pub(crate) fn part(slot: u64, source: Frame, first: u64, count: u64) -> Result<Frame, Error> {
    SCRATCH.mint(slot, source.0, Rights::all(), pages(first, count)).map(|()| Frame(at(slot)))
}

/// Runs a test with a memory of so many pages, in slot 1 of the scratch table.
pub(crate) fn with_memory(pages: u64, test: impl FnOnce(Memory)) {
    with_scratch(|| {
        MEMORY.split(pages, SCRATCH, 1).expect("there is more");
        test(Memory(at(1)));
    });
}

/// Makes an address space from a memory, in a slot of the scratch table.
pub(crate) fn make_space(memory: Memory, slot: u64) -> flatmk_runtime::object::AddressSpace {
    memory.make(Kind::AddressSpace, 1, SCRATCH, slot).expect("a page");
    flatmk_runtime::object::AddressSpace(at(slot))
}
