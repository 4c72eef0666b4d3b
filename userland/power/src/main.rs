//! The driver that switches the machine off and starts it anew. It has the memory of devices, in slot 12, where the firmware's tables are, all ports, in slot 7,
//! as the tables may name any, memory for a heap, in slot 8, and the kernel's power switch, in slot 5, for emulators. What it is asked is in
//! [`flatmk_system`]. It is started with 1 where an emulator waits for the result of the run, which only the kernel can tell it.
//!
//! The tables come from the firmware, whose code can do anything in any case; but they may be wrong. When reading them fails in whatever way, the driver
//! takes the way without them, where there is one, and tells its caller why the machine is still on.
#![no_std]
#![no_main]

mod heap;
mod system_machine;
mod watchdog;

use core::fmt::Display;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU64, Ordering};

use flatmk_abi::slots::REPLY;
use flatmk_abi::{Error, Words};
use flatmk_runtime::object::{Frame, OWN_TABLE, OWN_TASK, Power, Reply};
use flatmk_runtime::{println, supervisor};
use flatmk_system::{PowerFault, PowerRequest, answer, slots};
use power::{Fault, start_anew, switch_off};
use system_machine::SystemMachine;

flatmk_runtime::start!(main);
flatmk_runtime::service!(fn serve_entry = serve);

/// The number of the request that is under way, for whoever must finish it when the tables' code fails.
static UNDER_WAY: AtomicU64 = AtomicU64::new(NOTHING);
const NOTHING: u64 = 0;

/// Where the right to answer the caller is meanwhile.
const CALLER: Reply = Reply(56);

/// Whether the machine is switched off by the kernel's switch.
static IS_EMULATED: AtomicU64 = AtomicU64::new(0);

/// How long the serial line may take for what was written before.
const LAST_WORDS_NS: u64 = 20_000_000;

fn main(is_emulated: u64, _words: Words) {
    IS_EMULATED.store(is_emulated, Ordering::Relaxed);
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words) {
    let [request, result, ..] = *message;
    OWN_TASK.sleep(LAST_WORDS_NS).unwrap_or_default();
    let refused = match PowerRequest::from_number(request) {
        Some(PowerRequest::Off) if result > 1 => Error::InvalidArgument,
        Some(PowerRequest::Off) if IS_EMULATED.load(Ordering::Relaxed) != 0 => off_by_kernel(result),
        // It answers by itself.
        Some(request) => return obey(request),
        None => Error::InvalidArgument,
    };
    *message = answer(Err(refused));
}

/// Where the tables of a machine without tables are.
const NO_TABLES: u64 = 0;

/// Where the firmware has told the kernel that its tables are.
fn tables() -> u64 {
    Frame(slots::DEVICE).describe().map_or(NO_TABLES, |[address, ..]| address)
}

/// Does what the tables say, and tells the caller why that has failed.
fn obey(request: PowerRequest) {
    // Whoever gives up the tables answers in the place of this task.
    OWN_TABLE.move_here(CALLER.0, REPLY).unwrap_or_default();
    let fault = guarded(request, || match request {
        PowerRequest::Off => switch_off(&SystemMachine, tables()),
        PowerRequest::Reset => start_anew(&SystemMachine, tables()),
    });
    say(&fault);
    tell_caller(fault.kind());
}

fn tell_caller(fault: PowerFault) {
    // A caller that has ended need not know.
    CALLER.reply(fault.to_answer()).unwrap_or_default();
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
/// The tables' code is not to be trusted, nor is what interprets it: that may run out of memory, or of time. The caller hears of it all the same, and
/// this program, whose tasks may be anywhere, is started anew.
fn give_up_tables(why: impl Display, fault: PowerFault) -> ! {
    say(&why);
    if UNDER_WAY.swap(NOTHING, Ordering::Relaxed) == PowerRequest::Reset as u64 {
        say(&start_anew(&SystemMachine, NO_TABLES));
    }
    tell_caller(fault);
    supervisor::end(1);
    flatmk_runtime::stop()
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    give_up_tables(information, PowerFault::BadContents)
}
// ANCHOR_END: give_up
