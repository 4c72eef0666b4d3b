//! What every FlatMk user program is built on.
//!
//! A program begins with [`entry!`], names the function at which it is called with [`service!`], and holds its capabilities as
//! values of the types in [`object`], which are the system calls in the words of Rust. [`program`] loads other programs.
#![no_std]
#![warn(missing_docs)]

mod console;
mod entry;
pub mod marks;
pub mod object;
mod operations;
pub mod program;
pub mod sharing;
mod syscall;
pub mod testing;

pub use console::write_line;
pub use entry::{finish_start, panic, stop_faulting_caller};
pub use object::answer_with_window;
pub use syscall::invoke;

/// The time stamp counter: instructions with exact instruction time, else the ticks of a constant clock.
#[must_use]
#[inline(always)]
pub fn time_stamp() -> u64 {
    // SAFETY: the kernel lets user mode read the counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}
