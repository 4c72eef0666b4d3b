//! Tests that run in user mode. They print the same lines as the kernel's own tests, so the same runner reads them.

use crate::object::Power;
use crate::{print, println, time_stamp};
use flatmk_abi::slots;

/// A test: a name, and a function that panics where the test fails.
pub type Test = (&'static str, fn());

/// Lists test functions with their names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => { &[$((concat!(module_path!(), "::", stringify!($name)), $name as fn())),+] };
}

/// Runs all tests and ends the run. A test that panics stops the program: the runner counts it and those after it as failed.
pub fn run(tests: &[Test]) -> ! {
    run_groups(&[tests])
}

/// The same for tests in several lists.
pub fn run_groups(groups: &[&[Test]]) -> ! {
    let count: usize = groups.iter().map(|group| group.len()).sum();
    println!("running {count} tests");
    for (name, test) in groups.iter().copied().flatten() {
        print!("test {name} ... ");
        let started = time_stamp();
        test();
        println!("ok ({} ticks)", time_stamp() - started);
    }
    println!("test result: ok. {count} passed; 0 failed");
    let refused = Power(slots::POWER).off(Ok(()));
    panic!("the machine stays on: {refused}")
}
