//! What is said in the words of the processor: how a program and its services begin, and how it ends.

use core::arch::asm;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("FlatMk runs programs for x86-64 and RISC-V with 32 bits");

/// The beginning of a program, `_start`, which calls a function `fn(argument: u64, words: [u64; 4])`.
#[doc(hidden)]
#[macro_export]
macro_rules! start {
    ($main:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            // The stack is at its aligned top; the call aligns it as Rust expects.
            core::arch::naked_asm!("mov rcx, r10", "call {start}", "ud2", start = sym start)
        }

        extern "C" fn start(argument: u64, _: u64, rdx: u64, r10: u64, r8: u64, r9: u64) -> ! {
            let main: fn(u64, [u64; 4]) = $main;
            main(argument, [rdx, r10, r8, r9]);
            $crate::finish_start()
        }
    };
}

// ANCHOR: serve
/// The body of an entry: passes the message to a function, and returns with what is there afterwards. The function also gets the window
/// if that is named.
#[doc(hidden)]
#[macro_export]
macro_rules! serve {
    ($handle:ident) => { $crate::serve!(@ $handle) };
    // The third argument.
    ($handle:ident, window) => { $crate::serve!(@ $handle, "mov rdx, rsi") };
    (@ $handle:ident $(, $first:literal)?) => {
        core::arch::naked_asm!(
            "sub rsp, 32",
            "mov [rsp], rdx",
            "mov [rsp + 8], r10",
            "mov [rsp + 16], r8",
            "mov [rsp + 24], r9",
            $($first,)?
            "mov rsi, rsp",
            "call {handle}",
            "mov rdx, [rsp]",
            "mov r10, [rsp + 8]",
            "mov r8, [rsp + 16]",
            "mov r9, [rsp + 24]",
            "xor edi, edi",
            "mov esi, 1",
            "syscall",
            // Only a return that is refused comes back.
            "call {refused}",
            "ud2",
            handle = sym $handle,
            refused = sym $crate::stop_faulting_caller,
        )
    };
}
// ANCHOR_END: serve

/// What the kernel is told of a function that is an entry.
pub(crate) fn entry_address(entry: extern "C" fn()) -> u64 {
    entry as usize as u64
}

/// The time stamp counter: instructions with exact instruction time, else the ticks of a constant clock.
#[must_use]
#[inline(always)]
pub fn time_stamp() -> u64 {
    // SAFETY: the kernel lets user mode read the counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Executes an instruction that does not exist, at which the kernel stops the program.
pub fn stop() -> ! {
    // SAFETY: raises an exception, and does nothing else.
    unsafe { asm!("ud2", options(noreturn)) }
}
