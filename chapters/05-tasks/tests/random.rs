//! Whatever a program does, everything in the kernel is in order at any time. The program, `test-random`, makes a million random
//! system calls. Meanwhile the timer interrupts it, and long system calls, far more often than usual, and every now and then the
//! kernel looks at all pages, slots and page tables.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kernel::arch::time_stamp;
use kernel::capability::audit;
use kernel::interrupts::{Line, set_handler};
use x86_64::instructions::port::Port;

// It is the 8254 that interrupts so often.
kernel::entry!(main, "kind=test\nroot=test-random\noption=timer=pit\n");

/// From the end of one interrupt to the next, in ticks of the timer's input, of which there are 1 193 182 in a second.
const INTERVAL: u8 = 60;

/// From the end of one look to the next, in ticks of the time stamp counter: some hundred system calls, with their faults.
const TICKS_BETWEEN: u64 = 2_000_000;

/// The same in the middle of long system calls, of which there are few.
const TICKS_BETWEEN_IN_CALLS: u64 = 1_000_000;

fn main() -> ! {
    set_handler(
        Line::TIMER.vector(),
        Some(|frame| {
            static LAST: AtomicU64 = AtomicU64::new(0);
            // The first look comes when the program is there.
            let has_begun = LAST.load(Relaxed) != 0 || frame.from_user();
            let between = if frame.from_user() { TICKS_BETWEEN } else { TICKS_BETWEEN_IN_CALLS };
            if has_begun && time_stamp() - LAST.load(Relaxed) >= between {
                audit().expect("everything is in order");
                LAST.store(time_stamp(), Relaxed);
            }
            interrupt_once();
        }),
    );
    interrupt_once();
    kernel::task::run_root_task()
}

/// Lets the timer interrupt once, after the interval (channel 0, low byte, mode 0: Intel 8254 data sheet, "Control Word Format").
fn interrupt_once() {
    // SAFETY: this kernel does not use the timer for anything else.
    unsafe {
        Port::<u8>::new(0x43).write(0b0001_0000);
        Port::<u8>::new(0x40).write(INTERVAL);
    }
}
