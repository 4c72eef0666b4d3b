//! The host: identifiers and isolation as a test wants them.

use super::{identifiers, isolation};
use crate::arch::{isolation as ways, paging};

/// Uses identifiers up to `last` from now on, or none. User mode has the kernel's page tables.
pub fn begin(last: Option<u16>) {
    identifiers::begin(last);
    ways::begin(0);
}

/// User mode has page tables of its own from now on. No task has a space yet.
pub fn isolate() {
    isolation::separate();
}

/// The kernel is entered, as the stubs do it.
pub fn enter() {
    if ways::is_on() {
        // SAFETY: on the host nothing happens but that the test is told.
        unsafe { paging::load_top_table(ways::kernel_tables()) };
    }
}

/// The kernel is left.
pub fn leave() {
    if ways::is_on() {
        // SAFETY: as above.
        unsafe { paging::load_top_table(ways::way_out()) };
    }
}
