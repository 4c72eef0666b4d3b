//! Items, slices and frames go through a pipe, between programs and within one.

use flatmk_abi::Words;
use flatmk_abi::layout::PAGE_SIZE;
use flatmk_pipe::{Bell, Consumer, Error, FrameConsumer, FrameProducer, HEADER_BYTES, Producer};
use flatmk_runtime::object::{Endpoint, OWN_TASK, Task};
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{at, end_thread, idle, start_thread, thread_slot};
use crate::stage::{
    CONSUMER_AREA, CONSUMER_BELL, MANY_PAGES, MIDDLE, PRODUCER, PRODUCER_AREA, PRODUCER_BELL, Part, own_consumer,
    own_frame_consumer, own_frame_producer, own_producer, with_daemon,
};

pub(crate) const TESTS: &[Test] = tests![
    items_go_from_one_program_to_another,
    slices_go_from_one_program_to_another,
    frames_go_from_one_program_to_another,
    items_slices_and_frames_go_from_one_thread_to_another,
    buffers_have_one_to_eight_frames,
    who_finds_the_pipe_empty_sleeps_until_something_comes,
    who_finds_the_pipe_full_sleeps_until_there_is_room,
    a_busy_stream_calls_the_kernel_four_times_for_each_time_around_the_buffer,
    ten_million_items_go_through_one_pipe,
];

pub(crate) const PARTS: &[Part] =
    &[send_items, receive_items, send_slices, receive_slices, send_frames, receive_frames, send_late, receive_late];

/// A number for each index.
pub(crate) fn item(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Sends so many items.
fn send_all(producer: &mut Producer<'_, u64, impl Bell>, count: u64) {
    for index in 0..count {
        producer.push_waiting(item(index)).expect("the consumer is there");
    }
}

/// Receives so many, and no more.
fn receive_all(consumer: &mut Consumer<'_, u64, impl Bell>, count: u64) {
    for index in 0..count {
        assert_eq!(consumer.pop_waiting(), Ok(item(index)));
    }
    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
}

/// What a child reports: the count, and its kernel events.
fn report(count: u64, (sleeps, rings): (u32, u32)) -> Words {
    [count, sleeps.into(), rings.into(), 0]
}

pub(crate) fn send_items(count: u64) -> Words {
    let mut producer = own_producer();
    send_all(&mut producer, count);
    let events = producer.kernel_events();
    ProducerEnd::close(producer).expect("the daemon is there");
    report(count, events)
}

pub(crate) fn receive_items(count: u64) -> Words {
    let mut consumer = own_consumer();
    receive_all(&mut consumer, count);
    let events = consumer.kernel_events();
    ConsumerEnd::close(consumer).expect("the daemon is there");
    report(count, events)
}

/// Items that do not divide the buffer, so that some lie across its end.
type Triple = [u64; 3];

fn triple(index: u64) -> Triple {
    [index, item(index), !index]
}

/// How long slices are: up to more than the buffer of a page has room for.
fn slice_length(index: u64) -> usize {
    1 + (item(index) >> 32) as usize % MOST_IN_SLICE
}

const MOST_IN_SLICE: usize = 200;

fn send_slices_to(producer: &mut Producer<'_, Triple, impl Bell>, count: u64) -> Words {
    let mut next = 0;
    let mut slice = [[0; 3]; MOST_IN_SLICE];
    for index in 0..count {
        let slice = slice.get_mut(..slice_length(index)).expect("it is not longer");
        slice.iter_mut().zip(next..).for_each(|(place, index)| *place = triple(index));
        next += slice.len() as u64;
        producer.push_slice_waiting(slice).expect("the consumer is there");
    }
    report(next, producer.kernel_events())
}

/// It receives in slices of other lengths than those that were sent.
fn receive_slices_from(consumer: &mut Consumer<'_, Triple, impl Bell>, count: u64) -> Words {
    let all: usize = (0..count).map(slice_length).sum();
    let mut next = 0;
    let mut slice = [[0; 3]; MOST_IN_SLICE];
    while next < all {
        let length = slice_length(!(next as u64)).min(all - next);
        let slice = slice.get_mut(..length).expect("it is not longer");
        consumer.pop_slice_waiting(slice).expect("there is more");
        assert!(slice.iter().zip(next as u64..).all(|(found, index)| *found == triple(index)));
        next += length;
    }
    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
    report(next as u64, consumer.kernel_events())
}

fn send_slices(count: u64) -> Words {
    let mut producer = own_producer();
    let result = send_slices_to(&mut producer, count);
    ProducerEnd::close(producer).expect("the daemon is there");
    result
}

fn receive_slices(count: u64) -> Words {
    let mut consumer = own_consumer();
    let result = receive_slices_from(&mut consumer, count);
    ConsumerEnd::close(consumer).expect("the daemon is there");
    result
}

/// The longest frame that goes through a buffer of one page.
const LONGEST: usize = 4096 - HEADER_BYTES;

/// The length of a frame: short ones, and the longest.
fn frame_length(index: u64) -> usize {
    if index.is_multiple_of(10) { LONGEST - (index / 10 % 9) as usize } else { (item(index) >> 40) as usize % 100 }
}

fn frame_byte(index: u64, place: usize) -> u8 {
    (index as u8).wrapping_mul(7) ^ place as u8
}

fn send_frames_to(producer: &mut FrameProducer<'_, impl Bell>, count: u64) -> Words {
    let mut frame = [0; LONGEST];
    for index in 0..count {
        let frame = frame.get_mut(..frame_length(index)).expect("it is not longer");
        frame.iter_mut().enumerate().for_each(|(place, byte)| *byte = frame_byte(index, place));
        producer.push_waiting(frame).expect("the consumer is there");
    }
    assert_eq!(producer.push_waiting(&[0; LONGEST + 1]), Err(Error::TooLong));
    report(count, producer.kernel_events())
}

fn receive_frames_from(consumer: &mut FrameConsumer<'_, impl Bell>, count: u64) -> Words {
    let mut frame = [0; LONGEST];
    for index in 0..count {
        assert_eq!(consumer.pop_waiting(&mut frame), Ok(frame_length(index)));
        let received = frame.iter().take(frame_length(index)).enumerate();
        assert!(received.into_iter().all(|(place, byte)| *byte == frame_byte(index, place)));
    }
    assert_eq!(consumer.pop_waiting(&mut frame), Err(Error::Closed));
    report(count, consumer.kernel_events())
}

fn send_frames(count: u64) -> Words {
    let mut producer = own_frame_producer();
    let result = send_frames_to(&mut producer, count);
    ProducerEnd::close_frames(producer).expect("the daemon is there");
    result
}

fn receive_frames(count: u64) -> Words {
    let mut consumer = own_frame_consumer();
    let result = receive_frames_from(&mut consumer, count);
    ConsumerEnd::close_frames(consumer).expect("the daemon is there");
    result
}

/// Runs two children with a pipe to the end, and returns what they report.
fn run_pair(data_frames: u64, parts: [Part; 2], argument: u64, priorities: [u8; 2]) -> [Words; 2] {
    let mut results = [[0; 4]; 2];
    with_daemon(MANY_PAGES, |daemon| {
        let children = daemon.start_pair(data_frames, parts, argument, priorities);
        results = children.map(|child| child.join().expect("it comes to its end"));
        assert_eq!(daemon.used_pages(), 0, "both ends are closed");
        children.into_iter().for_each(|child| child.end());
    });
    results
}

fn items_go_from_one_program_to_another() {
    let results = run_pair(1, [send_items, receive_items], 10_000, [MIDDLE; 2]);
    assert!(results.iter().all(|&[count, sleeps, rings, _]| count == 10_000 && sleeps > 0 && rings > 0), "{results:?}");
}

fn slices_go_from_one_program_to_another() {
    let [[sent, ..], [received, ..]] = run_pair(1, [send_slices, receive_slices], 200, [MIDDLE; 2]);
    assert!(sent > 10_000 && sent == received);
}

fn frames_go_from_one_program_to_another() {
    let results = run_pair(1, [send_frames, receive_frames], 1000, [MIDDLE; 2]);
    assert!(results.iter().all(|&[count, ..]| count == 1000));
}

/// The thread that sends.
const SENDER: u64 = 0;

extern "C" fn send_from_thread(kind: u64) {
    let end = ProducerEnd(Endpoint(PRODUCER));
    match kind {
        0 => {
            let mut producer = end.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
            send_all(&mut producer, 10_000);
            ProducerEnd::close(producer)
        }
        1 => {
            let mut producer = end.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
            send_slices_to(&mut producer, 100);
            ProducerEnd::close(producer)
        }
        _ => {
            let mut producer = end.open_frames(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
            send_frames_to(&mut producer, 1000);
            ProducerEnd::close_frames(producer)
        }
    }
    .expect("the daemon is there");
    idle(Task(at(thread_slot(SENDER))))
}

fn items_slices_and_frames_go_from_one_thread_to_another() {
    with_daemon(MANY_PAGES, |daemon| {
        for kind in 0..3 {
            let (_, end) = daemon.create_pipe(1);
            start_thread(SENDER, send_from_thread, kind);
            match kind {
                0 => {
                    let mut consumer = end.open(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
                    receive_all(&mut consumer, 10_000);
                    ConsumerEnd::close(consumer)
                }
                1 => {
                    let mut consumer = end.open(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
                    receive_slices_from(&mut consumer, 100);
                    ConsumerEnd::close(consumer)
                }
                _ => {
                    let mut consumer = end.open_frames(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
                    receive_frames_from(&mut consumer, 1000);
                    ConsumerEnd::close_frames(consumer)
                }
            }
            .expect("the daemon is there");
            // It closes its end as soon as it runs.
            (0..100)
                .take_while(|_| daemon.used_pages() != 0)
                .for_each(|_| OWN_TASK.sleep(1_000_000).unwrap_or_default());
            assert_eq!(daemon.used_pages(), 0);
            end_thread(SENDER);
        }
    });
}

fn buffers_have_one_to_eight_frames() {
    with_daemon(MANY_PAGES, |daemon| {
        for data_frames in [1, 2, 4, 8] {
            let (producer, consumer) = daemon.create_pipe(data_frames);
            let mut producer = producer.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
            let mut consumer = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
            assert_eq!(daemon.used_pages(), 5 + data_frames, "a table, two notifications, two pages, and the data");
            assert_eq!(daemon.sharing.query(), Ok(2 + data_frames));
            let capacity = data_frames * 4096 / 8;
            // Twice, so that all is reached through both mappings of the data.
            for start in [0, capacity / 2] {
                (0..capacity).for_each(|index| assert_eq!(producer.push(item(start + index)), Ok(())));
                assert_eq!(producer.push(0), Err(Error::Full));
                (0..capacity).for_each(|index| assert_eq!(consumer.pop(), Ok(item(start + index))));
                assert_eq!(consumer.pop(), Err(Error::Empty));
                let half = capacity as usize / 2;
                (0..half).for_each(|_| assert_eq!(producer.push(1), Ok(())));
                (0..half).for_each(|_| assert_eq!(consumer.pop(), Ok(1)));
            }
            ProducerEnd::close(producer).expect("the daemon is there");
            ConsumerEnd::close(consumer).expect("the daemon is there");
            assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
        }
    });
}

/// So long a late one waits, in nanoseconds: longer than the other one waits before it asks for it.
const LATE: u64 = 250_000_000;

fn send_late(count: u64) -> Words {
    OWN_TASK.sleep(LATE).expect("a task may sleep");
    send_items(count)
}

fn receive_late(count: u64) -> Words {
    OWN_TASK.sleep(LATE).expect("a task may sleep");
    receive_items(count)
}

fn who_finds_the_pipe_empty_sleeps_until_something_comes() {
    let [_, [count, sleeps, ..]] = run_pair(1, [send_late, receive_items], 10, [MIDDLE; 2]);
    assert_eq!(count, 10);
    // It has looked for the other end twice, has woken for the items, and may have waited once more, for the end.
    assert!((3..=5).contains(&sleeps), "{sleeps}");
}

fn who_finds_the_pipe_full_sleeps_until_there_is_room() {
    let [[count, sleeps, ..], _] = run_pair(1, [send_items, receive_late], 600, [MIDDLE; 2]);
    assert_eq!(count, 600);
    assert!((3..=5).contains(&sleeps), "{sleeps}");
}

/// One sleeps and is woken when the buffer is empty, the other when it is full. A time slice that ends in between costs a few more.
fn a_busy_stream_calls_the_kernel_four_times_for_each_time_around_the_buffer() {
    const COUNT: u64 = 100_000;
    const HIGHER: u8 = MIDDLE + 1;
    let events = |data_frames, priorities| {
        let results = run_pair(data_frames, [send_items, receive_items], COUNT, priorities);
        results.iter().map(|[_, sleeps, rings, _]| sleeps + rings).sum::<u64>()
    };
    for data_frames in [1, 2, 4, 8] {
        let events = events(data_frames, [MIDDLE; 2]);
        let capacity = data_frames * PAGE_SIZE / 8;
        assert!(events <= 4 * COUNT / capacity + COUNT / 1000, "{events} with {data_frames} frames");
    }
    // An end that is more urgent is woken for each item, or each place, for which it waits: this is what it asks for.
    for priorities in [[MIDDLE, HIGHER], [HIGHER, MIDDLE]] {
        let events = events(8, priorities);
        assert!((COUNT / 2..=2 * COUNT + 10).contains(&events), "{events} with {priorities:?}");
    }
}

fn ten_million_items_go_through_one_pipe() {
    const COUNT: u64 = 10_000_000;
    let results = run_pair(8, [send_items, receive_items], COUNT, [MIDDLE; 2]);
    assert!(results.iter().all(|&[count, ..]| count == COUNT), "{results:?}");
}
