//! Page-table isolation: user mode runs with page tables in which the kernel is missing.
//!
//! A processor with the mistake called Meltdown lets a user program find out what is mapped but not accessible to it: it reads there in
//! advance, and forgets too late that it may not. What is not mapped cannot be read. So the upper half of each address space has
//! only what the processor needs to come into the kernel ([`arch::isolation`](crate::arch::isolation)), and the kernel runs in its own space.
//!
//! The rest of the kernel knows little of that. What would change CR3, or make the processor forget, changes what the next way out
//! loads: that is what [`load`] and [`forget`] do.

use core::fmt;

use flatmk_abi::Access;
use flatmk_abi::layout::PAGE_SIZE;
use x86_64::registers::model_specific::Msr;

use super::identifiers;
use crate::arch::isolation as ways;
use crate::arch::{self, paging};
use crate::boot::{Isolation, options};
use crate::interrupts::{self, descriptors};
use crate::memory::{isolate, kernel_space, write_to_code};
use crate::planted::{Bug, planted};
use crate::processor::Processor;

pub(crate) use ways::is_on;

// ANCHOR: decide
/// Whether user mode has the kernel in its page tables, and why not.
pub(super) enum Use {
    Needed,
    Wanted,
    NotNeeded,
    NotWanted,
}

impl Use {
    /// What the boot option says; without one, what the processor says of itself.
    pub(super) fn decide() -> Self {
        match options().meltdown {
            Isolation::On => Use::Wanted,
            Isolation::Off => Use::NotWanted,
            Isolation::Auto if can_be_read_in_advance() => Use::Needed,
            Isolation::Auto => Use::NotNeeded,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        matches!(self, Use::Needed | Use::Wanted)
    }
}

/// Whether the processor may have Meltdown. AMD's have not; others say so: bit 0 of `IA32_ARCH_CAPABILITIES`, `RDCL_NO` (Intel SDM vol. 4,
/// table 2-2).
fn can_be_read_in_advance() -> bool {
    const ARCH_CAPABILITIES: u32 = 0x10a;
    const RDCL_NO: u64 = 1;
    let processor = Processor::identify();
    // SAFETY: the register is there, and reading it changes nothing.
    let says_no = || unsafe { Msr::new(ARCH_CAPABILITIES).read() } & RDCL_NO != 0;
    let is_free = processor.is_amds() || (processor.has_arch_capabilities() && says_no());
    !is_free
}
// ANCHOR_END: decide

// ANCHOR: begin
/// From now on address spaces are made without the kernel. No task has one yet.
pub(super) fn begin() {
    isolate(pages());
    arch::without_interrupts(|| {
        // First, for whatever comes although interrupts are off: the stubs will load this.
        separate();
        interrupts::lead_to(ways::stub_address);
        descriptors::replace_stacks(ways::replace_stack);
        // SAFETY: each byte belongs to a jump in the place of an instruction after which there is room for it. Nothing is on its way out.
        ways::replace_ways_out(|address, byte| unsafe { write_to_code(address, byte) });
        arch::syscall::replace_entries(ways::entries());
    });
}

/// The kernel stays in its own space from now on.
pub(super) fn separate() {
    // That has identifier 0.
    let keep = if identifiers::are_on() { paging::KEEP } else { 0 };
    ways::begin(kernel_space().top().address() | keep);
}

/// What the processor reads before it is in the kernel, and what is there to receive it.
fn pages() -> impl Iterator<Item = (u64, Access)> {
    let in_pages = |range: core::ops::Range<u64>| range.step_by(PAGE_SIZE as usize);
    let read_only = in_pages(descriptors::tables()).chain([interrupts::table()]);
    let code = in_pages(ways::code()).map(|page| (page, Access::ReadExecute));
    read_only.map(|page| (page, Access::Read)).chain(code).chain([(ways::data(), Access::ReadWrite)])
}
// ANCHOR_END: begin

/// Makes the processor use page tables: now, or from the next way out on.
pub(super) fn load(cr3: u64) {
    if is_on() {
        ways::set_user_tables(cr3);
    } else {
        // SAFETY: the space has the kernel's upper half, and nothing of the kernel is in the lower one.
        unsafe { paging::load_top_table(cr3) };
    }
}

/// The identifier under which everything was to be forgotten on the way out, if it was: from now on it is not.
pub(super) fn take_pending() -> Option<u16> {
    if planted(Bug::PendingIsLost) { None } else { ways::take_pending() }
}

/// Makes the processor forget an address of the current space: now, or with all others of its identifier before the space is used.
pub(super) fn forget(address: u64) {
    if is_on() {
        ways::forget_user_tables();
    } else {
        paging::flush(address);
    }
}

/// The address of the top-level page table of the current space.
pub(crate) fn top_table() -> u64 {
    if is_on() { ways::user_tables() & paging::ADDRESS_BITS } else { paging::top_table() }
}

impl fmt::Display for Use {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Use::Needed => "on (the processor needs it)",
            Use::Wanted => "on (boot option)",
            Use::NotNeeded => "off (the processor does not need it)",
            Use::NotWanted => "off (boot option)",
        })?;
        if self.is_on() { write!(formatter, " but for {} pages", pages().count()) } else { Ok(()) }
    }
}
