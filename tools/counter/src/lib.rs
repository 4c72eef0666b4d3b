//! A plugin for QEMU that counts the instructions a program measures, and the expensive ones among them by their kind.
//!
//! The program says what it measures by [marks](flatmk_abi::marks). For each batch the plugin adds a line to a file:
//!
//! ```text
//! call_other_space 1000 instructions=141009 cr_accesses=2000 cr3_writes=2000 ... port_accesses=0
//! ```
//!
//! The modules: [`kinds`], which instruction is of which kind; [`recorder`], from marks to lines; `qemu`, what QEMU calls.

pub mod kinds;
// QEMU's functions are in QEMU only, so a test program cannot be linked with them.
#[cfg(not(test))]
mod qemu;
pub mod recorder;
