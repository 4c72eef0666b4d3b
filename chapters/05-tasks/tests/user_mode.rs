//! User mode cannot harm the kernel, and system calls do what the interface says. The tests are the root task, `test-tasks`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-tasks\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
