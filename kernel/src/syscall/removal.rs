//! Delete and revoke as system calls: step by step, with the interrupts that come meanwhile.

use flatmk_abi::{Error, Rights};

use super::lookup;
use crate::capability::{Extent, Progress, Removal, Table};
use crate::interrupts;
use crate::task::{TaskRef, scheduler};

// ANCHOR: perform
/// Takes away what is asked for. Interrupts are served between two steps. The caller may lose its code, its table, its space or itself by
/// this, so nothing is left for it to go on with: the kernel does all of it.
#[inline(never)]
pub(super) fn perform(task: TaskRef, pointer: u64, index: u64, extent: Extent) -> Result<TaskRef, Error> {
    let table = Table::of(lookup(&task, pointer)?, Rights::MANAGE)?;
    let removal = Removal::decode(table, index, extent)?;
    let mut was_long = false;
    while removal.step() == Progress::More {
        was_long = true;
        interrupts::let_in();
    }
    if scheduler::try_current().is_none() {
        // The caller has taken itself away.
        scheduler::leave();
    }
    task.context.set_result(Ok([0; 4]));
    // The interrupts that came meanwhile may have made others ready.
    Ok(if was_long { scheduler::catch_up_late(task) } else { task })
}
// ANCHOR_END: perform
