//! Tasks: what runs in user mode.
//!
//! - `object`: a task's page: registers, address space, capability table, and what it waits for.
//! - `scheduler`: which task runs; `run_queue`: those that are ready.
//! - `configure`: configuring, starting and stopping a task; `registers`: reading and writing its registers.
//! - `fault`: what interrupts a task; `end`: tasks that are stopped or destroyed.
//! - `floating_point`: the state of the vector registers, for tasks that have a page for it.
//! - `later`: where later chapters come in; `host`: what the tests on the host need to act as tasks.
//! - `root`: the first task, from an ELF file in the ramdisk.

mod configure;
mod end;
mod fault;
pub(crate) mod floating_point;
#[cfg(all(feature = "chapter7", not(target_os = "none")))]
pub mod host;
pub(crate) mod later;
mod object;
pub(crate) mod registers;
mod root;
#[cfg(not(feature = "chapter7"))]
mod run_queue;
pub(crate) mod scheduler;

pub use configure::{ConfigureRequest, StartRequest, check_code_address};
#[cfg(feature = "chapter7")]
pub(crate) use configure::{resume, stop};
#[cfg(feature = "chapter6")]
pub(crate) use end::report;
pub use fault::Fault;
pub(crate) use fault::raise;
#[cfg(feature = "chapter11")]
pub(crate) use fault::{take_exception, take_interrupt};
pub use object::{Context, State, Task, TaskRef, Way};
#[cfg(feature = "chapter6")]
pub(crate) use object::{Queue, USER_FLAGS};
pub use root::run_root_task;
#[cfg(not(feature = "chapter7"))]
use run_queue::RunQueue;

use crate::interrupts::exceptions::DEBUG;
use crate::{arch, capability, interrupts};

/// Prepares the processor for user mode.
pub(crate) fn initialize() {
    arch::syscall::initialize();
    floating_point::initialize();
    interrupts::set_user_handlers(fault::handle_exception, fault::handle_interrupt);
    interrupts::set_handler(DEBUG, Some(fault::step_into_kernel));
    capability::set_task_steps(end::STEPS);
}
