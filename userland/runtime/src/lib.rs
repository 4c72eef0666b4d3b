//! What every FlatMk user program is built on.
//!
//! A program begins with [`entry!`], names the function at which it is called with [`service!`], and holds its capabilities as
//! values of the types in [`object`], which are the system calls in the words of Rust. [`program`] loads other programs.
//!
//! It is the same for programs for RISC-V, which the kernel runs from chapter 10 on; only [`marks`] are the processor's own.
#![no_std]
#![warn(missing_docs)]

#[cfg_attr(target_arch = "riscv32", path = "riscv32/arch.rs")]
mod arch;
pub mod connection;
mod console;
mod entry;
#[cfg(target_arch = "x86_64")]
pub mod marks;
pub mod mediated;
pub mod object;
mod one_task;
mod operations;
pub mod pipe;
pub mod program;
pub mod sharing;
pub mod supervisor;
#[cfg_attr(target_arch = "riscv32", path = "riscv32/syscall.rs")]
mod syscall;
pub mod testing;

pub use arch::{stop, time_stamp};
pub use console::write_line;
pub use entry::{finish_start, panic, stop_faulting_caller};
pub use object::answer_with_window;
pub use one_task::OneTask;
pub use syscall::invoke;
