//! One end goes, in whatever way, and the other one receives what was sent until then, learns that nothing more will come, and keeps its pages until it
//! closes. Then the daemon has all its pages again.
//!
//! Those who spin do so without the instruction for it: in QEMU each one takes microseconds of the host's time, and there would be a million.

use core::arch::asm;
use core::mem::forget;
use core::sync::atomic::{AtomicU32, Ordering::Acquire};

use flatmk_abi::Error::InvalidState;
use flatmk_abi::Words;
use flatmk_abi::layout::PAGE_SIZE;
use flatmk_pipe::{Consumer, Error, Peer, Producer};
use flatmk_runtime::object::OWN_TASK;
use flatmk_runtime::pipe::{ConsumerEnd, NotificationBell, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::exchange::item;
use crate::harness::Random;
use crate::stage::{
    CONSUMER_AREA, CONSUMER_BELL, Child, MANY_PAGES, MIDDLE, PRODUCER_AREA, PRODUCER_BELL, Part, Side, own_consumer,
    own_producer, with_daemon,
};

pub(crate) const TESTS: &[Test] = tests![
    a_consumer_that_waits_outlives_its_producer,
    a_consumer_that_spins_outlives_its_producer,
    a_consumer_that_is_half_way_outlives_its_producer,
    a_producer_that_waits_outlives_its_consumer,
    a_producer_that_spins_outlives_its_consumer,
    a_producer_that_is_half_way_outlives_its_consumer,
    a_consumer_outlives_a_producer_that_ends_at_any_time,
    a_producer_outlives_a_consumer_that_ends_at_any_time,
    an_end_that_was_stopped_by_a_fault_is_there_until_it_is_ended,
    two_that_end_leave_nothing_behind,
    a_program_that_is_ended_while_its_memory_stays_is_outlived,
];

pub(crate) const PARTS: &[Part] = &[
    send_and_vanish,
    receive_and_vanish,
    send_and_fault,
    receive_and_fault,
    send_for_ever,
    receive_for_ever,
    outlive_producer_waiting,
    outlive_producer_spinning,
    outlive_producer_half_way,
    outlive_consumer_waiting,
    outlive_consumer_spinning,
    outlive_consumer_half_way,
];

/// Items in a buffer of one page.
const CAPACITY: u64 = PAGE_SIZE / 8;

/// Sends so many items, and ends without closing.
fn send_and_vanish(count: u64) -> Words {
    let mut producer = own_producer();
    (0..count).for_each(|index| producer.push_waiting(item(index)).expect("the consumer is there"));
    forget(producer);
    [count, 0, 0, 0]
}

/// Receives so many items, and ends without closing.
fn receive_and_vanish(count: u64) -> Words {
    let mut consumer = own_consumer();
    (0..count).for_each(|index| assert_eq!(consumer.pop_waiting(), Ok(item(index))));
    forget(consumer);
    [count, 0, 0, 0]
}

fn send_and_fault(count: u64) -> Words {
    send_and_vanish(count);
    fault()
}

fn receive_and_fault(count: u64) -> Words {
    receive_and_vanish(count);
    fault()
}

fn fault() -> ! {
    // SAFETY: nobody handles the fault, so nothing comes after it.
    unsafe { asm!("ud2", options(noreturn)) }
}

fn send_for_ever(_: u64) -> Words {
    let mut producer = own_producer();
    let error = (0..).find_map(|index| producer.push_waiting(item(index)).err());
    panic!("the consumer was there: {error:?}")
}

fn receive_for_ever(_: u64) -> Words {
    let mut consumer = own_consumer::<u64>();
    let error = (0..).find_map(|_: u64| consumer.pop_waiting().err());
    panic!("the producer was there: {error:?}")
}

/// Whether the other end is said to be closed, in its page, which is the second one.
fn is_peer_closed(area: u64) -> bool {
    const CLOSED: u64 = 256;
    let word = core::ptr::with_exposed_provenance::<AtomicU32>((area + PAGE_SIZE + CLOSED) as usize);
    // SAFETY: the page is mapped as long as the end is not closed, and it has words that are atomic.
    unsafe { &*word }.load(Acquire) != 0
}

/// Reads all pages of an end, and writes to its own.
fn use_pages(area: u64) {
    for page in 0..4 {
        let word = core::ptr::with_exposed_provenance_mut::<u64>((area + (page + 1) * PAGE_SIZE - 8) as usize);
        // SAFETY: the pages are mapped, and the last word is not used by an end (of the data: it is read only).
        unsafe {
            let value = word.read_volatile();
            if page == 0 {
                word.write_volatile(!value);
            }
        }
    }
}

/// The rest of what comes, from this index on; then nothing more comes, for good.
fn drain(mut consumer: Consumer<'static, u64, NotificationBell>, first: u64, is_waiting: bool) -> Words {
    let mut received = first;
    let end = loop {
        match if is_waiting { consumer.pop_waiting() } else { consumer.pop() } {
            Ok(found) => {
                assert_eq!(found, item(received));
                received += 1;
            }
            Err(Error::Empty) => {}
            Err(error) => break error,
        }
    };
    assert_eq!([end, Error::Closed], [Error::Closed, consumer.pop_waiting().expect_err("it is closed")]);
    use_pages(CONSUMER_AREA);
    ConsumerEnd::close(consumer).expect("the daemon is there");
    [received, 0, 0, 0]
}

fn outlive_producer_waiting(_: u64) -> Words {
    drain(own_consumer(), 0, true)
}

fn outlive_producer_spinning(_: u64) -> Words {
    drain(own_consumer(), 0, false)
}

/// It looks at the first item, where it is, until the producer is gone. It takes it then.
fn outlive_producer_half_way(_: u64) -> Words {
    let mut consumer = own_consumer();
    let first = loop {
        match consumer.peek(1) {
            Ok(filled) => {
                while !is_peer_closed(CONSUMER_AREA) {
                    assert_eq!(filled.get(0), Some(item(0)));
                }
                filled.release();
                break 1;
            }
            Err(Error::Empty) => {}
            // There was none.
            Err(error) => {
                assert_eq!(error, Error::Closed);
                break 0;
            }
        }
    };
    drain(consumer, first, true)
}

/// Sends until the consumer is known to be gone. Returns how many items that were.
fn fill(mut producer: Producer<'static, u64, NotificationBell>, first: u64, is_waiting: bool) -> Words {
    let mut sent = first;
    let end = loop {
        match if is_waiting { producer.push_waiting(item(sent)) } else { producer.push(item(sent)) } {
            Ok(()) => sent += 1,
            Err(Error::Full) => {}
            Err(error) => break error,
        }
    };
    assert_eq!([end, Error::Closed], [Error::Closed, producer.push_waiting(0).expect_err("it is closed")]);
    use_pages(PRODUCER_AREA);
    ProducerEnd::close(producer).expect("the daemon is there");
    [sent, 0, 0, 0]
}

fn outlive_consumer_waiting(_: u64) -> Words {
    fill(own_producer(), 0, true)
}

fn outlive_consumer_spinning(_: u64) -> Words {
    fill(own_producer(), 0, false)
}

/// It sends a few items, and writes one more into the buffer when the consumer is gone.
fn outlive_consumer_half_way(count: u64) -> Words {
    let mut producer = own_producer();
    (0..count).for_each(|index| producer.push_waiting(item(index)).expect("the consumer is there"));
    let mut reserved = producer.reserve(1).expect("there is room");
    while !is_peer_closed(PRODUCER_AREA) {}
    reserved.set(0, item(count));
    reserved.commit();
    fill(producer, count + 1, true)
}

/// When it ends: having done its part, or at some time.
#[derive(Clone, Copy)]
enum When {
    Done,
    AfterMs(u64),
}

/// Runs two children with a pipe until one of them (`dying`) ends, and returns what the other one reports.
fn outlive(dying: Side, when: When, parts: [Part; 2], argument: u64) -> u64 {
    let mut result = 0;
    with_daemon(MANY_PAGES, |daemon| {
        let [producer, consumer] = daemon.start_pair(1, parts, argument, [MIDDLE; 2]);
        let (first, survivor) = if dying == Side::Producer { (producer, consumer) } else { (consumer, producer) };
        match when {
            When::Done => assert_eq!(first.join(), Ok([argument, 0, 0, 0])),
            When::AfterMs(time) => OWN_TASK.sleep(time * 1_000_000).expect("a task may sleep"),
        }
        first.end();
        let [sender, receiver] = parts;
        let part = if dying == Side::Producer { receiver } else { sender };
        match when {
            // One that waits finds out by itself.
            When::Done if WAITING.iter().any(|&waiting| core::ptr::fn_addr_eq(waiting, part)) => {}
            // For the others somebody else makes a request, at which the daemon finds out.
            When::Done => daemon.look_for_the_dead(),
            // It may not even have opened its end.
            When::AfterMs(_) => daemon.withdraw(dying),
        }
        [result, ..] = survivor.join().expect("it comes to its end");
        assert_eq!(daemon.used_pages(), 0, "both ends are gone");
        survivor.end();
    });
    result
}

const WAITING: [Part; 2] = [outlive_producer_waiting, outlive_consumer_waiting];

/// Numbers of items around those at which something happens: nothing sent, a quarter of the buffer, a full one, more than one.
const COUNTS: [u64; 12] = [0, 1, 2, 3, 127, 128, 129, 510, 511, 512, 513, 1200];

/// The producer sends each of these numbers of items, and goes.
fn outlive_producers(part: Part, most: u64) {
    for count in COUNTS.into_iter().filter(|&count| count <= most) {
        let received = outlive(Side::Producer, When::Done, [send_and_vanish, part], count);
        assert_eq!(received, count, "all that was sent, and no more");
    }
}

fn a_consumer_that_waits_outlives_its_producer() {
    outlive_producers(outlive_producer_waiting, u64::MAX);
}

fn a_consumer_that_spins_outlives_its_producer() {
    outlive_producers(outlive_producer_spinning, u64::MAX);
}

/// Who stands still makes no room.
fn a_consumer_that_is_half_way_outlives_its_producer() {
    outlive_producers(outlive_producer_half_way, CAPACITY);
}

/// The consumer receives each of these numbers of items, and goes.
fn outlive_consumers(part: Part, most: u64) {
    for count in COUNTS.into_iter().filter(|&count| count <= most) {
        let sent = outlive(Side::Consumer, When::Done, [part, receive_and_vanish], count);
        assert!((count..=count + CAPACITY).contains(&sent), "{sent} of {count}");
    }
}

fn a_producer_that_waits_outlives_its_consumer() {
    outlive_consumers(outlive_consumer_waiting, u64::MAX);
}

fn a_producer_that_spins_outlives_its_consumer() {
    outlive_consumers(outlive_consumer_spinning, u64::MAX);
}

/// There must be room for one more.
fn a_producer_that_is_half_way_outlives_its_consumer() {
    outlive_consumers(outlive_consumer_half_way, CAPACITY - 1);
}

/// How often one ends at a time that has nothing to do with what it does.
const ROUNDS: u64 = 12;

fn a_consumer_outlives_a_producer_that_ends_at_any_time() {
    let mut random = Random(0x5eed_0008);
    for round in 0..ROUNDS {
        let part = if round % 2 == 0 { outlive_producer_waiting } else { outlive_producer_spinning };
        outlive(Side::Producer, When::AfterMs(random.below(15)), [send_for_ever, part], 0);
    }
}

fn a_producer_outlives_a_consumer_that_ends_at_any_time() {
    let mut random = Random(0x5eed_0009);
    for round in 0..ROUNDS {
        let part = if round % 2 == 0 { outlive_consumer_waiting } else { outlive_consumer_spinning };
        outlive(Side::Consumer, When::AfterMs(random.below(15)), [part, receive_for_ever], 0);
    }
}

/// Its space is not even used any more, but as long as there is a capability to it, it is there.
fn a_program_that_is_ended_while_its_memory_stays_is_outlived() {
    const COUNT: u64 = 700;
    with_daemon(MANY_PAGES, |daemon| {
        let parts: [Part; 2] = [send_and_vanish, outlive_producer_waiting];
        let [producer, consumer] = daemon.start_pair(1, parts, COUNT, [MIDDLE; 2]);
        assert_eq!(producer.join(), Ok([COUNT, 0, 0, 0]));
        producer.program.end().expect("it is loaded");
        assert_eq!(consumer.join(), Ok([COUNT, 0, 0, 0]));
        assert_eq!(daemon.used_pages(), 0, "both ends are gone");
        [producer, consumer].into_iter().for_each(|child| child.end());
    });
}

/// It is stopped, not gone: whoever handles its fault might let it go on.
fn an_end_that_was_stopped_by_a_fault_is_there_until_it_is_ended() {
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(1);
        let mut consumer = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        let child = Child::load(0, producer.0.0).start(send_and_fault, 3);
        assert_eq!(child.join(), Err(InvalidState), "it has stopped");
        daemon.look_for_the_dead();
        (0..3).for_each(|index| assert_eq!(consumer.pop(), Ok(item(index))));
        assert_eq!((consumer.pop(), consumer.bell().look_for_peer()), (Err(Error::Empty), Peer::There));
        child.end();
        daemon.look_for_the_dead();
        assert_eq!((consumer.pop(), consumer.bell().look_for_peer()), (Err(Error::Closed), Peer::Gone));
        ConsumerEnd::close(consumer).expect("the daemon is there");
        assert_eq!(daemon.used_pages(), 0);

        let (producer, consumer) = daemon.create_pipe(1);
        let mut producer = producer.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        (0..3).for_each(|index| assert_eq!(producer.push(item(index)), Ok(())));
        let child = Child::load(1, consumer.0.0).start(receive_and_fault, 3);
        assert_eq!(child.join(), Err(InvalidState), "it has stopped");
        daemon.look_for_the_dead();
        assert_eq!([producer.push(3), producer.push(4)], [Ok(()); 2]);
        assert_eq!(producer.bell().look_for_peer(), Peer::There);
        child.end();
        daemon.look_for_the_dead();
        // It learns of it with what it sends.
        assert_eq!([producer.push(5), producer.push(6)], [Ok(()), Err(Error::Closed)]);
        ProducerEnd::close(producer).expect("the daemon is there");
        assert_eq!(daemon.used_pages(), 0);
    });
}

fn two_that_end_leave_nothing_behind() {
    let mut random = Random(0x5eed_000a);
    for _ in 0..ROUNDS {
        with_daemon(MANY_PAGES, |daemon| {
            let children = daemon.start_pair(1, [send_for_ever, receive_for_ever], 0, [MIDDLE; 2]);
            OWN_TASK.sleep(random.below(15) * 1_000_000).expect("a task may sleep");
            children.into_iter().for_each(|child| child.end());
            [Side::Producer, Side::Consumer].into_iter().for_each(|side| daemon.withdraw(side));
            assert_eq!(daemon.used_pages(), 0);
        });
    }
}
