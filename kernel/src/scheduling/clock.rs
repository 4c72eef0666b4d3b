//! Time: ticks of the timer, time slices, and tasks that sleep.

use core::cell::Cell;

use flatmk_abi::Error;

use super::{notification, timer_queue};
use crate::interrupts::{self, time, timer};
use crate::planted::{Bug, planted};
use crate::task::{State, TaskRef, scheduler};

/// How long a task runs before others of its priority do, in ticks of the timer: 10 ms.
pub(super) const SLICE_TICKS: u8 = 10;

/// How many tasks wake before interrupts are let in.
const PER_STEP: usize = 16;

struct Clock {
    /// The last tick that was dealt with.
    seen: Cell<u64>,
    /// How many ticks are left of the time slice that is used now.
    slice: Cell<u8>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Clock {}

static CLOCK: Clock = Clock { seen: Cell::new(0), slice: Cell::new(0) };

// ANCHOR: tick
/// The timer's ticks since the last time count: whoever has slept long enough is ready. Tells whether the time slice is over.
#[inline(always)]
pub(crate) fn tick() -> bool {
    // ANCHOR: exercise-7-2
    let now = timer::ticks();
    let elapsed = now - CLOCK.seen.replace(now);
    if elapsed == 0 {
        return false;
    }
    let left = u64::from(CLOCK.slice.get()).saturating_sub(elapsed);
    CLOCK.slice.set(left as u8);
    if !timer_queue::is_empty() {
        wake_due(now);
    }
    left == 0
    // ANCHOR_END: exercise-7-2
}
// ANCHOR_END: tick

/// Whether there are ticks that were not dealt with.
#[inline(always)]
pub(crate) fn has_ticked() -> bool {
    timer::ticks() != CLOCK.seen.get()
}

/// Wakes everybody whose time has come.
#[inline(never)]
fn wake_due(now: u64) {
    while core::iter::from_fn(|| timer_queue::pop_due(now)).take(PER_STEP).map(wake).count() == PER_STEP {
        interrupts::let_in();
    }
}

/// The time for which a task waited has come.
fn wake(task: TaskRef) {
    let result = if notification::leave(task) { Err(Error::TimedOut) } else { Ok([0; 4]) };
    task.context.set_result(result);
    scheduler::make_ready(task);
}

/// Whether the timer will make a task ready.
pub(crate) fn is_timer_running() -> bool {
    !timer_queue::is_empty()
}

/// A task has a new time slice.
#[inline(always)]
pub(crate) fn fill_slice(task: TaskRef) {
    task.scheduling.slice.set(SLICE_TICKS);
}

/// A task is interrupted in its time slice, or begins with one.
pub(crate) fn keep_slice(task: TaskRef) {
    task.scheduling.slice.set(CLOCK.slice.get());
}

/// A task that was ready runs: its time slice begins, or goes on.
#[inline(always)]
pub(crate) fn use_slice(task: TaskRef) {
    CLOCK.slice.set(task.scheduling.slice.get());
}

// ANCHOR: sleep
/// The current task rests.
pub(super) fn sleep(task: TaskRef, time_ns: u64) -> TaskRef {
    if time_ns == 0 {
        task.context.set_result(Ok([0; 4]));
        return scheduler::yield_now(task);
    }
    wake_after(task, time_ns);
    task.state.set(State::Blocked);
    scheduler::next(task)
}

/// The current task rests until the next tick.
#[cfg(feature = "chapter10")]
pub(crate) fn rest(task: TaskRef) -> TaskRef {
    sleep(task, 1)
}

/// Lets the timer wake a task, with the first tick when this time is over.
pub(super) fn wake_after(task: TaskRef, time_ns: u64) {
    let ticks = time_ns.saturating_add(time::since_tick_ns()).div_ceil(time::tick_ns());
    let ticks = ticks - u64::from(planted(Bug::WakesEarly));
    timer_queue::insert(task, timer::ticks().saturating_add(ticks));
}
// ANCHOR_END: sleep

/// No time has passed.
#[cfg(not(target_os = "none"))]
pub(super) fn reset() {
    timer::set_ticks(0);
    CLOCK.seen.set(0);
    CLOCK.slice.set(0);
}
