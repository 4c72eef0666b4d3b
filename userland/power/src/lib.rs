//! How a PC is switched off, and how it is started anew.
//!
//! The firmware's tables say it (ACPI 6.5, 7.4 and 4.8.4.6). They are read, and their code is run, by the crate `acpi`, which trusts them. What it is given
//! is therefore checked first, in [`tables`]; and it reaches memory and ports through a [`Machine`], in [`handler`]. It may panic all the
//! same, or run for ever: the program has a way out of both.
#![no_std]
#![warn(missing_docs)]

extern crate alloc;

mod fault;
mod handler;
mod machine;
mod off;
mod registers;
mod reset;
mod tables;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use machine::{Machine, Width};
pub use off::switch_off;
pub use reset::start_anew;
