//! Tests that run in user mode. They print the same lines as the kernel's own tests, so the same runner reads them, and `FLATMK_TESTS` chooses
//! some of them in the same way.

use crate::object::Power;
use crate::{print, println, time_stamp};
use flatmk_abi::slots;

/// A test: a name, a function that panics where the test fails, and which tests to run, as words that commas separate.
pub type Test = (&'static str, fn(), Option<&'static str>);

/// Lists test functions with their names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => { &[$((concat!(module_path!(), "::", stringify!($name)), $name as fn(), option_env!("FLATMK_TESTS"))),+] };
}

/// Runs all tests and ends the run. A test that panics stops the program: the runner counts it and those after it as failed.
pub fn run(tests: &[Test]) -> ! {
    run_groups(&[tests])
}

/// The same for tests in several lists.
pub fn run_groups(groups: &[&[Test]]) -> ! {
    let all = || groups.iter().copied().flatten();
    let words = all().find_map(|(_, _, words)| *words).unwrap_or_default();
    let chosen = || {
        words.split(',').enumerate().flat_map(move |(index, word)| {
            let ran_before = move |name: &str| words.split(',').take(index).any(|word| name.contains(word));
            all().filter(move |(name, ..)| name.contains(word) && !ran_before(name))
        })
    };
    let count = chosen().count();
    println!("running {count} tests");
    for (name, test, _) in chosen() {
        print!("test {name} ... ");
        let started = time_stamp();
        test();
        println!("ok ({} ticks)", time_stamp() - started);
    }
    println!("test result: ok. {count} passed; 0 failed");
    let refused = Power(slots::POWER).off(Ok(()));
    panic!("the machine stays on: {refused}")
}
