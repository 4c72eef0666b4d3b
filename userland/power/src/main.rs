//! The driver that switches the machine off and starts it anew. It has the memory of devices, in slot 12, where the firmware's tables are, all ports, in slot 7,
//! as the tables may name any, memory for a heap, in slot 8, and the kernel's power switch, in slot 5, for machines without tables. What it is asked is in
//! [`flatmk_system`]. It is started with 1 where an emulator waits for the result of the run, which only the kernel can tell it.
//!
//! The tables come from the firmware, whose code can do anything in any case; but they may be wrong. When reading them fails in whatever way, the driver
//! takes the way without them.
#![no_std]
#![no_main]

mod heap;
mod system_machine;
mod watchdog;

use core::fmt::Display;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU64, Ordering};

use flatmk_abi::{Error, Words};
use flatmk_runtime::object::{Frame, OWN_TABLE, OWN_TASK, Power};
use flatmk_runtime::println;
use flatmk_system::{PowerRequest, answer, slots};
use power::{Fault, start_anew, switch_off};
use system_machine::SystemMachine;

flatmk_runtime::start!(main);
flatmk_runtime::service!(fn serve_entry = serve);

/// What is under way, for whoever must finish it when the tables' code fails: the number of the request, and the result of the run.
static UNDER_WAY: AtomicU64 = AtomicU64::new(NOTHING);
static RESULT: AtomicU64 = AtomicU64::new(0);
const NOTHING: u64 = 0;

/// Whether the kernel's switch comes first.
static IS_EMULATED: AtomicU64 = AtomicU64::new(0);

/// How long the serial line may take for what was written before.
const LAST_WORDS_NS: u64 = 20_000_000;

fn main(is_emulated: u64, _words: Words) {
    IS_EMULATED.store(is_emulated, Ordering::Relaxed);
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words) {
    let [request, result, ..] = *message;
    *message = answer(Err(match PowerRequest::from_number(request) {
        Some(PowerRequest::Off) if result <= 1 => off(result),
        Some(PowerRequest::Reset) => reset(),
        Some(PowerRequest::Off) | None => Error::InvalidArgument,
    }));
}

/// Where the tables of a machine without tables are.
const NO_TABLES: u64 = 0;

/// Where the firmware has told the kernel that its tables are.
fn tables() -> u64 {
    Frame(slots::DEVICE).describe().map_or(NO_TABLES, |[address, ..]| address)
}

fn off(result: u64) -> Error {
    OWN_TASK.sleep(LAST_WORDS_NS).unwrap_or_default();
    if IS_EMULATED.load(Ordering::Relaxed) == 0 {
        RESULT.store(result, Ordering::Relaxed);
        say(&guarded(PowerRequest::Off, || switch_off(&SystemMachine, tables())));
    }
    off_by_kernel(result)
}

fn reset() -> Error {
    OWN_TASK.sleep(LAST_WORDS_NS).unwrap_or_default();
    say(&guarded(PowerRequest::Reset, || start_anew(&SystemMachine, tables())));
    Error::InvalidState
}

/// Does what may panic, or take for ever.
fn guarded(request: PowerRequest, function: impl FnOnce() -> Fault) -> Fault {
    UNDER_WAY.store(request as u64, Ordering::Relaxed);
    // Without memory for it the tables are read unwatched.
    watchdog::start().unwrap_or_default();
    heap::prepare();
    let fault = function();
    watchdog::stop();
    UNDER_WAY.store(NOTHING, Ordering::Relaxed);
    fault
}

fn off_by_kernel(result: u64) -> Error {
    Power(slots::POWER).off(if result == 0 { Ok(()) } else { Err(()) })
}

fn say(why: &impl Display) {
    println!("power: {why}");
}

// ANCHOR: give_up
/// The tables' code is not to be trusted, nor is what interprets it: that may run out of memory, or of time. The machine obeys all the same.
fn give_up_tables(why: impl Display) -> ! {
    say(&why);
    match PowerRequest::from_number(UNDER_WAY.swap(NOTHING, Ordering::Relaxed)) {
        Some(PowerRequest::Off) => say(&off_by_kernel(RESULT.load(Ordering::Relaxed))),
        Some(PowerRequest::Reset) => say(&start_anew(&SystemMachine, NO_TABLES)),
        None => {}
    }
    flatmk_runtime::stop()
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    give_up_tables(information)
}
// ANCHOR_END: give_up
