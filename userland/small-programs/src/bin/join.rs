//! Joins the programs that were loaded for it by pipes in shared memory, starts them, and says what has come out at the end.
#![no_std]
#![no_main]

use flatmk_abi::{Error, Words};
use flatmk_runtime::connection::Connection;
use flatmk_runtime::object::{Endpoint, identify};
use flatmk_runtime::sharing::Sharing;
use flatmk_runtime::{println, supervisor, time_stamp};
use flatmk_system::Service;
use flatmk_system::slots::COMPANIONS;
use pipe_chain::{Findings, Way, make_shared_pipe, report_of, start_program};

flatmk_runtime::entry!(main);

/// Where the ends of the pipes are, two for each.
const FIRST_END: u64 = 44;
const MOST_PROGRAMS: u64 = 8;

/// How many items go into the chain.
const ITEMS: u64 = 12_000;

fn main(_argument: u64, _words: Words) {
    let started = time_stamp();
    match join() {
        Ok(Findings { sum, count }) => {
            let ticks = (time_stamp() - started) / ITEMS;
            println!(
                "{count} items have come out, with the sum {sum:#x}; {ticks} ticks for each of {ITEMS} that went in"
            );
            supervisor::end(0);
        }
        Err(error) => {
            println!("join: {error}");
            supervisor::end(1);
        }
    }
}

/// Makes the pipes, and starts the programs from the last one to the first, so that nobody sends before somebody receives.
fn join() -> Result<Findings, Error> {
    let count = (0..MOST_PROGRAMS).take_while(|index| identify(COMPANIONS + index).is_ok()).count() as u64;
    let connection = Connection::to(Service::Sharing);
    connection.connect()?;
    let sharing = Sharing(Endpoint(connection.slot));
    sharing.attach()?;
    let end_of = |pipe: u64, side: u64| FIRST_END + 2 * pipe + side;
    for pipe in 1..count {
        make_shared_pipe(sharing, end_of(pipe - 1, 0))?;
    }
    for index in (0..count).rev() {
        let source = (index > 0).then(|| end_of(index - 1, 1));
        let sink = (index + 1 < count).then(|| end_of(index, 0));
        start_program(Endpoint(COMPANIONS + index), Way::Shared, [source, sink], ITEMS)?;
    }
    let mut last = Findings::default();
    for index in (0..count).rev() {
        let findings = report_of(Endpoint(COMPANIONS + index))?;
        if index + 1 == count {
            last = findings;
        }
    }
    Ok(last)
}
