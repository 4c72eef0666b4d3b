//! Counters of known frequency.

use core::fmt;

use x86_64::instructions::port::Port;

use super::acpi::Tables;
use crate::interrupts::timer;
use crate::memory::{Frame, kernel_frame};

/// A counter of known frequency.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    /// The high precision event timer: its registers, by the address in the window, and how often it counts in a second.
    EventTimer(u64, u64),
    /// The power management timer, by its port.
    PowerTimer(u16),
    /// Channel 0 of the 8254, which ticks.
    Pit,
}

/// Registers of the event timer (IA-PC HPET specification, 2.3).
const CAPABILITIES: u64 = 0;
const CONFIGURATION: u64 = 0x10;
const COUNTER: u64 = 0xf0;
const IS_COUNTING: u32 = 1;

/// The frequency of the power management timer, and the bits that all of them have (ACPI specification, 4.8.3.3).
const POWER_TIMER_HZ: u64 = 3_579_545;
const POWER_TIMER_BITS: u32 = 24;

impl Counter {
    /// Those that the machine seems to have, the best first.
    pub(super) fn candidates(tables: &Tables) -> impl Iterator<Item = Counter> {
        let event_timer = tables.event_timer.and_then(event_timer);
        let power_timer = tables.power_timer.map(Counter::PowerTimer);
        [event_timer, power_timer, Some(Counter::Pit)].into_iter().flatten()
    }

    /// How often it counts in a second.
    pub(super) fn hz(self) -> u64 {
        match self {
            Counter::EventTimer(_, hz) => hz,
            Counter::PowerTimer(_) => POWER_TIMER_HZ,
            Counter::Pit => timer::INPUT_HZ.into(),
        }
    }

    /// Where it begins anew.
    pub(super) fn modulus(self) -> u64 {
        match self {
            Counter::EventTimer(..) => 1 << 32,
            Counter::PowerTimer(_) => 1 << POWER_TIMER_BITS,
            Counter::Pit => timer::DIVISOR.into(),
        }
    }

    /// Where it is.
    pub(super) fn read(self) -> u64 {
        let count = match self {
            Counter::EventTimer(base, _) => read_register(base, COUNTER).into(),
            // SAFETY: the firmware's table says that the timer is there; reading has no side effect.
            Counter::PowerTimer(port) => u64::from(unsafe { Port::<u32>::new(port).read() }),
            Counter::Pit => timer::counted(),
        };
        count % self.modulus()
    }

    /// How far it has counted from one reading to another, if less than once around.
    pub(super) fn between(self, first: u64, second: u64) -> u64 {
        (second + self.modulus() - first) % self.modulus()
    }
}

/// The event timer at a physical address, counting.
fn event_timer(address: u64) -> Option<Counter> {
    const FEMTOSECONDS: u64 = 1_000_000_000_000_000;
    /// The longest that one count may take (2.3.4).
    const LONGEST: u32 = 100_000_000;

    let frame = Frame::containing(address)?;
    let base = frame.window_address() + address % flatmk_abi::layout::PAGE_SIZE;
    if kernel_frame(base) != Some(frame) {
        return None;
    }
    let period = read_register(base, CAPABILITIES + 4);
    if !(1..=LONGEST).contains(&period) {
        return None;
    }
    let configuration = read_register(base, CONFIGURATION);
    if configuration & IS_COUNTING == 0 {
        // SAFETY: lets it count; its comparators, which could interrupt, stay as they are.
        unsafe { ((base + CONFIGURATION) as *mut u32).write_volatile(configuration | IS_COUNTING) };
    }
    Some(Counter::EventTimer(base, FEMTOSECONDS / u64::from(period)))
}

fn read_register(base: u64, offset: u64) -> u32 {
    // SAFETY: the window maps the registers, by the check in `event_timer`; reading has no side effect.
    unsafe { ((base + offset) as *const u32).read_volatile() }
}

impl fmt::Display for Counter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Counter::EventTimer(..) => "HPET",
            Counter::PowerTimer(_) => "ACPI timer",
            Counter::Pit => "8254",
        })
    }
}
