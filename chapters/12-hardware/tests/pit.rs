//! The tests of chapter 7 with the 8254 as the timer, which ticks where there is no local APIC: tasks sleep, and share the processor, all the same.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-scheduling\noption=timer=pit\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
