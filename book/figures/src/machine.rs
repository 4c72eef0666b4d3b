//! A machine for a figure: a few pages of memory.
//!
//! The kernel's state is static, so there is one machine at a time; each begins afresh.

use core::cell::UnsafeCell;

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use crate::capability::finish_destruction_step;
use crate::memory::{self, Region, take_boot_regions};

/// How many pages it has.
const PAGES: usize = 64;
const PAGE: usize = 4096;

#[repr(C, align(4096))]
struct Pages(UnsafeCell<[u8; PAGES * PAGE]>);

// SAFETY: a browser has one thread for it; tests take turns.
unsafe impl Sync for Pages {}

static MEMORY: Pages = Pages(UnsafeCell::new([0; PAGES * PAGE]));

/// Where physical address 0 is.
pub(crate) fn start() -> u64 {
    MEMORY.0.get() as u64
}

/// Makes a fresh machine and hands its memory over, but for the pages that the kernel has for itself.
pub(crate) fn fresh() -> Region {
    let mut map = MemoryRegion::empty();
    map.end = (PAGES * PAGE) as u64;
    map.kind = MemoryRegionKind::Usable;
    let map = [map];
    memory::initialize(&map);
    // What the last machine left on the list of dying pages is not this one's.
    while finish_destruction_step() {}
    memory::initialize(&map);
    take_boot_regions().into_iter().next().unwrap_or(Region::new(0, 0))
}

/// The turn of a test.
#[cfg(test)]
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
