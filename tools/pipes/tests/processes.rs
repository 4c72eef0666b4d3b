//! Pipes between two processes: all arrives, the memory is protected, and whoever survives learns of it.

mod common;

use common::{ITEMS, Other, SIGKILL, SIZE_BYTES, frame};
use flatmk_pipe::{Consumer, Error, FrameConsumer, FrameProducer, Producer};
use flatmk_pipes::{End, SharedMemory, SocketBell};

const SIGSEGV: i32 = 11;

#[test]
fn items_come_from_another_process() {
    for task in ["produce-items", "produce-slices"] {
        let mut other = Other::start(task, 0);
        let bell = other.bell();
        // SAFETY: the other process has the producer.
        let mut consumer = Consumer::<u64, SocketBell>::new(unsafe { other.mapping.memory() }, bell).unwrap();
        for item in 0..ITEMS {
            assert_eq!(consumer.pop_waiting(), Ok(item), "{task}");
        }
        assert_eq!(consumer.pop_waiting(), Err(Error::Closed), "{task}");
    }
}

#[test]
fn items_go_to_another_process() {
    for task in ["consume-items", "consume-slices"] {
        let mut other = Other::start(task, 0);
        let bell = other.bell();
        // SAFETY: the other process has the consumer.
        let mut producer = Producer::new(unsafe { other.mapping.memory() }, bell).unwrap();
        let items: Vec<u64> = (0..ITEMS).collect();
        items.chunks(33).for_each(|items| assert_eq!(producer.push_slice_waiting(items), Ok(()), "{task}"));
        drop(producer);
        assert!(other.child.wait().unwrap().success(), "{task}: what it has received was not what was sent");
    }
}

#[test]
fn frames_go_to_another_process_and_come_from_one() {
    let mut other = Other::start("consume-frames", 0);
    let bell = other.bell();
    // SAFETY: the other process has the consumer.
    let mut producer = FrameProducer::new(unsafe { other.mapping.memory() }, bell).unwrap();
    (0..ITEMS).for_each(|item| assert_eq!(producer.push_waiting(&frame(item)), Ok(())));
    drop(producer);
    assert!(other.child.wait().unwrap().success(), "what it has received was not what was sent");

    let mut other = Other::start("produce-frames", 0);
    let bell = other.bell();
    // SAFETY: the other process has the producer.
    let mut consumer = FrameConsumer::new(unsafe { other.mapping.memory() }, bell).unwrap();
    let mut received = [0; 200];
    for item in 0..ITEMS {
        let length = consumer.pop_waiting(&mut received).unwrap();
        assert_eq!(received[..length], frame(item));
    }
    assert_eq!(consumer.pop_waiting(&mut received), Err(Error::Closed));
}

#[test]
fn a_consumer_that_writes_to_the_data_is_ended() {
    let mut other = Other::start("write-data", 0);
    assert_eq!(other.signal(), Some(SIGSEGV));
}

#[test]
fn memory_of_another_size_or_kind_is_refused() {
    let memory = SharedMemory::new(SIZE_BYTES).unwrap();
    let file = || memory.file().try_clone_to_owned().unwrap();
    assert!(SharedMemory::from_file(file(), SIZE_BYTES).is_ok());
    assert!(SharedMemory::from_file(file(), 2 * SIZE_BYTES).is_err());
    // It may still be made smaller.
    let unsealed = tempfile_of(SIZE_BYTES);
    assert!(SharedMemory::from_file(unsealed, SIZE_BYTES).is_err());
    for size in [0, 100, 4095, 12_288] {
        assert!(SharedMemory::new(size).is_err(), "{size}");
    }
    // Whoever has the file cannot do that to the other end.
    assert!(rustix::fs::ftruncate(memory.file(), 0).is_err());
}

fn tempfile_of(size_bytes: usize) -> std::os::fd::OwnedFd {
    let file = rustix::fs::memfd_create("no-pipe", rustix::fs::MemfdFlags::CLOEXEC).expect("the kernel has such files");
    rustix::fs::ftruncate(&file, (size_bytes + 2 * flatmk_pipes::PAGE_BYTES) as u64).expect("there is memory");
    file
}

/// In which step of the other process it dies. There are some in each operation.
const STEPS: std::ops::RangeInclusive<u32> = 1..=150;

/// By these, it has filled the buffer: to send an item takes two steps. Then it goes to sleep.
const STEPS_WHEN_FULL: std::ops::RangeInclusive<u32> = 1015..=1045;

/// What was published before is received, nothing else, and then the pipe is closed.
#[test]
fn a_producers_death_at_every_step_is_a_closed_pipe() {
    for task in ["produce-items", "produce-slices", "produce-in-place"] {
        let mut most = 0;
        let when_full = STEPS_WHEN_FULL.filter(|_| task == "produce-items");
        for step in STEPS.chain(when_full) {
            let mut other = Other::start(task, step);
            if STEPS_WHEN_FULL.contains(&step) {
                other.wait_until_stuck(End::Producer);
            }
            let bell = other.bell();
            // SAFETY: the other process has the producer.
            let mut consumer = Consumer::<u64, SocketBell>::new(unsafe { other.mapping.memory() }, bell).unwrap();
            let mut received = 0;
            let end = loop {
                match consumer.pop_waiting() {
                    Ok(item) => assert_eq!(item, received, "{task}, step {step}"),
                    Err(end) => break end,
                }
                received += 1;
            };
            assert_eq!(end, Error::Closed, "{task}, step {step}");
            assert_eq!(consumer.pop(), Err(Error::Closed), "{task}, step {step}: it stays so");
            drop(consumer);
            assert_eq!(other.signal(), Some(SIGKILL), "{task}, step {step}: it was to die");
            most = most.max(received);
        }
        assert!(most > 0, "{task}: it always died before it had sent anything");
    }
}

#[test]
fn a_frame_producers_death_at_every_step_is_a_closed_pipe() {
    for step in STEPS {
        let mut other = Other::start("produce-frames", step);
        let bell = other.bell();
        // SAFETY: the other process has the producer.
        let mut consumer = FrameConsumer::new(unsafe { other.mapping.memory() }, bell).unwrap();
        let (mut frames, mut received) = (0.., [0; 200]);
        let end = loop {
            match consumer.pop_waiting(&mut received) {
                Ok(length) => assert_eq!(Some(received[..length].to_vec()), frames.next().map(frame), "step {step}"),
                Err(end) => break end,
            }
        };
        assert_eq!(end, Error::Closed, "step {step}");
        drop(consumer);
        assert_eq!(other.signal(), Some(SIGKILL), "step {step}: it was to die");
    }
}

#[test]
fn a_consumers_death_at_every_step_is_a_closed_pipe() {
    for task in ["consume-items", "consume-slices"] {
        let mut died = 0;
        for step in STEPS {
            let mut other = Other::start(task, step);
            let bell = other.bell();
            // SAFETY: the other process has the consumer.
            let mut producer = Producer::new(unsafe { other.mapping.memory() }, bell).unwrap();
            let refused = (0..ITEMS).find_map(|item| producer.push_waiting(item).err());
            // Nobody needs more room than for all items; then it is the test that ends the pipe.
            assert_eq!(refused.unwrap_or(Error::Closed), Error::Closed, "{task}, step {step}");
            drop(producer);
            died += u32::from(other.has_died());
        }
        assert!(died > 0, "{task}: it never died");
    }
}

/// Whatever a hostile process writes, this one reads and writes within the buffer (there is nothing mapped around it), and gets a reason to stop at the latest when
/// the other one is gone.
#[test]
fn a_hostile_process_does_no_more_than_end_the_pipe() {
    let [mut of_items, mut of_frames, mut of_producers] = [const { Vec::new() }; 3];
    for seed in 1..=60 {
        let mut other = Other::start("produce-chaos", seed);
        let bell = other.bell();
        // SAFETY: the other process has what stands for the producer.
        let mut consumer = Consumer::<[u64; 3], SocketBell>::new(unsafe { other.mapping.memory() }, bell).unwrap();
        let end = (0..).find_map(|_| consumer.pop_waiting().err()).unwrap();
        assert_eq!(consumer.pop(), Err(end), "seed {seed}: it stays so");
        of_items.push(end);

        let mut other = Other::start("produce-chaos", seed);
        let bell = other.bell();
        // SAFETY: as above.
        let mut consumer = FrameConsumer::new(unsafe { other.mapping.memory() }, bell).unwrap();
        let mut frame = [0xa5; 256];
        let end = (0..).find_map(|_| match consumer.pop_waiting(&mut frame[64..192]) {
            Err(Error::TooLong) => Some(Error::TooLong),
            outcome => outcome.err(),
        });
        assert!(frame[..64].iter().chain(&frame[192..]).all(|&byte| byte == 0xa5), "seed {seed}: it wrote outside");
        of_frames.extend(end);

        let mut other = Other::start("consume-chaos", seed);
        let bell = other.bell();
        // SAFETY: the other process has what stands for the consumer.
        let mut producer = Producer::new(unsafe { other.mapping.memory() }, bell).unwrap();
        let end = (0_u64..).find_map(|item| producer.push_waiting(item).err()).unwrap();
        assert_eq!(producer.push(0), Err(end), "seed {seed}: it stays so");
        of_producers.push(end);
    }
    for ends in [of_items, of_frames, of_producers] {
        assert!(ends.iter().all(|end| [Error::Closed, Error::Corrupt, Error::TooLong].contains(end)), "{ends:?}");
        assert!(ends.contains(&Error::Corrupt), "nobody has written anything that cannot be");
    }
}

#[test]
fn an_end_maps_the_others_page_and_the_data_twice() {
    let memory = SharedMemory::new(SIZE_BYTES).unwrap();
    let [producer, consumer] = [End::Producer, End::Consumer].map(|end| memory.map(end).unwrap());
    // SAFETY: both are mapped here, and nobody else has them.
    unsafe {
        producer.data().add(SIZE_BYTES + 5).write_volatile(77);
        assert_eq!(producer.data().add(5).read_volatile(), 77);
        assert_eq!(consumer.data().add(5).read_volatile(), 77);
        assert_eq!(consumer.data().add(SIZE_BYTES + 5).read_volatile(), 77);
        consumer.page(End::Consumer).cast::<u8>().write_volatile(1);
        assert_eq!(producer.page(End::Consumer).cast::<u8>().read_volatile(), 1);
    }
}
