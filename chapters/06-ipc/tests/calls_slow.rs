//! The same tests as `calls`, with the fast path closed: both ways through the kernel have the same results.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-calls\noption=fast_path=off\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
