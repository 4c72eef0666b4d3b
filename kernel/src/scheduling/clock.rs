//! Time: ticks of the timer, time slices, and tasks that sleep.

use core::cell::Cell;

use flatmk_abi::Error;

use super::{notification, timer_queue};
use crate::interrupts::{self, timer};
use crate::task::{State, TaskRef, scheduler};

/// How long a task runs before others of its priority do, in ticks of the timer: 10 ms.
const SLICE_TICKS: u8 = 10;

/// How many tasks wake before interrupts are let in.
const PER_STEP: usize = 16;

struct Clock {
    /// The last tick that was dealt with.
    seen: Cell<u64>,
    /// The tick with which the time slice ends that is used now.
    slice_end: Cell<u64>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Clock {}

static CLOCK: Clock = Clock { seen: Cell::new(0), slice_end: Cell::new(0) };

// ANCHOR: tick
/// The timer's ticks since the last time count: whoever has slept long enough is ready. Tells whether the time slice is over.
pub(crate) fn tick() -> bool {
    let now = timer::ticks();
    if CLOCK.seen.replace(now) == now {
        return false;
    }
    while !timer_queue::is_empty() {
        let woken = core::iter::from_fn(|| timer_queue::pop_due(now)).take(PER_STEP).map(wake).count();
        if woken < PER_STEP {
            break;
        }
        interrupts::let_in();
    }
    now >= CLOCK.slice_end.get()
}
// ANCHOR_END: tick

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
pub(crate) fn fill_slice(task: TaskRef) {
    task.scheduling.slice.set(SLICE_TICKS);
}

/// A task is interrupted in its time slice, or begins with one.
pub(crate) fn keep_slice(task: TaskRef) {
    let left = CLOCK.slice_end.get().saturating_sub(timer::ticks());
    task.scheduling.slice.set(u8::try_from(left).unwrap_or(SLICE_TICKS).clamp(1, SLICE_TICKS));
}

/// A task that was ready runs: its time slice begins, or goes on.
pub(crate) fn use_slice(task: TaskRef) {
    CLOCK.slice_end.set(timer::ticks() + u64::from(task.scheduling.slice.get()));
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

/// Lets the timer wake a task, with the first tick when this time is over.
pub(super) fn wake_after(task: TaskRef, time_ns: u64) {
    let ticks = time_ns.saturating_add(timer::since_tick_ns()).div_ceil(timer::TICK_NS);
    timer_queue::insert(task, timer::ticks().saturating_add(ticks));
}
// ANCHOR_END: sleep
