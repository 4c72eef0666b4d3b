//! An end that writes into its page what cannot be: the other one says so, stays within the buffer, and never goes back on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use flatmk_pipe::{Consumer, Error, NoBell, Producer};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};

use crate::memory::{End, PAGE_BYTES, PipeMemory};

/// How many words fit.
const CAPACITY: u32 = (PAGE_BYTES / 8) as u32;

/// A consumer that knows of two items of three which were sent is told this position.
fn consumer_told(position: u32) -> Result<usize, Error> {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
    assert_eq!(producer.push_slice(&[1, 2, 3]), Ok(3));
    assert_eq!(consumer.pop(), Ok(1));
    memory.position(End::Producer).store(position, Relaxed);
    let outcome = consumer.peek_up_to(CAPACITY as usize).map(|filled| filled.len());
    if outcome.is_err() {
        memory.position(End::Producer).store(3, Relaxed);
        assert_eq!(consumer.pop(), outcome.map(|_| 0), "it stays so when the position is mended");
        assert_eq!(consumer.pop_waiting(), Err(Error::Corrupt));
        assert_eq!(consumer.pop_slice(&mut [0; 2]), Err(Error::Corrupt));
        assert_eq!(memory.position(End::Consumer).load(Relaxed), 1, "nothing is taken");
    }
    outcome
}

#[test]
fn a_consumer_believes_what_can_be() {
    assert_eq!(consumer_told(3), Ok(2));
    assert_eq!(consumer_told(1 + CAPACITY), Ok(CAPACITY as usize), "as much as fits");
}

#[test]
fn a_producer_that_goes_back_or_too_far_has_corrupted_the_pipe() {
    for position in [2, 1, 0, 2 + CAPACITY, 1 << 31, u32::MAX] {
        assert_eq!(consumer_told(position), Err(Error::Corrupt), "{position}");
    }
}

/// A producer that has filled the buffer, and knows that four items of it were taken, is told this position.
fn producer_told(position: u32) -> Result<usize, Error> {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
    producer.reserve(CAPACITY as usize).unwrap().commit();
    consumer.peek(4).unwrap().release();
    assert_eq!(producer.push(0), Ok(()));
    memory.position(End::Consumer).store(position, Relaxed);
    let outcome = producer.reserve_up_to(CAPACITY as usize).map(|reserved| reserved.len());
    if outcome.is_err() {
        memory.position(End::Consumer).store(4, Relaxed);
        assert_eq!(producer.push(0).map(|()| 0), outcome, "it stays so when the position is mended");
        assert_eq!(producer.push_waiting(0), Err(Error::Corrupt));
        assert_eq!(producer.push_slice(&[0; 2]), Err(Error::Corrupt));
        assert_eq!(memory.position(End::Producer).load(Relaxed), CAPACITY + 1, "nothing is sent");
    }
    outcome
}

#[test]
fn a_producer_believes_what_can_be() {
    assert_eq!(producer_told(4), Ok(3));
    assert_eq!(producer_told(CAPACITY + 1), Ok(CAPACITY as usize), "all of it was taken");
}

#[test]
fn a_consumer_that_goes_back_or_too_far_has_corrupted_the_pipe() {
    for position in [3, 0, u32::MAX, CAPACITY + 2, 1 << 31] {
        assert_eq!(producer_told(position), Err(Error::Corrupt), "{position}");
    }
}

/// What an end says of its position, to one that knows of some items or of some room.
#[derive(Clone, Copy, Debug)]
enum Position {
    /// That there is more: so much of what there can be, in hundredths.
    Further(u32),
    /// Something else, counted from the position of the end that is told; mostly it cannot be.
    Off(u32),
}

impl Position {
    /// How much there is if it is so, and `known` was known to be there.
    fn amount(self, known: u32) -> u32 {
        match self {
            Self::Further(part) => known + (CAPACITY - known) * part / 100,
            Self::Off(amount) => amount,
        }
    }
}

/// What both ends are told, whether they are told that the other one is closed, and of how much of what they may use they make use, in hundredths.
type Told = ([Position; 2], [bool; 2], [u32; 2]);

fn told() -> impl Strategy<Value = Vec<Told>> {
    let part = || prop_oneof![2 => Just(0), 1 => Just(100), 4 => 0..=100_u32];
    let near = || prop_oneof![0..2 * CAPACITY, (1..CAPACITY).prop_map(u32::wrapping_neg)];
    let position = || {
        prop_oneof![
            60 => part().prop_map(Position::Further),
            1 => near().prop_map(Position::Off),
            1 => any::<u32>().prop_map(Position::Off),
        ]
    };
    let closed = || prop::bool::weighted(0.1);
    prop::collection::vec(([position(), position()], [closed(), closed()], [part(), part()]), 1..40)
}

/// What an end knows, and what it has to say.
#[derive(Default)]
struct Expected {
    /// How many items it has taken or sent.
    position: u32,
    /// How many it may still take or send, as far as is known.
    known: u32,
    /// Why there are no more, for ever.
    end: Option<Error>,
}

impl Expected {
    /// What it says of this amount, if `nothing` is what it says of none.
    fn told(&mut self, amount: u32, closed: bool, nothing: Error) -> Result<usize, Error> {
        if let Some(end) = self.end {
            return Err(end);
        }
        let outcome = match amount {
            _ if amount > CAPACITY || amount < self.known => Err(Error::Corrupt),
            0 if closed => Err(Error::Closed),
            0 => return Err(nothing),
            _ => Ok(amount as usize),
        };
        self.end = outcome.err();
        self.known = outcome.unwrap_or(0) as u32;
        outcome
    }

    /// It has used so many.
    fn uses(&mut self, count: usize) {
        self.position = self.position.wrapping_add(count as u32);
        self.known -= count as u32;
    }
}

/// Two ends that are told what the other one never said, and what is in the buffer.
struct Deceived<'a> {
    memory: &'a PipeMemory,
    producer: Producer<'a, u64>,
    consumer: Consumer<'a, u64>,
    sent: Expected,
    received: Expected,
    buffer: Vec<u64>,
}

impl<'a> Deceived<'a> {
    fn new(memory: &'a PipeMemory) -> Self {
        let (producer, consumer) = memory.ends(NoBell, NoBell);
        let sent = Expected { known: CAPACITY, ..Expected::default() };
        let buffer = vec![0; CAPACITY as usize];
        Self { memory, producer, consumer, sent, received: Expected::default(), buffer }
    }

    fn consume(&mut self, position: Position, closed: bool, part: u32) -> Result<Result<usize, Error>, TestCaseError> {
        let filled = position.amount(self.received.known);
        self.memory.position(End::Producer).store(self.received.position.wrapping_add(filled), Relaxed);
        self.memory.closed(End::Producer).store(closed.into(), Relaxed);
        let expected = self.received.told(filled, closed, Error::Empty);
        let found = self.consumer.peek_up_to(usize::MAX);
        prop_assert_eq!(found.as_ref().map(|filled| filled.len()).map_err(|&error| error), expected);
        if let Ok(filled) = found {
            let mut items = vec![0; filled.len()];
            filled.copy_to_slice(&mut items);
            let places = self.buffer.iter().cycle().skip((self.received.position % CAPACITY) as usize);
            prop_assert!(places.take(items.len()).eq(&items), "they are not those of the buffer, in their order");
            let count = filled.len() * part as usize / 100;
            filled.release_first(count);
            self.received.uses(count);
        }
        Ok(expected)
    }

    fn produce(&mut self, position: Position, closed: bool, part: u32) -> Result<Result<usize, Error>, TestCaseError> {
        let free = position.amount(self.sent.known);
        let told = self.sent.position.wrapping_add(free).wrapping_sub(CAPACITY);
        self.memory.position(End::Consumer).store(told, Relaxed);
        self.memory.closed(End::Consumer).store(closed.into(), Relaxed);
        let expected = self.sent.told(free, closed, Error::Full);
        let found = self.producer.reserve_up_to(usize::MAX);
        prop_assert_eq!(found.as_ref().map(|room| room.len()).map_err(|&error| error), expected);
        if let Ok(mut room) = found {
            let count = room.len() * part as usize / 100;
            for index in 0..count {
                let number = self.sent.position.wrapping_add(index as u32);
                room.set(index, number.into());
                self.buffer[(number % CAPACITY) as usize] = number.into();
            }
            room.commit_first(count);
            self.sent.uses(count);
        }
        Ok(expected)
    }
}

/// Anything may be in the page of the other end, at any time. Each position tells for itself what is to come of it, until one end has learnt that there is no more.
#[test]
fn whatever_is_told_an_end_stays_within_the_buffer() {
    let default = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    let seed = if default.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { default.rng_seed };
    let seen = RefCell::new(BTreeMap::new());
    let outcome = TestRunner::new(ProptestConfig { rng_seed: seed, ..default }).run(&told(), |told| {
        let memory = PipeMemory::new(PAGE_BYTES);
        let mut ends = Deceived::new(&memory);
        for (positions, closed, parts) in told {
            let outcomes = [
                ("received", ends.consume(positions[0], closed[0], parts[0])?),
                ("sent", ends.produce(positions[1], closed[1], parts[1])?),
            ];
            for (what, outcome) in outcomes {
                *seen.borrow_mut().entry(format!("{what} {:?}", outcome.err())).or_insert(0) += 1;
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    assert!(seen.len() == 8 && seen.values().all(|&times| times >= 1000), "something is hardly tried: {seen:?}");
}

#[test]
fn what_was_sent_before_the_end_is_received_and_the_end_is_for_ever() {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, NoBell);
    assert_eq!(producer.push_slice(&[1, 2]), Ok(2));
    drop(producer);
    assert!(matches!(consumer.peek(3), Err(Error::Closed)), "there will never be so many");
    assert_eq!(consumer.pop(), Ok(1), "but those that are left are there");
    assert_eq!(consumer.pop_waiting(), Ok(2));
    assert_eq!(consumer.pop(), Err(Error::Closed));
    memory.position(End::Producer).store(3, Relaxed);
    memory.closed(End::Producer).store(0, Relaxed);
    assert_eq!(consumer.pop(), Err(Error::Closed), "whatever is said later");
}

/// What becomes of a frame of 20 bytes of which the header says this length.
fn frame_said_to_have(length: u32, room: usize) -> Result<usize, Error> {
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.frame_ends();
    producer.push(&[7; 20]).unwrap();
    length.to_le_bytes().into_iter().enumerate().for_each(|(index, byte)| memory.poke(index, byte));
    let outcome = consumer.pop(&mut vec![0; room]);
    if outcome == Err(Error::Corrupt) {
        memory.poke(0, 20);
        (1..4).for_each(|index| memory.poke(index, 0));
        assert_eq!(consumer.pop(&mut [0; 20]), outcome, "it stays so when the length is mended");
    }
    outcome
}

#[test]
fn a_frame_is_not_longer_than_what_was_sent() {
    for length in [25, 32, PAGE_BYTES as u32 - 8, PAGE_BYTES as u32, 1 << 31, u32::MAX - 7, u32::MAX] {
        assert_eq!(frame_said_to_have(length, 2 * PAGE_BYTES), Err(Error::Corrupt), "{length}");
    }
    assert_eq!(frame_said_to_have(24, 24), Ok(24), "what was sent are whole words");
    assert_eq!(frame_said_to_have(24, 20), Err(Error::TooLong), "the memory is the receiver's choice");
}
