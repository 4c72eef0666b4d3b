//! Process-context identifiers: address-space switches that keep the TLB.
//!
//! The processor marks each translation that it remembers with an identifier of 12 bits. A switch that loads CR3 with the identifier of
//! a space, and with the bit that keeps, finds what was remembered when the space was last used (Intel SDM vol. 3A, 4.10).
//!
//! - `policy`: the rules: what a switch may keep, and what a change of page tables makes the processor forget.
//! - `identifiers`: which space has which identifier.
//! - `isolation`: user mode without the kernel in its page tables, where the processor has Meltdown.
//! - `root`: what a task keeps of its space, so that a switch need not look.
//! - `host`: what the tests on the host need.

#[cfg(not(target_os = "none"))]
pub mod host;
mod identifiers;
mod isolation;
pub mod policy;
mod root;

use core::fmt;

use x86_64::registers::control::{Cr4, Cr4Flags};

pub(crate) use identifiers::forget;
pub use identifiers::{Counts, LAST_IDENTIFIER, are_on, counts};
pub(crate) use isolation::top_table;
pub(crate) use root::SpaceRoot;

use crate::boot::options;
use crate::memory::{AddressSpace, kernel_space, make_kernel_global};
use crate::println;
use crate::processor::Processor;

// ANCHOR: initialize
/// Whether identifiers are used, and why not.
enum Use {
    On,
    NotThere,
    NotWanted,
}

/// Uses identifiers if the processor has them. Makes the kernel's pages global, or takes them out of user mode's page tables.
pub(crate) fn initialize() {
    let identifiers = match Processor::identify().has_pcid() {
        false => Use::NotThere,
        true if options().pcid => Use::On,
        true => Use::NotWanted,
    };
    let isolation = isolation::Use::decide();
    // What is global the processor remembers in user mode, too.
    let pages = if isolation.is_on() { 0 } else { make_kernel_global() };
    // The bit may be set only while the identifier in CR3 is 0, which is the kernel's own (Intel SDM vol. 3A, 4.10.1).
    kernel_space().activate();
    let is_on = matches!(identifiers, Use::On);
    // SAFETY: the processor has the feature; CR3 has been loaded with identifier 0.
    unsafe { Cr4::update(|cr4| cr4.set(Cr4Flags::PCID, is_on)) };
    identifiers::begin(is_on.then_some(LAST_IDENTIFIER));
    if isolation.is_on() {
        isolation::begin();
    }
    // One line: a screen has few.
    println!("address spaces: pcid {identifiers}, {pages} global pages of the kernel, isolation {isolation}");
}
// ANCHOR_END: initialize

impl fmt::Display for Use {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Use::On => "on",
            Use::NotThere => "off (the processor has none)",
            Use::NotWanted => "off (boot option)",
        })
    }
}

/// Makes the processor use a space.
pub(crate) fn activate(space: AddressSpace) {
    identifiers::load(space);
}
