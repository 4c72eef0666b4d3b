//! Calls and returns do what the interface says, by the fast path where it is open. The tests are the root task, `test-calls`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-calls\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
