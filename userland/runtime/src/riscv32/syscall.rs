//! The instruction `ecall`, with the registers that `flatmk-abi` gives it.

use core::arch::asm;

use flatmk_abi::{Error, Operation, Words};

/// Invokes an operation on the capability behind a pointer.
///
/// # Errors
///
/// What the kernel says, see [`flatmk_abi::OPERATIONS`].
#[inline(always)]
pub fn invoke(pointer: u64, operation: Operation, arguments: Words) -> Result<Words, Error> {
    invoke_with_flags(pointer, operation, 0, arguments).map(|(words, _)| words)
}

/// The same, with flags. Tells also which slots of the window have come with an answer.
#[inline(always)]
pub(crate) fn invoke_with_flags(
    pointer: u64,
    operation: Operation,
    flags: u64,
    arguments: Words,
) -> Result<(Words, u64), Error> {
    // A longer one would name another capability without its upper half.
    let pointer = u32::try_from(pointer).map_err(|_| Error::InvalidCapability)?;
    let [mut low0, mut low1, mut low2, mut low3] = arguments.map(|word| word as u32);
    let [mut high0, mut high1, mut high2, mut high3] = arguments.map(|word| (word >> 32) as u32);
    let (status, window): (i32, u32);
    // SAFETY: a system call changes no memory of this program but what its capabilities say, and keeps the registers that are
    // not named here.
    unsafe {
        asm!(
            "ecall",
            inlateout("a0") pointer => status,
            inlateout("a1") operation as u32 | flags as u32 => window,
            inlateout("a2") low0,
            inlateout("a3") high0,
            inlateout("a4") low1,
            inlateout("a5") high1,
            inlateout("a6") low2,
            inlateout("a7") high2,
            inlateout("t3") low3,
            inlateout("t4") high3,
            options(nostack),
        );
    }
    let word = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    match status {
        0 => Ok(([word(low0, high0), word(low1, high1), word(low2, high2), word(low3, high3)], window.into())),
        // A status that is neither 0 nor an error would be a mistake in the kernel; it must not pass for success.
        _ => Err(Error::from_status(status.into()).unwrap_or(Error::UnknownOperation)),
    }
}
