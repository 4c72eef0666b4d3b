//! How a program begins, how it is called, and how it ends.

use core::fmt::Write;
use core::panic::PanicInfo;

use flatmk_abi::{FaultAnswer, Operation, slots};

use crate::arch;
use crate::console::Line;
use crate::object::{Power, answer_with_window};

/// Names the function in which a program begins: `fn(argument: u64, words: [u64; 4])`. When it returns, the task is ready to be called.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        $crate::start!($main);

        #[panic_handler]
        fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
            $crate::panic(information)
        }
    };
}

// ANCHOR: service
/// Makes an entry for an endpoint, `$name`, from a function `fn(context: u64, message: &mut [u64; 4])`. What the function leaves in
/// the message is the answer.
#[macro_export]
macro_rules! service {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident = $handler:path) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        $visibility extern "C" fn $name() {
            extern "C" fn handle(context: u64, message: &mut [u64; 4]) {
                let handler: fn(u64, &mut [u64; 4]) = $handler;
                handler(context, message);
            }
            $crate::serve!(handle)
        }
    };
}
// ANCHOR_END: service

/// The same for a function `fn(context: u64, message: &mut [u64; 4], window: u64)`, to which capabilities come along: `window` has a bit for each slot
/// of the window that they are in. To answer with capabilities the function calls [`answer_with_window`].
#[macro_export]
macro_rules! transfer_service {
    ($visibility:vis fn $name:ident = $handler:path) => {
        #[unsafe(naked)]
        $visibility extern "C" fn $name() {
            extern "C" fn handle(context: u64, message: &mut [u64; 4], window: u64) {
                let handler: fn(u64, &mut [u64; 4], u64) = $handler;
                handler(context, message, window);
            }
            $crate::serve!(handle, window)
        }
    };
}

// The entries return with these numbers.
const _: () = assert!(slots::REPLY == 0 && Operation::Return as u64 == 1);

/// The end of a program's start: from now on the task only runs when it is called.
pub extern "C" fn finish_start() -> ! {
    // A return from a start does not come back: the task is entered afresh at an endpoint.
    let error = answer_with_window([0; 4], 0);
    panic!("the end of the start was refused: {error}")
}

/// What a service does when its answer is refused. Without capabilities there is one reason: the caller has faulted, has made an endpoint of the
/// service its fault handler, and this was no answer to a fault. That must not be the end of the service, so the caller is stopped.
pub extern "C" fn stop_faulting_caller() -> ! {
    let error = answer_with_window([FaultAnswer::Stop as u64, 0, 0, 0], 0);
    panic!("an answer was refused: {error}")
}

/// What a program does when it panics: it says why, then executes an invalid instruction, at which the kernel stops it.
pub fn panic(information: &PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    // A message that cannot be written is lost; the fault below is reported in any case.
    writeln!(line, "program stopped: {information}").unwrap_or_default();
    drop(line);
    // Where this program may, it ends the run: perhaps nobody else would. Elsewhere the kernel refuses, and the fault follows.
    Power(slots::POWER).off(Err(()));
    arch::stop()
}
