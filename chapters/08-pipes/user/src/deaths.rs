//! A program ends between any two instructions of what it does with its end, and the other end outlives it: what was sent is received, then it is known
//! to be closed, and no page is lost.

use core::mem::{forget, replace};
use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::Words;
use flatmk_abi::layout::PAGE_SIZE;
use flatmk_pipe::Error;
use flatmk_runtime::object::Endpoint;
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::exchange::item;
use crate::hostile::{SLEEPS, word};
use crate::servers::start_server;
use crate::stage::{
    CONSUMER, CONSUMER_AREA, CONSUMER_BELL, Child, MANY_PAGES, PRODUCER, PRODUCER_AREA, PRODUCER_BELL, Part, Side,
    own_consumer, own_frame_consumer, own_frame_producer, own_producer, with_daemon,
};
use crate::stepped::{HANDLER, STEPS, in_steps, prepare, step_entry};

pub(crate) const TESTS: &[Test] = tests![
    a_producer_that_ends_at_any_instruction_has_sent_whole_items,
    a_producer_that_ends_at_any_instruction_of_a_ring_has_sent_whole_items,
    a_producer_that_ends_at_any_instruction_of_a_sleep_has_sent_whole_items,
    a_producer_that_ends_at_any_instruction_has_sent_a_whole_slice_or_nothing,
    a_producer_that_ends_at_any_instruction_of_opening_has_sent_nothing,
    a_producer_that_ends_at_any_instruction_of_closing_has_sent_everything,
    a_producer_that_ends_at_any_instruction_has_sent_a_whole_frame_or_nothing,
    a_consumer_that_ends_at_any_instruction_leaves_a_producer_that_knows,
    a_consumer_that_ends_at_any_instruction_of_a_ring_leaves_a_producer_that_knows,
    a_consumer_that_ends_at_any_instruction_of_a_sleep_leaves_a_producer_that_knows,
    a_consumer_that_ends_at_any_instruction_of_a_slice_leaves_a_producer_that_knows,
    a_consumer_that_ends_at_any_instruction_of_opening_leaves_a_producer_that_knows,
    a_consumer_that_ends_at_any_instruction_of_closing_leaves_a_producer_that_knows,
    a_consumer_that_ends_at_any_instruction_of_a_frame_leaves_a_producer_that_knows,
];

pub(crate) const PARTS: &[Part] = &[
    send_in_steps,
    send_slice_in_steps,
    send_frame_in_steps,
    open_producer_in_steps,
    close_producer_in_steps,
    receive_in_steps,
    receive_slice_in_steps,
    receive_frame_in_steps,
    open_consumer_in_steps,
    close_consumer_in_steps,
];

/// How many items are sent or received step by step.
const ITEMS: u64 = 2;

/// Items in a buffer of one page.
const CAPACITY: u64 = PAGE_SIZE / 8;

const FRAME: [u8; 100] = [7; 100];

/// What a child reports of an end that goes with it: how often it has slept, and rung.
fn vanish<E>(end: E, (sleeps, rings): (u32, u32)) -> Words {
    forget(end);
    [sleeps.into(), rings.into(), 0, 0]
}

/// So many items were sent before.
fn send_in_steps(before: u64) -> Words {
    let mut producer = own_producer();
    (0..before).for_each(|index| producer.push(item(index)).expect("there is room"));
    in_steps(|| (before..before + ITEMS).for_each(|index| producer.push_waiting(item(index)).expect("there is room")));
    let events = producer.kernel_events();
    vanish(producer, events)
}

fn send_slice_in_steps(_: u64) -> Words {
    let mut producer = own_producer();
    let slice = [item(0), item(1)];
    in_steps(|| producer.push_slice_waiting(&slice)).expect("there is room");
    let events = producer.kernel_events();
    vanish(producer, events)
}

fn send_frame_in_steps(_: u64) -> Words {
    let mut producer = own_frame_producer();
    in_steps(|| producer.push_waiting(&FRAME)).expect("there is room");
    let events = producer.kernel_events();
    vanish(producer, events)
}

fn open_producer_in_steps(_: u64) -> Words {
    vanish(in_steps(own_producer::<u64>), (0, 0))
}

fn close_producer_in_steps(_: u64) -> Words {
    let mut producer = own_producer();
    (0..ITEMS).for_each(|index| producer.push(item(index)).expect("there is room"));
    in_steps(|| ProducerEnd::close(producer)).expect("the daemon is there");
    [0; 4]
}

fn receive_in_steps(_: u64) -> Words {
    let mut consumer = own_consumer();
    in_steps(|| (0..ITEMS).for_each(|index| assert_eq!(consumer.pop_waiting(), Ok(item(index)))));
    let events = consumer.kernel_events();
    vanish(consumer, events)
}

fn receive_slice_in_steps(_: u64) -> Words {
    let mut consumer = own_consumer();
    let mut slice = [0; ITEMS as usize];
    in_steps(|| consumer.pop_slice_waiting(&mut slice)).expect("there are items");
    assert_eq!(slice, [item(0), item(1)]);
    let events = consumer.kernel_events();
    vanish(consumer, events)
}

fn receive_frame_in_steps(_: u64) -> Words {
    let mut consumer = own_frame_consumer();
    let mut frame = [0; FRAME.len()];
    assert_eq!(in_steps(|| consumer.pop_waiting(&mut frame)), Ok(FRAME.len()));
    assert_eq!(frame, FRAME);
    let events = consumer.kernel_events();
    vanish(consumer, events)
}

fn open_consumer_in_steps(_: u64) -> Words {
    vanish(in_steps(own_consumer::<u64>), (0, 0))
}

fn close_consumer_in_steps(_: u64) -> Words {
    let consumer = own_consumer::<u64>();
    in_steps(|| ConsumerEnd::close(consumer)).expect("the daemon is there");
    [0; 4]
}

/// Lets a child go on until it has stopped or come to its end, and ends it. Is given what is done again and again meanwhile, and returns what the
/// child reports if it has come to its end.
type LetItEnd<'a> = &'a dyn Fn(&mut dyn FnMut()) -> Option<Words>;

/// Lets a child play its part at one end again and again, ending it an instruction later each time. `survive` is the other end.
fn end_at_any_instruction(dying: Side, part: Part, argument: u64, survive: impl Fn(LetItEnd<'_>)) {
    with_daemon(MANY_PAGES, |daemon| {
        let handler = start_server(HANDLER, step_entry, 0);
        let child = Child::load_without_end(0);
        for moment in 0.. {
            daemon.create_pipe_for(child, dying);
            prepare(child.program.task, handler, moment, (0, 0));
            survive(&|meanwhile| {
                let report = child.start(part, argument).join_with(meanwhile).ok();
                child.end_for_others();
                daemon.withdraw(dying);
                report
            });
            assert_eq!(daemon.used_pages(), 0);
            if STEPS.load(Relaxed) <= moment {
                assert!(moment > 20, "it takes more instructions");
                break;
            }
        }
        child.end();
        handler.end();
    });
}

/// Whether the other end sleeps: it has said so, and has taken no step since this was asked last.
fn is_asleep(area: u64, steps_before: &mut u64) -> bool {
    let steps = STEPS.load(Relaxed);
    word(area + PAGE_SIZE, SLEEPS).load(Relaxed) != 0 && replace(steps_before, steps) == steps
}

/// Whether the one that does not end says that it sleeps, so that the other one rings for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Nothing,
    ItSleeps,
}

impl Says {
    fn say(self, area: u64) {
        word(area, SLEEPS).store((self == Self::ItSleeps).into(), Relaxed);
    }
}

/// A consumer outlives a producer that sends after so many items. It may have received any of these numbers, and the last one if nothing has happened to
/// the producer, which has slept and rung so often then.
fn outlive_producer(part: Part, before: u64, says: Says, counts: &[u64], events: [u64; 2]) {
    end_at_any_instruction(Side::Producer, part, before, |let_it_end| {
        let end = ConsumerEnd(Endpoint(CONSUMER));
        let mut consumer = end.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        says.say(CONSUMER_AREA);
        let (mut received, mut steps) = (0, 0);
        let report = let_it_end(&mut || {
            if is_asleep(CONSUMER_AREA, &mut steps) {
                assert_eq!(consumer.pop(), Ok(item(received)));
                received += 1;
            }
        });
        received += (received..).take_while(|&index| consumer.pop() == Ok(item(index))).count() as u64;
        assert!(counts.contains(&received), "{received}");
        if let Some([sleeps, rings, ..]) = report {
            assert_eq!((Some(&received), [sleeps, rings]), (counts.last(), events));
        }
        assert_eq!(consumer.pop(), Err(Error::Closed));
        assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
        ConsumerEnd::close(consumer).expect("the daemon is there");
    });
}

fn a_producer_that_ends_at_any_instruction_has_sent_whole_items() {
    outlive_producer(send_in_steps, 0, Says::Nothing, &[0, 1, 2], [0, 0]);
}

fn a_producer_that_ends_at_any_instruction_of_a_ring_has_sent_whole_items() {
    outlive_producer(send_in_steps, 0, Says::ItSleeps, &[0, 1, 2], [0, 1]);
}

/// There is room for the first of its items. While it sleeps, room is made for the second.
fn a_producer_that_ends_at_any_instruction_of_a_sleep_has_sent_whole_items() {
    let counts = [CAPACITY - 1, CAPACITY, CAPACITY + 1];
    outlive_producer(send_in_steps, CAPACITY - 1, Says::Nothing, &counts, [1, 0]);
}

fn a_producer_that_ends_at_any_instruction_has_sent_a_whole_slice_or_nothing() {
    outlive_producer(send_slice_in_steps, 0, Says::Nothing, &[0, 2], [0, 0]);
}

/// Before it has opened its end, nobody can tell that it never will but who has a copy of the invitation.
fn a_producer_that_ends_at_any_instruction_of_opening_has_sent_nothing() {
    outlive_producer(open_producer_in_steps, 0, Says::Nothing, &[0], [0, 0]);
}

fn a_producer_that_ends_at_any_instruction_of_closing_has_sent_everything() {
    outlive_producer(close_producer_in_steps, 0, Says::Nothing, &[ITEMS], [0, 0]);
}

fn a_producer_that_ends_at_any_instruction_has_sent_a_whole_frame_or_nothing() {
    end_at_any_instruction(Side::Producer, send_frame_in_steps, 0, |let_it_end| {
        let end = ConsumerEnd(Endpoint(CONSUMER));
        let mut consumer = end.open_frames(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        let is_done = let_it_end(&mut || {}).is_some();
        let mut frame = [0; FRAME.len()];
        let outcome = consumer.pop(&mut frame);
        assert!((outcome == Ok(FRAME.len()) && frame == FRAME) || (outcome == Err(Error::Closed) && !is_done));
        assert_eq!(consumer.pop(&mut frame), Err(Error::Closed));
        assert_eq!(consumer.pop_waiting(&mut frame), Err(Error::Closed));
        ConsumerEnd::close_frames(consumer).expect("the daemon is there");
    });
}

/// A producer that has sent so many items outlives a consumer, which has slept and rung so often if nothing has happened to it. While the consumer
/// sleeps, it sends one more.
fn outlive_consumer(part: Part, before: u64, says: Says, events: [u64; 2]) {
    end_at_any_instruction(Side::Consumer, part, 0, |let_it_end| {
        let end = ProducerEnd(Endpoint(PRODUCER));
        let mut producer = end.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        (0..before).for_each(|index| assert_eq!(producer.push(item(index)), Ok(())));
        says.say(PRODUCER_AREA);
        let (mut next, mut steps) = (before, 0);
        let report = let_it_end(&mut || {
            if is_asleep(PRODUCER_AREA, &mut steps) {
                assert_eq!(producer.push(item(next)), Ok(()));
                next += 1;
            }
        });
        assert!(report.is_none_or(|[sleeps, rings, ..]| [sleeps, rings] == events), "{report:?}");
        // The first one that it sends it may send still.
        let sent = (0..10).take_while(|_| producer.push(0).is_ok()).count();
        assert!(sent <= 1, "{sent}");
        assert_eq!(producer.push(0), Err(Error::Closed));
        assert_eq!(producer.push_waiting(0), Err(Error::Closed));
        ProducerEnd::close(producer).expect("the daemon is there");
    });
}

fn a_consumer_that_ends_at_any_instruction_leaves_a_producer_that_knows() {
    outlive_consumer(receive_in_steps, ITEMS, Says::Nothing, [0, 0]);
}

fn a_consumer_that_ends_at_any_instruction_of_a_ring_leaves_a_producer_that_knows() {
    outlive_consumer(receive_in_steps, ITEMS, Says::ItSleeps, [0, 1]);
}

/// The first of its items is there, the second one comes while it sleeps.
fn a_consumer_that_ends_at_any_instruction_of_a_sleep_leaves_a_producer_that_knows() {
    outlive_consumer(receive_in_steps, ITEMS - 1, Says::Nothing, [1, 0]);
}

fn a_consumer_that_ends_at_any_instruction_of_a_slice_leaves_a_producer_that_knows() {
    outlive_consumer(receive_slice_in_steps, ITEMS, Says::Nothing, [0, 0]);
}

fn a_consumer_that_ends_at_any_instruction_of_opening_leaves_a_producer_that_knows() {
    outlive_consumer(open_consumer_in_steps, ITEMS, Says::Nothing, [0, 0]);
}

fn a_consumer_that_ends_at_any_instruction_of_closing_leaves_a_producer_that_knows() {
    outlive_consumer(close_consumer_in_steps, ITEMS, Says::Nothing, [0, 0]);
}

fn a_consumer_that_ends_at_any_instruction_of_a_frame_leaves_a_producer_that_knows() {
    end_at_any_instruction(Side::Consumer, receive_frame_in_steps, 0, |let_it_end| {
        let end = ProducerEnd(Endpoint(PRODUCER));
        let mut producer = end.open_frames(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        assert_eq!(producer.push(&FRAME), Ok(()));
        let_it_end(&mut || {});
        let sent = (0..10).take_while(|_| producer.push(&FRAME).is_ok()).count();
        assert!(sent <= 1, "{sent}");
        assert_eq!(producer.push(&FRAME), Err(Error::Closed));
        assert_eq!(producer.push_waiting(&FRAME), Err(Error::Closed));
        ProducerEnd::close_frames(producer).expect("the daemon is there");
    });
}
