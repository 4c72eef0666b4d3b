//! The demonstration: all programs of the ramdisk, one after the other.

use flatmk_abi::{Error, Rights, slots};
use flatmk_runtime::mediated::{consumer_context, producer_context};
use flatmk_runtime::object::{Endpoint, Memory};
use flatmk_runtime::println;
use flatmk_runtime::program::{Program, SERVICE};
use tar_no_std::TarArchiveRef;

use crate::servers::{BYTE_PIPE, ITEM_PIPE, Servers};
use crate::{FIRST_FREE_SLOT, chain, has_option, load, softuser, wait_for_service};

/// The program that is started, and the one it calls; see the benchmark for the slots they share.
pub(crate) const BENCHMARK: &str = "benchmark";

/// The program in C, and how many pages of memory it is given: it must run out of them.
const HELLO: &str = "hello-c";
pub(crate) const HELLO_PAGES: u64 = 4;

/// Where the benchmark finds an endpoint of the echo server, and the interrupt line of the timer.
const BENCHMARK_ECHO: u64 = 8;
const BENCHMARK_LINES: u64 = 9;

/// Where it finds an endpoint of the memory-sharing daemon, as which client.
const BENCHMARK_SHARING: u64 = 10;
const BENCHMARK_CLIENT: u64 = 1;

/// Where it finds the program with RISC-V code that it measures: an endpoint of it, and its task, whose faults it mends.
const BENCHMARK_WORKLOADS: u64 = 11;
const BENCHMARK_WORKLOADS_TASK: u64 = 17;

/// Where it finds the program at the other end of the pipes that it measures, and the ends of two kernel-mediated ones.
const BENCHMARK_PEER: u64 = 18;
const BENCHMARK_ITEM_PRODUCER: u64 = 19;
const BENCHMARK_ITEM_CONSUMER: u64 = 28;
const BENCHMARK_BYTE_PRODUCER: u64 = 29;
const BENCHMARK_BYTE_CONSUMER: u64 = 36;

/// The timer's line, as a bit.
const TIMER_LINE: u64 = 1;

/// Where it finds memory of its own, and how many pages that has at most: enough for a large frame, which must be aligned.
const BENCHMARK_MEMORY: u64 = 12;
const BENCHMARK_PAGES: u64 = 1200;

/// Starts the servers, and runs one program after the other.
pub(crate) fn run(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<(), Error> {
    let servers = Servers::start(archive, memory)?;
    run_benchmark(archive, memory, &servers)?;
    run_hello(archive, memory)?;
    chain::run(archive, memory, &servers)?;
    softuser::run(archive, memory)
}

/// Loads the benchmark program, lets that call the servers, and waits until it is done.
fn run_benchmark(archive: &TarArchiveRef<'_>, memory: Memory, servers: &Servers) -> Result<(), Error> {
    let benchmark = load_benchmark(archive, memory, servers)?;
    benchmark.start(benchmark_units(archive))?;
    wait_for_service(benchmark)?;
    Endpoint(benchmark.slot(SERVICE)).call([0; 4])?;
    println!("root task: {BENCHMARK} is done, {} pages free", memory.measure()?.0);
    Ok(())
}

/// What the benchmark is started with: 1 where a tick of the time stamp counter is an instruction.
pub(crate) fn benchmark_units(archive: &TarArchiveRef<'_>) -> u64 {
    has_option(archive, "units=instructions").into()
}

/// Loads the benchmark program, with all that it calls.
pub(crate) fn load_benchmark(archive: &TarArchiveRef<'_>, memory: Memory, servers: &Servers) -> Result<Program, Error> {
    let benchmark = load(archive, BENCHMARK, memory, FIRST_FREE_SLOT + 2)?;
    let table = benchmark.table;
    table.copy(BENCHMARK_ECHO, servers.echo.slot(SERVICE), Rights::CALL)?;
    table.mint(BENCHMARK_LINES, slots::INTERRUPTS, Rights::MANAGE, TIMER_LINE)?;
    servers.admit(table, BENCHMARK_SHARING, BENCHMARK_CLIENT)?;
    if let Some(pipes) = &servers.pipes {
        table.copy(BENCHMARK_PEER, pipes.peer.slot(SERVICE), Rights::CALL | Rights::TRANSFER)?;
        pipes.mint(table, BENCHMARK_ITEM_PRODUCER, producer_context(ITEM_PIPE))?;
        pipes.mint(table, BENCHMARK_ITEM_CONSUMER, consumer_context(ITEM_PIPE))?;
        pipes.mint(table, BENCHMARK_BYTE_PRODUCER, producer_context(BYTE_PIPE))?;
        pipes.mint(table, BENCHMARK_BYTE_CONSUMER, consumer_context(BYTE_PIPE))?;
    }
    let (free, _) = memory.measure()?;
    memory.split(BENCHMARK_PAGES.min(free / 2), table, BENCHMARK_MEMORY)?;
    let workloads = softuser::start_workloads(archive, memory)?;
    if let Some(workloads) = workloads {
        table.copy(BENCHMARK_WORKLOADS, workloads.slot(SERVICE), Rights::CALL)?;
        table.copy(BENCHMARK_WORKLOADS_TASK, workloads.task.0, Rights::MANAGE)?;
    }
    Ok(benchmark)
}

// ANCHOR: hello
/// Loads the program in C, and calls it once.
fn run_hello(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<(), Error> {
    let hello = load(archive, HELLO, memory, FIRST_FREE_SLOT + 3)?;
    memory.split(HELLO_PAGES, hello.table, slots::MEMORY)?;
    hello.start(0)?;
    wait_for_service(hello)?;
    let [sum, weighted_sum, passed, checks] = Endpoint(hello.slot(SERVICE)).call([1, 2, 3, 5])?;
    println!("root task: {HELLO} answers {sum} and {weighted_sum}; {passed} of its {checks} checks passed");
    if [sum, weighted_sum, passed] == [11, 34, checks] { Ok(()) } else { Err(Error::InvalidState) }
}
// ANCHOR_END: hello
