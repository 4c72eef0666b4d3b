//! Programs exchange data through shared memory, whatever the other one does and however it ends. The tests are the root task, `test-pipes`.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-pipes\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
