//! Tasks: what runs in user mode.
//!
//! - `object`: a task's page: registers, address space, capability table, and what it waits for.
//! - `scheduler`: which task runs; the queue of those that are ready.
//! - `configure`: configuring and starting a task.
//! - `end`: tasks that fault or are destroyed.
//! - `root`: the first task, from an ELF file in the ramdisk.

mod configure;
mod end;
mod object;
mod root;
pub(crate) mod scheduler;

pub use configure::{ConfigureRequest, StartRequest, check_code_address};
#[cfg(feature = "chapter6")]
pub(crate) use object::USER_FLAGS;
pub use object::{Context, State, Task, TaskRef};
pub use root::run_root_task;

use x86_64::registers::control::{Cr0, Cr0Flags};

use crate::interrupts::exceptions::DEBUG;
use crate::{arch, capability, interrupts};

/// Prepares the processor for user mode.
pub(crate) fn initialize() {
    // SAFETY: tasks have no floating-point state, and the kernel uses none. With this flag each such instruction raises an exception.
    unsafe { Cr0::update(|cr0| cr0.insert(Cr0Flags::TASK_SWITCHED)) };
    arch::syscall::initialize();
    interrupts::set_user_exception_handler(end::stop_faulting_task);
    interrupts::set_handler(DEBUG, Some(end::step_into_kernel));
    capability::set_task_steps(end::STEPS);
}
