//! The pipes, in memory that is mapped twice as it is in earnest: compared with plain queues, told what cannot be, and watched while they ring.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where something is missing")]

mod events;
mod frames;
mod hostile;
mod items;
mod memory;
