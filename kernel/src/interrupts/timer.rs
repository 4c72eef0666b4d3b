//! The timer: channel 0 of the 8253/8254 programmable interval timer.

use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::interrupts::without_interrupts;
use x86_64::instructions::port::Port;

use super::{Line, set_handler, unmask};

/// The frequency of the timer's input clock, in hertz, by the convention of the PC.
pub(crate) const INPUT_HZ: u32 = 1_193_182;

/// How often the timer interrupts, to the nearest whole number.
#[cfg(not(feature = "chapter7"))]
pub const TICKS_PER_SECOND: u32 = 100;
/// How often the timer interrupts, to the nearest whole number. From chapter 7 on tasks sleep, and share the processor, by it.
#[cfg(feature = "chapter7")]
pub const TICKS_PER_SECOND: u32 = 1000;

/// What the counter starts from: the input divided by the rate, rounded to the nearest.
pub(crate) const DIVISOR: u16 = ((INPUT_HZ + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND) as u16;

/// From one tick to the next, in nanoseconds, rounded down. The counter starts from a whole number, so this is not quite what the rate says.
pub const TICK_NS: u64 = DIVISOR as u64 * 1_000_000_000 / INPUT_HZ as u64;

/// Channel 0, low byte then high byte, mode 2 (rate generator), binary (Intel 8254 data sheet, "Control Word Format").
const CONTROL_WORD: u8 = 0b0011_0100;

const CHANNEL_0_PORT: u16 = 0x40;
const CONTROL_PORT: u16 = 0x43;

/// Latches the count of channel 0 (same place, "Counter Latch Command").
#[cfg(all(feature = "chapter7", target_os = "none"))]
const LATCH: u8 = 0;

static TICKS: AtomicU64 = AtomicU64::new(0);

/// Ticks since boot.
pub fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

/// Sets the time, where something else ticks: the local APIC, or on the host a test.
#[cfg(any(feature = "chapter12", not(target_os = "none")))]
pub fn set_ticks(ticks: u64) {
    TICKS.store(ticks, Ordering::Relaxed);
}

// ANCHOR: since_tick
/// How long ago the last tick that counts was, in nanoseconds, rounded up. Called with interrupts off; one that waits does not count yet.
#[cfg(all(feature = "chapter7", target_os = "none"))]
pub fn since_tick_ns() -> u64 {
    (counted_since_tick() + 1) * 1_000_000_000 / u64::from(INPUT_HZ)
}

/// The same as the counter has it.
#[cfg(all(feature = "chapter7", target_os = "none"))]
fn counted_since_tick() -> u64 {
    let counted = counted();
    // A tick that came after the count was read may not be taken for one that came before.
    if super::requests::is_waiting(Line::TIMER) { u64::from(DIVISOR) + self::counted() } else { counted }
}

/// On the host, where there is no counter, as long as it can be.
#[cfg(all(feature = "chapter7", not(target_os = "none")))]
pub fn since_tick_ns() -> u64 {
    TICK_NS
}

/// How far the counter has counted since it last was at its start.
#[cfg(all(feature = "chapter7", target_os = "none"))]
pub(crate) fn counted() -> u64 {
    let mut channel = Port::<u8>::new(CHANNEL_0_PORT);
    // SAFETY: the command keeps the count for the two reads that follow, and changes nothing else.
    let left = unsafe {
        Port::<u8>::new(CONTROL_PORT).write(LATCH);
        u16::from_le_bytes([channel.read(), channel.read()])
    };
    DIVISOR.saturating_sub(left).into()
}
// ANCHOR_END: since_tick

/// The time since boot, in nanoseconds. Called with interrupts off.
#[cfg(all(feature = "chapter11", target_os = "none"))]
pub fn now_ns() -> u64 {
    let counted = u64::from(DIVISOR) * ticks() + counted_since_tick();
    (u128::from(counted) * 1_000_000_000 / u128::from(INPUT_HZ)) as u64
}

/// The time on the host, where nothing ticks by itself.
#[cfg(all(feature = "chapter11", not(target_os = "none")))]
pub fn now_ns() -> u64 {
    ticks() * TICK_NS
}

// ANCHOR: initialize
/// Sets the rate and lets the interrupts through.
pub(super) fn initialize() {
    let [low, high] = DIVISOR.to_le_bytes();
    without_interrupts(|| {
        for (port, byte) in [(CONTROL_PORT, CONTROL_WORD), (CHANNEL_0_PORT, low), (CHANNEL_0_PORT, high)] {
            // SAFETY: these ports are the timer's; only this function writes to them.
            unsafe { Port::<u8>::new(port).write(byte) };
        }
    });
    set_handler(
        Line::TIMER.vector(),
        Some(|_| {
            // Nobody else writes, so this need not be one locked instruction.
            TICKS.store(ticks() + 1, Ordering::Relaxed);
        }),
    );
    unmask(Line::TIMER);
}
// ANCHOR_END: initialize
