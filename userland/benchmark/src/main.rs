//! Measures what the kernel's paths cost, in ticks of the time stamp counter: instructions in an emulator with instruction-exact time, as the root
//! task says, and else cycles.
//!
//! A row is measured in batches; [`method`] says how many. Each repeats the operation, and the loop around it counts, as it does in the figures of
//! others. RISC-V code has a table of its own, with what 100 of its instructions cost; so have comparisons of pipes.
#![no_std]
#![no_main]

mod capabilities;
mod method;
mod pipes;
mod row;
mod softuser;
mod threads;
mod workloads;

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, MissingCapability, Operation};
use flatmk_runtime::object::{Done, Endpoint, Interrupts, OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::sharing::{Region, Sharing, SharingRequest};
use flatmk_runtime::{invoke, marks, println};
use method::{Method, stamp};
use row::{Row, print_head};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn run_entry = run);

/// What the root task has put into this program's table.
const ECHO: Endpoint = Endpoint(8);
const LINES: Interrupts = Interrupts(9);
const SHARING: Sharing = Sharing(Endpoint(10));

/// Where a region of the daemon's is: its capability, and its frame.
const REGION: u64 = 56;
const REGION_ADDRESS: u64 = 0x2400_0000;

/// What is sent to and fro.
const MESSAGE: [u64; 4] = [1, 2, 3, 4];

/// The argument is 1 where a tick is an instruction.
fn main(instructions: u64, _words: [u64; 4]) {
    Method::choose(instructions);
    OWN_TASK.make_endpoint(run_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

/// Measures all rows and prints the tables.
fn run(_context: u64, _message: &mut [u64; 4]) {
    method::print_processor();
    capabilities::show();
    print_head("row", Method::current().unit());
    show("null_syscall", || invoke(slots::SELF, Operation::Identify, [0; 4]).map(|_| ()));
    show("yield_alone", || OWN_TASK.yield_now());
    match threads::start_echo() {
        Ok(echo) => show("call_same_space", || call(echo)),
        Err(error) => println!("call_same_space    failed: {error}"),
    }
    show("call_other_space", || call(ECHO));
    let shown =
        show_sharing().and_then(|()| show_yield_pair()).and_then(|()| show_fault()).and_then(|()| show_notification());
    if let Err(error) = shown.and_then(|()| show_interrupt()).and_then(|()| show_softuser()) {
        println!("a row failed: {error}");
    }
    pipes::show();
    if let Err(error) = workloads::show() {
        println!("a row failed: {error}");
    }
    method::print_repeated();
}

/// A question to the memory-sharing daemon; and a request that brings a capability, which is deleted, so that the next one has room.
fn show_sharing() -> Done {
    const FRAME: [u64; 4] = [SharingRequest::Frame as u64, 0, 0, 0];
    show("query_sharing_daemon", || SHARING.query().map(|_| ()));
    SHARING.attach()?;
    let Region(region) = SHARING.create(1, REGION_ADDRESS, REGION)?;
    show("call_sharing_daemon", || {
        let (_, came) = region.call_with_window(FRAME, 0)?;
        if came == 0 { Err(Error::InvalidCapability) } else { OWN_TABLE.delete(WINDOW) }
    });
    SHARING.detach()
}

fn show_yield_pair() -> Done {
    threads::start_yielder()?;
    // Each of the two yields once a round.
    show_with("yield_pair", 2, || OWN_TASK.yield_now());
    threads::stop_yielder()
}

fn show_notification() -> Done {
    match threads::start_pong() {
        // So says a kernel of chapter 6.
        Err(Error::UnknownOperation) => return Ok(()),
        started => started?,
    }
    show("notification_round_trip", || {
        threads::PING.signal(1)?;
        threads::PONG_ANSWER.wait().map(|_| ())
    });
    Ok(())
}

fn show_fault() -> Done {
    let pager = threads::start_pager()?;
    OWN_TASK.set_fault_handler(Some(pager), MissingCapability::IsError)?;
    show("fault_call", || {
        threads::fault();
        Ok(())
    });
    OWN_TASK.set_fault_handler(None, MissingCapability::IsError)
}

/// The timer's interrupt: it comes by itself.
fn show_interrupt() -> Done {
    const TIMER: u64 = 0;
    LINES.bind(TIMER, Some(threads::start_handler()?))?;
    let mut row = Row::default();
    for _ in 0..Method::current().batches() {
        marks::begin();
        row.add(threads::wait_for_interrupt());
        marks::tell("interrupt_to_handler", 1);
    }
    row.print("interrupt_to_handler");
    LINES.bind(TIMER, None)
}

/// RISC-V code: entered by this program, called in its space and in another.
fn show_softuser() -> Done {
    let endpoints = match softuser::prepare() {
        // So says a kernel before chapter 10.
        Err(Error::UnknownOperation | Error::InvalidArgument) => return Ok(()),
        prepared => prepared?,
    };
    show("softuser_enter_leave", || call(endpoints.own));
    show("call_softuser_same_space", || call(endpoints.same));
    show("call_softuser_other_space", || call(endpoints.other));
    Ok(())
}

#[inline(always)]
fn call(endpoint: Endpoint) -> Result<(), Error> {
    let [answer, ..] = endpoint.call(MESSAGE)?;
    if answer == MESSAGE[0] { Ok(()) } else { Err(Error::InvalidArgument) }
}

#[inline(always)]
fn show(name: &str, operation: impl FnMut() -> Result<(), Error>) {
    show_with(name, 1, operation);
}

// ANCHOR: measure
/// Prints a row. `share`: how many operations one round of `operation` stands for.
#[inline(always)]
fn show_with(name: &str, share: u64, mut operation: impl FnMut() -> Result<(), Error>) {
    let repeats = Method::current().repeats();
    let row = Row::measure(|| {
        marks::begin();
        let started = stamp();
        for _ in 0..repeats {
            operation()?;
        }
        let ticks = stamp() - started;
        marks::end(name, repeats * share);
        Ok::<_, Error>(ticks / (repeats * share))
    });
    match row {
        Ok(row) => row.print(name),
        Err(error) => println!("{name:<24} failed: {error}"),
    }
}
// ANCHOR_END: measure
