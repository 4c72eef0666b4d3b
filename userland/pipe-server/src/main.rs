//! The kernel-mediated pipe: a server that keeps what is in the pipe, and is called for each item. What it is asked is described in
//! [`flatmk_runtime::mediated`]. It is there to compare pipes in shared memory with: here the kernel comes into everything.
//!
//! Its clients can not make it fail: what they send is checked, memory that it touches is its own, and what is theirs it only signals.
#![no_std]
#![no_main]

mod buffer;
mod end;
mod pipe;

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, Kind, Words};
use flatmk_runtime::mediated::{BUFFER_BYTES, PIPES, PipeKind, PipeRequest, PipeStatus};
use flatmk_runtime::object::{Memory, OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::{OneTask, answer_with_window};

use end::{Place, Side};
use pipe::{Pipe, Refusal};

flatmk_runtime::entry!(main);
flatmk_runtime::transfer_service!(fn serve_entry = serve);

// SAFETY: this program is one task.
static PIPE_TABLE: OneTask<[Pipe; PIPES as usize]> = unsafe { OneTask::new([const { Pipe::new() }; PIPES as usize]) };

fn main(_argument: u64, _words: Words) {
    let memory = Memory(slots::MEMORY);
    memory.make(Kind::Frame, Place::COUNT, OWN_TABLE, Place::FIRST_FRAME).expect("memory for the frames");
    Place::all().try_for_each(Place::map_frame).expect("there is nothing else at their addresses");
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

/// The first slot of the window, as a bit.
const FIRST: u64 = 1;

fn serve(context: u64, message: &mut Words, window: u64) {
    let [number, word, ..] = *message;
    let Some(place) = Place::from_context(context) else {
        empty_window(window);
        *message = Refusal::from(Error::InvalidArgument).into_answer();
        return;
    };
    let request = PipeRequest::from_number(number);
    if request == Some(PipeRequest::Connect) {
        empty_window(window & !FIRST);
        *message = connect(place, word);
        // Whatever has come and is not kept goes, so that the next client finds the window empty.
        empty_window(FIRST);
        return;
    }
    empty_window(window);
    let done = PIPE_TABLE.with(|pipes| {
        let pipe = place.pipe_in(pipes);
        match (request, place.side()) {
            (Some(PipeRequest::Push), Side::Producer) => pipe.push(place, word),
            (Some(PipeRequest::Pop), Side::Consumer) => pipe.pop(place),
            (Some(PipeRequest::Write), Side::Producer) => pipe.write(place, word),
            (Some(PipeRequest::Read), Side::Consumer) => pipe.read(place, word),
            (Some(PipeRequest::Close), _) => pipe.close_by_request(place),
            _ => Err(Error::InvalidArgument.into()),
        }
    });
    *message = match done {
        Ok(word) => [PipeStatus::Done as u64, word, 0, 0],
        Err(refusal) => refusal.into_answer(),
    };
}

/// Connects an end. For a pipe of bytes it comes back only with an error.
fn connect(place: Place, kind: u64) -> Words {
    let connected = match PipeKind::from_number(kind) {
        Some(kind) => PIPE_TABLE.with(|pipes| place.pipe_in(pipes).connect(place, kind)).map(|()| kind),
        None => Err(Error::InvalidArgument),
    };
    let done = [PipeStatus::Done as u64, BUFFER_BYTES as u64, 0, 0];
    match connected {
        Ok(PipeKind::Items) => done,
        Ok(PipeKind::Bytes) => {
            let refused = place.lend_frame().err().unwrap_or_else(|| answer_with_window(done, FIRST));
            // The client could do nothing without the frame.
            PIPE_TABLE.with(|pipes| place.pipe_in(pipes).close(place));
            Refusal::from(refused).into_answer()
        }
        Err(error) => Refusal::from(error).into_answer(),
    }
}

/// Deletes what is in these slots of the window, one bit each.
#[inline(always)]
fn empty_window(slots: u64) {
    if slots != 0 {
        delete_from_window(slots);
    }
}

#[cold]
fn delete_from_window(slots: u64) {
    for slot in (0..4).filter(|slot| slots >> slot & 1 != 0) {
        OWN_TABLE.delete(WINDOW + slot).unwrap_or_default();
    }
}
