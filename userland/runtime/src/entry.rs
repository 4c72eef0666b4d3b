//! How a program begins, how it is called, and how it ends.

use core::fmt::Write;
use core::panic::PanicInfo;

use flatmk_abi::{FaultAnswer, Operation, slots};

use crate::console::Line;
use crate::object::{Power, answer_with_window};

/// Names the function in which a program begins: `fn(argument: u64, words: [u64; 4])`. When it returns, the task is ready to be called.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            // The stack is at its aligned top; the call aligns it as Rust expects.
            core::arch::naked_asm!("mov rcx, r10", "call {start}", "ud2", start = sym start)
        }

        extern "C" fn start(argument: u64, _: u64, rdx: u64, r10: u64, r8: u64, r9: u64) -> ! {
            let main: fn(u64, [u64; 4]) = $main;
            main(argument, [rdx, r10, r8, r9]);
            $crate::finish_start()
        }

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

/// The body of an entry: passes the message to a function, and returns with what is there afterwards. The second argument is
/// an instruction before the call.
#[doc(hidden)]
#[macro_export]
macro_rules! serve {
    ($handle:ident $(, $first:literal)?) => {
        core::arch::naked_asm!(
            "sub rsp, 32",
            "mov [rsp], rdx",
            "mov [rsp + 8], r10",
            "mov [rsp + 16], r8",
            "mov [rsp + 24], r9",
            $($first,)?
            "mov rsi, rsp",
            "call {handle}",
            "mov rdx, [rsp]",
            "mov r10, [rsp + 8]",
            "mov r8, [rsp + 16]",
            "mov r9, [rsp + 24]",
            "xor edi, edi",
            "mov esi, 1",
            "syscall",
            // Only a return that is refused comes back.
            "call {refused}",
            "ud2",
            handle = sym $handle,
            refused = sym $crate::stop_faulting_caller,
        )
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
            // The third argument.
            $crate::serve!(handle, "mov rdx, rsi")
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
    // SAFETY: raises an exception, and does nothing else.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
