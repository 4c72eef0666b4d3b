//! What is counted: functions that stay functions of their own, and programs that call them.

use flatmk_pipe::{Bell, Consumer, FrameConsumer, FrameProducer, NoBell, Peer, Producer};
use flatmk_pipes::{End, Mapping, SharedMemory};

/// How many items are sent before any is received, and how many make a slice.
pub(crate) const BURST: usize = 64;

/// How often that is repeated.
const REPETITIONS: usize = 100;

const BUFFER_BYTES: usize = 64 << 10;

/// For ends that look whether the other one sleeps. None does.
struct NeverRung;

impl Bell for NeverRung {
    fn sleeper_barrier(&mut self) {}

    fn sleep(&mut self) -> Peer {
        Peer::There
    }

    fn ring(&mut self) {}
}

/// Each is called by `run` below, so the calls are counted by hand: so many in each program.
pub(crate) const CALLS: usize = BURST * REPETITIONS;

#[inline(never)]
fn push(producer: &mut Producer<'_, u64>, item: u64) -> bool {
    producer.push(item).is_ok()
}

#[inline(never)]
fn pop(consumer: &mut Consumer<'_, u64>) -> u64 {
    consumer.pop().unwrap_or(0)
}

#[inline(never)]
fn waking_push(producer: &mut Producer<'_, u64, NeverRung>, item: u64) -> bool {
    producer.push(item).is_ok()
}

#[inline(never)]
fn waking_pop(consumer: &mut Consumer<'_, u64, NeverRung>) -> u64 {
    consumer.pop().unwrap_or(0)
}

#[inline(never)]
fn push_slice(producer: &mut Producer<'_, u64>, items: &[u64]) -> usize {
    producer.push_slice(items).unwrap_or(0)
}

#[inline(never)]
fn pop_slice(consumer: &mut Consumer<'_, u64>, items: &mut [u64]) -> usize {
    consumer.pop_slice(items).unwrap_or(0)
}

#[inline(never)]
fn push_frame(producer: &mut FrameProducer<'_>, frame: &[u8]) -> bool {
    producer.push(frame).is_ok()
}

#[inline(never)]
fn pop_frame(consumer: &mut FrameConsumer<'_>, frame: &mut [u8]) -> usize {
    consumer.pop(frame).unwrap_or(0)
}

#[inline(never)]
fn rtrb_push(producer: &mut rtrb::Producer<u64>, item: u64) -> bool {
    producer.push(item).is_ok()
}

#[inline(never)]
fn rtrb_pop(consumer: &mut rtrb::Consumer<u64>) -> u64 {
    consumer.pop().unwrap_or(0)
}

#[inline(never)]
fn rtrb_push_slice(producer: &mut rtrb::Producer<u64>, items: &[u64]) -> usize {
    producer.push_partial_slice(items).0.len()
}

#[inline(never)]
fn rtrb_pop_slice(consumer: &mut rtrb::Consumer<u64>, items: &mut [u64]) -> usize {
    consumer.pop_partial_slice(items).0.len()
}

/// Runs a program, by its name: which ends there are, and how they are used. All that is received is looked at.
pub(crate) fn run(name: &str, frame_bytes: usize) {
    let memory = SharedMemory::new(BUFFER_BYTES).expect("the kernel gives shared memory");
    let map = |end| memory.map(end).expect("the kernel gives shared memory");
    let mappings = [map(End::Producer), map(End::Consumer)];
    let (mut free, mut used) = rtrb::RingBuffer::new(BUFFER_BYTES / size_of::<u64>());
    match name {
        "items" => {
            let (mut producer, mut consumer) = ends(&mappings, NoBell, NoBell);
            bursts(BURST, |item| push(&mut producer, item), || pop(&mut consumer));
        }
        // Each time, all that is known to be there is used up.
        "refreshing" => {
            let (mut producer, mut consumer) = ends(&mappings, NoBell, NoBell);
            bursts(1, |item| push(&mut producer, item), || pop(&mut consumer));
        }
        "waking" => {
            let (mut producer, mut consumer) = ends(&mappings, NeverRung, NeverRung);
            bursts(BURST, |item| waking_push(&mut producer, item), || waking_pop(&mut consumer));
        }
        "slices" => {
            let (mut producer, mut consumer) = ends(&mappings, NoBell, NoBell);
            slices(|items| push_slice(&mut producer, items), |items| pop_slice(&mut consumer, items));
        }
        "frames" => frames(&mappings, frame_bytes),
        "rtrb" => bursts(BURST, |item| rtrb_push(&mut free, item), || rtrb_pop(&mut used)),
        "rtrb-refreshing" => bursts(1, |item| rtrb_push(&mut free, item), || rtrb_pop(&mut used)),
        "rtrb-slices" => slices(|items| rtrb_push_slice(&mut free, items), |items| rtrb_pop_slice(&mut used, items)),
        _ => panic!("there is no program {name}"),
    }
}

fn ends<B: Bell>(mappings: &[Mapping; 2], bell: B, other: B) -> (Producer<'_, u64, B>, Consumer<'_, u64, B>) {
    // SAFETY: the memory is new, and there is one end of each kind.
    let memory = unsafe { [mappings[0].memory(), mappings[1].memory()] };
    let [producer, consumer] = memory;
    let (producer, consumer) = (Producer::new(producer, bell), Consumer::new(consumer, other));
    (producer.expect("an item fits"), consumer.expect("an item fits"))
}

fn bursts(burst: usize, mut push: impl FnMut(u64) -> bool, mut pop: impl FnMut() -> u64) {
    let mut next = 1;
    for _ in 0..CALLS / burst {
        let items = next..next + burst as u64;
        next = items.end;
        assert!(items.clone().all(&mut push), "there is room");
        assert!(items.clone().all(|item| pop() == item), "a wrong item");
    }
}

fn slices(mut push: impl FnMut(&[u64]) -> usize, mut pop: impl FnMut(&mut [u64]) -> usize) {
    let mut received = [0; BURST];
    for number in 0..CALLS as u64 {
        let sent = std::array::from_fn(|index| number + index as u64);
        assert_eq!((push(&sent), pop(&mut received)), (BURST, BURST), "there is room");
        assert_eq!(received, sent, "a wrong item");
    }
}

fn frames(mappings: &[Mapping; 2], bytes: usize) {
    // SAFETY: the memory is new, and there is one end of each kind.
    let (producer, consumer) = unsafe { (mappings[0].memory(), mappings[1].memory()) };
    let mut producer = FrameProducer::new(producer, NoBell).expect("a frame fits");
    let mut consumer = FrameConsumer::new(consumer, NoBell).expect("a frame fits");
    let (mut sent, mut received) = ([0; BURST], [0; BURST]);
    let (sent, received) = (&mut sent[..bytes], &mut received[..bytes]);
    for number in 0..REPETITIONS {
        sent.fill(number as u8);
        assert!((0..BURST).all(|_| push_frame(&mut producer, sent)), "there is room");
        for _ in 0..BURST {
            assert_eq!(pop_frame(&mut consumer, received), bytes, "a wrong length");
            assert_eq!(received, sent, "a wrong frame");
        }
    }
}
