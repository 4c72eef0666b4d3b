//! What tasks do is written down, event by event. The tests are the root task, `test-trace`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-trace\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
