//! Configuring and starting a task.

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::{Error, Kind, Rights};

#[cfg(feature = "chapter7")]
use super::end;
use super::object::{State, TaskRef, USER_FLAGS};
use super::{later, scheduler};
use crate::capability::{Slot, insert_below};
#[cfg(feature = "chapter7")]
use crate::syscall::finish_suspended_of;

// ANCHOR: code_address
/// Checks that an address can hold user code. One beyond user space would make `sysret` fault in ring 0.
///
/// # Errors
///
/// [`Error::InvalidAddress`].
pub fn check_code_address(address: u64) -> Result<u64, Error> {
    if (USER_START..USER_END).contains(&address) { Ok(address) } else { Err(Error::InvalidAddress) }
}
// ANCHOR_END: code_address

/// Stacks are aligned to this many bytes, as compilers expect (System V ABI, AMD64 supplement, 3.2.2).
const STACK_ALIGNMENT: u64 = 16;

/// The configuration of a task, checked.
pub struct ConfigureRequest<'a> {
    task: TaskRef,
    table: &'a Slot,
    space: &'a Slot,
    stack: u64,
}

impl<'a> ConfigureRequest<'a> {
    /// Checks a configuration.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Configure`.
    pub fn decode(task: TaskRef, table: &'a Slot, space: &'a Slot, stack: u64) -> Result<Self, Error> {
        if task.state() != State::Stopped || !task.table_slot.is_empty() || !task.space_slot.is_empty() {
            return Err(Error::InvalidState);
        }
        let table = table.require(Kind::Table, Rights::MANAGE)?;
        let space = space.require(Kind::AddressSpace, Rights::MANAGE)?;
        let in_range = (USER_START..=USER_END).contains(&stack) && stack.is_multiple_of(STACK_ALIGNMENT);
        if in_range { Ok(Self { task, table, space, stack }) } else { Err(Error::InvalidAddress) }
    }

    /// Does it.
    pub fn perform(self) {
        insert_below(&self.task.table_slot, self.table, self.table.content());
        insert_below(&self.task.space_slot, self.space, self.space.content());
        self.task.adopt_slots(self.stack);
        // It need not be started: it can also be given registers and resumed.
        self.task.context.rflags.set(USER_FLAGS);
        later::inherit_priority(self.task);
    }
}

/// The start of a task, checked.
pub struct StartRequest {
    task: TaskRef,
    entry: u64,
    argument: u64,
}

impl StartRequest {
    /// Checks a start.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Start`.
    pub fn decode(task: TaskRef, entry: u64, argument: u64) -> Result<Self, Error> {
        let entry = later::check_entry(entry)?;
        check_startable(task)?;
        later::check_start(task, entry)?;
        Ok(Self { task, entry, argument })
    }

    /// Does it: the task stands in the queue.
    pub fn perform(self) {
        later::tell_all();
        self.task.context.enter(self.entry, self.task.stack.get(), self.argument, [0; 4]);
        #[cfg(feature = "chapter7")]
        self.task.was_accepting.set(false);
        later::reset_priority(self.task);
        scheduler::make_ready(self.task);
    }
}

/// Checks that a task is stopped and has all that it needs to run.
fn check_startable(task: TaskRef) -> Result<(), Error> {
    let has_all = !task.table_slot.is_empty() && !task.space_slot.is_empty();
    if task.state() == State::Stopped && has_all { Ok(()) } else { Err(Error::InvalidState) }
}

/// Lets a task that is stopped go on where it was: with its code, or with waiting for calls.
///
/// # Errors
///
/// Those that the interface lists for `Resume`.
#[cfg(feature = "chapter7")]
pub(crate) fn resume(task: TaskRef) -> Result<(), Error> {
    check_startable(task)?;
    later::tell_all();
    if task.was_accepting.take() {
        crate::ipc::accept(task);
        return Ok(());
    }
    later::check_way(&task.context, task.context.rip.get())?;
    later::reset_priority(task);
    scheduler::make_ready(task);
    Ok(())
}

/// Stops a task.
///
/// # Errors
///
/// [`Error::InvalidState`] where it is stopped.
#[cfg(feature = "chapter7")]
pub(crate) fn stop(task: TaskRef) -> Result<(), Error> {
    if task.state() == State::Stopped {
        return Err(Error::InvalidState);
    }
    finish_suspended_of(task);
    if task.is_waiting() {
        task.context.set_result(Err(Error::Interrupted));
    }
    task.was_accepting.set(task.state() == State::Accepting);
    end::stop_now(task, Error::CalleeStopped);
    Ok(())
}
