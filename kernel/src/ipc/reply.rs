//! Reply capabilities: the right to return to one caller, once.
//!
//! While a task serves, the capability is in its reply slot, which is a field of the task and costs nothing. Moved into a table it takes a slot like
//! others, and the task can serve the next caller before it returns to this one.

use core::ptr::NonNull;

use flatmk_abi::{Error, Kind, Rights};

use super::answer::Answer;
use super::end;
use super::window::Window;
use crate::capability::{Content, Slot, Table, forget, insert_new};
use crate::syscall::{Request, lookup};
use crate::task::{TaskRef, scheduler};

// ANCHOR: take
/// Moves the capability in the current task's reply slot into a table.
///
/// # Errors
///
/// Those that the interface lists for `Move`.
pub(crate) fn take_reply(task: TaskRef, table: &Table, index: u64) -> Result<(), Error> {
    let slot = table.free_slot(index)?;
    let caller = task.calls.caller.get().ok_or(Error::InvalidCapability)?;
    let content = Content::to_device(Kind::Reply, Rights::GRANT);
    insert_new(slot, Content { words: [caller.as_ptr() as u64, 0, 0], ..content });
    task.calls.caller.set(None);
    caller.calls.callee.set(None);
    note_place(slot);
    Ok(())
}
// ANCHOR_END: take

/// The caller behind a reply capability.
fn caller_of(slot: &Slot) -> Option<TaskRef> {
    // The slot is emptied before the caller goes, see `forget`.
    TaskRef::from_address(slot.word::<0>())
}

/// A reply capability has come into this slot.
pub(super) fn note_place(slot: &Slot) {
    if let Some(caller) = caller_of(slot) {
        caller.calls.reply.set(Some(NonNull::from(slot)));
    }
}

/// A reply capability is about to be deleted: its caller waits in vain.
pub(super) fn give_up(slot: &Slot) {
    if let Some(caller) = caller_of(slot) {
        caller.calls.reply.set(None);
        caller.fail(Error::CalleeGone);
        end::tell_all();
    }
}

/// The caller waits for no answer any more: whoever holds the capability to return to it holds nothing.
pub(super) fn forget_place(caller: TaskRef) {
    if let Some(slot) = caller.calls.reply.take() {
        // SAFETY: the address was noted when the capability came into the slot, and it is noted anew when it moves.
        forget(unsafe { slot.as_ref() });
    }
}

// ANCHOR: reply
/// The current task answers a caller whose reply capability is in a table. Returns the task to go on with.
pub(crate) fn reply(task: TaskRef, request: &Request) -> Result<TaskRef, Error> {
    let slot = lookup(&task, request.pointer)?.require(Kind::Reply, Rights::empty())?;
    let caller = caller_of(slot).ok_or(Error::InvalidCapability)?;
    let window = Window::from_flags(request.operation);
    let answer = Answer::decode(caller, task, request.arguments, window)?;
    // The capability is used up by the answer, so it cannot go along with it.
    if window.moves(task, caller, slot) {
        return Err(Error::InvalidCapability);
    }
    forget_place(caller);
    task.context.set_result(Ok([0; 4]));
    answer.perform().into_iter().for_each(scheduler::make_ready);
    Ok(scheduler::settle(task))
}
// ANCHOR_END: reply
