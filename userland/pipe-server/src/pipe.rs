//! A pipe: what is in it, and how its ends are.

use flatmk_abi::{Error, Words};
use flatmk_runtime::mediated::{MOST_BYTES, PipeKind, PipeStatus};

use crate::buffer::Buffer;
use crate::end::{Place, Side};

/// Why a request was not done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// As things are.
    Status(PipeStatus),
    /// By the client's fault.
    Error(Error),
}

impl From<PipeStatus> for Refusal {
    fn from(status: PipeStatus) -> Self {
        Self::Status(status)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Refusal {
    pub(crate) fn into_answer(self) -> Words {
        let status = match self {
            Self::Status(status) => status as u64,
            Self::Error(error) => error.status().cast_unsigned(),
        };
        [status, 0, 0, 0]
    }
}

/// How far an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has connected it yet.
    New,
    Open,
    /// It is gone, and the other one is not yet.
    Closed,
}

struct End {
    state: State,
    /// It was told that it has to wait, and was not signalled since.
    is_waiting: bool,
}

impl End {
    const fn new() -> Self {
        Self { state: State::New, is_waiting: false }
    }
}

pub(crate) struct Pipe {
    kind: PipeKind,
    producer: End,
    consumer: End,
    buffer: Buffer,
}

impl Pipe {
    pub(crate) const fn new() -> Self {
        Self { kind: PipeKind::Items, producer: End::new(), consumer: End::new(), buffer: Buffer::new() }
    }

    #[inline(always)]
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Producer => &mut self.producer,
            Side::Consumer => &mut self.consumer,
        }
    }

    /// Connects an end, with the notification in the window.
    pub(crate) fn connect(&mut self, place: Place, kind: PipeKind) -> Result<(), Error> {
        self.notice(place);
        self.notice(place.other());
        let is_first = self.end(place.other().side()).state == State::New;
        if self.end(place.side()).state != State::New || !is_first && self.kind != kind {
            return Err(Error::InvalidState);
        }
        place.keep_notification()?;
        self.kind = kind;
        *self.end(place.side()) = End { state: State::Open, is_waiting: false };
        Ok(())
    }

    /// Whether this end may ask for something of this kind.
    #[inline(always)]
    fn check(&mut self, place: Place, kind: PipeKind) -> Result<(), Refusal> {
        let is_open = self.end(place.side()).state == State::Open;
        if is_open && self.kind == kind { Ok(()) } else { Err(Error::InvalidState.into()) }
    }

    /// The same for the producer, whose work is in vain when the consumer is gone.
    #[inline(always)]
    fn check_producer(&mut self, place: Place, kind: PipeKind) -> Result<(), Refusal> {
        self.check(place, kind)?;
        if self.consumer.state == State::Closed { Err(PipeStatus::Closed.into()) } else { Ok(()) }
    }

    // ANCHOR: push
    #[inline(always)]
    pub(crate) fn push(&mut self, place: Place, item: u64) -> Result<u64, Refusal> {
        self.check_producer(place, PipeKind::Items)?;
        if self.buffer.push(item).is_none() {
            return Err(self.refuse(place, PipeStatus::Full));
        }
        self.wake(place.other());
        Ok(0)
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self, place: Place) -> Result<u64, Refusal> {
        self.check(place, PipeKind::Items)?;
        let Some(item) = self.buffer.pop() else { return Err(self.refuse(place, PipeStatus::Empty)) };
        self.wake(place.other());
        Ok(item)
    }
    // ANCHOR_END: push

    pub(crate) fn write(&mut self, place: Place, count: u64) -> Result<u64, Refusal> {
        self.check_producer(place, PipeKind::Bytes)?;
        let count = checked(count)?;
        if self.buffer.room() < count {
            return Err(self.refuse(place, PipeStatus::Full));
        }
        // SAFETY: the frame has as many as may be asked for.
        unsafe { self.buffer.write(place.frame_start(), count) };
        self.wake(place.other());
        Ok(count as u64)
    }

    pub(crate) fn read(&mut self, place: Place, most: u64) -> Result<u64, Refusal> {
        self.check(place, PipeKind::Bytes)?;
        let count = checked(most)?.min(self.buffer.count());
        if count == 0 && most != 0 {
            return Err(self.refuse(place, PipeStatus::Empty));
        }
        // SAFETY: the frame has as many as may be asked for.
        unsafe { self.buffer.read(place.frame_start(), count) };
        self.wake(place.other());
        Ok(count as u64)
    }

    /// An end can not go on: it is to wait, unless the other one is gone.
    #[cold]
    fn refuse(&mut self, place: Place, status: PipeStatus) -> Refusal {
        self.notice(place.other());
        if self.end(place.other().side()).state == State::Closed {
            return PipeStatus::Closed.into();
        }
        self.end(place.side()).is_waiting = true;
        status.into()
    }

    /// Something has changed for this end.
    #[inline(always)]
    fn wake(&mut self, place: Place) {
        if self.end(place.side()).is_waiting {
            self.signal(place);
        }
    }

    #[cold]
    fn signal(&mut self, place: Place) {
        self.end(place.side()).is_waiting = false;
        // Whether the notification is gone is asked when it matters.
        place.notification().signal(1).unwrap_or_default();
    }

    /// An end whose notification is gone is gone.
    fn notice(&mut self, place: Place) {
        if self.end(place.side()).state == State::Open && place.is_deserted() {
            self.close(place);
        }
    }

    pub(crate) fn close_by_request(&mut self, place: Place) -> Result<u64, Refusal> {
        self.check(place, self.kind)?;
        self.close(place);
        Ok(0)
    }

    /// Closes an end. Behind the last one everything is as it was at first.
    pub(crate) fn close(&mut self, place: Place) {
        place.forget();
        *self.end(place.side()) = End { state: State::Closed, is_waiting: false };
        if self.end(place.other().side()).state == State::Closed {
            self.buffer.clear();
            (self.producer, self.consumer) = (End::new(), End::new());
        } else {
            self.wake(place.other());
        }
    }
}

/// A number of bytes that fit into a frame.
fn checked(count: u64) -> Result<usize, Refusal> {
    match usize::try_from(count) {
        Ok(count) if count <= MOST_BYTES => Ok(count),
        _ => Err(PipeStatus::TooLong.into()),
    }
}
