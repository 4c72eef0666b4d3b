//! The same where it is not: so the test can tell.
#![no_std]
#![no_main]

kernel::entry!(main, "kind=test\nroot=test-isolation\noption=meltdown=off\n");

fn main() -> ! {
    kernel::task::run_root_task()
}
