//! Whatever one end writes into its page and into the data, the other one goes on with data or gives up: it never leaves the buffer, and never fails.
//!
//! This program has both ends of each pipe. One it uses as one should; for the other it writes words.

use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_pipe::{Consumer, Error, Producer};
use flatmk_runtime::pipe::{ConsumerEnd, NotificationBell, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::exchange::item;
use crate::harness::Random;
use crate::stage::{CONSUMER_AREA, CONSUMER_BELL, Daemon, MANY_PAGES, PRODUCER_AREA, PRODUCER_BELL, with_daemon};

pub(crate) const TESTS: &[Test] = tests![
    any_position_of_a_producer_is_items_or_corrupt,
    any_position_of_a_consumer_is_room_or_corrupt,
    what_is_corrupt_stays_corrupt,
    whatever_an_end_says_of_its_sleep_costs_a_ring_for_an_item,
    an_end_that_is_closed_and_not_closed_harms_nobody,
];

/// The words of an end's page.
pub(crate) const POSITION: u64 = 0;
pub(crate) const SLEEPS: u64 = 128;
pub(crate) const CLOSED: u64 = 256;

/// Items in a buffer of one page.
const CAPACITY: u32 = PAGE_SIZE as u32 / 8;

type OwnProducer = Producer<'static, u64, NotificationBell>;
type OwnConsumer = Consumer<'static, u64, NotificationBell>;

/// A word of the page of an end that this program has opened.
pub(crate) fn word(area: u64, offset: u64) -> &'static AtomicU32 {
    // SAFETY: the page is mapped while a test uses it, and its words are atomic.
    unsafe { &*with_exposed_provenance_mut((area + offset) as usize) }
}

/// The data of an item, as the producer has mapped it.
fn data(position: u32) -> &'static AtomicU64 {
    let place = PRODUCER_AREA + 2 * PAGE_SIZE + u64::from(position % CAPACITY) * 8;
    // SAFETY: as above; the ends read and write it in one piece, one after the other.
    unsafe { &*with_exposed_provenance_mut(place as usize) }
}

/// Opens both ends of a new pipe, and closes them in the end.
fn with_pipe(daemon: &Daemon, test: impl FnOnce(&mut OwnProducer, &mut OwnConsumer)) {
    let (producer, consumer) = daemon.create_pipe(1);
    let mut producer = producer.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
    let mut consumer = consumer.open(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
    test(&mut producer, &mut consumer);
    ProducerEnd::close(producer).expect("the daemon is there");
    ConsumerEnd::close(consumer).expect("the daemon is there");
}

/// A position that means something to the other end, or any.
fn any_position(random: &mut Random, other: u32) -> u32 {
    const NEAR: [u32; 9] = [0, 1, 2, CAPACITY / 4, CAPACITY - 1, CAPACITY, CAPACITY + 1, 1 << 31, u32::MAX];
    match random.below(24) {
        0 => random.next() as u32,
        1 => random.choose(&NEAR),
        2 => other.wrapping_sub(random.choose(&NEAR)),
        3 => other.wrapping_add(random.choose(&NEAR)),
        4..10 => other,
        _ => other.wrapping_add(random.below(64) as u32),
    }
}

/// What an end can do with items, as it should: its own position, and up to where there are items or room.
struct Model {
    position: u32,
    known: u32,
    is_corrupt: bool,
}

impl Model {
    /// For how many of `wanted` items the other end's position is good. `available` tells for how many that is right, and `most` of these there can be.
    fn expect(&mut self, wanted: u32, available: u32, none: Error) -> Result<u32, Error> {
        if self.is_corrupt {
            return Err(Error::Corrupt);
        }
        if self.known < wanted {
            // No more than fits, and nothing is taken back.
            if available > CAPACITY || available < self.known {
                self.is_corrupt = true;
                return Err(Error::Corrupt);
            }
            self.known = available;
        }
        let count = self.known.min(wanted);
        self.known -= count;
        self.position = self.position.wrapping_add(count);
        if count == 0 { Err(none) } else { Ok(count) }
    }
}

const ROUNDS: u64 = 400;
const STEPS: u64 = 40;
const MOST: usize = 64;

fn any_position_of_a_producer_is_items_or_corrupt() {
    let mut random = Random(0x5eed_0010);
    let mut outcomes = [0_u64; 3];
    with_daemon(MANY_PAGES, |daemon| {
        for _ in 0..ROUNDS {
            with_pipe(daemon, |_, consumer| {
                (0..CAPACITY).for_each(|place| data(place).store(item(place.into()), Relaxed));
                let mut model = Model { position: 0, known: 0, is_corrupt: false };
                for _ in 0..STEPS {
                    let head = model.position;
                    let written = any_position(&mut random, head);
                    word(PRODUCER_AREA, POSITION).store(written, Relaxed);
                    let wanted = 1 + random.below(MOST as u64) as u32;
                    let mut slice = [0; MOST];
                    let (wanted, found) = if random.below(2) == 0 {
                        (1, consumer.pop().map(|found| (1, slice[0] = found).0))
                    } else {
                        let slice = slice.get_mut(..wanted as usize).expect("it is not longer");
                        (wanted, consumer.pop_slice(slice).map(|count| count as u32))
                    };
                    let expected = model.expect(wanted, written.wrapping_sub(head), Error::Empty);
                    assert_eq!(found, expected, "{written:#x} for {wanted} items from {head:#x} on");
                    let count = found.unwrap_or(0);
                    let right = (0..count).map(|index| item((head.wrapping_add(index) % CAPACITY).into()));
                    assert!(slice.iter().copied().zip(right).all(|(found, right)| found == right));
                    assert_eq!(word(CONSUMER_AREA, POSITION).load(Relaxed), model.position);
                    note(&mut outcomes, found.map(|_| ()));
                }
            });
        }
    });
    assert!(outcomes.iter().all(|&count| count > ROUNDS / 4), "{outcomes:?}");
}

/// Counts what was good, what was not there, and what was corrupt.
fn note(outcomes: &mut [u64; 3], outcome: Result<(), Error>) {
    let [good, nothing, corrupt] = outcomes;
    *match outcome {
        Ok(()) => good,
        Err(Error::Corrupt) => corrupt,
        Err(_) => nothing,
    } += 1;
}

fn any_position_of_a_consumer_is_room_or_corrupt() {
    let mut random = Random(0x5eed_0011);
    let mut outcomes = [0_u64; 3];
    with_daemon(MANY_PAGES, |daemon| {
        for _ in 0..ROUNDS {
            with_pipe(daemon, |producer, _| {
                let sent = random.choose(&[0, CAPACITY - 1, CAPACITY, CAPACITY]);
                (0..sent).for_each(|_| assert_eq!(producer.push(0), Ok(())));
                let mut model = Model { position: sent, known: CAPACITY - sent, is_corrupt: false };
                for _ in 0..STEPS {
                    let tail = model.position;
                    // What it must be lies behind the producer.
                    let written = any_position(&mut random, tail.wrapping_sub(CAPACITY));
                    word(CONSUMER_AREA, POSITION).store(written, Relaxed);
                    let wanted = 1 + random.below(MOST as u64) as u32;
                    let slice = [random.next(); MOST];
                    let (wanted, found) = if random.below(2) == 0 {
                        (1, producer.push(slice[0]).map(|()| 1))
                    } else {
                        let slice = slice.get(..wanted as usize).expect("it is not longer");
                        (wanted, producer.push_slice(slice).map(|count| count as u32))
                    };
                    // More than fits is used where the consumer is ahead of the producer.
                    let available = CAPACITY.wrapping_sub(tail.wrapping_sub(written));
                    let expected = model.expect(wanted, available, Error::Full);
                    assert_eq!(found, expected, "{written:#x} for {wanted} items from {tail:#x} on");
                    let mut sent = (0..found.unwrap_or(0)).map(|index| data(tail.wrapping_add(index)).load(Relaxed));
                    assert!(sent.all(|sent| sent == slice[0]));
                    assert_eq!(word(PRODUCER_AREA, POSITION).load(Relaxed), model.position);
                    note(&mut outcomes, found.map(|_| ()));
                }
            });
        }
    });
    assert!(outcomes.iter().all(|&count| count > ROUNDS / 4), "{outcomes:?}");
}

fn what_is_corrupt_stays_corrupt() {
    let corrupt = Error::Corrupt;
    with_daemon(MANY_PAGES, |daemon| {
        with_pipe(daemon, |_, consumer| {
            for position in [CAPACITY + 1, 0, 1, CAPACITY] {
                word(PRODUCER_AREA, POSITION).store(position, Relaxed);
                word(PRODUCER_AREA, CLOSED).store(position, Relaxed);
                assert_eq!([consumer.pop(), consumer.pop_waiting()], [Err(corrupt); 2]);
                assert_eq!(consumer.pop_slice(&mut [0; 3]), Err(corrupt));
                assert_eq!(consumer.pop_slice_waiting(&mut [0; 3]), Err(corrupt));
                assert_eq!(consumer.peek(1).map(|_| ()), Err(corrupt));
            }
        });
        with_pipe(daemon, |producer, _| {
            (0..CAPACITY).for_each(|_| assert_eq!(producer.push(0), Ok(())));
            for position in [CAPACITY + 1, CAPACITY, 1, 0] {
                word(CONSUMER_AREA, POSITION).store(position, Relaxed);
                word(CONSUMER_AREA, CLOSED).store(position, Relaxed);
                assert_eq!([producer.push(0), producer.push_waiting(0)], [Err(corrupt); 2]);
                assert_eq!(producer.push_slice(&[0; 3]), Err(corrupt));
                assert_eq!(producer.push_slice_waiting(&[0; 3]), Err(corrupt));
                assert_eq!(producer.reserve(1).map(|_| ()), Err(corrupt));
            }
        });
    });
}

fn whatever_an_end_says_of_its_sleep_costs_a_ring_for_an_item() {
    let mut random = Random(0x5eed_0012);
    const COUNT: u64 = 5000;
    with_daemon(MANY_PAGES, |daemon| {
        with_pipe(daemon, |producer, consumer| {
            for index in 0..COUNT {
                for area in [PRODUCER_AREA, CONSUMER_AREA] {
                    word(area, SLEEPS).store(random.next() as u32, Relaxed);
                }
                assert_eq!(producer.push(item(index)), Ok(()));
                assert_eq!(consumer.pop(), Ok(item(index)));
            }
            let (of_producer, of_consumer) = (producer.kernel_events(), consumer.kernel_events());
            assert_eq!([of_producer.0, of_consumer.0], [0, 0], "nobody has slept");
            // Hardly ever is a random word the one before it.
            for events in [of_producer, of_consumer] {
                assert!((COUNT - 10..=COUNT).contains(&events.1.into()), "{events:?}");
            }
        });
    });
}

fn an_end_that_is_closed_and_not_closed_harms_nobody() {
    let mut random = Random(0x5eed_0013);
    with_daemon(MANY_PAGES, |daemon| {
        for _ in 0..ROUNDS {
            with_pipe(daemon, |producer, consumer| {
                let (mut sent, mut received) = (0, 0);
                let mut closed = [false; 2];
                for _ in 0..STEPS {
                    for area in [PRODUCER_AREA, CONSUMER_AREA] {
                        word(area, CLOSED).store(random.choose(&[0, 0, 0, 1, u32::MAX]), Relaxed);
                        word(area, SLEEPS).store(random.below(2) as u32, Relaxed);
                    }
                    // There is room for all, so the producer goes on until it finds the other end closed, and so that remains.
                    match producer.push(item(sent)) {
                        Ok(()) if !closed[0] => sent += 1,
                        outcome => {
                            assert_eq!(outcome, Err(Error::Closed));
                            closed[0] = true;
                        }
                    }
                    // What was sent is received. Only when there is nothing more it may be the end, and that remains, too.
                    for _ in 0..random.below(3) {
                        match consumer.pop() {
                            Ok(found) if !closed[1] => {
                                assert_eq!(found, item(received));
                                received += 1;
                            }
                            Err(Error::Empty) if !closed[1] => assert_eq!(received, sent),
                            outcome => {
                                assert_eq!(outcome, Err(Error::Closed));
                                closed[1] = true;
                            }
                        }
                    }
                }
                assert!(closed[1] || received <= sent);
            });
        }
    });
}
