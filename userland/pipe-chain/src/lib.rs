//! What the three programs of the chain have in common: how they are started, and how their pipes are opened.
//!
//! Each is called, by the functions of the module `joiner`, with [`ChainRequest::Start`] and with its pipes in the window. It answers at once, so that the next one can be started, and works
//! then. A further call waits until it is through.
#![no_std]
#![warn(missing_docs)]

mod joiner;

use core::fmt;

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, Kind, Words};
use flatmk_pipe::{Consumer, Error as PipeError, Producer};
use flatmk_runtime::mediated::{MediatedConsumer, MediatedProducer};
use flatmk_runtime::object::{Done, Endpoint, Memory, Notification, OWN_TABLE, Reply};
use flatmk_runtime::pipe::{ConsumerEnd, NotificationBell, OpenError, ProducerEnd};
use flatmk_runtime::println;

pub use joiner::{DATA_FRAMES, make_shared_pipe, report_of, start_program};

/// What a program of the chain is asked: word 0 of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum ChainRequest {
    /// Work. Word 1: the [`Way`] of the pipes; word 2: how many items to send, for the first program. In the first slot of the window is the pipe that
    /// items come from, in the second one the pipe that they go to.
    Start = 0,
    /// Answer: word 0: 0 if all went well; of the last program word 1: the sum of all items; word 2: how many there were.
    Report = 1,
}

impl ChainRequest {
    fn from_number(number: u64) -> Option<Self> {
        [Self::Start, Self::Report].into_iter().find(|&request| request as u64 == number)
    }
}

/// How items get from one program to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Way {
    /// Through memory that both share.
    Shared = 0,
    /// Through a server, by a call each.
    Mediated = 1,
}

impl Way {
    /// The way with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Shared, Self::Mediated].into_iter().find(|&way| way as u64 == number)
    }
}

/// The numbers that go through the chain: the generator `SplitMix64` (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Clone, Debug, Default)]
pub struct Numbers(u64);

impl Iterator for Numbers {
    type Item = u64;

    #[inline(always)]
    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ mixed >> 31)
    }
}

/// Why a program of the chain gave up.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// A pipe could not be opened or closed.
    Open(OpenError),
    /// A pipe did not do what it should.
    Pipe(PipeError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Open(OpenError::Refused(error))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<PipeError> for Failure {
    fn from(error: PipeError) -> Self {
        Self::Pipe(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(formatter),
            Self::Pipe(error) => error.fmt(formatter),
        }
    }
}

/// What a program has found out: the sum of items, and how many there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Findings {
    /// The sum, modulo 2^64.
    pub sum: u64,
    /// How many.
    pub count: u64,
}

/// Where a program keeps its capabilities: the pipes, the notifications of each, two in a row, and the caller while it works.
const SOURCE: u64 = 16;
const SINK: u64 = 17;
const SOURCE_BELLS: u64 = 20;
const SINK_BELLS: u64 = 22;
const CALLER: u64 = 24;

/// Where the pipes are mapped.
const SOURCE_ADDRESS: u64 = 0x2000_0000;
const SINK_ADDRESS: u64 = 0x2100_0000;

/// Where a program's own memory is, for its notifications.
const MEMORY: Memory = Memory(slots::MEMORY);

/// Serves a call to the program with this name. `work` is what it does, with the way and the count. `last` is what it has found out before.
pub fn serve(
    name: &str,
    message: &mut Words,
    window: u64,
    last: &mut Result<Findings, Failure>,
    work: fn(Way, u64) -> Result<Findings, Failure>,
) {
    let [number, way, count, _] = *message;
    match (ChainRequest::from_number(number), Way::from_number(way)) {
        (Some(ChainRequest::Start), Some(way)) => {
            *last = begin(window).map_err(Failure::from).and_then(|()| work(way, count));
            // Once the caller was answered this does not matter.
            *message = [last.is_err().into(), 0, 0, 0];
            if let Err(failure) = last {
                println!("{name} failed: {failure}");
            }
        }
        _ => {
            *message = match last {
                Ok(Findings { sum, count }) => [0, *sum, *count, 0],
                Err(_) => [1, 0, 0, 0],
            };
        }
    }
}

/// Keeps the pipes, and answers, so that the caller goes on at the same time.
fn begin(window: u64) -> Done {
    for (index, slot) in [SOURCE, SINK].into_iter().enumerate() {
        // What is left of the pipe of another time.
        OWN_TABLE.delete(slot).unwrap_or_default();
        if window >> index & 1 != 0 {
            OWN_TABLE.move_here(slot, WINDOW + index as u64)?;
        }
    }
    OWN_TABLE.move_here(CALLER, slots::REPLY)?;
    Reply(CALLER).reply([0; 4])
}

/// Opens the pipe in shared memory that items go to.
///
/// # Errors
///
/// What the daemon says.
pub fn shared_sink() -> Result<Producer<'static, u64, NotificationBell>, OpenError> {
    ProducerEnd(Endpoint(SINK)).open(SINK_ADDRESS, SINK_BELLS)
}

/// Opens the pipe in shared memory that items come from.
///
/// # Errors
///
/// What the daemon says.
pub fn shared_source() -> Result<Consumer<'static, u64, NotificationBell>, OpenError> {
    ConsumerEnd(Endpoint(SOURCE)).open(SOURCE_ADDRESS, SOURCE_BELLS)
}

/// Connects the kernel-mediated pipe that items go to.
///
/// # Errors
///
/// What the server says.
pub fn mediated_sink() -> Result<MediatedProducer, Error> {
    make_notification(SINK_BELLS).and_then(|bell| MediatedProducer::connect(Endpoint(SINK), bell))
}

/// Connects the kernel-mediated pipe that items come from.
///
/// # Errors
///
/// What the server says.
pub fn mediated_source() -> Result<MediatedConsumer, Error> {
    make_notification(SOURCE_BELLS).and_then(|bell| MediatedConsumer::connect(Endpoint(SOURCE), bell))
}

fn make_notification(slot: u64) -> Result<Notification, Error> {
    MEMORY.make(Kind::Notification, 1, OWN_TABLE, slot)?;
    Ok(Notification(slot))
}
