//! A pipe between two threads of a model.

use std::mem::ManuallyDrop;

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};

use crate::atomic::{Ordering, fence};
use crate::bell::{Bell, Peer};
use crate::error::Error;
use crate::memory::EndPage;
use crate::planted;
use crate::reader::Reader;
use crate::writer::Writer;

/// The memory of a pipe, and the notifications of its ends.
pub(crate) struct Pipe {
    /// Apart, as the stacks of a model's threads are small.
    producer_page: Box<EndPage>,
    consumer_page: Box<EndPage>,
    /// The data, in cells that find two that use one at once.
    cells: Vec<UnsafeCell<u32>>,
    for_producer: Notification,
    for_consumer: Notification,
}

impl Pipe {
    /// A pipe with room for so many items.
    pub(crate) fn new(capacity: u32) -> Self {
        Self {
            producer_page: Box::default(),
            consumer_page: Box::default(),
            cells: (0..capacity).map(UnsafeCell::new).collect(),
            for_producer: Notification::default(),
            for_consumer: Notification::default(),
        }
    }

    pub(crate) fn producer(&self) -> Producer<'_> {
        let bell = NotificationBell { own: &self.for_producer, peer: &self.for_consumer };
        let writer = Writer::new(&self.producer_page, &self.consumer_page, self.capacity(), bell);
        Producer { writer: ManuallyDrop::new(writer), pipe: self }
    }

    pub(crate) fn consumer(&self) -> Consumer<'_> {
        let bell = NotificationBell { own: &self.for_consumer, peer: &self.for_producer };
        let reader = Reader::new(&self.consumer_page, &self.producer_page, self.capacity(), bell);
        Consumer { reader: ManuallyDrop::new(reader), pipe: self }
    }

    fn capacity(&self) -> u32 {
        self.cells.len() as u32
    }

    fn cell(&self, position: u32) -> &UnsafeCell<u32> {
        self.cells.get((position % self.capacity()) as usize).expect("it is less than their number")
    }
}

/// The end that sends. It is closed only when a model says so: that rings, and nobody would see that nothing else has.
pub(crate) struct Producer<'a> {
    writer: ManuallyDrop<Writer<'a, NotificationBell<'a>>>,
    pipe: &'a Pipe,
}

impl Producer<'_> {
    pub(crate) fn push(&mut self, item: u32) -> Result<(), Error> {
        let pipe = self.pipe;
        // SAFETY: the model checker sees to it that nobody else uses the cell.
        self.writer.write(|position| pipe.cell(position).with_mut(|cell| unsafe { *cell = item }))
    }

    pub(crate) fn push_waiting(&mut self, item: u32) -> Result<(), Error> {
        loop {
            match self.push(item) {
                Err(Error::Full) => self.writer.wait(1)?,
                outcome => return outcome,
            }
        }
    }

    /// Publishes so many items at once, which nobody looks at.
    pub(crate) fn push_many_waiting(&mut self, count: u32) -> Result<(), Error> {
        loop {
            match self.writer.reserve(count, count) {
                Ok(_) => break,
                Err(Error::Full) => self.writer.wait(count)?,
                Err(error) => return Err(error),
            }
        }
        self.writer.publish(count);
        Ok(())
    }

    pub(crate) fn close(self) {
        drop(ManuallyDrop::into_inner(self.writer));
    }

    /// It is gone without having closed anything, and the kernel knows.
    pub(crate) fn die(self) {
        self.pipe.for_consumer.signal(Peer::Gone);
    }
}

/// The end that receives.
pub(crate) struct Consumer<'a> {
    reader: ManuallyDrop<Reader<'a, NotificationBell<'a>>>,
    pipe: &'a Pipe,
}

impl Consumer<'_> {
    pub(crate) fn pop(&mut self) -> Result<u32, Error> {
        let pipe = self.pipe;
        // SAFETY: the model checker sees to it that nobody writes the cell.
        self.reader.read(|position| pipe.cell(position).with(|cell| unsafe { *cell }))
    }

    pub(crate) fn pop_waiting(&mut self) -> Result<u32, Error> {
        loop {
            match self.pop() {
                Err(Error::Empty) => self.reader.wait(1)?,
                outcome => return outcome,
            }
        }
    }

    pub(crate) fn close(self) {
        drop(ManuallyDrop::into_inner(self.reader));
    }

    /// It is gone without having closed anything, and the kernel knows.
    pub(crate) fn die(self) {
        self.pipe.for_producer.signal(Peer::Gone);
    }
}

/// A notification of the kernel: a signal stays until somebody has waited for it.
#[derive(Default)]
struct Notification {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_signalled: bool,
    /// Whether the end that signals is gone.
    is_last: bool,
}

impl Notification {
    fn signal(&self, peer: Peer) {
        let mut state = self.state.lock().expect("nobody has panicked");
        state.is_signalled = true;
        state.is_last |= peer == Peer::Gone;
        self.changed.notify_one();
    }

    fn wait(&self) -> Peer {
        let mut state = self.state.lock().expect("nobody has panicked");
        while !state.is_signalled {
            state = self.changed.wait(state).expect("nobody has panicked");
        }
        state.is_signalled = false;
        if state.is_last { Peer::Gone } else { Peer::There }
    }
}

/// The bell of an end that waits for its notification, and signals the other's.
struct NotificationBell<'a> {
    own: &'a Notification,
    peer: &'a Notification,
}

impl Bell for NotificationBell<'_> {
    fn sleeper_barrier(&mut self) {
        fence(Ordering::SeqCst);
    }

    /// The model checker knows no barrier that takes effect on another processor. But that is what such a pair of barriers promises: wherever a cheap one meets
    /// the expensive one of another processor, both are full ones.
    fn publisher_barrier(&mut self) {
        if !planted::MISSING_PUBLISHER_FENCE {
            fence(Ordering::SeqCst);
        }
    }

    fn sleep(&mut self) -> Peer {
        self.own.wait()
    }

    fn ring(&mut self) {
        self.peer.signal(Peer::There);
    }
}
