//! The host: a test has put the machine's memory somewhere, and watches what the kernel does to the processor.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::ADDRESS_BITS;
use crate::sync::Exclusive;

/// What the processor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// To use the top-level page table that this content of CR3 names.
    Load(u64),
    /// To forget the translation of this address.
    Flush(u64),
}

static WINDOW: AtomicU64 = AtomicU64::new(0);
static TOP_TABLE: AtomicU64 = AtomicU64::new(0);
static OBSERVER: Exclusive<fn(Event)> = Exclusive::new(|_| ());

/// Sets where physical address 0 is.
pub fn set_window(address: u64) {
    WINDOW.store(address, Relaxed);
}

/// Sets who is told.
pub fn set_observer(observer: fn(Event)) {
    OBSERVER.with(|current| *current = observer);
}

#[inline]
pub(super) fn window_start() -> u64 {
    WINDOW.load(Relaxed)
}

pub(super) fn top_table() -> u64 {
    TOP_TABLE.load(Relaxed)
}

/// # Safety
///
/// None; it is the same as the other.
pub(super) unsafe fn load_top_table(cr3: u64) {
    TOP_TABLE.store(cr3 & ADDRESS_BITS, Relaxed);
    OBSERVER.with(|observer| observer(Event::Load(cr3)));
}

pub(super) fn flush(address: u64) {
    OBSERVER.with(|observer| observer(Event::Flush(address)));
}
