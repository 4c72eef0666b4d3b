//! The timer that ticks: the local APIC's, once it is set, or the 8254.

use core::cell::Cell;

use super::apic::LocalApic;
use super::calibration::Frequencies;
use crate::arch::{time_stamp, without_interrupts};
use crate::interrupts::{Handler, Line, give_up, set_handler, timer};
use crate::println;
use crate::processor::Processor;

/// How the timer ticks.
#[derive(Clone, Copy)]
enum Mode {
    /// The 8254 does.
    Pit,
    /// The local APIC counts down again and again.
    Periodic {
        apic: LocalApic,
        /// From where it counts.
        count: u32,
        hz: u64,
    },
    /// It waits for the time stamp counter, each time anew.
    Deadline {
        apic: LocalApic,
        /// From one tick to the next.
        period: u64,
        hz: u64,
    },
}

struct State {
    mode: Cell<Mode>,
    /// The time stamp of tick 0, and of the last one that counts.
    first: Cell<u64>,
    last: Cell<u64>,
    time_stamp_hz: Cell<u64>,
    tick_ns: Cell<u64>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for State {}

static STATE: State = State {
    mode: Cell::new(Mode::Pit),
    first: Cell::new(0),
    last: Cell::new(0),
    time_stamp_hz: Cell::new(0),
    tick_ns: Cell::new(timer::TICK_NS),
};

const NS_PER_SECOND: u64 = 1_000_000_000;

// ANCHOR: begin
/// The local APIC ticks from now on. `None`, and nothing has changed, where it counts so that a tick is no number for it.
pub(super) fn begin(apic: LocalApic, frequencies: &Frequencies) -> Option<()> {
    let &Frequencies { time_stamp_hz, local_timer_hz } = frequencies;
    let per_tick = |hz: u64| hz / u64::from(timer::TICKS_PER_SECOND);
    let mode = if Processor::identify().has_deadlines() {
        Mode::Deadline { apic, period: per_tick(time_stamp_hz), hz: time_stamp_hz }
    } else {
        Mode::Periodic { apic, count: u32::try_from(per_tick(local_timer_hz)).ok()?, hz: local_timer_hz }
    };
    let (way, length, hz) = match mode {
        Mode::Deadline { period, hz, .. } => ("TSC deadline", period, hz),
        Mode::Periodic { count, hz, .. } => ("periodic", count.into(), hz),
        Mode::Pit => return None,
    };
    // Below this, rounding makes a tick too long by more than one in a thousand.
    if length < 1000 {
        return None;
    }
    without_interrupts(|| {
        STATE.time_stamp_hz.set(time_stamp_hz);
        STATE.tick_ns.set(length * NS_PER_SECOND / hz);
        give_up(Line::TIMER);
        let handler: Handler = match mode {
            Mode::Deadline { .. } => |_| tick_at_deadline(),
            _ => |_| tick_again(),
        };
        set_handler(Line::TIMER.vector(), Some(handler));
        STATE.mode.set(mode);
        timer::set_ticks(0);
        let now = time_stamp();
        STATE.first.set(now);
        STATE.last.set(now);
        match mode {
            Mode::Deadline { apic, period, .. } => {
                apic.tick_at_deadlines();
                apic.set_deadline(now + period);
            }
            Mode::Periodic { apic, count, .. } => apic.tick_each(count),
            Mode::Pit => {}
        }
    });
    let kind = if matches!(apic, LocalApic::Registers) { "x2APIC" } else { "xAPIC" };
    println!("timer: local APIC ({kind}, {way}) at {hz} Hz; time stamp counter at {time_stamp_hz} Hz");
    Some(())
}
// ANCHOR_END: begin

// ANCHOR: tick
/// The timer has ticked, and counts again by itself.
fn tick_again() {
    let Mode::Periodic { apic, .. } = STATE.mode.get() else { return };
    timer::set_ticks(timer::ticks() + 1);
    apic.acknowledge();
}

/// The time stamp counter has come to the number: there is a next one.
fn tick_at_deadline() {
    let Mode::Deadline { apic, period, .. } = STATE.mode.get() else { return };
    let now = time_stamp();
    let (mut ticks, mut deadline) = (timer::ticks(), STATE.last.get() + period);
    // Where the kernel had interrupts off for long, several ticks have come.
    while deadline <= now {
        STATE.last.set(deadline);
        ticks += 1;
        deadline += period;
    }
    timer::set_ticks(ticks);
    apic.set_deadline(deadline);
    apic.acknowledge();
}
// ANCHOR_END: tick

/// From one tick to the next, in nanoseconds, rounded down.
pub(crate) fn tick_ns() -> u64 {
    STATE.tick_ns.get()
}

/// How long ago the last tick that counts was, in nanoseconds, rounded up. Called with interrupts off; one that waits does not count yet.
pub(crate) fn since_tick_ns() -> u64 {
    match STATE.mode.get() {
        Mode::Pit => timer::since_tick_ns(),
        Mode::Periodic { apic, count, hz } => (counted(apic, count) + 1) * NS_PER_SECOND / hz,
        Mode::Deadline { hz, .. } => nanoseconds(time_stamp() - STATE.last.get(), hz) + 1,
    }
}

/// How far the local timer has counted since the last tick that counts.
fn counted(apic: LocalApic, count: u32) -> u64 {
    let counted = || u64::from(count.saturating_sub(apic.count()));
    let first = counted();
    // A tick that came after the count was read may not be taken for one that came before.
    if apic.is_waiting(Line::TIMER.vector()) { u64::from(count) + counted() } else { first }
}

fn nanoseconds(counts: u64, hz: u64) -> u64 {
    (u128::from(counts) * u128::from(NS_PER_SECOND) / u128::from(hz)) as u64
}

/// The time in nanoseconds since the first tick.
pub(crate) fn now_ns() -> u64 {
    match STATE.mode.get() {
        Mode::Pit => timer::now_ns(),
        Mode::Periodic { apic, count, hz } => nanoseconds(timer::ticks() * u64::from(count) + counted(apic, count), hz),
        Mode::Deadline { hz, .. } => nanoseconds(time_stamp() - STATE.first.get(), hz),
    }
}

/// How often the time stamp counter counts in a second; 0 where that is not known.
pub(crate) fn time_stamp_hz() -> u64 {
    STATE.time_stamp_hz.get()
}
