//! Delete and revoke as system calls: step by step, with the interrupts that come meanwhile, and with the tasks that then come first.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, Rights};

use super::{Request, lookup, made_again, make_again};
use crate::capability::{Extent, Progress, Removal, Table, finish_destruction_step};
use crate::interrupts;
use crate::task::TaskRef;
use crate::task::scheduler::{self, OneTask};

/// The task whose removal was left in the middle.
static OWNER: OneTask = OneTask::none();

/// The address of its system call, which it is to make again.
static CALL_ADDRESS: AtomicU64 = AtomicU64::new(0);

// ANCHOR: perform
/// Takes away what is asked for. Interrupts are served between two steps. The caller may lose its code, its table, its space or itself by
/// this, so nothing is left for it to go on with: the kernel does all of it.
///
/// Handlers of interrupts and more urgent tasks go first, and others as urgent at the end of the time slice. The caller makes its system call again
/// afterwards, which goes on where this one has stopped.
#[inline(never)]
pub(super) fn perform(task: TaskRef, request: &Request, extent: Extent) -> Result<TaskRef, Error> {
    match OWNER.get() {
        None => {}
        Some(owner) if owner == task => {
            OWNER.set(None);
            return Ok(go_on(task, request, Removal::take_up()));
        }
        Some(_) => finish_suspended_before(task),
    }
    let [index, ..] = request.arguments;
    let table = Table::of(lookup(&task, request.pointer)?, Rights::MANAGE)?;
    let removal = Removal::decode(table, index, extent)?;
    if removal.step() == Progress::Done {
        // With one step nothing goes but the capability, so the caller is still there.
        task.context.set_result(Ok([0; 4]));
        return Ok(task);
    }
    Ok(go_on(task, request, Some(removal)))
}

#[inline(never)]
fn go_on(task: TaskRef, request: &Request, removal: Option<Removal<'_>>) -> TaskRef {
    while step(removal.as_ref()) == Progress::More {
        interrupts::let_in();
        if scheduler::try_current().is_some()
            && let Some(next) = scheduler::give_way(task)
        {
            if let Some(removal) = removal {
                removal.suspend();
            }
            OWNER.set(Some(task));
            make_again(task, request);
            CALL_ADDRESS.store(task.context.rip.get(), Relaxed);
            return next;
        }
    }
    succeed(task)
}
// ANCHOR_END: perform

/// The system call has succeeded, unless the caller has taken itself away. Returns the task to go on with.
fn succeed(task: TaskRef) -> TaskRef {
    if scheduler::try_current().is_none() {
        scheduler::leave();
    }
    task.context.set_result(Ok([0; 4]));
    // The interrupts that came meanwhile may have made others ready.
    scheduler::catch_up_late(task)
}

/// Takes apart what has lost its last capability by a system call of the current task. Returns the task to go on with.
pub(super) fn finish_destruction(task: TaskRef) -> TaskRef {
    while finish_destruction_step() {
        interrupts::let_in();
    }
    succeed(task)
}

/// One step of a removal; or, where that is all that is left of it, of taking apart the objects that are gone.
fn step(removal: Option<&Removal<'_>>) -> Progress {
    match removal {
        Some(removal) => removal.step(),
        None if finish_destruction_step() => Progress::More,
        None => Progress::Done,
    }
}

// ANCHOR: finish
/// Does the rest of the removal that was left in the middle, on behalf of its task: before another one begins, and before that task stops.
pub(crate) fn finish_suspended() {
    let Some(owner) = OWNER.take() else { return };
    let removal = Removal::take_up();
    while step(removal.as_ref()) == Progress::More {
        interrupts::let_in();
    }
    // It may be elsewhere by now: another task can change what is at that address.
    if owner.context.rip.get() == CALL_ADDRESS.load(Relaxed) {
        made_again(owner);
    }
}
// ANCHOR_END: finish

/// The same at the beginning of a system call of the current task, which may go with what is taken away.
pub(super) fn finish_suspended_before(task: TaskRef) {
    finish_suspended();
    scheduler::leave_if_gone(task);
}

/// The same if it is this task's.
pub(crate) fn finish_suspended_of(task: TaskRef) {
    if OWNER.get() == Some(task) {
        finish_suspended();
    }
}
