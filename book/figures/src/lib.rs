//! The interactive figures of the book. What they show is done by the kernel's own code, compiled for a browser:
//!
//! - `memory`, `capability`: the kernel's files of these names. Where they are, they find what they know of the rest of the kernel:
//!   `arch`, `boot`, `interrupts`, `planted`, `stop` and `sync`, of which this crate has as much as they need.
//! - `machine`: a few pages of memory that the kernel believes to be a machine's.
//! - `walk`: an address on its way through the page tables.
//! - `tree`: a table of capabilities, and what can be done with them.
//! - `hart`: a RISC-V program in the engine of the crate `flatmk-softuser`.
//! - `exports`: what a browser calls. Answers are JSON.
//!
//! The scripts in `book/theme/figures` draw them. The host program puts this crate where they find it.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod arch;
mod boot;
#[expect(unsafe_code, reason = "the kernel's files: they find slots and tables by their addresses")]
pub mod capability;
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "functions that a browser finds by their names; state of one thread")]
pub mod exports;
#[expect(unsafe_code, reason = "lends memory to the guest and runs it")]
pub mod hart;
mod interrupts;
#[expect(unsafe_code, reason = "lends memory to the kernel")]
mod machine;
#[expect(unsafe_code, reason = "the kernel's files: they access pages")]
pub mod memory;
#[path = "../../../kernel/src/planted.rs"]
pub mod planted;
mod stop;
#[path = "../../../kernel/src/sync.rs"]
#[expect(unsafe_code, reason = "the kernel's file: it lends a value from behind a shared reference")]
pub mod sync;
pub mod tree;
pub mod walk;
