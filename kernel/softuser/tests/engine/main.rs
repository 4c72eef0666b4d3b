//! The engine, with a guest's memory in the lowest 4 GiB of this process, beside a model that is written from the manual.
#![expect(clippy::indexing_slicing, reason = "a test that panics fails")]

mod basics;
mod bytes;
mod changes;
mod guest;
mod instructions;
mod pending;
mod qemu;
mod random;
mod reference;
mod reserved;
mod step;
mod traps;
