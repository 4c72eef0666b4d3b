//! The instruction `syscall`, with the registers that `flatmk-abi` gives it.

use core::arch::asm;

use flatmk_abi::{Error, Operation, Words};

// ANCHOR: invoke
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
    let window: u64;
    let [mut rdx, mut r10, mut r8, mut r9] = arguments;
    let status: i64;
    // SAFETY: a system call changes no memory of this program but what its capabilities say, and keeps the registers that are
    // not named here.
    unsafe {
        asm!(
            "syscall",
            inlateout("rdi") pointer => _,
            inlateout("rsi") operation as u64 | flags => window,
            inlateout("rdx") rdx,
            inlateout("r10") r10,
            inlateout("r8") r8,
            inlateout("r9") r9,
            lateout("rax") status,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    match status {
        0 => Ok(([rdx, r10, r8, r9], window)),
        // A status that is neither 0 nor an error would be a mistake in the kernel; it must not pass for success.
        _ => Err(Error::from_status(status).unwrap_or(Error::UnknownOperation)),
    }
}
// ANCHOR_END: invoke
