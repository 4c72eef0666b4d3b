//! What a task is doing, and what time it is: for those who look after tasks.

use core::cell::Cell;

use flatmk_abi::Words;

use crate::interrupts::{time, timer};
use crate::task::{State, TaskRef};

// ANCHOR: inspect
/// State, priorities, the task's number, and the number of what it waits for.
pub(crate) fn inspect(task: TaskRef) -> Words {
    let state = match task.state() {
        State::Stopped => 0,
        State::Ready => 1,
        State::Running => 2,
        State::Accepting => 3,
        State::Calling | State::SoftuserCalling => 4,
        State::Waiting if !task.calls.has_faulted() => 5,
        State::Waiting | State::Faulting => 6,
        State::Blocked if task.scheduling.notification.get().is_some() => 7,
        State::Blocked => 8,
    };
    let awaited = match state {
        4..=6 => task.calls.callee().and_then(TaskRef::page),
        7 => task.scheduling.notification.get().and_then(|notification| notification.page()),
        _ => None,
    };
    let number = |page: Option<crate::memory::Frame>| page.map_or(0, |page| page.number().into());
    let priorities = [task.scheduling.base.get(), task.scheduling.priority.get()];
    [state, u16::from_le_bytes(priorities).into(), number(task.page()), number(awaited)]
}
// ANCHOR_END: inspect

struct Latest(Cell<u64>);

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Latest {}

/// The time that was told last.
static LATEST: Latest = Latest(Cell::new(0));

/// The time in nanoseconds, the frequency of the time stamp counter, the ticks. A reading that falls into the moment of a tick may be a little
/// off; the time never goes back all the same.
pub(crate) fn read_clock() -> Words {
    let now = time::now_ns().max(LATEST.0.get());
    LATEST.0.set(now);
    [now, time::time_stamp_hz(), timer::ticks(), 0]
}
