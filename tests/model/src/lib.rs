//! What capabilities, memory and address spaces ought to do, as a model that is simple enough to be believed; the kernel, on a simulated
//! machine; and the comparison of the two.
//!
//! - `model`, `removal`, `decide`: the model: plain collections, no pointers, no steps, no lists of free pages.
//! - `operation`, `choice`: operations, and how random numbers become ones that succeed about half of the time.
//! - `machine`, `perform`: memory that a kernel believes to be a machine, and the operations on it.
//! - `processor`: page tables as the hardware reads them, and translations that it remembers until it is told to forget.
//! - `view`: what can be seen of the kernel's state, in the words of the model.
//! - `run`: one sequence of operations on both.
//! - `cases`: sequences that chance seldom finds.
//! - `run_queue`, `timer_queue`: the queues of the scheduler, compared with plain collections; `scheduler`: tasks that use them.
//! - `spaces`: tasks that run in address spaces, with few identifiers.
#![warn(missing_docs)]
#![deny(unsafe_code)]
#![expect(clippy::indexing_slicing, reason = "whoever looks for something that is not there has found a mistake")]

#[cfg(test)]
mod cases;
mod choice;
mod decide;
#[expect(unsafe_code, reason = "lends memory to the kernel and looks at it")]
pub mod machine;
mod model;
mod operation;
mod perform;
#[expect(unsafe_code, reason = "reads page tables")]
mod processor;
mod removal;
pub mod run;
pub mod run_queue;
pub mod scheduler;
pub mod spaces;
pub mod timer_queue;
mod view;

/// A page, by its number.
type Page = u32;
