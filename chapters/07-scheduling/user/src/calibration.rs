//! How long a millisecond is, by a clock that the kernel does not use: channel 2 of the timer, which this program has the ports of.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots;
use flatmk_runtime::object::Ports;
use flatmk_runtime::time_stamp;

const PORTS: Ports = Ports(slots::PORTS);

/// The timer's ports, and the one with the gate and the output of channel 2 (Intel 8254 data sheet; the latter by the convention of the PC).
const CHANNEL_2: u16 = 0x42;
const CONTROL: u16 = 0x43;
const GATE: u16 = 0x61;

/// Channel 2, low byte then high byte, mode 0: the output rises when the count is over.
const COUNT_ONCE: u8 = 0b1011_0000;
const INPUT_HZ: u64 = 1_193_182;
/// About 50 ms.
const COUNT: u16 = 59_659;

/// Steps of the time stamp counter in a millisecond: at least, and at most.
static LEAST: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

/// Measures it.
pub(crate) fn calibrate() {
    let write = |port, value| PORTS.write_byte(port, value).expect("the root task has all ports");
    let read = || PORTS.read_byte(GATE).expect("the root task has all ports");
    let [low, high] = COUNT.to_le_bytes();
    write(GATE, read() & !0b11 | 0b01);
    write(CONTROL, COUNT_ONCE);
    write(CHANNEL_2, low);
    let earliest = time_stamp();
    write(CHANNEL_2, high);
    let latest = time_stamp();
    let mut before = latest;
    while read() & 1 << 5 == 0 {
        before = time_stamp();
    }
    let after = time_stamp();
    // The counter takes one step more, to take over its start value; not so in every emulator.
    let per_ms = |steps: u64, count: u64| steps * INPUT_HZ / count / 1000;
    LEAST.store(per_ms(before - latest, u64::from(COUNT) + 1), Relaxed);
    MOST.store(per_ms(after - earliest, COUNT.into()) + 1, Relaxed);
}

/// Steps of the time stamp counter in some milliseconds, at least.
pub(crate) fn at_least_ms(milliseconds: u64) -> u64 {
    LEAST.load(Relaxed) * milliseconds
}

/// The same, at most.
pub(crate) fn at_most_ms(milliseconds: u64) -> u64 {
    MOST.load(Relaxed) * milliseconds
}

/// A time in nanoseconds as steps of the counter, at least and at most.
pub(crate) fn steps_in_ns(time_ns: u64) -> (u64, u64) {
    let steps = |per_ms: u64| (u128::from(per_ms) * u128::from(time_ns) / 1_000_000) as u64;
    (steps(LEAST.load(Relaxed)), steps(MOST.load(Relaxed)) + 1)
}
