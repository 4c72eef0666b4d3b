//! Programs with a pipe, each of which says what must hold however its threads take turns.

use std::rc::Rc;

use loom::thread;

use crate::error::Error;
use crate::pipe::{Consumer, Pipe, Producer};
use crate::search;

/// The room in the buffer of most models, in items.
const CAPACITY: u32 = 2;

/// The room in the buffer of the one in which the producer wants all of it.
const LARGE: u32 = 8;

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Items come once each and in order, through a buffer with fewer places, when both ends ask again and again.
    Items,
    /// A consumer that sleeps is woken for each item.
    ConsumerSleeps,
    /// A producer that sleeps is woken when there is room.
    ProducerSleeps,
    /// Both sleep, in turns.
    BothSleep,
    /// A producer that wants all the room is woken again until it has it.
    LargeFrame,
    /// The producer closes: a consumer that asks again and again receives all, and then learns of it.
    ProducerCloses,
    /// The producer closes while the consumer sleeps.
    ProducerClosesForSleeper,
    /// The producer sends and closes, while the consumer sleeps or does not.
    ProducerSendsAndCloses,
    /// The consumer closes: the producer learns of it.
    ConsumerCloses,
    /// Both close, at any time.
    BothClose,
    /// The producer dies: the consumer receives all, and then learns of it.
    ProducerDies,
    /// The consumer dies: the producer learns of it.
    ConsumerDies,
}

impl Model {
    /// Runs the program in all orders. Returns their number.
    ///
    /// # Panics
    ///
    /// If something goes wrong in one of them.
    #[must_use]
    pub fn check(self) -> u64 {
        match self {
            Self::Items => run(
                0,
                |mut producer| (1..=3).for_each(|item| assert_eq!(retry(|| producer.push(item)), Ok(()))),
                |mut consumer| (1..=3).for_each(|item| assert_eq!(retry(|| consumer.pop()), Ok(item))),
            ),
            Self::ConsumerSleeps => run(
                0,
                |mut producer| (1..=2).for_each(|item| assert_eq!(producer.push(item), Ok(()))),
                |mut consumer| (1..=2).for_each(|item| assert_eq!(consumer.pop_waiting(), Ok(item))),
            ),
            Self::ProducerSleeps => run(
                2,
                |mut producer| (3..=4).for_each(|item| assert_eq!(producer.push_waiting(item), Ok(()))),
                |mut consumer| (1..=2).for_each(|item| assert_eq!(consumer.pop(), Ok(item))),
            ),
            Self::BothSleep => run(
                2,
                |mut producer| assert_eq!(producer.push_waiting(3), Ok(())),
                |mut consumer| (1..=3).for_each(|item| assert_eq!(consumer.pop_waiting(), Ok(item))),
            ),
            Self::LargeFrame => run_with_capacity(
                LARGE,
                1,
                |mut producer| assert_eq!(producer.push_many_waiting(LARGE), Ok(())),
                |mut consumer| (0..2).for_each(|_| assert!(consumer.pop_waiting().is_ok())),
            ),
            Self::ProducerCloses => run(
                0,
                |mut producer| {
                    assert_eq!(producer.push(1), Ok(()));
                    producer.close();
                },
                |mut consumer| {
                    assert_eq!(retry(|| consumer.pop()), Ok(1));
                    assert_eq!(retry(|| consumer.pop()), Err(Error::Closed));
                },
            ),
            Self::ProducerClosesForSleeper => run(
                1,
                |producer| producer.close(),
                |mut consumer| {
                    assert_eq!(consumer.pop_waiting(), Ok(1));
                    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
                },
            ),
            Self::ProducerSendsAndCloses => run(
                0,
                |mut producer| {
                    assert_eq!(producer.push(1), Ok(()));
                    producer.close();
                },
                |mut consumer| {
                    assert_eq!(consumer.pop_waiting(), Ok(1));
                    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
                },
            ),
            Self::ConsumerCloses => run(
                2,
                |mut producer| {
                    assert_eq!((3..=4).find_map(|item| producer.push_waiting(item).err()), Some(Error::Closed));
                },
                |mut consumer| {
                    assert_eq!(consumer.pop(), Ok(1));
                    consumer.close();
                },
            ),
            Self::BothClose => run(
                0,
                |mut producer| {
                    let _ = producer.push_waiting(1);
                    producer.close();
                },
                |mut consumer| {
                    let _ = consumer.pop_waiting();
                    consumer.close();
                },
            ),
            Self::ProducerDies => run(
                0,
                |mut producer| {
                    assert_eq!(producer.push(1), Ok(()));
                    producer.die();
                },
                |mut consumer| {
                    assert_eq!(consumer.pop_waiting(), Ok(1));
                    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
                },
            ),
            Self::ConsumerDies => run(
                2,
                |mut producer| {
                    assert_eq!((3..=4).find_map(|item| producer.push_waiting(item).err()), Some(Error::Closed));
                },
                |mut consumer| {
                    assert_eq!(consumer.pop(), Ok(1));
                    consumer.die();
                },
            ),
        }
    }
}

/// Tries again while it is full or empty.
fn retry<R>(mut attempt: impl FnMut() -> Result<R, Error>) -> Result<R, Error> {
    loop {
        match attempt() {
            Err(Error::Full | Error::Empty) => thread::yield_now(),
            outcome => return outcome,
        }
    }
}

/// Two threads, each with one end, in all orders of what they do, with so many items in the pipe.
fn run(before: u32, producer: fn(Producer<'_>), consumer: fn(Consumer<'_>)) -> u64 {
    run_with_capacity(CAPACITY, before, producer, consumer)
}

fn run_with_capacity(capacity: u32, before: u32, producer: fn(Producer<'_>), consumer: fn(Consumer<'_>)) -> u64 {
    search::all_orders(move || {
        // A model's threads are coroutines of one thread.
        let pipe = Rc::new(Pipe::new(capacity));
        let mut first = pipe.producer();
        (1..=before).for_each(|item| assert_eq!(first.push(item), Ok(())));
        let other = Rc::clone(&pipe);
        let thread = thread::spawn(move || consumer(other.consumer()));
        producer(first);
        thread.join().expect("the search stops at the first panic");
    })
}
