//! What the boot option `trace=on` asks for: small pieces of work, each traced by the kernel, and the events as lines on the console.
//!
//! ```text
//! trace: task 0x1824 is echo
//! trace: part call
//! trace: event 48d159e2 182000000002 8 0
//! ```
//!
//! An event is its four words, in hexadecimal.

use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Error, Kind, MissingCapability, Rights};
use flatmk_runtime::object::{
    Endpoint, Frame, Interrupts, Memory, Notification, OWN_TABLE, OWN_TASK, Table, Task, Trace,
};
use flatmk_runtime::println;
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::sharing::Sharing;
use tar_no_std::TarArchiveRef;

use crate::servers::Servers;
use crate::{FIRST_FREE_SLOT, load, wait_for_service};

const TRACE: Trace = Trace(slots::TRACE);

/// The program that is started several times: one faults, one mends that and handles interrupts, one answers signals.
const TRACED: &str = "traced";
const SUBJECT_PROGRAM: u64 = FIRST_FREE_SLOT + 8;
const HANDLER_PROGRAM: u64 = FIRST_FREE_SLOT + 9;
const WAITER_PROGRAM: u64 = FIRST_FREE_SLOT + 10;

/// The argument of the last of them, and where it finds what to wait for, and behind it what to signal.
const ANSWER_SIGNALS: u64 = 1;
const WAITER_NOTIFICATIONS: u64 = 8;

/// The request to fault.
const FAULT: u64 = 1;

/// A program for RISC-V.
const GUEST: &str = "softuser-echo";
const GUEST_PROGRAM: u64 = FIRST_FREE_SLOT + 11;

/// A table for what else is needed: the frame, two notifications, an endpoint of the sharing daemon for a client of it.
const OBJECTS: Table = Table(FIRST_FREE_SLOT + 12);
const FRAME: u64 = 1;
const NOTIFICATIONS: u64 = 2;
const SHARING: u64 = 4;
const CLIENT: u64 = 1;

/// The timer's line.
const TIMER: u64 = 0;

/// Two milliseconds and a bit, in nanoseconds.
const SOME_TICKS_NS: u64 = 2_100_000;

/// The pointer to one of these objects.
const fn object(slot: u64) -> u64 {
    nested(OBJECTS.0, slot)
}

/// Runs all parts, and tells of each what the kernel has noted.
pub(crate) fn run(archive: &TarArchiveRef<'_>, memory: Memory, servers: &Servers) -> Result<(), Error> {
    memory.make(Kind::Table, 1, OWN_TABLE, OBJECTS.0)?;
    memory.make(Kind::Frame, 1, OBJECTS, FRAME)?;
    memory.make(Kind::Notification, 2, OBJECTS, NOTIFICATIONS)?;
    servers.admit(OBJECTS, SHARING, CLIENT)?;
    let subject = start(archive, memory, TRACED, SUBJECT_PROGRAM, 0)?;
    let handler = start(archive, memory, TRACED, HANDLER_PROGRAM, 0)?;
    let waiter = start(archive, memory, TRACED, WAITER_PROGRAM, ANSWER_SIGNALS)?;
    let guest = start(archive, memory, GUEST, GUEST_PROGRAM, 0)?;
    subject.task.set_fault_handler(Some(Endpoint(handler.slot(SERVICE))), MissingCapability::IsError)?;
    tell_name(OWN_TASK, "root task")?;
    for (program, name) in [(servers.echo, "echo"), (servers.sharing, "sharing"), (guest, GUEST)] {
        tell_name(program.task, name)?;
    }
    for (program, name) in [(subject, "subject"), (handler, "handler"), (waiter, "waiter")] {
        tell_name(program.task, name)?;
    }

    let call = |program: Program, word| Endpoint(program.slot(SERVICE)).call([word, 0, 0, 0]).map(|_| ());
    part("call", || call(servers.echo, 0))?;
    part("transfer", || Sharing(Endpoint(object(SHARING))).attach())?;
    part("fault", || call(subject, FAULT))?;
    part("notification", exchange_signals)?;
    part("interrupt", || handle_ticks(handler))?;
    part("softuser", || call(guest, 0))
}

/// Loads a program, starts it with this argument, and waits until it can be called.
fn start(archive: &TarArchiveRef<'_>, memory: Memory, name: &str, slot: u64, argument: u64) -> Result<Program, Error> {
    let program = load(archive, name, memory, slot)?;
    for index in 0..2 {
        program.table.copy(WAITER_NOTIFICATIONS + index, object(NOTIFICATIONS + index), Rights::all())?;
    }
    program.start(argument)?;
    wait_for_service(program)?;
    Ok(program)
}

/// Says by which name a task goes in the trace.
fn tell_name(task: Task, name: &str) -> Result<(), Error> {
    let [_, _, number, _] = task.inspect()?;
    println!("trace: task {number:#x} is {name}");
    Ok(())
}

// ANCHOR: part
/// Traces some work, and prints its events.
fn part(name: &str, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    TRACE.set_trace(Some(Frame(object(FRAME))))?;
    let result = work();
    TRACE.set_trace(None)?;
    println!("trace: part {name}");
    loop {
        let [time, what, first, second] = TRACE.read_trace()?;
        if what == 0 {
            return result;
        }
        println!("trace: event {time:x} {what:x} {first:x} {second:x}");
    }
}
// ANCHOR_END: part

/// Wakes the waiter, and is woken by it.
fn exchange_signals() -> Result<(), Error> {
    let [there, back] = [0, 1].map(|index| Notification(object(NOTIFICATIONS + index)));
    there.signal(1)?;
    back.wait().map(|_| ())
}

/// Sleeps for some ticks of the timer, of which the handler is told.
fn handle_ticks(handler: Program) -> Result<(), Error> {
    let lines = Interrupts(slots::INTERRUPTS);
    lines.bind(TIMER, Some(Endpoint(handler.slot(SERVICE))))?;
    OWN_TASK.sleep(SOME_TICKS_NS)?;
    lines.bind(TIMER, None)
}
