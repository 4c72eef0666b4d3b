//! How a program begins, how it is called, and how it ends.

use core::fmt::Write;
use core::panic::PanicInfo;

use flatmk_abi::{Error, FaultAnswer, Operation, slots};

use crate::console::Line;
use crate::object::{OWN_TABLE, Power};
use crate::syscall::{answer_with_window, invoke};

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
            core::arch::naked_asm!(
                "sub rsp, 32",
                "mov [rsp], rdx",
                "mov [rsp + 8], r10",
                "mov [rsp + 16], r8",
                "mov [rsp + 24], r9",
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
                "mov rdi, rax",
                "xor esi, esi",
                "call {replace}",
                "ud2",
                handle = sym handle,
                replace = sym $crate::replace_answer,
            )
        }
    };
}
// ANCHOR_END: service

/// What a service with capabilities is called with, and answers.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Request {
    /// The message, and then the answer.
    pub message: [u64; 4],
    /// The slots of the window that have come, one bit each; and then those that go back.
    pub window: u64,
}

/// The same for a function `fn(context: u64, request: &mut Request)`: capabilities in the window come and go with a [`Request`].
#[macro_export]
macro_rules! transfer_service {
    ($visibility:vis fn $name:ident = $handler:path) => {
        #[unsafe(naked)]
        $visibility extern "C" fn $name() {
            extern "C" fn handle(context: u64, request: &mut $crate::Request) {
                let handler: fn(u64, &mut $crate::Request) = $handler;
                handler(context, request);
            }
            core::arch::naked_asm!(
                "sub rsp, 48",
                "mov [rsp], rdx",
                "mov [rsp + 8], r10",
                "mov [rsp + 16], r8",
                "mov [rsp + 24], r9",
                "mov [rsp + 32], rsi",
                "mov rsi, rsp",
                "call {handle}",
                "mov rdx, [rsp]",
                "mov r10, [rsp + 8]",
                "mov r8, [rsp + 16]",
                "mov r9, [rsp + 24]",
                "mov rsi, [rsp + 32]",
                "shl rsi, {window_shift}",
                "or rsi, 1",
                "xor edi, edi",
                "syscall",
                "mov rdi, rax",
                "mov rsi, [rsp + 32]",
                "call {replace}",
                "ud2",
                handle = sym handle,
                replace = sym $crate::replace_answer,
                window_shift = const $crate::WINDOW_SHIFT,
            )
        }
    };
}

// The entries above return with these numbers.
const _: () = assert!(slots::REPLY == 0 && Operation::Return as u64 == 1);

/// The end of a program's start: from now on the task only runs when it is called.
pub extern "C" fn finish_start() -> ! {
    // A return from a start does not come back: the task is entered afresh at an endpoint.
    match invoke(slots::REPLY, Operation::Return, [0; 4]) {
        Ok(_) => unreachable!("a task went on after its return"),
        Err(error) => panic!("the end of the start was refused: {error}"),
    }
}

/// What a service does when the kernel refuses its answer with a status: no caller may end it that way. A caller that has faulted, and for which that
/// was no answer, is stopped. Another has no room for the capabilities, or is gone: they are deleted, and the answer is the status.
pub extern "C" fn replace_answer(status: i64, window: u64) -> ! {
    for slot in (0..slots::WINDOW_SLOTS).filter(|slot| window >> slot & 1 != 0) {
        OWN_TABLE.delete(slots::WINDOW + slot).unwrap_or_default();
    }
    let is_no_answer_to_a_fault = status == Error::InvalidArgument.status();
    let word = if is_no_answer_to_a_fault { FaultAnswer::Stop as u64 } else { status.cast_unsigned() };
    let error = answer_with_window([word, 0, 0, 0], 0);
    panic!("an answer without capabilities was refused: {error}")
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
