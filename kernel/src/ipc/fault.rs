//! Faults as calls: the kernel calls the endpoint that a task has for its faults, as if the task had called it.

use flatmk_abi::{Error, MissingCapability, Rights};

use super::call::{check_wait, enter_or_wait};
use super::window::Window;
use crate::capability::{Slot, empty_task_slot, insert_below};
use crate::task::{Fault, State, TaskRef};

// ANCHOR: call
/// The current task has faulted. Calls its fault handler and returns the task to go on with; `None` where there is no handler, or none that could
/// come to it: it is stopped, or waits for this task.
pub(crate) fn call_fault_handler(task: TaskRef, fault: Fault) -> Option<TaskRef> {
    // ANCHOR: exercise-6-5
    let endpoint = &task.calls.fault_slot;
    if endpoint.require_endpoint(Rights::CALL).is_err() {
        return None;
    }
    let handler = TaskRef::of(endpoint).ok()?;
    match handler.state() {
        State::Stopped => return None,
        State::Accepting => {}
        _ => check_wait(handler, task).ok()?,
    }
    task.calls.fault.set(Some(fault));
    task.calls.window.set(Window::EMPTY);
    Some(enter_or_wait(task, handler, endpoint))
    // ANCHOR_END: exercise-6-5
}
// ANCHOR_END: call

/// Sets whom the kernel calls when a task faults.
///
/// # Errors
///
/// Those that the interface lists for `SetFaultHandler`.
pub(crate) fn set_fault_handler(task: TaskRef, endpoint: Option<&Slot>, missing: u64) -> Result<(), Error> {
    let reports_missing = match (MissingCapability::from_number(missing), endpoint) {
        (Some(MissingCapability::IsError), _) => false,
        (Some(MissingCapability::IsFault), Some(_)) => true,
        _ => return Err(Error::InvalidArgument),
    };
    let endpoint = endpoint.map(|slot| slot.require_endpoint(Rights::CALL)).transpose()?;
    let slot = &task.calls.fault_slot;
    empty_task_slot(slot);
    if let Some(endpoint) = endpoint {
        insert_below(slot, endpoint, endpoint.content());
    }
    task.calls.reports_missing.set(reports_missing);
    Ok(())
}
