//! The first program of the chain: sends numbers.
#![no_std]
#![no_main]

use flatmk_abi::Words;
use flatmk_pipe::Sink;
use flatmk_runtime::OneTask;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::pipe::ProducerEnd;
use flatmk_runtime::program::SERVICE;
use pipe_chain::{Failure, Findings, Numbers, Way, mediated_sink, shared_sink};

flatmk_runtime::entry!(main);
flatmk_runtime::transfer_service!(fn serve_entry = serve);

// SAFETY: this program is one task.
static LAST: OneTask<Result<Findings, Failure>> = unsafe { OneTask::new(Ok(Findings { sum: 0, count: 0 })) };

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words, window: u64) {
    LAST.with(|last| pipe_chain::serve("generator", message, window, last, work));
}

/// Sends so many numbers. When the sink goes, the pipe is closed, and the next program knows that these were all.
fn generate(sink: &mut impl Sink<u64>, count: u64) -> Result<Findings, Failure> {
    for number in Numbers::default().take(count as usize) {
        sink.push_waiting(number)?;
    }
    Ok(Findings { sum: 0, count })
}

fn work(way: Way, count: u64) -> Result<Findings, Failure> {
    match way {
        Way::Shared => {
            let mut sink = shared_sink()?;
            let findings = generate(&mut sink, count);
            ProducerEnd::close(sink)?;
            findings
        }
        Way::Mediated => generate(&mut mediated_sink()?, count),
    }
}
