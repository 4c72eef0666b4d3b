//! The processor: instructions that Rust has no words for, each with a safe face where it can have one.

#[cfg(not(target_arch = "x86_64"))]
compile_error!("FlatMk runs on x86-64 only");

#[cfg(feature = "chapter11")]
pub(crate) mod caching;
#[cfg(feature = "chapter2")]
pub mod interrupts;
#[cfg(feature = "chapter9")]
pub(crate) mod isolation;
#[cfg(feature = "chapter3")]
pub mod paging;
#[cfg(feature = "chapter10")]
pub(crate) mod softuser;
#[cfg(feature = "chapter5")]
pub mod syscall;
#[cfg(feature = "chapter11")]
pub(crate) mod trace;
#[cfg(feature = "chapter2")]
pub(crate) mod ways_out;

use core::arch::{asm, x86_64::_rdtsc};
use core::ops::Range;

/// The time stamp counter: ticks since the processor was reset (Intel SDM vol. 3B, 17.17).
#[must_use]
pub fn time_stamp() -> u64 {
    // SAFETY: every x86-64 processor has the counter, and ring 0 may always read it.
    unsafe { _rdtsc() }
}

/// The stack pointer of the caller, about.
#[inline(always)]
#[must_use]
pub fn stack_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: reads one register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Raises the breakpoint exception. Its handler may use any memory, so the compiler keeps nothing in registers over it.
#[inline(always)]
pub fn breakpoint() {
    // SAFETY: the gate leads to a handler, or to the end of the kernel; all registers come back.
    unsafe { asm!("int3") };
}

/// Leaves the current stack for good and calls `function` on an empty one.
///
/// # Safety
///
/// `top` is the 16-byte-aligned top of a mapped stack, and nothing on it or on the current stack is needed any more.
pub unsafe fn restart_on_stack(top: u64, function: extern "C" fn() -> !) -> ! {
    // SAFETY: the caller vouches for the stack; `function` does not return.
    unsafe { asm!("mov rsp, {}", "call {}", in(reg) top, in(reg) function, options(noreturn)) }
}

/// Calls `work` with interrupts off, and leaves them as they were.
#[cfg(target_os = "none")]
pub fn without_interrupts<R>(work: impl FnOnce() -> R) -> R {
    x86_64::instructions::interrupts::without_interrupts(work)
}

/// On the host, where the kernel's logic is tested by one thread at a time, nothing interrupts it.
#[cfg(not(target_os = "none"))]
pub fn without_interrupts<R>(work: impl FnOnce() -> R) -> R {
    work()
}

unsafe extern "C" {
    /// First byte of the kernel's image; the linker provides it.
    static __executable_start: u8;
    /// First byte after the kernel's code; the linker provides it.
    static etext: u8;
}

/// The addresses of the kernel's code.
#[must_use]
pub fn text_range() -> Range<u64> {
    (&raw const __executable_start) as u64..(&raw const etext) as u64
}
