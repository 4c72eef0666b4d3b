//! What a page fault means, in words (Intel SDM vol. 3A, 4.7).

use core::fmt;

use crate::boot::STACK_BOTTOM;
use crate::interrupts::descriptors::exception_stacks;

const PAGE_SIZE: u64 = flatmk_abi::layout::PAGE_SIZE;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A read.
    Read,
    /// A write.
    Write,
    /// The fetch of an instruction.
    Execute,
}

/// Why it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is mapped there.
    NotMapped,
    /// Something is, but not for this.
    Protection,
    /// A page-table entry is malformed: a mistake in the kernel.
    ReservedBit,
}

/// A page fault, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The address.
    pub address: u64,
    /// What was tried.
    pub attempt: Attempt,
    /// Why it was refused.
    pub cause: Cause,
    /// Whether user mode tried.
    pub from_user: bool,
}

// ANCHOR: explain
/// Reads the error code of a page fault.
#[must_use]
pub fn explain(address: u64, error: u64) -> Explanation {
    // ANCHOR: exercise-3-5
    const PRESENT: u64 = 1 << 0;
    const WRITE: u64 = 1 << 1;
    const USER: u64 = 1 << 2;
    const RESERVED: u64 = 1 << 3;
    const FETCH: u64 = 1 << 4;

    let attempt = match (error & FETCH != 0, error & WRITE != 0) {
        (true, _) => Attempt::Execute,
        (false, true) => Attempt::Write,
        (false, false) => Attempt::Read,
    };
    let cause = match (error & RESERVED != 0, error & PRESENT != 0) {
        (true, _) => Cause::ReservedBit,
        (false, true) => Cause::Protection,
        (false, false) => Cause::NotMapped,
    };
    Explanation { address, attempt, cause, from_user: error & USER != 0 }
    // ANCHOR_END: exercise-3-5
}
// ANCHOR_END: explain

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = match self.attempt {
            Attempt::Read => "read from",
            Attempt::Write => "write to",
            Attempt::Execute => "execution of",
        };
        let cause = match self.cause {
            Cause::NotMapped => "where nothing is mapped",
            Cause::Protection => "where the page does not allow it",
            Cause::ReservedBit => "where the page-table entry is malformed",
        };
        let who = if self.from_user { "user mode" } else { "the kernel" };
        write!(formatter, "page fault: {attempt} {:#x} by {who}, {cause}", self.address)?;
        match guard_at(self.address) {
            Some(guard) => write!(formatter, ": {guard}"),
            None => Ok(()),
        }
    }
}

/// Which guard page an address is in.
pub(super) fn guard_at(address: u64) -> Option<&'static str> {
    let in_page = |start: u64| (start..start + PAGE_SIZE).contains(&address);
    if in_page(STACK_BOTTOM - PAGE_SIZE) {
        Some("the guard page of the kernel's stack; the stack has overflowed")
    } else if exception_stacks().iter().any(|stack| in_page(stack.guard_address())) {
        Some("the guard page of an exception stack; that stack has overflowed")
    } else if in_page(0) {
        Some("the null page")
    } else {
        None
    }
}
