//! FlatMk's pipes on Linux, between threads and between processes, and the experiment that compares them with Unix pipes.
//!
//! The pipes themselves are those of `flatmk-pipe`, as tasks of FlatMk have them. Here is what a host adds: [`SharedMemory`], which each end
//! maps for itself, and [`SocketBell`], by which an end sleeps and is woken.
#![warn(missing_docs)]

mod bell;
mod experiment;
mod limits;
mod memory;
mod peer;
mod processor;
mod stream;
mod threads;

pub use bell::{Barrier, Patience, SocketBell};
pub use experiment::{Channel, Contestant, Experiment, Placement, Round, Row, Sample, rows};
pub use limits::{BetweenCores, Limits};
pub use memory::{End, Mapping, PAGE_BYTES, SharedMemory};
pub use peer::serve;
pub use processor::{Cores, now_ns, pin};
pub use stream::Load;
