//! Marks: by them a program tells who counts its instructions from outside what it measures.
//!
//! A mark is an instruction without effect, `nop dword ptr [rax + MARK]`. Nothing in the machine notices it. Between [`BEGIN`] and [`END`]
//! the time stamp counter is read at least twice, and what is executed between the last two reads counts. It does not matter which
//! task reads or marks: what begins in one may end in another. Then a program tells what that was, a bit a mark, bytes from their
//! lowest bit on: the number of rounds in eight bytes, the lowest first; the row's name; a byte of 0. Without a name nothing is recorded.

/// From now on reads of the time stamp counter count.
pub const BEGIN: u32 = FIRST;
/// The last two have enclosed what was measured.
pub const END: u32 = FIRST + 1;
/// A bit of 0.
pub const ZERO: u32 = FIRST + 2;
/// A bit of 1.
pub const ONE: u32 = FIRST + 3;

/// A distance that no compiler would think of.
const FIRST: u32 = 0x4d61_726b;

/// Whether a distance is a mark. Others are there: compilers fill gaps with the same instruction.
#[must_use]
pub const fn is_mark(distance: u32) -> bool {
    BEGIN <= distance && distance <= ONE
}

/// The bytes of the instruction before the mark, which takes the last four, the lowest first (Intel SDM vol. 2B, NOP).
pub const INSTRUCTION: [u8; 3] = [0x0f, 0x1f, 0x80];
