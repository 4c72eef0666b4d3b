//! A program with something to trace, which the root task starts several times: one faults when it is asked to, another mends that and handles
//! interrupts, a third answers signals.
#![no_std]
#![no_main]

use core::arch::naked_asm;

use flatmk_abi::{FaultAnswer, FaultReason, Words};
use flatmk_runtime::object::{Notification, OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn serve_entry = serve);

/// The request to fault. Other first words are reasons of faults, and the number of the timer's line, which is 0.
const FAULT: u64 = 1;
const PAGE_FAULT: u64 = FaultReason::Page as u64;

/// The argument of one that is to answer signals, and where it finds what to wait for and what to signal then.
const ANSWER_SIGNALS: u64 = 1;
const THERE: Notification = Notification(8);
const BACK: Notification = Notification(9);

/// Reads where nothing is, and goes on behind that if it may.
#[unsafe(naked)]
extern "C" fn read_nowhere() {
    naked_asm!("xor eax, eax", "mov al, [rax]", "ret")
}

/// The length of the instruction that reads.
const READ_LENGTH: u64 = 2;

fn serve(_: u64, message: &mut Words) {
    match *message {
        [FAULT, ..] => read_nowhere(),
        [PAGE_FAULT, _, _, rip] => *message = [FaultAnswer::ResumeAt as u64, rip + READ_LENGTH, 0, 0],
        _ => {}
    }
}

fn main(argument: u64, _: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
    if argument == ANSWER_SIGNALS {
        loop {
            THERE.wait().expect("it may wait for it");
            BACK.signal(1).expect("it may signal it");
        }
    }
}
