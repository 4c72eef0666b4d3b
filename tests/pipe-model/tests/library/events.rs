//! When the kernel is called: to sleep, and to wake who sleeps.

use std::cell::{Cell, RefCell};
use std::mem::forget;
use std::sync::atomic::Ordering::Relaxed;

use flatmk_pipe::{Bell, Consumer, Error, NoBell, Peer, Producer};

use crate::memory::{End, PAGE_BYTES, PipeMemory};

/// How many words fit.
const CAPACITY: u64 = (PAGE_BYTES / 8) as u64;

/// Counts how often it is rung, and does something of the test's instead of sleeping.
struct Recorder<'a> {
    rings: &'a Cell<u32>,
    sleep: &'a dyn Fn() -> Peer,
}

impl Bell for Recorder<'_> {
    fn sleeper_barrier(&mut self) {}

    fn sleep(&mut self) -> Peer {
        (self.sleep)()
    }

    fn ring(&mut self) {
        self.rings.set(self.rings.get() + 1);
    }
}

fn nobody_sleeps() -> Peer {
    panic!("there is no reason to sleep");
}

#[test]
fn a_busy_stream_rings_for_nobody() {
    let rings = Cell::new(0);
    let bell = || Recorder { rings: &rings, sleep: &nobody_sleeps };
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends(bell(), bell());
    for item in 0..10 * CAPACITY {
        assert_eq!(producer.push_waiting(item), Ok(()));
        assert_eq!(consumer.pop_waiting(), Ok(item));
    }
    assert_eq!((producer.kernel_events(), consumer.kernel_events(), rings.get()), ((0, 0), (0, 0), 0));
}

#[test]
fn a_producer_publishes_each_item_and_rings_once_for_a_sleeper() {
    let rings = Cell::new(0);
    let memory = PipeMemory::new(PAGE_BYTES);
    let bell = Recorder { rings: &rings, sleep: &nobody_sleeps };
    let (mut producer, consumer) = memory.ends::<u64, _, _>(bell, NoBell);
    let published = || memory.position(End::Producer).load(Relaxed);
    assert_eq!((producer.push(7), published(), rings.get()), (Ok(()), 1, 0));
    memory.sleeps(End::Consumer).store(1, Relaxed);
    assert_eq!((producer.push(8), published(), rings.get()), (Ok(()), 2, 1));
    assert_eq!((producer.push_slice(&[9, 10]), published(), rings.get()), (Ok(2), 4, 1));
    drop((producer, consumer));
}

/// For an end that must not sleep: something comes when it has said that it does.
struct JustInTime<F>(F);

impl<F: FnMut()> Bell for JustInTime<F> {
    fn sleeper_barrier(&mut self) {
        (self.0)();
    }

    fn sleep(&mut self) -> Peer {
        panic!("there is no reason to sleep");
    }

    fn ring(&mut self) {}
}

#[test]
fn an_item_that_comes_while_the_consumer_falls_asleep_is_found() {
    let memory = PipeMemory::new(PAGE_BYTES);
    let producer = RefCell::new(None);
    let said = Cell::new(0);
    let sends = || {
        said.set(memory.sleeps(End::Consumer).load(Relaxed));
        let mut producer = producer.borrow_mut();
        let producer: &mut Producer<'_, u64> = producer.as_mut().unwrap();
        assert_eq!(producer.push(7), Ok(()));
    };
    let (sender, mut consumer) = memory.ends(NoBell, JustInTime(sends));
    *producer.borrow_mut() = Some(sender);
    assert_eq!(consumer.pop_waiting(), Ok(7));
    assert_eq!(said.get(), 1, "it says that it sleeps before it looks");
    drop(consumer);
}

#[test]
fn a_consumer_is_rung_for_once_each_time_it_sleeps() {
    let rings = Cell::new(0);
    let memory = PipeMemory::new(PAGE_BYTES);
    let producer = RefCell::new(None);
    let sends_three = || {
        let mut producer = producer.borrow_mut();
        let producer: &mut Producer<'_, u64, Recorder<'_>> = producer.as_mut().unwrap();
        (0..3).for_each(|item| assert_eq!(producer.push(item), Ok(())));
        Peer::There
    };
    let bell = Recorder { rings: &rings, sleep: &nobody_sleeps };
    let none = Cell::new(0);
    let (sender, mut consumer) = memory.ends(bell, Recorder { rings: &none, sleep: &sends_three });
    *producer.borrow_mut() = Some(sender);
    for sleeps in 1..=5 {
        (0..3).for_each(|item| assert_eq!(consumer.pop_waiting(), Ok(item)));
        assert_eq!((consumer.kernel_events(), rings.get()), ((sleeps, 0), sleeps));
    }
    drop(consumer);
    drop(producer.take());
}

#[test]
fn a_producer_that_waits_is_rung_for_at_the_first_item_that_is_taken() {
    let rings = Cell::new(0);
    let memory = PipeMemory::new(PAGE_BYTES);
    let consumer = RefCell::new(None);
    let takes_until_it_rings = || {
        let mut consumer = consumer.borrow_mut();
        let consumer: &mut Consumer<'_, u64, Recorder<'_>> = consumer.as_mut().unwrap();
        let before = rings.get();
        let taken = (1..).find(|_| consumer.pop().is_ok() && rings.get() > before);
        assert_eq!(taken, Some(1), "the consumer may go on elsewhere, and never come to a second one");
        Peer::There
    };
    let none = Cell::new(0);
    let bell = Recorder { rings: &none, sleep: &takes_until_it_rings };
    let (mut producer, receiver) = memory.ends(bell, Recorder { rings: &rings, sleep: &nobody_sleeps });
    *consumer.borrow_mut() = Some(receiver);
    (0..2 * CAPACITY).for_each(|item| assert_eq!(producer.push_waiting(item), Ok(())));
    assert_eq!((producer.kernel_events(), rings.get()), ((CAPACITY as u32, 0), CAPACITY as u32));
    drop(producer);
    drop(consumer.take());
}

#[test]
fn an_end_that_claims_to_sleep_all_the_time_is_rung_for_once_for_each_thing() {
    let (rings, other) = (Cell::new(0), Cell::new(0));
    let memory = PipeMemory::new(PAGE_BYTES);
    let producer = Recorder { rings: &rings, sleep: &nobody_sleeps };
    let (mut producer, mut consumer) =
        memory.ends::<u64, _, _>(producer, Recorder { rings: &other, sleep: &nobody_sleeps });
    for sleeps in 1..=100 {
        memory.sleeps(End::Consumer).store(sleeps * 0x0123_4567, Relaxed);
        assert_eq!(producer.push(0), Ok(()));
        assert_eq!(rings.get(), sleeps);
    }
    for sleeps in 1..=100 {
        memory.sleeps(End::Producer).store(sleeps * 0x0123_4567, Relaxed);
        consumer.pop().map(drop).unwrap();
        assert_eq!(other.get(), sleeps);
    }
    assert_eq!(producer.push(0), Ok(()));
    assert_eq!(rings.get(), 100, "nothing was claimed since");
}

#[test]
fn a_producer_learns_early_that_the_consumer_is_closed() {
    let rings = Cell::new(0);
    let memory = PipeMemory::new(PAGE_BYTES);
    let bell = Recorder { rings: &rings, sleep: &nobody_sleeps };
    let (mut producer, consumer) = memory.ends::<u64, _, _>(bell, NoBell);
    drop(consumer);
    assert_eq!(producer.push(1), Ok(()), "nobody has looked yet");
    assert_eq!(producer.push(2), Err(Error::Closed));
    assert_eq!(rings.get(), 0, "nobody is there who could be woken");
}

#[test]
fn an_end_that_is_closed_on_behalf_of_the_dead_is_closed() {
    let rings = Cell::new(0);
    let memory = PipeMemory::new(PAGE_BYTES);
    let bell = Recorder { rings: &rings, sleep: &nobody_sleeps };
    let (mut producer, consumer) = memory.ends::<u64, _, _>(bell, NoBell);
    assert_eq!(producer.push(1), Ok(()));
    forget(consumer);
    memory.page(End::Consumer).close_for_the_dead();
    assert_eq!([producer.push(2), producer.push(3)], [Ok(()), Err(Error::Closed)], "it learns of it early");
    assert_eq!((rings.get(), producer.bell().rings.get()), (0, 0));
    // What was sent is received first.
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends(NoBell, NoBell);
    assert_eq!([1_u64, 2].map(|item| producer.push(item)), [Ok(()); 2]);
    forget(producer);
    memory.page(End::Producer).close_for_the_dead();
    assert_eq!([(); 3].map(|()| consumer.pop()), [Ok(1), Ok(2), Err(Error::Closed)]);
}

#[test]
fn an_end_whose_other_one_is_gone_does_not_sleep_again() {
    let none = Cell::new(0);
    let bell = Recorder { rings: &none, sleep: &|| Peer::Gone };
    let memory = PipeMemory::new(PAGE_BYTES);
    let (mut producer, mut consumer) = memory.ends::<u64, _, _>(NoBell, bell);
    assert_eq!(producer.push(1), Ok(()));
    assert_eq!(consumer.pop_waiting(), Ok(1));
    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
    assert_eq!(consumer.kernel_events(), (1, 0));
    drop(consumer);
}
