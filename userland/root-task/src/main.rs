//! The first program: it has all memory, and the ramdisk with all other programs. It loads and starts them.
#![no_std]
#![no_main]

mod chain;
mod servers;
mod softuser;
mod trace;

use core::slice;

use flatmk_abi::layout::ROOT_RAMDISK;
use flatmk_abi::{Error, Rights, slots};
use flatmk_image::Image;
use flatmk_runtime::mediated::{consumer_context, producer_context};
use flatmk_runtime::object::{Console, Endpoint, Memory, OWN_TASK, Power, identify};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::{print, println};
use servers::{BYTE_PIPE, ITEM_PIPE, Servers};
use tar_no_std::TarArchiveRef;

flatmk_runtime::entry!(main);

/// The slots from here on are free: the kernel gives fewer memory capabilities than there are in between.
const FIRST_FREE_SLOT: u64 = 44;

/// The program that is started, and the one it calls; see the benchmark for the slots they share.
const BENCHMARK: &str = "benchmark";

/// The program in C, and how many pages of memory it is given: it must run out of them.
const HELLO: &str = "hello-c";
const HELLO_PAGES: u64 = 4;

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

fn main(ramdisk_bytes: u64, [memory_count, ..]: [u64; 4]) {
    let memory = Memory(slots::MEMORY);
    let (free, pages) = memory.measure().expect("the root task has memory");
    println!("root task: {memory_count} memory capabilities; the largest has {pages} pages, {free} of them free");

    // SAFETY: the kernel has mapped so many bytes there, read-only, for as long as this task lives.
    let ramdisk = unsafe { slice::from_raw_parts(ROOT_RAMDISK as *const u8, ramdisk_bytes as usize) };
    let archive = TarArchiveRef::new(ramdisk).expect("the kernel has found this program in the archive");
    let outcome = if calls_are_there() {
        run_programs(&archive, memory)
    } else {
        println!("root task: this kernel has no calls between tasks yet, so there is nobody else to start");
        OWN_TASK.yield_now()
    };
    let outcome = outcome.map_err(|error| println!("root task: failed: {error}"));
    if is_set(&archive, "interactive=yes") {
        wait_for_key();
    }
    let refused = Power(slots::POWER).off(outcome);
    panic!("the machine stays on: {refused}");
}

/// Calls come with chapter 6; before, the kernel does not know the operation.
fn calls_are_there() -> bool {
    Endpoint(slots::CONSOLE).call([0; 4]) != Err(Error::UnknownOperation)
}

/// Starts the servers, and runs one program after the other.
fn run_programs(archive: &TarArchiveRef<'_>, memory: Memory) -> Result<(), Error> {
    let servers = Servers::start(archive, memory)?;
    if is_set(archive, "trace=on") {
        return trace::run(archive, memory, &servers);
    }
    run_benchmark(archive, memory, &servers)?;
    run_hello(archive, memory)?;
    chain::run(archive, memory, &servers)?;
    softuser::run(archive, memory)
}

/// Loads the benchmark program, lets that call the servers, and waits until it is done.
fn run_benchmark(archive: &TarArchiveRef<'_>, memory: Memory, servers: &Servers) -> Result<(), Error> {
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
    benchmark.start(0)?;
    wait_for_service(benchmark)?;
    Endpoint(benchmark.slot(SERVICE)).call([0; 4])?;
    println!("root task: {BENCHMARK} is done, {} pages free", memory.measure()?.0);
    Ok(())
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

/// The contents of a file of the ramdisk.
fn find<'a>(archive: &TarArchiveRef<'a>, name: &str) -> Option<&'a [u8]> {
    archive.entries().find(|entry| entry.filename().as_str() == Ok(name)).map(|entry| entry.data())
}

fn load(archive: &TarArchiveRef<'_>, name: &str, memory: Memory, first_slot: u64) -> Result<Program, Error> {
    let Some(file) = find(archive, name) else {
        println!("root task: the ramdisk has no program {name}");
        return Err(Error::InvalidArgument);
    };
    let image = Image::parse_any(file).map_err(|error| {
        println!("root task: {name} cannot be loaded: {error}");
        Error::InvalidArgument
    })?;
    let program = Program::load(&image, memory, first_slot)?;
    program.table.copy(slots::CONSOLE, slots::CONSOLE, Rights::WRITE)?;
    Ok(program)
}

/// A program offers its service while it starts. Nothing preempts it, so letting it run once is enough; more is for programs that
/// let others run in between.
fn wait_for_service(program: Program) -> Result<(), Error> {
    const PATIENCE: usize = 100;
    for _ in 0..PATIENCE {
        OWN_TASK.yield_now()?;
        if identify(program.slot(SERVICE)).is_ok() {
            return Ok(());
        }
    }
    println!("root task: a program offers no service");
    Err(Error::InvalidState)
}

/// Whether this is among the boot options.
fn is_set(archive: &TarArchiveRef<'_>, option: &str) -> bool {
    let text = find(archive, "boot-options").and_then(|file| core::str::from_utf8(file).ok()).unwrap_or("");
    text.lines().any(|line| line.trim() == option)
}

fn wait_for_key() {
    print!("Press a key to switch off.");
    while Console(slots::CONSOLE).read() == Ok(None) {
        core::hint::spin_loop();
    }
    println!();
}
