//! The same tests as `trace`, with the fast path closed: the same events, whether or not there is a fast path that is not taken.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-trace\noption=fast_path=off\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
