//! A pipe of items is a queue with a limit.

use std::collections::VecDeque;
use std::fmt::Debug;

use flatmk_pipe::{Bell, Consumer, Error, Item, NoBell, Peer, Producer};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestCaseResult, TestRunner};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::memory::{PAGE_BYTES, PipeMemory};

/// Something that an end does. Numbers of items are parts of what fits, in hundredths.
#[derive(Clone, Debug)]
enum Operation {
    Push,
    Pop,
    PushSlice(usize),
    PopSlice(usize),
    /// Reserves, for exactly so many or up to so many, writes all, and sends the first ones, or none.
    Reserve(Count, usize, Option<usize>),
    /// Looks at so many, and takes the first ones, or none.
    Peek(Count, usize, Option<usize>),
    CloseProducer,
    CloseConsumer,
}

/// Whether fewer will do.
#[derive(Clone, Copy, Debug)]
enum Count {
    Exactly,
    UpTo,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    // A little more than fits, and seldom much more.
    let part = || prop_oneof![20 => 0..130_usize, 1 => Just(usize::MAX)];
    let some = || prop_oneof![2 => Just(None), 3 => Just(Some(100)), 5 => (0..=100_usize).prop_map(Some)];
    let count = || prop_oneof![Just(Count::Exactly), Just(Count::UpTo)];
    let operation = prop_oneof![
        10 => Just(Operation::Push),
        10 => Just(Operation::Pop),
        10 => part().prop_map(|part| Operation::PushSlice(part.min(130))),
        10 => part().prop_map(|part| Operation::PopSlice(part.min(130))),
        10 => (count(), part(), some()).prop_map(|(count, part, some)| Operation::Reserve(count, part, some)),
        10 => (count(), part(), some()).prop_map(|(count, part, some)| Operation::Peek(count, part, some)),
        1 => Just(Operation::CloseProducer),
        1 => Just(Operation::CloseConsumer),
    ];
    prop::collection::vec(operation, 1..200)
}

/// A type of which different numbers make different items, as far as it has so many.
trait Numbered: Item + Debug + PartialEq {
    fn numbered(number: u32) -> Self;
}

impl Numbered for u8 {
    fn numbered(number: u32) -> Self {
        (number % 251) as u8
    }
}

impl Numbered for u64 {
    fn numbered(number: u32) -> Self {
        (Self::from(number) << 32) | Self::from(!number)
    }
}

/// Neither the page nor 2^32 is a multiple of its size.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Twelve([u32; 3]);

impl Numbered for Twelve {
    fn numbered(number: u32) -> Self {
        Self([number, !number, number.rotate_left(7)])
    }
}

/// Three of these fit into a page, with as much room left as makes one begin in any of three places.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Third([u32; 300]);

impl Numbered for Third {
    fn numbered(number: u32) -> Self {
        Self(std::array::from_fn(|index| number.wrapping_add(index as u32)))
    }
}

/// As large as the buffer.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Whole([u64; PAGE_BYTES / 8]);

impl Numbered for Whole {
    fn numbered(number: u32) -> Self {
        Self([u64::from(number); PAGE_BYTES / 8])
    }
}

/// A bell that says that there is somebody to ring for, so that ends look.
struct NobodySleeps;

impl Bell for NobodySleeps {
    fn sleeper_barrier(&mut self) {}

    fn sleep(&mut self) -> Peer {
        Peer::There
    }

    fn ring(&mut self) {}
}

/// A pipe and the queue that it ought to be.
struct Pair<'a, T: Item, B: Bell> {
    producer: Option<Producer<'a, T, B>>,
    consumer: Option<Consumer<'a, T, B>>,
    queue: VecDeque<T>,
    capacity: usize,
    next: u32,
    /// Whether the producer has learnt that the consumer is closed.
    knows: bool,
    /// Whether the consumer has learnt that nothing more comes.
    ended: bool,
}

impl<'a, T: Numbered, B: Bell> Pair<'a, T, B> {
    fn new(memory: &'a PipeMemory, capacity: usize, bells: (B, B)) -> Self {
        let (producer, consumer) = memory.ends(bells.0, bells.1);
        let (producer, consumer) = (Some(producer), Some(consumer));
        Self { producer, consumer, queue: VecDeque::new(), capacity, next: 0, knows: false, ended: false }
    }

    /// What the next operation of the producer is expected to yield, for room for at least `least` of `most` items.
    fn room(&mut self, least: usize, most: usize) -> Result<usize, Error> {
        let free = if self.knows { 0 } else { self.capacity - self.queue.len() };
        if free >= least {
            return Ok(free.min(most));
        }
        self.knows |= self.consumer.is_none();
        Err(if self.knows {
            Error::Closed
        } else if least > self.capacity {
            Error::TooLong
        } else {
            Error::Full
        })
    }

    /// The same for the consumer.
    fn stock(&mut self, least: usize, most: usize) -> Result<usize, Error> {
        let filled = self.queue.len();
        if filled >= least {
            return Ok(filled.min(most));
        }
        if least > self.capacity && !self.ended {
            return Err(Error::TooLong);
        }
        self.ended |= self.producer.is_none() && filled == 0;
        Err(if self.producer.is_none() { Error::Closed } else { Error::Empty })
    }

    fn items(&self, count: usize) -> Vec<T> {
        (0..count).map(|index| T::numbered(self.next.wrapping_add(index as u32))).collect()
    }

    /// So many were sent.
    fn sent(&mut self, count: usize) {
        let items = self.items(count);
        self.queue.extend(items);
        self.next = self.next.wrapping_add(count as u32);
        // Who publishes looks whether the other end sleeps, and so learns that it is closed.
        self.knows |= B::RINGS && count > 0 && self.consumer.is_none();
    }

    fn part(&self, part: usize) -> usize {
        if part == usize::MAX { part } else { (self.capacity * part).div_ceil(100) }
    }

    fn perform(&mut self, operation: &Operation) -> TestCaseResult {
        match *operation {
            Operation::Push | Operation::PushSlice(_) | Operation::Reserve(..) => {
                let Some(mut producer) = self.producer.take() else { return Ok(()) };
                let outcome = self.produce(&mut producer, operation);
                self.producer = Some(producer);
                outcome
            }
            Operation::Pop | Operation::PopSlice(_) | Operation::Peek(..) => {
                let Some(mut consumer) = self.consumer.take() else { return Ok(()) };
                let outcome = self.consume(&mut consumer, operation);
                self.consumer = Some(consumer);
                outcome
            }
            Operation::CloseProducer => {
                self.producer = None;
                Ok(())
            }
            Operation::CloseConsumer => {
                self.consumer = None;
                Ok(())
            }
        }
    }
}

impl<'a, T: Numbered, B: Bell> Pair<'a, T, B> {
    fn produce(&mut self, producer: &mut Producer<'a, T, B>, operation: &Operation) -> TestCaseResult {
        match *operation {
            Operation::PushSlice(part) => {
                let items = self.items(self.part(part));
                let expected = self.room(items.len().min(1), items.len());
                prop_assert_eq!(producer.push_slice(&items), expected);
                self.sent(expected.unwrap_or(0));
            }
            Operation::Reserve(count, part, some) => {
                let most = self.part(part);
                let (expected, reserved) = match count {
                    Count::Exactly => (self.room(most, most), producer.reserve(most)),
                    Count::UpTo => (self.room(most.min(1), most), producer.reserve_up_to(most)),
                };
                prop_assert_eq!(reserved.as_ref().map(|reserved| reserved.len()).map_err(|&error| error), expected);
                if let Ok(mut reserved) = reserved {
                    for (index, item) in self.items(reserved.len()).into_iter().enumerate() {
                        reserved.set(index, item);
                    }
                    if let Some(some) = some {
                        let count = reserved.len() * some / 100;
                        reserved.commit_first(count);
                        self.sent(count);
                    }
                }
            }
            _ => {
                let expected = self.room(1, 1);
                prop_assert_eq!(producer.push(T::numbered(self.next)).map(|()| 1), expected);
                self.sent(expected.unwrap_or(0));
            }
        }
        Ok(())
    }

    fn consume(&mut self, consumer: &mut Consumer<'a, T, B>, operation: &Operation) -> TestCaseResult {
        match *operation {
            Operation::PopSlice(part) => {
                let mut items = vec![T::numbered(0); self.part(part)];
                let expected = self.stock(items.len().min(1), items.len());
                prop_assert_eq!(consumer.pop_slice(&mut items), expected);
                let expected: Vec<_> = self.queue.drain(..expected.unwrap_or(0)).collect();
                prop_assert_eq!(&items[..expected.len()], &expected[..]);
            }
            Operation::Peek(count, part, some) => {
                let most = self.part(part);
                let (expected, filled) = match count {
                    Count::Exactly => (self.stock(most, most), consumer.peek(most)),
                    Count::UpTo => (self.stock(most.min(1), most), consumer.peek_up_to(most)),
                };
                prop_assert_eq!(filled.as_ref().map(|filled| filled.len()).map_err(|&error| error), expected);
                if let Ok(filled) = filled {
                    let seen: Vec<_> = (0..).map_while(|index| filled.get(index)).collect();
                    let expected: Vec<_> = self.queue.range(..filled.len()).copied().collect();
                    prop_assert_eq!(seen, expected);
                    let count = filled.len() * some.unwrap_or(0) / 100;
                    filled.release_first(count);
                    self.queue.drain(..count);
                }
            }
            _ => {
                let expected = self.stock(1, 1).map(|_| self.queue.pop_front());
                prop_assert_eq!(consumer.pop().map(Some), expected);
            }
        }
        Ok(())
    }

    /// Sends and receives until there is one lap of the buffer to go to the position 2^32.
    fn go_to_the_last_lap(&mut self) {
        let laps = ((1 << 32) - self.capacity as u64) / self.capacity as u64;
        for _ in 0..laps {
            self.producer.as_mut().unwrap().reserve(self.capacity).unwrap().commit();
            self.consumer.as_mut().unwrap().peek(self.capacity).unwrap().release();
        }
    }
}

/// Where the positions are when a comparison begins.
#[derive(Clone, Copy)]
enum Start {
    Zero,
    LastLap,
}

fn compare<T: Numbered, B: Bell>(size_bytes: usize, start: Start, cases: u32, bell: fn() -> B) {
    let default = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let seed = if default.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { default.rng_seed };
    let outcome = TestRunner::new(ProptestConfig { rng_seed: seed, ..default }).run(&operations(), |operations| {
        let memory = PipeMemory::new(size_bytes);
        let mut pair = Pair::<T, B>::new(&memory, size_bytes / size_of::<T>(), (bell(), bell()));
        if matches!(start, Start::LastLap) {
            pair.go_to_the_last_lap();
        }
        for (index, operation) in operations.iter().enumerate() {
            pair.perform(operation).map_err(|error| TestCaseError::fail(format!("{index} {operation:?}: {error}")))?;
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

fn compare_with_and_without_bell<T: Numbered>(size_bytes: usize) {
    compare::<T, _>(size_bytes, Start::Zero, 300, || NoBell);
    compare::<T, _>(size_bytes, Start::Zero, 300, || NobodySleeps);
}

#[test]
fn bytes_are_a_queue() {
    compare_with_and_without_bell::<u8>(PAGE_BYTES);
}

#[test]
fn words_are_a_queue() {
    compare_with_and_without_bell::<u64>(PAGE_BYTES);
    compare_with_and_without_bell::<u64>(4 * PAGE_BYTES);
}

#[test]
fn items_that_do_not_fill_the_buffer_are_a_queue() {
    compare_with_and_without_bell::<Twelve>(PAGE_BYTES);
    compare_with_and_without_bell::<Third>(PAGE_BYTES);
}

#[test]
fn an_item_as_large_as_the_buffer_is_a_queue() {
    compare_with_and_without_bell::<Whole>(PAGE_BYTES);
}

#[test]
fn words_are_a_queue_where_positions_begin_anew() {
    compare::<u64, _>(1 << 20, Start::LastLap, 20, || NoBell);
}

#[test]
fn items_that_do_not_fill_the_buffer_are_a_queue_where_positions_begin_anew() {
    compare::<Twelve, _>(1 << 20, Start::LastLap, 20, || NobodySleeps);
}
