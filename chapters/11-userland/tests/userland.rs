//! Drivers and the supervisor get what they need of the kernel, and nothing more. The tests are the root task, `test-userland`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-userland\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
