//! Whatever the memory-sharing daemon is asked about pipes, nothing is half done, and it has all its pages in the end.

use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, USER_END};
use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_runtime::object::{Endpoint, Frame, Memory, OWN_SPACE, OWN_TABLE, identify};
use flatmk_runtime::pipe::{ConsumerEnd, OpenError, ProducerEnd};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::sharing::{Region, SharingRequest};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{MEMORY, SCRATCH, at};
use crate::stage::{
    CONSUMER, CONSUMER_AREA, CONSUMER_BELL, Daemon, MANY_PAGES, PRODUCER, PRODUCER_AREA, PRODUCER_BELL, SPARE,
    with_daemon,
};

pub(crate) const TESTS: &[Test] = tests![
    only_who_is_attached_creates_pipes_of_the_sizes_there_are,
    without_pages_for_the_pipe_nothing_is_half_done,
    without_page_tables_for_the_end_nothing_is_half_done,
    an_address_that_is_taken_is_refused_and_nothing_is_half_done,
    an_answer_that_finds_no_room_is_taken_back,
    an_end_is_opened_once_and_closed_by_its_owner_alone,
    an_end_that_nobody_has_opened_is_closed_by_its_invitation,
    an_item_that_does_not_fit_closes_the_end,
    each_kind_of_endpoint_has_its_own_requests,
    contexts_that_no_end_has_are_refused,
    pipes_are_limited,
];

/// The first slot of the window, as a bit.
pub(crate) const FIRST: u64 = 1;

/// Both ends can be opened, and exchange an item; then the pipe is closed.
pub(crate) fn check_works(producer: ProducerEnd, consumer: ConsumerEnd) {
    let mut producer = producer.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
    let mut consumer = consumer.open(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
    assert_eq!((producer.push(7_u64), consumer.pop()), (Ok(()), Ok(7)));
    ProducerEnd::close(producer).expect("the daemon is there");
    ConsumerEnd::close(consumer).expect("the daemon is there");
    assert!((PRODUCER..=CONSUMER).chain(PRODUCER_BELL..CONSUMER_BELL + 2).all(is_empty));
}

fn is_empty(slot: u64) -> bool {
    identify(slot) == Err(Error::InvalidCapability)
}

/// What an endpoint answers to a request with these words, and this program's space in the window.
fn ask(endpoint: Endpoint, request: SharingRequest, first: u64, second: u64) -> Result<(), Error> {
    OWN_TABLE.copy(WINDOW, slots::SPACE, Rights::MANAGE | Rights::GRANT).expect("the window is empty");
    let ([status, ..], came) = endpoint.call_with_window([request as u64, first, second, 0], FIRST)?;
    (WINDOW..WINDOW + 4).for_each(|slot| OWN_TABLE.delete(slot).unwrap_or_default());
    assert!(status == 0 || came == 0);
    Error::from_status(status.cast_signed()).map_or(Ok(()), Err)
}

fn only_who_is_attached_creates_pipes_of_the_sizes_there_are() {
    with_daemon(MANY_PAGES, |daemon| {
        let other = daemon.other_client();
        assert_eq!(other.create_pipe(1, PRODUCER, CONSUMER), Err(Error::InvalidState));
        for data_frames in [0, 3, 5, 6, 7, 9, 16, 32, 64, 1 << 32, 1 << 63, u64::MAX] {
            let refused = daemon.sharing.create_pipe(data_frames, PRODUCER, CONSUMER);
            assert_eq!(refused, Err(Error::InvalidArgument), "{data_frames}");
        }
        for (producer, consumer, error) in [
            (PRODUCER, PRODUCER, Error::SlotOccupied),
            (slots::SPACE, CONSUMER, Error::SlotOccupied),
            (PRODUCER, slots::SPACE, Error::SlotOccupied),
            (0, CONSUMER, Error::InvalidArgument),
            (PRODUCER, 64, Error::InvalidArgument),
        ] {
            assert_eq!(daemon.sharing.create_pipe(1, producer, consumer), Err(error));
        }
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
    });
}

fn without_pages_for_the_pipe_nothing_is_half_done() {
    const DATA_FRAMES: u64 = 8;
    const NEEDED: u64 = 5 + DATA_FRAMES;
    for pages in 0..=NEEDED {
        with_daemon(pages, |daemon| {
            let created = daemon.sharing.create_pipe(DATA_FRAMES, PRODUCER, CONSUMER);
            if pages < NEEDED {
                assert_eq!(created, Err(Error::OutOfMemory));
                assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
                return;
            }
            let (producer, consumer) = created.expect("as many pages as it needs");
            assert_eq!((daemon.used_pages(), daemon.sharing.query()), (NEEDED, Ok(2 + DATA_FRAMES)));
            // Opening takes none of the daemon's pages.
            check_works(producer, consumer);
        });
    }
}

fn without_page_tables_for_the_end_nothing_is_half_done() {
    with_daemon(MANY_PAGES, |daemon| {
        // A space, and three page tables below it, which cover the first 2 MiB.
        MEMORY.split(4, SCRATCH, 30).expect("enough memory");
        Memory(at(30)).make(Kind::AddressSpace, 1, SCRATCH, 31).expect("a page is free");
        let (producer, consumer) = daemon.create_pipe(4);
        let open_at = |end: Endpoint, address| {
            OWN_TABLE.copy(WINDOW, at(31), Rights::all()).expect("the window is empty");
            let answer = end.call_with_window([SharingRequest::OpenPipe as u64, address, 0, 0], FIRST);
            let ([status, size, ..], came) = answer.expect("the daemon is ready");
            assert!((came == 0b111 && size == 4 * PAGE_SIZE) || (came == 0 && size == 0));
            (WINDOW..WINDOW + 3).for_each(|slot| OWN_TABLE.delete(slot).unwrap_or_default());
            Error::from_status(status.cast_signed())
        };
        const PAGES: u64 = 2 + 2 * 4;
        // Each page in turn is the first for which there is no page table. What was mapped before no longer is, or the next could not be.
        for pages in 1..PAGES {
            for end in [producer.0, consumer.0] {
                assert_eq!(open_at(end, LARGE_FRAME_SIZE - pages * PAGE_SIZE), Some(Error::OutOfMemory));
            }
        }
        assert_eq!(open_at(producer.0, LARGE_FRAME_SIZE - PAGES * PAGE_SIZE), None);
        assert_eq!(daemon.sharing.query(), Ok(6));
        // Its space is gone, and with it the end; the other one can still be opened.
        SCRATCH.revoke(31).expect("it is there");
        let mut opened = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        assert_eq!(opened.pop(), Err(flatmk_pipe::Error::Closed));
        ConsumerEnd::close(opened).expect("the daemon is there");
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
    });
}

fn an_address_that_is_taken_is_refused_and_nothing_is_half_done() {
    const PAGES: u64 = 2 + 2 * 2;
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(2);
        let refused = Some(OpenError::Refused(Error::AlreadyMapped));
        for page in 0..PAGES {
            MEMORY.make(Kind::Frame, 1, SCRATCH, 30).expect("enough memory");
            OWN_SPACE.map(Frame(at(30)), PRODUCER_AREA + page * PAGE_SIZE, Access::Read).expect("a free address");
            assert_eq!(producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).err(), refused);
            assert_eq!(consumer.open::<u64>(PRODUCER_AREA, CONSUMER_BELL).err(), refused);
            SCRATCH.delete(30).expect("it is there");
        }
        for address in [0, 1, PRODUCER_AREA + 1, USER_END, 1 << 63, 0_u64.wrapping_sub(PAGE_SIZE)] {
            let refused = Some(OpenError::Refused(Error::InvalidAddress));
            assert_eq!(producer.open::<u64>(address, PRODUCER_BELL).err(), refused, "{address:#x}");
        }
        assert!((PRODUCER_BELL..CONSUMER_BELL + 2).chain(WINDOW..WINDOW + 4).all(is_empty));
        check_works(producer, consumer);
    });
}

fn an_answer_that_finds_no_room_is_taken_back() {
    with_daemon(MANY_PAGES, |daemon| {
        let fill = |slot| MEMORY.make(Kind::Frame, 1, OWN_TABLE, slot).expect("a free slot");
        let refused = Err(Error::SlotOccupied);
        for slot in WINDOW..WINDOW + 2 {
            fill(slot);
            assert_eq!(daemon.sharing.create_pipe(1, PRODUCER, CONSUMER), refused);
            OWN_TABLE.delete(slot).expect("it is there");
            assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
        }
        let (producer, consumer) = daemon.create_pipe(1);
        for slot in [WINDOW, WINDOW + 1, WINDOW + 2, PRODUCER_BELL, PRODUCER_BELL + 1] {
            fill(slot);
            let refused = Some(OpenError::Refused(Error::SlotOccupied));
            assert_eq!(producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).err(), refused);
            OWN_TABLE.delete(slot).expect("it is there");
        }
        check_works(producer, consumer);
    });
}

fn an_end_is_opened_once_and_closed_by_its_owner_alone() {
    use SharingRequest::{ClosePipe, LookForPeer, OpenPipe};
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(1);
        SCRATCH.copy(30, PRODUCER, Rights::all()).expect("it may be copied");
        let copy = Endpoint(at(30));
        // A new end has no other one that it could ask for.
        for end in [producer.0, consumer.0] {
            assert_eq!(ask(end, LookForPeer, 0, 0), Err(Error::InvalidState));
        }
        let mut opened = producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        for request in [OpenPipe, ClosePipe, LookForPeer] {
            assert_eq!(ask(copy, request, CONSUMER_AREA, 0), Err(Error::InvalidState), "{request:?}");
        }
        // In the place of the invitation there is the open end now.
        assert_eq!(ask(producer.0, OpenPipe, CONSUMER_AREA, 0), Err(Error::InvalidState));
        assert_eq!(ask(producer.0, LookForPeer, 0, 0), Ok(()), "the other one may still come");
        assert_eq!(opened.push(1), Ok(()));
        ProducerEnd::close(opened).expect("the daemon is there");
        assert_eq!(
            [OpenPipe, ClosePipe].map(|request| ask(copy, request, CONSUMER_AREA, 0)),
            [Err(Error::InvalidState); 2]
        );
        // What was sent is there for whoever opens the other end.
        let mut opened = consumer.open(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        assert_eq!(ask(consumer.0, LookForPeer, 0, 0), Err(Error::CalleeGone));
        assert_eq!([opened.pop(), opened.pop()], [Ok(1_u64), Err(flatmk_pipe::Error::Closed)]);
        ConsumerEnd::close(opened).expect("the daemon is there");
        assert!(is_empty(at(30)));
    });
}

fn an_end_that_nobody_has_opened_is_closed_by_its_invitation() {
    let closed = Err(flatmk_pipe::Error::Closed);
    with_daemon(MANY_PAGES, |daemon| {
        // The other one is open, and learns of it: a consumer by itself, a producer with what it sends.
        let (producer, consumer) = daemon.create_pipe(1);
        let mut opened = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        SCRATCH.copy(30, PRODUCER, Rights::all()).expect("it may be copied");
        assert_eq!(opened.pop(), Err(flatmk_pipe::Error::Empty));
        assert_eq!((ProducerEnd(Endpoint(at(30))).withdraw(), is_empty(at(30))), (Ok(()), true));
        assert_eq!([opened.pop_waiting(), opened.pop()], [closed; 2]);
        assert_eq!(producer.withdraw(), Err(Error::InvalidState), "once");
        assert_eq!(producer.open::<u64>(PRODUCER_AREA, PRODUCER_BELL).err(), Some(Error::InvalidState.into()));
        ConsumerEnd::close(opened).expect("the daemon is there");
        assert!(is_empty(PRODUCER), "the pipe is gone");

        let (producer, consumer) = daemon.create_pipe(1);
        let mut opened = producer.open(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        assert_eq!(opened.push(1_u64), Ok(()));
        assert_eq!(consumer.withdraw(), Ok(()));
        assert_eq!([opened.push(1), opened.push(1)], [Ok(()), Err(flatmk_pipe::Error::Closed)]);
        ProducerEnd::close(opened).expect("the daemon is there");
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));

        // The other one is not open yet, or never will be.
        let (producer, consumer) = daemon.create_pipe(1);
        assert_eq!(producer.withdraw(), Ok(()));
        let mut opened = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        assert_eq!(opened.pop(), closed);
        ConsumerEnd::close(opened).expect("the daemon is there");
        let (producer, consumer) = daemon.create_pipe(1);
        assert_eq!([consumer.withdraw(), producer.withdraw()], [Ok(()); 2]);
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
    });
}

fn an_item_that_does_not_fit_closes_the_end() {
    type Page = [u64; 512];
    type TwoPages = [Page; 2];
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(1);
        let opened = consumer.open::<Page>(CONSUMER_AREA, CONSUMER_BELL).expect("it just fits");
        let refused = producer.open::<TwoPages>(PRODUCER_AREA, PRODUCER_BELL).err();
        assert_eq!(refused, Some(OpenError::TooSmall(flatmk_pipe::SizeError)));
        assert_eq!(ask(consumer.0, SharingRequest::LookForPeer, 0, 0), Err(Error::CalleeGone));
        ConsumerEnd::close(opened).expect("the daemon is there");
        assert_eq!(daemon.used_pages(), 0);
    });
}

fn each_kind_of_endpoint_has_its_own_requests() {
    use SharingRequest::{Attach, ClosePipe, Create, CreatePipe, Detach, Frame, LookForPeer, Map, OpenPipe, Query};
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(1);
        let Region(region) = daemon.sharing.create(1, PRODUCER_AREA, SPARE).expect("pages for a region");
        let used = daemon.used_pages();
        let opened = consumer.open::<u64>(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        for end in [producer.0, consumer.0] {
            for request in [Attach, Create, Detach, Map, Frame, CreatePipe] {
                assert_eq!(ask(end, request, 1, 1), Err(Error::InvalidArgument), "{request:?}");
            }
            assert_eq!(end.call([Query as u64, 0, 0, 0]), Ok([0; 4]), "an end has no frames as a client");
        }
        for request in [OpenPipe, ClosePipe, LookForPeer] {
            for endpoint in [daemon.sharing.0, region] {
                assert_eq!(ask(endpoint, request, PRODUCER_AREA, 1), Err(Error::InvalidArgument), "{request:?}");
            }
        }
        assert_eq!(ask(region, CreatePipe, 1, 0), Err(Error::InvalidArgument));
        assert_eq!((daemon.used_pages(), daemon.sharing.query()), (used, Ok(4)));
        ConsumerEnd::close(opened).expect("the daemon is there");
    });
}

fn contexts_that_no_end_has_are_refused() {
    use SharingRequest::{ClosePipe, LookForPeer, OpenPipe};
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(1);
        let (pipe, generation, is_open) = (1 << 62, 1 << 8, 1 << 7);
        for (context, error) in [
            (pipe, Error::CalleeGone),
            (pipe | generation | 1, Error::CalleeGone),
            (pipe | generation | 63, Error::CalleeGone),
            (pipe | generation << 1, Error::CalleeGone),
            (pipe | 1 << 63 | generation, Error::CalleeGone),
            (u64::MAX, Error::CalleeGone),
            (generation, Error::InvalidArgument),
            // Its own, but there is no open end.
            (pipe | generation | is_open, Error::InvalidState),
        ] {
            let rights = Rights::CALL | Rights::TRANSFER;
            SCRATCH.mint(30, daemon.program.slot(SERVICE), rights, context).expect("it offers its service");
            for request in [OpenPipe, ClosePipe, LookForPeer] {
                assert_eq!(ask(Endpoint(at(30)), request, PRODUCER_AREA, 0), Err(error), "{context:#x}");
            }
            SCRATCH.delete(30).expect("it is there");
        }
        check_works(producer, consumer);
    });
}

/// There are pages left for more.
fn pipes_are_limited() {
    const MOST_PIPES: u64 = 63;
    with_daemon(7 * MOST_PIPES, |daemon: &Daemon| {
        for round in 0..2 {
            for _ in 0..MOST_PIPES {
                daemon.create_pipe(1);
                [PRODUCER, CONSUMER].into_iter().for_each(|slot| OWN_TABLE.delete(slot).expect("it is there"));
            }
            let refused: Result<_, Error> = daemon.sharing.create_pipe(1, PRODUCER, CONSUMER);
            assert_eq!(refused, Err(Error::OutOfMemory), "round {round}");
            assert_eq!((daemon.used_pages(), daemon.sharing.query()), (6 * MOST_PIPES, Ok(3 * MOST_PIPES)));
            daemon.come_again();
            assert_eq!((daemon.used_pages(), daemon.sharing.query()), (0, Ok(0)));
        }
        let (producer, consumer) = daemon.create_pipe(1);
        check_works(producer, consumer);
    });
}
