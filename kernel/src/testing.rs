//! Tests inside the emulator, on the compiler's `custom_test_frameworks`.
//!
//! Each test binary is a kernel of its own. It prints a line a test, which the runner on the host reads:
//!
//! ```text
//! running 2 tests
//! test chapter01_boot::the_first_test ... ok (1234 ticks)
//! test chapter01_boot::the_second_test ... FAILED (77 ticks)
//! test result: FAILED. 1 passed; 1 failed
//! [exit 1]
//! ```
//!
//! A tick is one step of the time stamp counter; under exact instruction time, one instruction. The runner ends a test that
//! makes no progress, so the limit holds for tests that switch interrupts off, too.
//!
//! Built with `FLATMK_TESTS=word,word` in the environment, a test binary runs only the tests that have one of these words in their names: first all
//! with the first word, and so on.
//!
//! A test made with [`must_stop!`](crate::must_stop) passes when the kernel stops with the given code and words; the next test begins on a fresh stack.

use core::fmt::{self, Write};

use x86_64::instructions::interrupts;

use crate::boot::STACK_TOP;
use crate::power::{self, Outcome};
use crate::stop::StopCode;
use crate::sync::Exclusive;
use crate::{arch, console, print, println};

/// A test, as `#[test_case]` collects it.
pub trait Test: Sync {
    /// Its full name.
    fn name(&self) -> &'static str;
    /// Runs it.
    fn run(&self);
    /// What must happen; `None` where it must simply return.
    fn expected_stop(&self) -> Option<ExpectedStop> {
        None
    }
}

impl<F: Fn() + Sync> Test for F {
    fn name(&self) -> &'static str {
        core::any::type_name::<F>()
    }

    fn run(&self) {
        self();
    }
}

/// How a test must stop the kernel.
#[derive(Clone, Copy)]
pub struct ExpectedStop {
    /// With this code,
    pub code: StopCode,
    /// and a sentence with these words in it.
    pub saying: &'static str,
}

/// A test that must stop the kernel; made by [`must_stop!`](crate::must_stop).
pub struct MustStop {
    /// Its full name.
    pub name: &'static str,
    /// How it must stop.
    pub expected: ExpectedStop,
    /// What it does.
    pub run: fn(),
}

impl Test for MustStop {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self) {
        (self.run)();
    }

    fn expected_stop(&self) -> Option<ExpectedStop> {
        Some(self.expected)
    }
}

/// Declares tests that must stop the kernel with a code, saying some words.
#[macro_export]
macro_rules! must_stop {
    ($($(#[$attribute:meta])* fn $name:ident() stops $code:expr, saying $saying:literal, $body:block)+) => {$(
        $(#[$attribute])*
        #[test_case]
        #[expect(non_upper_case_globals, reason = "named like the other tests")]
        const $name: $crate::testing::MustStop = $crate::testing::MustStop {
            name: concat!(module_path!(), "::", stringify!($name)),
            expected: $crate::testing::ExpectedStop { code: $code, saying: $saying },
            run: || $body,
        };
    )+};
}

/// Makes a test binary a kernel: it boots, runs its `#[test_case]`s and ends. The argument, where there is one, adds lines to
/// the description that the runner reads.
#[macro_export]
macro_rules! test_entry {
    () => {
        $crate::test_entry!("");
    };
    ($description:literal) => {
        $crate::entry!(main, concat!("kind=test\n", $description));

        fn main() -> ! {
            $crate::testing::choose(option_env!("FLATMK_TESTS"));
            test_main();
            unreachable!("the test runner ends the run")
        }
    };
}

/// Where the run of tests stands.
struct Progress {
    tests: &'static [&'static dyn Test],
    /// Words that commas separate; only tests run that have one of them in their names.
    words: &'static str,
    begun: usize,
    failed: usize,
    running: Option<&'static dyn Test>,
    started: u64,
    interrupts_enabled: bool,
}

impl Progress {
    /// The tests that run, in order.
    fn chosen(&self) -> impl Iterator<Item = &'static dyn Test> {
        let (words, tests) = (self.words, self.tests);
        words.split(',').enumerate().flat_map(move |(index, word)| {
            let ran_before = move |test: &dyn Test| words.split(',').take(index).any(|word| test.name().contains(word));
            tests.iter().copied().filter(move |test| test.name().contains(word) && !ran_before(*test))
        })
    }
}

static PROGRESS: Exclusive<Progress> = Exclusive::new(Progress {
    tests: &[],
    words: "",
    begun: 0,
    failed: 0,
    running: None,
    started: 0,
    interrupts_enabled: false,
});

/// Lets only those tests run that have one of these words in their names, which commas separate, in the order of the words.
pub fn choose(words: Option<&'static str>) {
    PROGRESS.with(|progress| progress.words = words.unwrap_or_default());
}

/// The test runner: runs the tests, reports, and ends the run.
pub fn run(tests: &'static [&'static dyn Test]) {
    let count = PROGRESS.with(|progress| {
        progress.tests = tests;
        progress.interrupts_enabled = interrupts::are_enabled();
        progress.chosen().count()
    });
    println!("running {count} tests");
    run_remaining()
}

// ANCHOR: run
extern "C" fn run_remaining() -> ! {
    if PROGRESS.with(|progress| progress.interrupts_enabled) {
        interrupts::enable();
    }
    while let Some(test) = begin_next() {
        test.run();
        match test.expected_stop() {
            None => finish(true),
            Some(ExpectedStop { code, saying }) => {
                print!("returned, but should have stopped with {code} saying \"{saying}\" ");
                finish(false);
            }
        }
    }
    let (passed, failed) = PROGRESS.with(|progress| (progress.begun - progress.failed, progress.failed));
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed");
    power::end(if failed == 0 { Outcome::Success } else { Outcome::Failure })
}
// ANCHOR_END: run

fn begin_next() -> Option<&'static dyn Test> {
    let test = PROGRESS.with(|progress| {
        let test = progress.chosen().nth(progress.begun)?;
        progress.begun += 1;
        progress.running = Some(test);
        Some(test)
    })?;
    print!("test {} ... ", test.name());
    PROGRESS.with(|progress| progress.started = arch::time_stamp());
    Some(test)
}

fn finish(passed: bool) {
    let ended = arch::time_stamp();
    let ticks = PROGRESS.with(|progress| {
        progress.failed += usize::from(!passed);
        progress.running = None;
        ended - progress.started
    });
    println!("{} ({ticks} ticks)", if passed { "ok" } else { "FAILED" });
}

// ANCHOR: intercept
/// Called as the kernel stops. If the running test expected this very stop, it has passed, and this does not return.
pub(crate) fn intercept(code: StopCode, sentence: fmt::Arguments<'_>) {
    // SAFETY: whoever holds the progress or the console has just stopped for good.
    unsafe { PROGRESS.reclaim() };
    let Some(expected) = PROGRESS.with(|progress| progress.running).and_then(Test::expected_stop) else { return };
    let mut said = Text::default();
    // A sentence that is longer than the buffer is cut, and then fails to match: no error is hidden.
    write!(said, "{sentence}").unwrap_or_default();
    if code != expected.code || !said.as_str().contains(expected.saying) {
        return;
    }
    // SAFETY: as above.
    unsafe { console::seize(None) };
    finish(true);
    // SAFETY: nothing of the stopped test is needed any more; `run_remaining` starts on an empty stack and does not return.
    unsafe { arch::restart_on_stack(STACK_TOP, run_remaining) }
}
// ANCHOR_END: intercept

/// Called after the report of a stop: the running test, if there is one, has failed.
pub(crate) fn report_stop() {
    if PROGRESS.with(|progress| progress.running.is_some()) {
        finish(false);
    }
}

/// A sentence of bounded length.
struct Text {
    bytes: [u8; 256],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 256], length: 0 }
    }
}

impl Text {
    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.length..).and_then(|free| free.get_mut(..text.len())).ok_or(fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}
