//! Softuser: tasks that run RISC-V code, in ring 0, without a privilege switch.
//!
//! The crate `flatmk-softuser` decodes and runs the code; what is here makes it part of a task. A task that has pages for its hart ([`SetRequest`])
//! can begin at entries of RISC-V code as at others, and a native one can enter RISC-V code of its own by a call to itself. It
//! runs with interrupts on, in its own address space, of which it reaches the lowest 4 GiB: a guest address has 32 bits. What is not
//! mapped there, or not for this use, faults, and that is a fault of the task like others.
//!
//! - `part`: a task's hart and the pages it lives in.
//! - `run`: running it until it stops, and what its stop means; `system_call`: `ecall`; `fast_path`: the calls that are to be fast.
//! - `way`: how such a task goes on, and at which addresses; `registers`: its registers, for those who look at it.
//! - `code`: where its instructions come from.
//! - `interrupted`: what comes between while it runs: page faults and interrupts.
//! - `later`: where later chapters come in.

mod code;
pub(crate) mod fast_path;
mod interrupted;
mod later;
mod part;
mod registers;
mod run;
mod system_call;
mod way;

pub use part::SetRequest;
pub(crate) use part::{Part, check_start, lose_space, release};
pub(crate) use registers::{is_register, read_register, settle, show, write_register};
pub(crate) use run::run;
pub(crate) use way::{
    calling, check_entry, check_way, endpoint_kind, enter, forget_way, leave, set_entry, step_back, step_over,
};

/// Prepares for the first task that runs RISC-V code.
pub(crate) fn initialize() {
    interrupted::initialize();
}
