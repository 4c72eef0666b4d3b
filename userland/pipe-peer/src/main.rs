//! The other end of the pipes that the benchmark measures: receives as much as it is told to.
#![no_std]
#![no_main]

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, Kind, Words};
use flatmk_pipe::{Consumer, Error as PipeError, FrameConsumer, Source};
use flatmk_runtime::OneTask;
use flatmk_runtime::mediated::{MediatedConsumer, MediatedReader};
use flatmk_runtime::object::{Done, Endpoint, Memory, Notification, OWN_TABLE, OWN_TASK, Reply};
use flatmk_runtime::pipe::{ConsumerEnd, NotificationBell, OpenError};
use flatmk_runtime::program::SERVICE;
use pipe_peer::{FRAME_BYTES, PeerRequest, SLICE_ITEMS, Stream};

flatmk_runtime::entry!(main);
flatmk_runtime::transfer_service!(fn serve_entry = serve);

/// Slots: the end, its notifications, its frame, and the caller while the peer works.
const END: u64 = 16;
const BELLS: u64 = 20;
const FRAME: u64 = 22;
const CALLER: u64 = 24;

/// Where the end is mapped.
const ADDRESS: u64 = 0x2000_0000;

/// An end that is open.
enum Open {
    Items(Consumer<'static, u64, NotificationBell>),
    MediatedItems(MediatedConsumer),
    Frames(FrameConsumer<'static, NotificationBell>),
    MediatedBytes(MediatedReader),
}

struct State {
    open: Option<Open>,
    /// The sum of what was received, or why that was not all.
    received: Result<u64, PipeError>,
}

// SAFETY: this program is one task.
static STATE: OneTask<State> = unsafe { OneTask::new(State { open: None, received: Ok(0) }) };

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words, window: u64) {
    let [number, word, ..] = *message;
    STATE.with(|state| {
        let done = match PeerRequest::from_number(number) {
            Some(PeerRequest::Open) => state.open(word, window).map(|()| [0; 4]),
            Some(PeerRequest::Take) => answer_now().map(|()| state.receive(word)),
            Some(PeerRequest::TakeSlices) => answer_now().map(|()| state.receive_slices(word)),
            Some(PeerRequest::Report) => state.report(),
            Some(PeerRequest::Close) => state.close().map(|()| [0; 4]),
            None => Err(Error::InvalidArgument),
        };
        *message = done.unwrap_or([1, 0, 0, 0]);
    });
}

/// Answers, so that the caller goes on at the same time.
#[inline(always)]
fn answer_now() -> Done {
    OWN_TABLE.move_here(CALLER, slots::REPLY)?;
    Reply(CALLER).reply([0; 4])
}

impl State {
    fn open(&mut self, stream: u64, window: u64) -> Done {
        if self.open.is_some() || window != 1 {
            return Err(Error::InvalidState);
        }
        OWN_TABLE.move_here(END, WINDOW)?;
        let stream = Stream::from_number(stream).ok_or(Error::InvalidArgument)?;
        if matches!(stream, Stream::MediatedItems | Stream::MediatedBytes) {
            Memory(slots::MEMORY).make(Kind::Notification, 1, OWN_TABLE, BELLS)?;
        }
        let (end, bell) = (Endpoint(END), Notification(BELLS));
        self.open = Some(match stream {
            Stream::Items => Open::Items(ConsumerEnd(end).open(ADDRESS, BELLS).map_err(refused)?),
            Stream::Frames => Open::Frames(ConsumerEnd(end).open_frames(ADDRESS, BELLS).map_err(refused)?),
            Stream::MediatedItems => Open::MediatedItems(MediatedConsumer::connect(end, bell)?),
            Stream::MediatedBytes => Open::MediatedBytes(MediatedReader::connect(end, bell, FRAME, ADDRESS)?),
        });
        Ok(())
    }

    /// Receives so often.
    #[inline(always)]
    fn receive(&mut self, count: u64) -> Words {
        self.received = match &mut self.open {
            Some(Open::Items(consumer)) => add_up(count, || consumer.pop_waiting()),
            Some(Open::MediatedItems(consumer)) => add_up(count, || consumer.pop_waiting()),
            Some(Open::Frames(consumer)) => {
                let mut frame = [0; FRAME_BYTES];
                add_up(count, || consumer.pop_waiting(&mut frame).map(|_| first_word(&frame)))
            }
            Some(Open::MediatedBytes(reader)) => add_up(count, || reader.read_waiting(FRAME_BYTES).map(first_word)),
            None => Err(PipeError::Closed),
        };
        [0; 4]
    }

    /// Receives slices, so often.
    #[inline(always)]
    fn receive_slices(&mut self, count: u64) -> Words {
        let mut slice = [0; SLICE_ITEMS];
        self.received = match &mut self.open {
            Some(Open::Items(consumer)) => add_up(count, || consumer.pop_slice_waiting(&mut slice).map(|()| slice[0])),
            _ => Err(PipeError::Closed),
        };
        [0; 4]
    }

    fn report(&self) -> Result<Words, Error> {
        let (sleeps, rings) = match &self.open {
            Some(Open::Items(consumer)) => consumer.kernel_events(),
            Some(Open::Frames(consumer)) => consumer.kernel_events(),
            // Each item is one.
            Some(Open::MediatedItems(_) | Open::MediatedBytes(_)) | None => (0, 0),
        };
        let sum = self.received.map_err(|_| Error::InvalidState)?;
        Ok([0, sum, u64::from(sleeps) + u64::from(rings), 0])
    }

    fn close(&mut self) -> Done {
        match self.open.take().ok_or(Error::InvalidState)? {
            Open::Items(consumer) => ConsumerEnd::close(consumer),
            Open::Frames(consumer) => ConsumerEnd::close_frames(consumer),
            mediated @ (Open::MediatedItems(_) | Open::MediatedBytes(_)) => {
                drop(mediated);
                OWN_TABLE.delete(BELLS).and_then(|()| OWN_TABLE.delete(END))
            }
        }
    }
}

/// Receives so often, and returns the sum.
#[inline(always)]
fn add_up(count: u64, mut receive: impl FnMut() -> Result<u64, PipeError>) -> Result<u64, PipeError> {
    let (mut left, mut sum) = (count, 0_u64);
    while left > 0 {
        sum = sum.wrapping_add(receive()?);
        left -= 1;
    }
    Ok(sum)
}

/// The first 8 bytes as a number.
#[inline(always)]
fn first_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn refused(error: OpenError) -> Error {
    match error {
        OpenError::Refused(error) => error,
        OpenError::TooSmall(_) => Error::InvalidArgument,
    }
}
