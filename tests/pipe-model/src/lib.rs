//! The protocol of pipes in all orders in which two processors can do it.
//!
//! The library's own files are part of this crate, with atomic operations that are `loom`'s: it runs a program again and again, each time with another
//! order of its threads' steps, or another one of the values that a load may return, until it has seen all that it knows of. A program that fails in one of them,
//! or stops for ever, is found whenever it is run. It does not know of loads that see a store which comes later in the order of the program, which the
//! language allows and no processor of ours does.
//!
//! - `pipe`: a pipe between threads of a model: its pages, cells in which `loom` sees two that use them at once, and notifications.
//! - [`models`]: the programs; `search`: all orders of one.
//! - [`planted`]: mistakes that are made on purpose, each with the programs that find it.
#![warn(missing_docs)]

pub mod models;
mod pipe;
pub mod planted;
mod search;

/// The atomic operations of the protocol, as the model checker has them.
mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering, fence};
}

#[path = "../../../userland/pipe/src/bell.rs"]
pub mod bell;
#[path = "../../../userland/pipe/src/error.rs"]
pub mod error;
#[path = "../../../userland/pipe/src/item.rs"]
#[expect(dead_code, reason = "the library has more than the protocol")]
pub mod item;
#[path = "../../../userland/pipe/src/memory.rs"]
#[expect(dead_code, reason = "the library has more than the protocol")]
pub mod memory;
#[path = "../../../userland/pipe/src/reader.rs"]
#[expect(dead_code, reason = "the library has more than the protocol")]
mod reader;
#[path = "../../../userland/pipe/src/writer.rs"]
#[expect(dead_code, reason = "the library has more than the protocol")]
mod writer;
