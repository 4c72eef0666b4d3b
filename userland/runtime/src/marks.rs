//! What a program that measures itself tells an instruction counter; [`flatmk_abi::marks`] says how. It costs nothing that is measured.

use core::arch::asm;

use flatmk_abi::marks;

/// A mark as an instruction.
macro_rules! mark {
    ($mark:expr) => {
        // SAFETY: the instruction does nothing. The compiler moves no access to memory across it.
        unsafe { asm!("nop dword ptr [rax + {mark}]", mark = const $mark, options(nostack, preserves_flags)) }
    };
}

/// Comes before the two reads of the time stamp.
#[inline(always)]
pub fn begin() {
    mark!(marks::BEGIN);
}

/// Comes after the second read. What was measured: `rounds` rounds of `row`.
#[inline(always)]
pub fn end(row: &str, rounds: u64) {
    mark!(marks::END);
    tell(row, rounds);
}

/// The second half of [`end`], for what another task has read and marked the end of.
#[inline(never)]
pub fn tell(row: &str, rounds: u64) {
    for byte in rounds.to_le_bytes().into_iter().chain(row.bytes()).chain([0]) {
        for bit in 0..u8::BITS {
            if byte >> bit & 1 == 0 {
                mark!(marks::ZERO);
            } else {
                mark!(marks::ONE);
            }
        }
    }
}
