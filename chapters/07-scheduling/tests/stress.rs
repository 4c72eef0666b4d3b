//! A thousand tasks call, stop, resume, destroy and signal each other at random for a minute, and everything in the kernel is in order at any time.
//! The tasks are made by `test-stress`. Meanwhile the timer interrupts them twice as often as usual, long system calls included, and every now
//! and then the kernel looks at all pages, slots and page tables.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kernel::capability::audit;
use kernel::interrupts::{Handler, Line, set_handler};
use kernel::sync::Exclusive;
use x86_64::instructions::port::Port;

// It is the 8254 that interrupts so often.
kernel::entry!(main, "kind=test\nroot=test-stress\noption=timer=pit\n");

/// From one interrupt to the next, in ticks of the timer's input: half a millisecond.
const INTERVAL: u16 = 597;
/// Each of so many is a tick for the kernel.
const INTERRUPTS_PER_TICK: u64 = 2;

/// From one look to the next, in interrupts: two seconds, and one more, so that it comes between two ticks, too.
const INTERRUPTS_BETWEEN: u64 = 4001;

/// What counts the ticks.
static TICK: Exclusive<Option<Handler>> = Exclusive::new(None);

fn main() -> ! {
    let tick = set_handler(
        Line::TIMER.vector(),
        Some(|frame| {
            static COUNT: AtomicU64 = AtomicU64::new(0);
            let count = COUNT.fetch_add(1, Relaxed);
            if count.is_multiple_of(INTERRUPTS_PER_TICK)
                && let Some(tick) = TICK.with(|tick| *tick)
            {
                tick(frame);
            }
            if count % INTERRUPTS_BETWEEN == INTERRUPTS_BETWEEN - 1 {
                audit().expect("everything is in order");
            }
        }),
    );
    TICK.with(|place| *place = tick);
    speed_up();
    kernel::task::run_root_task()
}

/// Lets the timer interrupt more often (channel 0, low byte then high byte, mode 2: Intel 8254 data sheet, "Control Word Format").
fn speed_up() {
    let [low, high] = INTERVAL.to_le_bytes();
    // SAFETY: the kernel has set the timer to its own rate before, and does not do so again.
    unsafe {
        Port::<u8>::new(0x43).write(0b0011_0100);
        Port::<u8>::new(0x40).write(low);
        Port::<u8>::new(0x40).write(high);
    }
}
