//! The last program of the chain: adds up what comes.
#![no_std]
#![no_main]

use flatmk_abi::Words;
use flatmk_pipe::{Error, Source};
use flatmk_runtime::OneTask;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::pipe::ConsumerEnd;
use flatmk_runtime::program::SERVICE;
use pipe_chain::{Failure, Findings, Way, mediated_source, shared_source};

flatmk_runtime::entry!(main);
flatmk_runtime::transfer_service!(fn serve_entry = serve);

// SAFETY: this program is one task.
static LAST: OneTask<Result<Findings, Failure>> = unsafe { OneTask::new(Ok(Findings { sum: 0, count: 0 })) };

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words, window: u64) {
    LAST.with(|last| pipe_chain::serve("checksum", message, window, last, work));
}

/// Adds up what comes, until nothing comes any more.
fn add_up(source: &mut impl Source<u64>) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    loop {
        match source.pop_waiting() {
            Ok(number) => {
                findings.sum = findings.sum.wrapping_add(number);
                findings.count += 1;
            }
            Err(Error::Closed) => return Ok(findings),
            Err(error) => return Err(error.into()),
        }
    }
}

fn work(way: Way, _count: u64) -> Result<Findings, Failure> {
    match way {
        Way::Shared => {
            let mut source = shared_source()?;
            let findings = add_up(&mut source);
            ConsumerEnd::close(source)?;
            findings
        }
        Way::Mediated => add_up(&mut mediated_source()?),
    }
}
