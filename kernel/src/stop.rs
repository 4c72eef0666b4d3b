//! When the kernel cannot go on: one sentence, a code that the book explains, and what is needed to find the cause.
//!
//! Everything ends here: a failed assertion in the kernel, an exception that nothing handles, a machine that lacks what the
//! kernel needs. The report goes to the serial line and, white on red, to the screen.

use core::fmt;
use core::panic::PanicInfo;

use x86_64::instructions::interrupts;

use crate::boot::{STACK_BOTTOM, STACK_TOP};
use crate::console::{self, Colors};
use crate::power::{self, Outcome};
use crate::{arch, print, println, testing};

// ANCHOR: codes
/// Why the kernel stopped. The book's page "Stop codes" says what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCode {
    /// K00: the kernel found a mistake of its own.
    Panic,
    /// K01: an exception in the kernel that nothing handles; its vector.
    Exception(u8),
    /// K02: the processor lacks a feature that the kernel needs.
    MissingFeature,
    /// K03: not enough memory.
    TooLittleMemory,
    /// K04: the boot ramdisk is missing or is not a tar archive.
    BadRamdisk,
    /// K05: the ramdisk has no file `root-task`.
    NoRootTask,
    /// K06: the root task is not a program that can be loaded.
    BadRootTask,
    /// K07: no task is left that can run, and nothing can wake one.
    NothingToRun,
}
// ANCHOR_END: codes

impl StopCode {
    /// The number in the code.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            StopCode::Panic => 0,
            StopCode::Exception(_) => 1,
            StopCode::MissingFeature => 2,
            StopCode::TooLittleMemory => 3,
            StopCode::BadRamdisk => 4,
            StopCode::NoRootTask => 5,
            StopCode::BadRootTask => 6,
            StopCode::NothingToRun => 7,
        }
    }
}

impl fmt::Display for StopCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "K{:02}", self.number())
    }
}

/// Stops the machine with a code and a sentence.
#[track_caller]
pub fn stop(code: StopCode, sentence: fmt::Arguments<'_>) -> ! {
    let location = core::panic::Location::caller();
    stop_with(code, sentence, format_args!("  at {}:{}\n", location.file(), location.line()))
}

/// The panic handler: a mistake in the kernel.
pub fn panic(information: &PanicInfo<'_>) -> ! {
    let sentence = format_args!("{}", information.message());
    match information.location() {
        Some(at) => stop_with(StopCode::Panic, sentence, format_args!("  at {}:{}\n", at.file(), at.line())),
        None => stop_with(StopCode::Panic, sentence, format_args!("")),
    }
}

// ANCHOR: stop_with
/// Stops the machine with a code, a sentence, and lines of details.
pub fn stop_with(code: StopCode, sentence: fmt::Arguments<'_>, details: fmt::Arguments<'_>) -> ! {
    interrupts::disable();
    testing::intercept(code, sentence);
    // SAFETY: interrupts are off and this function does not return, so whoever holds the console never runs again.
    unsafe { console::seize(Some(Colors::STOPPED)) };
    println!("FlatMk stopped: {code} {sentence}");
    print!("{details}");
    print_stack();
    println!("The book's page \"Stop codes\" explains {code}.");
    testing::report_stop();
    power::end(Outcome::Failure)
}
// ANCHOR_END: stop_with

/// The most addresses that a report shows.
const MOST_ADDRESSES: usize = 24;

// ANCHOR: stack
/// Prints the words on the kernel's stack that point into its code: the return addresses, and perhaps some left over.
fn print_stack() {
    let start = arch::stack_pointer() & !7;
    if !(STACK_BOTTOM..STACK_TOP).contains(&start) {
        return;
    }
    print!("  stack:");
    let words = (start..STACK_TOP).step_by(8).map(|address| {
        // SAFETY: the address is aligned and lies within the kernel's stack, which is mapped.
        unsafe { core::ptr::read(address as *const u64) }
    });
    for word in words.filter(|word| arch::text_range().contains(word)).take(MOST_ADDRESSES) {
        print!(" {word:#x}");
    }
    println!();
}
// ANCHOR_END: stack
