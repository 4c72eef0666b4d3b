//! What the supervisor decides, without the system calls that carry it out: who has which devices, who may call whom, which numbers
//! programs have, and what becomes of a service that fails. The root task is its user.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod policy;
mod programs;

pub use arguments::Arguments;
pub use policy::{Device, Policy, Role};
pub use programs::{Identity, MOST_FAILURES, MOST_PROGRAMS, Program, Programs, Verdict};
