//! The second program of the chain: passes on the numbers that are divisible by 3.
#![no_std]
#![no_main]

use flatmk_abi::Words;
use flatmk_pipe::{Error, Sink, Source};
use flatmk_runtime::OneTask;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::program::SERVICE;
use pipe_chain::{Failure, Findings, Way, mediated_sink, mediated_source, shared_sink, shared_source};

flatmk_runtime::entry!(main);
flatmk_runtime::transfer_service!(fn serve_entry = serve);

// SAFETY: this program is one task.
static LAST: OneTask<Result<Findings, Failure>> = unsafe { OneTask::new(Ok(Findings { sum: 0, count: 0 })) };

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words, window: u64) {
    LAST.with(|last| pipe_chain::serve("filter", message, window, last, work));
}

// ANCHOR: filter
/// Passes on what is to stay, until nothing comes any more.
fn filter(source: &mut impl Source<u64>, sink: &mut impl Sink<u64>) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    loop {
        match source.pop_waiting() {
            Ok(number) if number.is_multiple_of(3) => {
                sink.push_waiting(number)?;
                findings.count += 1;
            }
            Ok(_) => {}
            Err(Error::Closed) => return Ok(findings),
            Err(error) => return Err(error.into()),
        }
    }
}
// ANCHOR_END: filter

fn work(way: Way, _count: u64) -> Result<Findings, Failure> {
    match way {
        Way::Shared => {
            let (mut source, mut sink) = (shared_source()?, shared_sink()?);
            let findings = filter(&mut source, &mut sink);
            ConsumerEnd::close(source)?;
            ProducerEnd::close(sink)?;
            findings
        }
        Way::Mediated => filter(&mut mediated_source()?, &mut mediated_sink()?),
    }
}
