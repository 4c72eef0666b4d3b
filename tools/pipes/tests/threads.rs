//! Pipes between two threads: a billion items, and a thread that does what it likes with what it may write.

use std::hint::{black_box, spin_loop};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flatmk_pipe::{Consumer, Error, FrameConsumer, NoBell, Producer};
use flatmk_pipes::{Barrier, Cores, End, Mapping, Patience, SharedMemory, SocketBell, pin};

/// What takes so much longer than it ever did has stopped for ever.
const HANG: Duration = Duration::from_secs(60);

fn mappings(size_bytes: usize) -> [Mapping; 2] {
    let memory = SharedMemory::new(size_bytes).expect("the kernel gives shared memory");
    [End::Producer, End::Consumer].map(|end| memory.map(end).expect("the kernel gives shared memory"))
}

/// One by one, with ends that sleep: this is not about how fast it is.
#[test]
fn a_billion_items_go_through_and_none_is_wrong() {
    const ITEMS: u64 = 1_000_000_000;
    let [producer, consumer] = mappings(64 << 10);
    let (bell, other_bell) = SocketBell::pair(Patience::Spin(1000)).unwrap();
    // SAFETY: the memory is new, and there is one end of each kind.
    let mut producer = Producer::new(unsafe { producer.memory() }, bell).unwrap();
    // SAFETY: as above.
    let mut consumer = Consumer::<u64, _>::new(unsafe { consumer.memory() }, other_bell).unwrap();
    let (received, end) = thread::scope(|scope| {
        scope.spawn(move || (0..ITEMS).all(|item| producer.push_waiting(item).is_ok()));
        let received = (0..).take_while(|&item| consumer.pop_waiting() == Ok(item)).count();
        let end = consumer.pop();
        // After a wrong item the producer is still there. It must not wait for ever.
        drop(consumer);
        (received, end)
    });
    assert_eq!(received as u64, ITEMS, "a wrong item, or an end too early");
    assert_eq!(end, Err(Error::Closed));
}

/// Each time, one thread goes to sleep while the other one publishes an item, which comes a little earlier or later than the last look of the first. Without a barrier
/// on either side it happens that neither sees what the other has written, and an item stays in the pipe.
fn assert_woken_for_each_item(barrier: Barrier) {
    const ITEMS: u64 = 50_000;
    let [producer, consumer] = mappings(4096);
    let (socket, other_socket) = UnixStream::pair().expect("the kernel has sockets");
    let [bell, other_bell] = [socket, other_socket].map(|socket| SocketBell::new(socket, barrier, Patience::Spin(0)));
    // SAFETY: the memory is new, and there is one end of each kind.
    let mut producer = Producer::new(unsafe { producer.memory() }, bell).expect("an item fits");
    // SAFETY: as above.
    let mut consumer = Consumer::<u64, _>::new(unsafe { consumer.memory() }, other_bell).expect("an item fits");
    let received = AtomicU64::new(0);
    let delay = |steps: u64| (0..steps).for_each(|step| _ = black_box(step));
    // On one core they could not go at the same time, and the kernel likes to keep there what takes turns.
    let cores = Cores::choose().expect("the kernel says which there are");
    let stuck = thread::scope(|scope| {
        scope.spawn(|| {
            pin(cores.second.unwrap_or(cores.first)).expect("it may run there");
            while let Ok(item) = consumer.pop_waiting() {
                received.store(item + 1, Ordering::Relaxed);
                delay(item % 509);
            }
        });
        pin(cores.first).expect("it may run there");
        let stuck = (0..ITEMS).find(|&item| {
            delay(item % 251);
            assert_eq!(producer.push(item), Ok(()));
            !is_soon(|| received.load(Ordering::Relaxed) > item)
        });
        // This wakes the other end, whatever it has missed.
        drop(producer);
        stuck
    });
    assert_eq!(stuck, None, "{barrier:?}: the other end sleeps, with this item in the pipe");
}

/// Whether it comes true, or never.
fn is_soon(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    for looks in 0_u64.. {
        if condition() {
            return true;
        }
        if start.elapsed() > HANG {
            break;
        }
        // The other thread may need this core.
        if looks < 1000 { spin_loop() } else { thread::yield_now() }
    }
    false
}

#[test]
fn a_thread_that_falls_asleep_is_woken_with_the_barrier_of_threads() {
    assert_woken_for_each_item(Barrier::between_threads());
}

#[test]
fn a_thread_that_falls_asleep_is_woken_with_the_barrier_of_processes() {
    assert_woken_for_each_item(Barrier::between_processes());
}

#[test]
fn a_thread_that_falls_asleep_is_woken_with_a_barrier_at_each_end() {
    assert_woken_for_each_item(Barrier::Each);
}

/// The words of an end's page.
fn words(mapping: &Mapping, end: End) -> [&AtomicU32; 3] {
    // SAFETY: the page is mapped as long as the mapping is there.
    [0, 128, 256].map(|offset| unsafe { mapping.page(end).cast::<u8>().add(offset).cast::<AtomicU32>().as_ref() })
}

/// All positions around each that means something.
fn chosen_positions() -> impl Iterator<Item = u32> {
    let around = |center: u32| (0..5).map(move |offset: u32| center.wrapping_add(offset).wrapping_sub(2));
    [0, 3, 256, 512, 513, 4096, 1 << 31, 3 << 30].into_iter().flat_map(around)
}

#[test]
fn only_positions_that_can_be_are_believed() {
    for before in [0, 3] {
        for position in chosen_positions() {
            let [producer, consumer] = mappings(4096);
            // SAFETY: the memory is new, and this has the consumer; the producer is what is written here.
            let mut end = Consumer::<u64>::new(unsafe { consumer.memory() }, NoBell).unwrap();
            let hostile = words(&producer, End::Producer);
            hostile[0].store(before, Ordering::Relaxed);
            (0..before).for_each(|_| assert_eq!(end.pop(), Ok(0)));
            hostile[0].store(position, Ordering::Relaxed);
            let filled = position.wrapping_sub(before);
            match filled {
                0 => assert_eq!(end.pop(), Err(Error::Empty), "{before}, {position}"),
                1..=512 => {
                    (0..filled).for_each(|_| assert_eq!(end.pop(), Ok(0), "{before}, {position}"));
                    assert_eq!(end.pop(), Err(Error::Empty), "{before}, {position}");
                }
                _ => {
                    assert_eq!(end.pop(), Err(Error::Corrupt), "{before}, {position}");
                    // It is too late to make it good.
                    hostile[0].store(before + 1, Ordering::Relaxed);
                    assert_eq!(end.pop(), Err(Error::Corrupt), "{before}, {position}");
                    assert_eq!(end.peek(1).err(), Some(Error::Corrupt), "{before}, {position}");
                }
            }
        }
    }
}

#[test]
fn a_consumer_that_claims_what_it_was_not_sent_is_not_believed() {
    for position in chosen_positions() {
        let [producer, consumer] = mappings(4096);
        // SAFETY: the memory is new, and this has the producer; the consumer is what is written here.
        let mut end = Producer::new(unsafe { producer.memory() }, NoBell).unwrap();
        let hostile = words(&consumer, End::Consumer);
        (0..512_u64).for_each(|item| assert_eq!(end.push(item), Ok(())));
        hostile[0].store(position, Ordering::Relaxed);
        let mut room = 0;
        let end_of_it = loop {
            match end.push(0) {
                Ok(()) => room += 1,
                Err(error) => break error,
            }
        };
        if position <= 512 {
            assert_eq!((room, end_of_it), (position, Error::Full));
        } else {
            assert_eq!((room, end_of_it), (0, Error::Corrupt), "{position}");
            // It is too late to make it good.
            hostile[0].store(512, Ordering::Relaxed);
            assert_eq!(end.push(0), Err(Error::Corrupt), "{position}");
        }
    }
}

/// The length of a frame changes all the time, so also between two looks at it. The thread that changes it may get its turn late.
#[test]
fn a_length_that_changes_while_it_is_read_is_read_once() {
    let [producer, consumer] = mappings(4096);
    let hostile = words(&producer, End::Producer);
    // A header and 64 bytes, in words of 8.
    hostile[0].store(9, Ordering::Relaxed);
    // SAFETY: the data is mapped, and the producer may write it.
    let length = unsafe { producer.data().cast::<AtomicU32>().as_ref() };
    length.store(8, Ordering::Relaxed);
    let is_over = AtomicBool::new(false);
    let (mut received, mut corrupt, mut others) = (0, 0, Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                [8, 65, 64, 4000, u32::MAX].into_iter().for_each(|value| length.store(value, Ordering::Relaxed));
            }
        });
        let start = Instant::now();
        for round in 0_u64.. {
            if round >= 200_000 && received > 0 && corrupt > 0 || start.elapsed() > HANG {
                break;
            }
            // SAFETY: the one before is gone, and nobody has the producer.
            let Ok(mut end) = FrameConsumer::new(unsafe { consumer.memory() }, NoBell) else { break };
            let mut frame = [0xa5; 256];
            let outcome = end.pop(&mut frame[64..192]);
            let is_within = frame[..64].iter().chain(&frame[128..]).all(|&byte| byte == 0xa5);
            match outcome {
                Ok(8 | 64) if is_within => received += 1,
                // There are only 64 bytes.
                Err(Error::Corrupt) if is_within => corrupt += 1,
                outcome => others.push((outcome, is_within)),
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(others, [], "it was read twice, or written outside");
    assert!(received > 0 && corrupt > 0, "the length has not changed: {received}, {corrupt}");
}
