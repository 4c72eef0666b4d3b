//! What user mode finds of the kernel in its page tables where the kernel is isolated. The test is the root task, `test-isolation`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-isolation\noption=meltdown=on\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
