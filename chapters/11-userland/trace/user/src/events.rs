//! A trace of some work, and what is in it.

use flatmk_abi::{Event, EventKind, Kind, Operation, slots};
use flatmk_runtime::object::{Endpoint, Frame, Trace};

use crate::harness::{SCRATCH, make};

/// The kernel's trace.
pub(crate) const TRACE: Trace = Trace(slots::TRACE);

/// The slot of the scratch table with the frame into which tests trace.
pub(crate) const FRAME_SLOT: u64 = 2;

/// How many events a frame holds.
pub(crate) const CAPACITY: usize = 128;

/// Makes a frame, and lets the kernel trace into it.
pub(crate) fn begin() -> Frame {
    let frame = Frame(make(Kind::Frame, FRAME_SLOT));
    set(Some(frame));
    frame
}

/// Begins to trace into a frame, or ends it.
pub(crate) fn set(frame: Option<Frame>) {
    TRACE.set_trace(frame).expect("the kernel traces into this frame, or none");
}

/// Ends it, and takes the frame from the kernel.
pub(crate) fn end() {
    set(None);
    SCRATCH.revoke(FRAME_SLOT).expect("the frame is there");
    SCRATCH.delete(FRAME_SLOT).expect("the frame is there");
}

/// The next event, if there is one.
fn next_of_all() -> Option<Event> {
    Event::from_words(TRACE.read_trace().expect("the root task may read it"))
}

/// The next event that is no interrupt, if there is one: an interrupt can come at any time.
pub(crate) fn next() -> Option<Event> {
    core::iter::from_fn(next_of_all).find(|event| event.kind != EventKind::Interrupt)
}

/// Events that were read.
#[derive(Clone)]
pub(crate) struct Events {
    events: [Option<Event>; CAPACITY + 1],
    count: usize,
}

/// Reads all that there is.
pub(crate) fn read_all() -> Events {
    let mut events = Events { events: [None; CAPACITY + 1], count: 0 };
    for (place, event) in events.events.iter_mut().zip(core::iter::from_fn(next_of_all)) {
        *place = Some(event);
        events.count += 1;
    }
    events
}

/// The events of some work.
pub(crate) fn trace(work: impl FnOnce()) -> Events {
    begin();
    work();
    set(None);
    let events = read_all();
    end();
    events
}

/// What is expected of an event.
pub(crate) type Expected = (EventKind, u32, u32, u64);

/// A system call: of whom, which, by which capability.
pub(crate) fn made(task: u32, operation: Operation, pointer: u64) -> Expected {
    (EventKind::SystemCall, task, operation as u32, pointer)
}

/// Something between two tasks: the one that calls, waits for, answers, or has run, and the other.
pub(crate) fn between(kind: EventKind, from: u32, to: u32) -> Expected {
    if kind == EventKind::Switch { (kind, to, 0, from.into()) } else { (kind, from, 0, to.into()) }
}

impl Events {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Event> {
        self.events.iter().take(self.count).flatten().copied()
    }

    pub(crate) fn count(&self, kind: EventKind) -> usize {
        self.iter().filter(|event| event.kind == kind).count()
    }

    /// The first of a kind.
    #[track_caller]
    pub(crate) fn first(&self, kind: EventKind) -> Event {
        self.iter().find(|event| event.kind == kind).expect("there is one of this kind")
    }

    /// Checks that these are all but for interrupts, in this order.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[Expected]) {
        let found = self.iter().filter(|event| event.kind != EventKind::Interrupt);
        let is_equal = found.map(|event| summary(&event)).eq(expected.iter().copied());
        assert!(is_equal, "the events are {:#x?}, and not {expected:#x?}", Summaries(self));
    }

    /// Checks that these are among them, in this order, and nothing else of these kinds is.
    #[track_caller]
    pub(crate) fn check_those_of(&self, kinds: &[EventKind], expected: &[Expected]) {
        let found = self.iter().filter(|event| kinds.contains(&event.kind)).map(|event| summary(&event));
        assert!(found.eq(expected.iter().copied()), "the events are {:#x?}, and not {expected:#x?}", Summaries(self));
    }

    /// Checks that time has not gone back from one event to the next.
    #[track_caller]
    pub(crate) fn check_times(&self) {
        let times = self.iter().filter(|event| event.kind != EventKind::Lost).map(|event| event.time);
        assert!(times.is_sorted(), "the events are {:#x?}", Summaries(self));
    }
}

fn summary(event: &Event) -> Expected {
    (event.kind, event.task, event.detail, event.first)
}

struct Summaries<'a>(&'a Events);

impl core::fmt::Debug for Summaries<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|event| summary(&event))).finish()
    }
}

/// The numbers of this task, and of the one behind an endpoint: by an event in which both are.
pub(crate) fn numbers(endpoint: Endpoint) -> (u32, u32) {
    let call = trace(|| {
        endpoint.call([0; 4]).expect("it answers");
    })
    .first(EventKind::Call);
    (call.task, call.first as u32)
}
