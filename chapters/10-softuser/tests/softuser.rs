//! Tasks run RISC-V code in the kernel, with the same system calls, faults and interrupts as native ones. The tests are the root task, `test-softuser`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-softuser\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
