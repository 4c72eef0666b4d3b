//! The registers of a task that stands still, read and written by another.

use core::cell::Cell;
use core::fmt;

use flatmk_abi::{Error, Words};

use super::later;
use super::object::{Context, State, TaskRef, USER_FLAGS, Way};

const RIP: u64 = 16;
const RFLAGS: u64 = 17;

/// The flags that user mode may change itself: carry, parity, adjust, zero, sign, trap, direction, overflow, alignment check and identification (Intel SDM
/// vol. 1, figure 3-8).
const CHANGEABLE_FLAGS: u64 = 0x24_0dd5;

/// Their names, in the order of their numbers.
const NAMES: [&str; 18] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "rip", "rflags",
];

impl fmt::Display for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PER_LINE: usize = 6;
        for (index, (name, register)) in NAMES.into_iter().zip(numbered(self)).enumerate() {
            let end = if index % PER_LINE == PER_LINE - 1 { "\n" } else { "" };
            let start = if index % PER_LINE == 0 { "  " } else { " " };
            write!(formatter, "{start}{name}={:#x}{end}", register.get())?;
        }
        Ok(())
    }
}

/// The registers by the numbers that the interface gives them.
fn numbered(context: &Context) -> [&Cell<u64>; 18] {
    [
        &context.rax,
        &context.rbx,
        &context.rcx,
        &context.rdx,
        &context.rsi,
        &context.rdi,
        &context.rbp,
        &context.rsp,
        &context.r8,
        &context.r9,
        &context.r10,
        &context.r11,
        &context.r12,
        &context.r13,
        &context.r14,
        &context.r15,
        &context.rip,
        &context.rflags,
    ]
}

/// The registers of a task, if it stands still. From now on all of them count.
fn of(task: &TaskRef) -> Result<&Context, Error> {
    // ANCHOR: exercise-5-2
    if task.state() != State::Stopped && !later::has_faulted(*task) {
        return Err(Error::InvalidState);
    }
    let context = &task.context;
    if !later::settle(*task) && context.way.replace(Way::Interrupted) == Way::Returned {
        // The task was in a system call, which leaves these two behind.
        context.rcx.set(context.rip.get());
        context.r11.set(context.rflags.get());
    }
    Ok(context)
    // ANCHOR_END: exercise-5-2
}

/// Four registers from one on.
///
/// # Errors
///
/// Those that the interface lists for `ReadRegisters`.
pub(crate) fn read(task: TaskRef, first: u64) -> Result<Words, Error> {
    if first > RFLAGS && !later::is_register(task, first) {
        return Err(Error::InvalidArgument);
    }
    let registers = numbered(of(&task)?);
    let value = |number: u64| match registers.get(number as usize) {
        Some(register) => register.get(),
        None => later::read_register(task, number),
    };
    Ok([value(first), value(first + 1), value(first + 2), value(first + 3)])
}

/// Sets one register.
///
/// # Errors
///
/// Those that the interface lists for `WriteRegister`.
pub(crate) fn write(task: TaskRef, number: u64, value: u64) -> Result<(), Error> {
    if number > RFLAGS {
        of(&task)?;
        return later::write_register(task, number, value);
    }
    let value = match number {
        RIP => later::check_way(&task.context, value)?,
        RFLAGS => value & CHANGEABLE_FLAGS | USER_FLAGS,
        _ => value,
    };
    if let Some(register) = numbered(of(&task)?).get(number as usize) {
        register.set(value);
        // Whoever writes registers wants it to go on with them.
        #[cfg(feature = "chapter7")]
        task.was_accepting.set(false);
    }
    Ok(())
}
