//! How fast the time stamp counter and the local APIC's timer count.
//!
//! The processor may say it itself; otherwise, and to see whether what it says is true, both are measured with a counter of known frequency.

use super::acpi::Tables;
use super::apic::LocalApic;
use super::counter::Counter;
use crate::arch::{time_stamp, without_interrupts};
use crate::println;
use crate::processor::Processor;

/// What is known.
pub(super) struct Frequencies {
    /// How often the time stamp counter counts in a second.
    pub(super) time_stamp_hz: u64,
    /// How often the local APIC's timer does.
    pub(super) local_timer_hz: u64,
}

/// How far the counter counts in a measurement, at least: its last step is uncertain.
const LEAST_COUNTS: u64 = 4096;

/// How often a counter measures that begins anew within a measurement.
const MEASUREMENTS: usize = 5;

/// How often a counter is read before it must have changed, and before the measurement must have ended. Reading one takes some hundred nanoseconds.
const POLLS_TO_CHANGE: u32 = 20_000;
const POLLS_TO_END: u32 = 2_000_000;

// ANCHOR: calibrate
/// Finds out both frequencies. `None` where nothing that counts is found.
pub(super) fn calibrate(apic: &LocalApic, tables: &Tables) -> Option<Frequencies> {
    // ANCHOR: exercise-12-5
    let measured = Counter::candidates(tables).find_map(|counter| Some((counter, measure_often(apic, counter)?)));
    let claimed = claimed();
    match (claimed, measured) {
        (Some(claimed), Some((counter, measured))) if is_close(claimed.time_stamp_hz, measured.time_stamp_hz) => {
            // The local timer counts at the crystal's rate, on processors that say one; not in all emulators of such.
            let is_crystals = is_close(claimed.local_timer_hz, measured.local_timer_hz);
            let local_timer_hz = if is_crystals { claimed.local_timer_hz } else { measured.local_timer_hz };
            println!("calibration: CPUID, in agreement with the {counter}");
            Some(Frequencies { local_timer_hz, ..claimed })
        }
        (claimed, Some((counter, measured))) => {
            if let Some(claimed) = claimed {
                println!("calibration: CPUID says {} Hz, which is not so", claimed.time_stamp_hz);
            }
            println!("calibration: {counter}");
            Some(measured)
        }
        (Some(claimed), None) => {
            println!("calibration: CPUID, without anything to compare it with");
            Some(claimed)
        }
        (None, None) => None,
    }
    // ANCHOR_END: exercise-12-5
}
// ANCHOR_END: calibrate

/// What the processor says of itself.
fn claimed() -> Option<Frequencies> {
    let (time_stamp_hz, local_timer_hz) = Processor::identify().frequencies_hz()?;
    Some(Frequencies { time_stamp_hz, local_timer_hz })
}

/// Whether two frequencies are the same but for 3 in a hundred: more than any crystal is off, less than one takes for another.
fn is_close(one: u64, other: u64) -> bool {
    one.abs_diff(other) < one.max(other) / 32
}

/// What is read at one moment.
pub(super) struct Moment {
    pub(super) counter: u64,
    pub(super) time_stamp: u64,
    pub(super) local_timer: u32,
}

impl Moment {
    /// The one of some readings that took the shortest: nothing came between its parts.
    pub(super) fn now(apic: &LocalApic, counter: Counter) -> Option<Self> {
        // ANCHOR: exercise-12-3
        const TRIES: usize = 4;
        let mut tries = [0; TRIES].map(|_| {
            let before = time_stamp();
            let moment = Self { counter: counter.read(), time_stamp: before, local_timer: apic.count() };
            (time_stamp() - before, moment)
        });
        tries.sort_unstable_by_key(|&(ticks, _)| ticks);
        tries.into_iter().next().map(|(_, moment)| moment)
        // ANCHOR_END: exercise-12-3
    }
}

// ANCHOR: measure
/// Measures both with a counter, several times where that soon begins anew. `None` where it does not count.
///
/// While the firmware has the processor, or another machine on the same host, such a counter may go around, and nobody sees it: both frequencies come out too high.
/// So the lowest ones were disturbed least.
pub(super) fn measure_often(apic: &LocalApic, counter: Counter) -> Option<Frequencies> {
    let measurements = if counter.modulus() < LEAST_COUNTS { MEASUREMENTS } else { 1 };
    (0..measurements).map_while(|_| measure(apic, counter)).min_by_key(|measured| measured.time_stamp_hz)
}

/// Measures both with a counter. `None` where that does not count.
pub(super) fn measure(apic: &LocalApic, counter: Counter) -> Option<Frequencies> {
    // ANCHOR: exercise-12-4
    without_interrupts(|| {
        apic.count_silently();
        let first = Moment::now(apic, counter)?;
        let wanted = LEAST_COUNTS.max(counter.hz() / 1000);
        let counts = wait(counter, first.counter, wanted)?;
        let last = Moment::now(apic, counter)?;
        // From the last reading of the wait to that of the moment it cannot have gone around.
        let counts = counts.0 + counter.between(counts.1, last.counter);
        let in_a_second = |ticks: u64| (u128::from(ticks) * u128::from(counter.hz()) / u128::from(counts)) as u64;
        Some(Frequencies {
            time_stamp_hz: in_a_second(last.time_stamp - first.time_stamp),
            local_timer_hz: in_a_second(first.local_timer.wrapping_sub(last.local_timer).into()),
        })
    })
    // ANCHOR_END: exercise-12-4
}

/// Waits until a counter has counted so far from a reading on. Returns how far it has, and the last reading. `None` where it does not count.
pub(super) fn wait(counter: Counter, first: u64, wanted: u64) -> Option<(u64, u64)> {
    // ANCHOR: exercise-12-2
    let (mut counted, mut before) = (0, first);
    for poll in 0..POLLS_TO_END {
        let now = counter.read();
        counted += counter.between(before, now);
        before = now;
        if counted >= wanted {
            return Some((counted, now));
        }
        if counted == 0 && poll == POLLS_TO_CHANGE {
            return None;
        }
    }
    None
    // ANCHOR_END: exercise-12-2
}
// ANCHOR_END: measure
