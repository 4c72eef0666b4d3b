//! What becomes of pipes whose creator goes, and requests at random.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, Kind, Rights, Words};
use flatmk_pipe::Error as PipeError;
use flatmk_runtime::object::{Endpoint, OWN_TABLE, OWN_TASK, identify};
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::sharing::Sharing;
use flatmk_runtime::sharing::SharingRequest::{self, ClosePipe, CreatePipe, LookForPeer, OpenPipe};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::exchange::{receive_items, send_items};
use crate::harness::{MEMORY, Random, SCRATCH, at};
use crate::requests::{FIRST, check_works};
use crate::stage::{
    CONSUMER, CONSUMER_AREA, CONSUMER_BELL, Daemon, MANY_PAGES, MIDDLE, PRODUCER, PRODUCER_AREA, PRODUCER_BELL,
    SHARING, SPARE, with_daemon,
};

pub(crate) const TESTS: &[Test] = tests![
    a_stream_goes_on_when_the_creator_detaches,
    a_pipe_outlives_the_space_of_its_creator_while_an_end_is_open,
    ends_that_nobody_has_opened_go_with_the_creator,
    frames_of_a_pipe_do_not_count_for_the_next_client_with_the_number,
    random_requests_leave_nothing_behind,
];

fn a_stream_goes_on_when_the_creator_detaches() {
    const COUNT: u64 = 500_000;
    with_daemon(MANY_PAGES, |daemon| {
        let children = daemon.start_pair(1, [send_items, receive_items], COUNT, [MIDDLE; 2]);
        OWN_TASK.sleep(10_000_000).expect("a task may sleep");
        daemon.come_again();
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (6, Ok(0)));
        for child in children {
            assert!(matches!(child.join(), Ok([COUNT, ..])));
        }
        assert_eq!(daemon.used_pages(), 0);
        children.into_iter().for_each(|child| child.end());
    });
}

/// Another client, whose space is in a slot of the scratch table, with a pipe whose ends are in the slots for them.
fn create_as_other(daemon: &Daemon) -> (ProducerEnd, ConsumerEnd) {
    MEMORY.make(Kind::AddressSpace, 1, SCRATCH, 31).expect("enough memory");
    OWN_TABLE.copy(WINDOW, at(31), Rights::all()).expect("the window is empty");
    let other = daemon.other_client();
    assert_eq!(other.0.call_with_window([SharingRequest::Attach as u64, 0, 0, 0], FIRST), Ok(([0; 4], 0)));
    let ends = other.create_pipe(1, PRODUCER, CONSUMER).expect("it is attached");
    assert_eq!(other.query(), Ok(3));
    SCRATCH.delete(2).expect("it is there");
    ends
}

/// The space of the other client goes, and the daemon finds out.
fn end_other(daemon: &Daemon) {
    SCRATCH.revoke(31).expect("it is there");
    SCRATCH.delete(31).expect("it is there");
    daemon.look_for_the_dead();
}

fn a_pipe_outlives_the_space_of_its_creator_while_an_end_is_open() {
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = create_as_other(daemon);
        let mut producer = producer.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        let mut consumer = consumer.open(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        end_other(daemon);
        assert_eq!((producer.push(7_u64), consumer.pop()), (Ok(()), Ok(7)));
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (6, Ok(0)));
        ProducerEnd::close(producer).expect("the daemon is there");
        assert_eq!(consumer.pop(), Err(PipeError::Closed));
        ConsumerEnd::close(consumer).expect("the daemon is there");
        assert_eq!(daemon.used_pages(), 0);
    });
}

fn ends_that_nobody_has_opened_go_with_the_creator() {
    with_daemon(MANY_PAGES, |daemon| {
        // Neither was opened.
        let (producer, _) = create_as_other(daemon);
        end_other(daemon);
        assert_eq!(daemon.used_pages(), 0);
        let refused = producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).err();
        assert_eq!(refused, Some(Error::InvalidCapability.into()));
        // One of them.
        let (producer, consumer) = create_as_other(daemon);
        let mut opened = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        assert_eq!(opened.pop(), Err(PipeError::Empty));
        end_other(daemon);
        assert_eq!(producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).err(), Some(Error::InvalidState.into()));
        assert_eq!(opened.pop_waiting(), Err(PipeError::Closed));
        ConsumerEnd::close(opened).expect("the daemon is there");
        assert_eq!(daemon.used_pages(), 0);
        let (producer, _) = create_as_other(daemon);
        let mut opened = producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        assert_eq!(opened.push(1), Ok(()));
        end_other(daemon);
        // It learns of it with what it sends.
        assert_eq!([opened.push(1), opened.push(1)], [Ok(()), Err(PipeError::Closed)]);
        ProducerEnd::close(opened).expect("the daemon is there");
        assert_eq!(daemon.used_pages(), 0);
    });
}

fn frames_of_a_pipe_do_not_count_for_the_next_client_with_the_number() {
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(4);
        let producer = producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        let consumer = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        assert_eq!(daemon.sharing.query(), Ok(6));
        daemon.come_again();
        let (next_producer, next_consumer) = daemon.sharing.create_pipe(1, SPARE, SPARE + 1).expect("pages for a pipe");
        assert_eq!(daemon.sharing.query(), Ok(3));
        ProducerEnd::close(producer).expect("the daemon is there");
        ConsumerEnd::close(consumer).expect("the daemon is there");
        assert_eq!(daemon.sharing.query(), Ok(3));
        check_works(next_producer, next_consumer);
        assert_eq!(daemon.sharing.query(), Ok(0));
    });
}

const ROUNDS: u64 = 6000;

fn put_space_into_window() {
    OWN_TABLE.copy(WINDOW, slots::SPACE, Rights::MANAGE | Rights::GRANT).expect("the window is empty");
}

/// An endpoint, a message, and which slots of the window go with it.
type AnyRequest = (u64, Words, u64);

fn any_address(random: &mut Random) -> u64 {
    random.choose(&[PRODUCER_AREA, CONSUMER_AREA]) + random.below(8) * PAGE_SIZE
}

/// A request that could come from a client as it should be.
fn honest_request(random: &mut Random) -> AnyRequest {
    use SharingRequest::{Attach, Detach};
    let request = random.choose(&[
        Attach,
        Detach,
        CreatePipe,
        CreatePipe,
        OpenPipe,
        OpenPipe,
        ClosePipe,
        LookForPeer,
        LookForPeer,
    ]);
    let (first, has_space) = match request {
        Attach => (0, true),
        OpenPipe => (any_address(random), true),
        _ => (1, false),
    };
    if has_space {
        put_space_into_window();
    }
    let is_of_client = matches!(request, Attach | Detach | CreatePipe);
    let endpoint = if is_of_client { SHARING } else { random.choose(&[PRODUCER, CONSUMER]) };
    (endpoint, [request as u64, first, 0, 0], u64::from(has_space))
}

/// Any numbers, and anything in the window. What is not named in the call stays there, and may be in the way of the answer.
fn any_request(random: &mut Random, endpoints: &[u64]) -> AnyRequest {
    for slot in 0..4 {
        match random.below(8) {
            0 => MEMORY.make(random.choose(&[Kind::Frame, Kind::Table, Kind::Task]), 1, OWN_TABLE, WINDOW + slot),
            1 | 2 if slot == 0 => OWN_TABLE.copy(WINDOW, slots::SPACE, Rights::MANAGE | Rights::GRANT),
            3 => OWN_TABLE.copy(WINDOW + slot, random.choose(endpoints), Rights::all()),
            _ => Ok(()),
        }
        // There may be nothing to be copied, or no right to.
        .unwrap_or_default();
    }
    let filled = (0..4).filter(|slot| identify(WINDOW + slot).is_ok()).fold(0, |mask, slot| mask | 1 << slot);
    let address = any_address(random);
    let first = random.choose(&[0, 1, 2, 4, 8, 9, address, address + 8, u64::MAX]);
    let request = random.choose(&SharingRequest::ALL);
    let message = [request as u64, first, random.choose(&[0, 1, address, u64::MAX]), random.next()];
    (random.choose(endpoints), message, filled & random.below(16))
}

fn random_requests_leave_nothing_behind() {
    let mut random = Random(0x5eed_0014);
    let mut successes = [0_u64; SharingRequest::ALL.len()];
    with_daemon(MANY_PAGES, |daemon| {
        let other = daemon.other_client().0.0;
        for _ in 0..ROUNDS {
            let is_honest = random.below(2) == 0;
            let (endpoint, message, window) = if is_honest {
                honest_request(&mut random)
            } else {
                any_request(&mut random, &[SHARING, other, PRODUCER, CONSUMER])
            };
            let [number, ..] = message;
            match Endpoint(endpoint).call_with_window(message, window) {
                Ok(([0, ..], came)) => {
                    let request = SharingRequest::from_number(number).expect("what is no request is refused");
                    *successes.get_mut(number as usize).expect("it has a place") += 1;
                    keep(request, endpoint, came);
                }
                Ok(([answer, ..], came)) => {
                    assert!(Error::from_status(answer.cast_signed()).is_some() && came == 0, "{answer:#x}");
                }
                // There is no such end.
                Err(error) => assert_eq!(error, Error::InvalidCapability),
            }
            (WINDOW..WINDOW + 4).for_each(|slot| OWN_TABLE.delete(slot).unwrap_or_default());
            daemon.check_window();
        }
        // No region is kept, so none is mapped or asked for frames.
        let served = [CreatePipe, OpenPipe, ClosePipe, LookForPeer].map(|request| successes.get(request as usize));
        assert!(served.iter().all(|&count| count > Some(&(ROUNDS / 600))), "each was served: {successes:?}");
        // This program's space is still there, so it closes what is open.
        [PRODUCER, CONSUMER].into_iter().for_each(close_if_open);
        // The clients may be attached, or not.
        for client in [daemon.sharing, Sharing(Endpoint(other))] {
            client.detach().unwrap_or_default();
        }
        daemon.sharing.attach().expect("it is not attached any more");
    });
}

fn close_if_open(end: u64) {
    Endpoint(end).call([ClosePipe as u64, 0, 0, 0]).map(|_| ()).unwrap_or_default();
}

/// Keeps the ends that have come: new ones in the place of those that were there, which are closed, an open one in the place of its invitation.
fn keep(request: SharingRequest, endpoint: u64, came: u64) {
    let put = |slot: u64, from: u64| {
        close_if_open(slot);
        OWN_TABLE.delete(slot).unwrap_or_default();
        OWN_TABLE.move_here(slot, from).expect("it came in the window");
    };
    match request {
        CreatePipe => {
            assert_eq!(came, 0b11);
            put(PRODUCER, WINDOW);
            put(CONSUMER, WINDOW + 1);
        }
        OpenPipe => {
            assert_eq!(came, 0b111);
            put(endpoint, WINDOW + 2);
        }
        SharingRequest::Create | SharingRequest::Frame => assert_eq!(came, FIRST),
        _ => assert_eq!(came, 0),
    }
}
