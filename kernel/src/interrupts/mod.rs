//! Interrupts and exceptions: who is called when the processor leaves the program it runs.
//!
//! Every vector has a gate to a stub ([`arch::interrupts`](crate::arch::interrupts)), which saves all registers and calls [`dispatch`]. That looks the
//! vector up in a table of handlers. Exceptions without a handler stop the kernel; an interrupt request is acknowledged.

pub mod descriptors;
pub mod exceptions;
mod gates;
pub mod keyboard;
mod requests;
pub(crate) mod time;
pub mod timer;

use core::cell::Cell;

pub use gates::gate_address;
#[cfg(feature = "chapter9")]
pub(crate) use gates::{OWN_STACKS, lead_to, table};
#[cfg(feature = "chapter12")]
pub(crate) use requests::give_up;
pub use requests::{Line, claim, claimed, hand_back, have_arrived, take_arrived, unmask};

use crate::arch::{self, interrupts::TrapFrame};
use crate::println;

/// What is called for a vector. It may change the registers of the interrupted program.
pub type Handler = fn(&mut TrapFrame);

const VECTORS: usize = 256;

struct Handlers<Entry, const COUNT: usize>([Cell<Entry>; COUNT]);

// SAFETY: there is one processor, and each access is one load or store.
unsafe impl<Entry, const COUNT: usize> Sync for Handlers<Entry, COUNT> {}

static HANDLERS: Handlers<Option<Handler>, VECTORS> = Handlers([const { Cell::new(None) }; VECTORS]);

/// Sets the handler of a vector, or removes it; returns the one before.
pub fn set_handler(vector: u8, handler: Option<Handler>) -> Option<Handler> {
    HANDLERS.0.get(usize::from(vector)).and_then(|cell| cell.replace(handler))
}

/// The handlers of user mode's exceptions and of what comes after an interrupt, in user mode or in the kernel. Chapter 5 sets the first two,
/// chapter 10 the last.
static USER_HANDLERS: Handlers<Handler, 3> =
    Handlers([Cell::new(|frame| exceptions::stop_unhandled(frame)), Cell::new(|_| ()), Cell::new(|_| ())]);

/// Sets the handler of all exceptions that are a user program's own, and what is called when an interrupt that has come in user mode is served.
pub fn set_user_handlers(exception: Handler, after_interrupt: Handler) {
    let [first, second, _] = &USER_HANDLERS.0;
    first.set(exception);
    second.set(after_interrupt);
}

/// Sets what is called when an interrupt that has come in the kernel is served.
#[cfg(feature = "chapter10")]
pub(crate) fn set_kernel_handler(after_interrupt: Handler) {
    let [.., third] = &USER_HANDLERS.0;
    third.set(after_interrupt);
}

/// Puts these in the place of the three handlers above. Returns those.
#[cfg(feature = "chapter11")]
pub(crate) fn exchange_handlers(handlers: [Handler; 3]) -> [Handler; 3] {
    let [first, second, third] = &USER_HANDLERS.0;
    let [exception, after_in_user_mode, after_in_kernel] = handlers;
    [first.replace(exception), second.replace(after_in_user_mode), third.replace(after_in_kernel)]
}

// ANCHOR: dispatch
/// Called by the stubs, with interrupts off.
pub(crate) extern "C" fn dispatch(frame: &mut TrapFrame) {
    // ANCHOR: exercise-2-1
    let vector = frame.vector();
    let [exception, after_in_user_mode, after_in_kernel] = &USER_HANDLERS.0;
    if let Some(line) = Line::from_vector(vector) {
        requests::serve(line, |frame| call_handler(vector, frame), frame);
        let after = if frame.from_user() { after_in_user_mode } else { after_in_kernel };
        after.get()(frame);
    } else if frame.from_user() && exceptions::is_programs_own(vector) {
        exception.get()(frame);
    } else if !call_handler(vector, frame) && !time::forget_stray(vector) {
        exceptions::stop_unhandled(frame);
    }
    // ANCHOR_END: exercise-2-1
}

fn has_handler(vector: u8) -> bool {
    HANDLERS.0.get(usize::from(vector)).is_some_and(|cell| cell.get().is_some())
}

fn call_handler(vector: u8, frame: &mut TrapFrame) -> bool {
    let handler = HANDLERS.0.get(usize::from(vector)).and_then(Cell::get);
    handler.inspect(|handler| handler(frame)).is_some()
}
// ANCHOR_END: dispatch

// ANCHOR: let_in
/// In long work of the kernel, which has interrupts off: serves the interrupts that wait. Where interrupts are on there is nothing to do.
pub fn let_in() {
    if !x86_64::instructions::interrupts::are_enabled() {
        arch::interrupts::open_window();
    }
}
// ANCHOR_END: let_in

/// Loads the descriptor tables, takes over the interrupt controller, and switches interrupts on.
pub(crate) fn initialize() {
    descriptors::load();
    gates::load();
    requests::initialize();
    timer::initialize();
    keyboard::initialize();
    x86_64::instructions::interrupts::enable();
}

/// Counts some ticks, returns from a breakpoint and, where somebody sits at the terminal, repeats what is typed.
pub fn demonstrate() {
    set_handler(exceptions::BREAKPOINT, Some(|frame| println!("breakpoint at {:#x}: handled, going on", frame.rip)));
    arch::breakpoint();
    set_handler(exceptions::BREAKPOINT, None);

    let first = timer::ticks();
    while timer::ticks() < first + 5 {
        x86_64::instructions::hlt();
    }
    println!("the timer ticks {} times a second; 5 ticks have passed", timer::TICKS_PER_SECOND);
    keyboard::demonstrate();
}
