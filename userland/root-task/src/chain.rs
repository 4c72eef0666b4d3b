//! The chain: a generator, a filter and a checksum, each a program of its own, with a pipe from one to the next; once with pipes in shared memory, and once
//! with kernel-mediated ones.

use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Error, slots};
use flatmk_runtime::mediated::{BUFFER_BYTES, consumer_context, producer_context};
use flatmk_runtime::object::{Endpoint, Memory, OWN_TABLE};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::sharing::Sharing;
use flatmk_runtime::{println, time_stamp};
use pipe_chain::{ChainRequest, Numbers, Way};
use tar_no_std::TarArchiveRef;

use crate::servers::{FIRST_CHAIN_PIPE, Servers};
use crate::{FIRST_FREE_SLOT, find, load, wait_for_service};

const NAMES: [&str; 3] = ["generator", "filter", "checksum"];

/// The slots of the programs, in this order, of the ends of the pipes, and of an endpoint of the memory-sharing daemon.
const FIRST_PROGRAM: u64 = FIRST_FREE_SLOT + 8;
const FIRST_END: u64 = FIRST_PROGRAM + 3;
const SHARING: u64 = FIRST_END + 4;

/// As which client of the daemon the root task makes pipes.
const CLIENT: u64 = 2;

/// How many pages each program has, for notifications.
const PAGES: u64 = 4;

/// How many numbers go into the chain.
const ITEMS: u64 = 12_000;

/// The buffers of both kinds of pipes are of one size.
const DATA_FRAMES: u64 = BUFFER_BYTES as u64 / 4096;

/// Runs the chain both ways, if the ramdisk has it: it does from chapter 8 on.
pub(crate) fn run(archive: &TarArchiveRef<'_>, memory: Memory, servers: &Servers) -> Result<(), Error> {
    if find(archive, NAMES[0]).is_none() {
        return Ok(());
    }
    let shared = time(archive, memory, servers, Way::Shared)?;
    let mediated = time(archive, memory, servers, Way::Mediated)?;
    let [tenths, items] = [mediated * 10 / shared.max(1), ITEMS];
    println!(
        "root task: the chain of pipes takes {} ticks an item in shared memory, {} through the kernel for each: {}.{} times as many ({items} items)",
        shared / ITEMS,
        mediated / ITEMS,
        tenths / 10,
        tenths % 10,
    );
    Ok(())
}

/// Loads the three programs, connects them, and waits until all numbers have gone through. Returns how many ticks they took.
fn time(archive: &TarArchiveRef<'_>, memory: Memory, servers: &Servers, way: Way) -> Result<u64, Error> {
    let mut programs = [None; 3];
    for ((slot, name), place) in (FIRST_PROGRAM..).zip(NAMES).zip(&mut programs) {
        let program = load(archive, name, memory, slot)?;
        memory.split(PAGES, program.table, slots::MEMORY)?;
        program.start(0)?;
        wait_for_service(program)?;
        *place = Some(program);
    }
    let [Some(generator), Some(filter), Some(checksum)] = programs else { return Err(Error::InvalidState) };
    make_pipes(servers, way)?;
    let [first_sink, first_source, second_sink, second_source] = [0, 1, 2, 3].map(|index| Some(FIRST_END + index));
    let started = time_stamp();
    start(checksum, way, [second_source, None])?;
    start(filter, way, [first_source, second_sink])?;
    start(generator, way, [None, first_sink])?;
    // Only when it is through does it answer.
    let report = report(checksum)?;
    let ticks = time_stamp() - started;
    let [_, sum, count, _] = report;
    for program in [filter, generator] {
        self::report(program)?;
    }
    [generator, filter, checksum].into_iter().try_for_each(Program::end)?;
    if way == Way::Shared {
        Sharing(Endpoint(SHARING)).detach()?;
        OWN_TABLE.delete(SHARING)?;
    }
    check(way, sum, count)?;
    Ok(ticks)
}

/// Makes two pipes: the ends of each are in two slots in a row, the producer's first.
fn make_pipes(servers: &Servers, way: Way) -> Result<(), Error> {
    match way {
        Way::Shared => {
            servers.admit(OWN_TABLE, SHARING, CLIENT)?;
            let sharing = Sharing(Endpoint(SHARING));
            sharing.attach()?;
            for first_slot in [FIRST_END, FIRST_END + 2] {
                sharing.create_pipe(DATA_FRAMES, first_slot, first_slot + 1)?;
            }
        }
        Way::Mediated => {
            let pipes = servers.pipes.as_ref().ok_or(Error::InvalidState)?;
            for (pipe, first_slot) in (FIRST_CHAIN_PIPE..).zip([FIRST_END, FIRST_END + 2]) {
                pipes.mint(OWN_TABLE, first_slot, producer_context(pipe))?;
                pipes.mint(OWN_TABLE, first_slot + 1, consumer_context(pipe))?;
            }
        }
    }
    Ok(())
}

/// Starts a program with its pipes: where items come from, and where they go to.
fn start(program: Program, way: Way, ends: [Option<u64>; 2]) -> Result<(), Error> {
    let mut window = 0;
    for (index, end) in (0..).zip(ends) {
        if let Some(end) = end {
            OWN_TABLE.move_here(WINDOW + index, end)?;
            window |= 1 << index;
        }
    }
    let message = [ChainRequest::Start as u64, way as u64, ITEMS, 0];
    let (answer, _) = Endpoint(program.slot(SERVICE)).call_with_window(message, window)?;
    if answer[0] == 0 { Ok(()) } else { Err(Error::InvalidState) }
}

/// Waits until a program is through.
fn report(program: Program) -> Result<[u64; 4], Error> {
    let answer = Endpoint(program.slot(SERVICE)).call([ChainRequest::Report as u64, Way::Shared as u64, 0, 0])?;
    if answer[0] == 0 { Ok(answer) } else { Err(Error::InvalidState) }
}

/// Whether the chain has found what is right: the same is computed here.
fn check(way: Way, sum: u64, count: u64) -> Result<(), Error> {
    let (mut expected_sum, mut expected_count) = (0_u64, 0);
    for number in Numbers::default().take(ITEMS as usize) {
        if number % 3 == 0 {
            expected_sum = expected_sum.wrapping_add(number);
            expected_count += 1;
        }
    }
    let way = match way {
        Way::Shared => "in shared memory",
        Way::Mediated => "through the kernel",
    };
    println!("root task: the chain of pipes {way} finds {count} numbers with the sum {sum:#x}");
    if (sum, count) == (expected_sum, expected_count) {
        return Ok(());
    }
    println!("root task: the chain failed: these are {expected_count} numbers with the sum {expected_sum:#x}");
    Err(Error::InvalidState)
}
