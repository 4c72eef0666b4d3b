//! The instruction `syscall`, with the registers that `flatmk-abi` gives it.

use core::arch::asm;

use flatmk_abi::{Error, FLAGS_WINDOW, Operation, WINDOW_SHIFT, Words, slots};

// ANCHOR: invoke
/// Invokes an operation on the capability behind a pointer.
///
/// # Errors
///
/// What the kernel says, see [`flatmk_abi::OPERATIONS`].
#[inline(always)]
pub fn invoke(pointer: u64, operation: Operation, arguments: Words) -> Result<Words, Error> {
    invoke_with_flags(pointer, operation, 0, arguments)
}

/// The same, with flags.
#[inline(always)]
fn invoke_with_flags(pointer: u64, operation: Operation, flags: u64, arguments: Words) -> Result<Words, Error> {
    invoke_with_window(pointer, operation, flags, arguments).map(|(words, _)| words)
}

/// The same. Tells also which slots of the window have come with the answer.
#[inline(always)]
fn invoke_with_window(pointer: u64, operation: Operation, flags: u64, arguments: Words) -> Result<(Words, u64), Error> {
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

/// Calls the endpoint behind a pointer; the capabilities in these slots of the window, one bit each, move to the callee. Returns the answer and
/// which slots of the window have come with it.
///
/// # Errors
///
/// Those of [`Operation::Call`].
pub fn call_with_window(endpoint: u64, message: Words, window: u64) -> Result<(Words, u64), Error> {
    invoke_with_window(endpoint, Operation::Call, window << WINDOW_SHIFT & FLAGS_WINDOW, message)
}

/// Answers the caller, with the capabilities in these slots of the window, one bit each. That ends the work on the call, so nothing behind it is
/// executed: it comes back, with one of the errors of [`Operation::Return`], only where the kernel refuses it. Then the caller waits still.
pub fn answer_with_window(message: Words, window: u64) -> Error {
    let flags = window << WINDOW_SHIFT & FLAGS_WINDOW;
    match invoke_with_window(slots::REPLY, Operation::Return, flags, message) {
        Ok(_) => unreachable!("a task went on after its return"),
        Err(error) => error,
    }
}

/// Calls the endpoint behind a pointer, with flags.
///
/// # Errors
///
/// Those of [`Operation::Call`].
#[inline(always)]
pub fn call(endpoint: u64, flags: u64, message: Words) -> Result<Words, Error> {
    invoke_with_flags(endpoint, Operation::Call, flags, message)
}
