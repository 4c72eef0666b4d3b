//! The chain: a generator, a filter and a checksum, each a program of its own, with a pipe from one to the next; once with pipes in shared memory, and once
//! with kernel-mediated ones.

use flatmk_abi::{Error, slots};
use flatmk_runtime::mediated::{consumer_context, producer_context};
use flatmk_runtime::object::{Endpoint, Memory, OWN_TABLE};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::sharing::Sharing;
use flatmk_runtime::{println, time_stamp};
use pipe_chain::{Findings, Numbers, Way, make_shared_pipe, report_of, start_program};
use tar_no_std::TarArchiveRef;

use crate::servers::{FIRST_CHAIN_PIPE, Servers};
use crate::{FIRST_FREE_SLOT, find, load, wait_for_service};

const NAMES: [&str; 3] = ["generator", "filter", "checksum"];

/// The slots of the programs, in this order, of the ends of the pipes, and of an endpoint of the memory-sharing daemon.
const FIRST_PROGRAM: u64 = FIRST_FREE_SLOT + 8;
const FIRST_END: u64 = FIRST_PROGRAM + 3;
const SHARING: u64 = FIRST_FREE_SLOT + 4;

/// As which client of the daemon the root task makes pipes.
const CLIENT: u64 = 2;

/// How many pages each program has, for notifications.
const PAGES: u64 = 4;

/// How many numbers go into the chain.
const ITEMS: u64 = 12_000;

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
    let service = |program: Program| Endpoint(program.slot(SERVICE));
    start_program(service(checksum), way, [second_source, None], ITEMS)?;
    start_program(service(filter), way, [first_source, second_sink], ITEMS)?;
    start_program(service(generator), way, [None, first_sink], ITEMS)?;
    // Only when it is through does it answer.
    let Findings { sum, count } = report_of(service(checksum))?;
    let ticks = time_stamp() - started;
    for program in [filter, generator] {
        report_of(service(program))?;
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
                make_shared_pipe(sharing, first_slot)?;
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
