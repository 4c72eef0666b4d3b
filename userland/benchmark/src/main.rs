//! Counts what the kernel's paths cost, in ticks of the time stamp counter: instructions where time is instruction-exact.
//!
//! A row is measured in batches. Each batch repeats the operation [`REPEATS`] times; the loop around it counts, as it does in
//! the figures of others. The least of [`BATCHES`] batches is shown: a batch in which the timer interrupts is longer. RISC-V code has a table of its
//! own, with what 100 of its instructions cost; so have comparisons of pipes.
#![no_std]
#![no_main]

mod capabilities;
mod pipes;
mod softuser;
mod threads;
mod workloads;

use flatmk_abi::{Error, MissingCapability, Operation, slots};
use flatmk_runtime::object::{Done, Endpoint, Interrupts, OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::sharing::Sharing;
use flatmk_runtime::{invoke, marks, println, time_stamp};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn run_entry = run);

/// What the root task has put into this program's table.
const ECHO: Endpoint = Endpoint(8);
const LINES: Interrupts = Interrupts(9);
const SHARING: Sharing = Sharing(Endpoint(10));

const REPEATS: u64 = 1000;
const BATCHES: usize = 21;

/// What is sent to and fro.
const MESSAGE: [u64; 4] = [1, 2, 3, 4];

fn main(_argument: u64, _words: [u64; 4]) {
    OWN_TASK.make_endpoint(run_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

/// Measures all rows and prints the table.
fn run(_context: u64, _message: &mut [u64; 4]) {
    capabilities::show();
    print_head("row");
    show("null_syscall", || invoke(slots::SELF, Operation::Identify, [0; 4]).map(|_| ()));
    show("yield_alone", || OWN_TASK.yield_now());
    match threads::start_echo() {
        Ok(echo) => show("call_same_space", || call(echo)),
        Err(error) => println!("call_same_space    failed: {error}"),
    }
    show("call_other_space", || call(ECHO));
    show("call_sharing_daemon", || SHARING.query().map(|_| ()));
    let shown = show_yield_pair().and_then(|()| show_fault()).and_then(|()| show_notification());
    if let Err(error) = shown.and_then(|()| show_interrupt()).and_then(|()| show_softuser()) {
        println!("a row failed: {error}");
    }
    pipes::show();
    if let Err(error) = workloads::show() {
        println!("a row failed: {error}");
    }
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
    for batch in 0..BATCHES {
        marks::begin();
        row.set(batch, threads::wait_for_interrupt());
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

/// The first line of a table: what its columns are, and of how many samples.
fn print_head(name: &str) {
    print_head_in(name, "ticks");
}

/// The same, with another unit.
fn print_head_in(name: &str, unit: &str) {
    println!("{name:<24} {:>8} {:>8} {:>8}  {unit}, {BATCHES} samples", "min", "median", "max");
}

/// The batches of a row, in ticks for one operation.
#[derive(Default)]
pub(crate) struct Row([u64; BATCHES]);

impl Row {
    fn set(&mut self, batch: usize, ticks: u64) {
        if let Some(place) = self.0.get_mut(batch) {
            *place = ticks;
        }
    }

    fn print(self, name: &str) {
        print_row(name, self.figures());
    }

    /// The least, the median and the most.
    fn figures(mut self) -> [u64; 3] {
        self.0.sort_unstable();
        let [first, .., last] = self.0;
        [first, self.0.get(BATCHES / 2).copied().unwrap_or(last), last]
    }
}

fn print_row(name: &str, [first, median, last]: [u64; 3]) {
    println!("{name:<24} {first:>8} {median:>8} {last:>8}");
}

#[inline(always)]
fn show(name: &str, operation: impl FnMut() -> Result<(), Error>) {
    show_with(name, 1, operation);
}

// ANCHOR: measure
/// Prints a row. `share`: how many operations one round of `operation` stands for.
#[inline(always)]
fn show_with(name: &str, share: u64, mut operation: impl FnMut() -> Result<(), Error>) {
    let mut row = Row::default();
    for batch in 0..BATCHES {
        marks::begin();
        let started = time_stamp();
        for _ in 0..REPEATS {
            if let Err(error) = operation() {
                println!("{name:<24} failed: {error}");
                return;
            }
        }
        let ticks = time_stamp() - started;
        marks::end(name, REPEATS * share);
        row.set(batch, ticks / (REPEATS * share));
    }
    row.print(name);
}
// ANCHOR_END: measure
