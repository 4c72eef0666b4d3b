//! Tasks run, rest, wait and compute as the specification says. The tests are the root task, `test-scheduling`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-scheduling\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
