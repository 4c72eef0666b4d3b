//! RISC-V programs without a processor of that kind: RV32I with the extensions M, A and C, the user-level counters and `fence.i`, as *The RISC-V
//! Instruction Set Manual, Volume I: Unprivileged Architecture* (version 20240411) has them.
//!
//! - `table`: every instruction of 32 bits: its name, its encoding, its operands.
//! - `decode`: an instruction from its bits, and back.
//! - `compressed`: those of 16 bits, each of which stands for one of 32.
//! - `disassemble`: an instruction in words.
//!
//! - `engine`: runs them.
//!
//! The kernel and the host use the same code.
#![no_std]
#![feature(explicit_tail_calls)]
#![expect(incomplete_features, reason = "tail calls work where both functions have the same arguments, as here")]
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod compressed;
mod decode;
mod disassemble;
#[expect(unsafe_code, reason = "runs translated code, and accesses the guest's memory")]
pub mod engine;
mod table;

pub use decode::{Instruction, Length, decode};
pub use disassemble::Disassembled;
pub use table::{Format, INSTRUCTIONS, Operation, Pattern};
