//! The other process of the tests: an end of a pipe in another program, which does as it is told by its arguments, not all of it well.
//!
//! `pipes_test_peer TASK SIZE STEP`: standard input is its side of the bell, standard output the memory of the pipe. Nothing is printed there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};

use flatmk_pipe::{Bell, Consumer, FrameConsumer, FrameProducer, Peer, Producer};
use flatmk_pipes::{Barrier, End, Mapping, Patience, SharedMemory, SocketBell};
use rustix::process::{Pid, Signal, getpid, kill_process};

/// How many items there are, and what becomes of them: enough for the buffer of the tests to be full some times.
const ITEMS: u64 = 20_000;

/// The lengths of frames go through these.
const FRAME_BYTES: u64 = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, size, step] = arguments.as_slice() else { panic!("usage: pipes_test_peer TASK SIZE STEP") };
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let (size, step) = (number(size) as usize, number(step));
    let end = if task.starts_with("consume") || task == "write-data" { End::Consumer } else { End::Producer };
    let file = io::stdout().as_fd().try_clone_to_owned().expect("the memory is standard output");
    let mapping =
        SharedMemory::from_file(file, size).and_then(|memory| memory.map(end)).expect("it is the memory of a pipe");
    let bell = MortalBell { bell: bell(), steps_left: step };
    run(task, &mapping, bell);
}

fn bell() -> SocketBell {
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned().expect("the bell is standard input");
    SocketBell::new(UnixStream::from(socket), Barrier::between_processes(), Patience::Spin(0))
}

/// A bell at one of whose sides death comes in a certain step: between the operations of an end, and in their midst.
struct MortalBell {
    bell: SocketBell,
    /// 0 for one that lives.
    steps_left: u32,
}

impl MortalBell {
    fn step(&mut self) {
        if self.steps_left == 1 {
            die();
        }
        self.steps_left = self.steps_left.saturating_sub(1);
    }
}

/// No code of this program runs any more.
fn die() -> ! {
    let me: Pid = getpid();
    let _ = kill_process(me, Signal::KILL);
    unreachable!("nobody survives that");
}

impl Bell for MortalBell {
    fn sleeper_barrier(&mut self) {
        self.step();
        self.bell.sleeper_barrier();
        self.step();
    }

    fn publisher_barrier(&mut self) {
        self.step();
        self.bell.publisher_barrier();
        self.step();
    }

    fn sleep(&mut self) -> Peer {
        self.step();
        let peer = self.bell.sleep();
        self.step();
        peer
    }

    fn ring(&mut self) {
        self.step();
        self.bell.ring();
        self.step();
    }
}

fn run(task: &str, mapping: &Mapping, bell: MortalBell) {
    // SAFETY: the test makes the other end. What is written below beside an end, a hostile process writes.
    let memory = || unsafe { mapping.memory() };
    match task {
        "produce-items" => {
            let mut producer = Producer::new(memory(), bell).expect("an item fits");
            (0..ITEMS).all(|item: u64| producer.push_waiting(item).is_ok());
        }
        // In three steps, death may come before each.
        "produce-in-place" => {
            let mut producer = Producer::<u64, _>::new(memory(), SilentBell).expect("an item fits");
            let mut bell = bell;
            for item in 0..ITEMS {
                bell.step();
                let Ok(mut reserved) = producer.reserve(1) else { break };
                reserved.set(0, item);
                bell.step();
                reserved.commit();
                bell.ring();
            }
        }
        "produce-slices" => {
            let mut producer = Producer::new(memory(), bell).expect("an item fits");
            let items: Vec<u64> = (0..ITEMS).collect();
            items.chunks(77).all(|items| producer.push_slice_waiting(items).is_ok());
        }
        "produce-frames" => {
            let mut producer = FrameProducer::new(memory(), bell).expect("a frame fits");
            (0..ITEMS).all(|item| producer.push_waiting(&frame(item)).is_ok());
        }
        "consume-items" => {
            let mut consumer = Consumer::<u64, _>::new(memory(), bell).expect("an item fits");
            (0..ITEMS).for_each(|item| assert_eq!(consumer.pop_waiting(), Ok(item)));
        }
        "consume-slices" => {
            let mut consumer = Consumer::<u64, _>::new(memory(), bell).expect("an item fits");
            let mut items = [0; 100];
            for first in (0..ITEMS).step_by(items.len()) {
                consumer.pop_slice_waiting(&mut items).expect("the test sends them all");
                assert!(items.iter().zip(first..).all(|(&item, expected)| item == expected), "a wrong item");
            }
        }
        "consume-frames" => {
            let mut consumer = FrameConsumer::new(memory(), bell).expect("a frame fits");
            let mut received = [0; FRAME_BYTES as usize];
            for item in 0..ITEMS {
                let length = consumer.pop_waiting(&mut received).expect("the test sends them all");
                assert_eq!(received.get(..length), Some(frame(item).as_slice()), "a wrong frame");
            }
        }
        "produce-chaos" | "consume-chaos" => chaos(mapping, task == "produce-chaos", bell),
        // SAFETY: it is mapped, read-only: this ends the process, which is what the test wants to see.
        "write-data" => unsafe { mapping.data().write_volatile(1) },
        _ => panic!("there is no task {task}"),
    }
}

/// An end with this bell neither rings nor sleeps.
struct SilentBell;

impl Bell for SilentBell {
    fn sleeper_barrier(&mut self) {}

    fn sleep(&mut self) -> Peer {
        Peer::There
    }

    fn ring(&mut self) {}
}

fn frame(item: u64) -> Vec<u8> {
    (0..item % (FRAME_BYTES + 1)).map(|index| (item + index) as u8).collect()
}

/// Writes whatever comes to its mind to all that it can write. The step is the seed.
fn chaos(mapping: &Mapping, is_producer: bool, bell: MortalBell) {
    let MortalBell { mut bell, steps_left: seed } = bell;
    let own = mapping.page(if is_producer { End::Producer } else { End::Consumer });
    // SAFETY: the page is mapped, and this process may write it; its words are atomic in the other one.
    let words = [0, 128, 256].map(|offset| unsafe { own.cast::<u8>().add(offset).cast::<AtomicU32>().as_ref() });
    let mut random = 2 * u64::from(seed) + 1;
    for _ in 0..50_000 {
        // A generator of Marsaglia's ("Xorshift RNGs", 2003).
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let value = match random >> 60 {
            0..10 => (random >> 8) as u32 % 4096,
            _ => (random >> 8) as u32,
        };
        match (random >> 40) % 16 {
            0 => words[1].store(value, Ordering::Relaxed),
            1 if random >> 54 == 0 => words[2].store(value, Ordering::Relaxed),
            2 => bell.ring(),
            3..7 if is_producer => {
                let offset = (random >> 20) as usize % 512 * 8;
                // SAFETY: the first page of the data is mapped, and the producer may write it.
                unsafe { mapping.data().add(offset).cast::<u32>().write_volatile(value) }
            }
            7 if random >> 56 == 0 => words[0].store(value, Ordering::Relaxed),
            // As if it went on, more or less.
            _ => {
                words[0].fetch_add(value % 8, Ordering::Relaxed);
            }
        }
    }
}
