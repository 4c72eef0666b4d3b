//! The kernel-mediated pipe does the same, and its server survives its clients.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, Kind, Rights, Words};
use flatmk_pipe::{ByteSink, ByteSource, Error as PipeError, Sink, Source};
use flatmk_runtime::mediated::{
    BUFFER_BYTES, MOST_BYTES, MediatedConsumer, MediatedProducer, MediatedReader, MediatedWriter, PIPES, PipeKind,
    PipeRequest, PipeStatus, consumer_context, producer_context,
};
use flatmk_runtime::object::{Endpoint, Memory, Notification, OWN_TABLE};
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{MEMORY, Random, SCRATCH, at, with_scratch, yield_once};
use crate::servers::load_from;
use crate::stage::{
    CONSUMER, CONSUMER_AREA, CONSUMER_BELL, Child, END, MANY_PAGES, NOTIFICATIONS, PRODUCER, PRODUCER_AREA,
    PRODUCER_BELL, Part, with_daemon,
};

pub(crate) const TESTS: &[Test] = tests![
    items_come_in_order_and_a_full_pipe_takes_no_more,
    bytes_come_as_they_were_sent_in_other_lengths,
    bytes_are_carried_by_either_kind_of_pipe,
    ends_in_two_programs_wait_for_each_other,
    what_was_sent_before_the_end_is_received,
    a_producer_learns_at_once_that_nobody_receives,
    an_end_whose_notification_is_gone_is_gone,
    both_ends_can_be_connected_anew_after_both_were_closed,
    a_frame_is_taken_back_and_has_nothing_of_its_last_user,
    only_a_notification_to_signal_connects_an_end,
    an_end_does_what_it_is_for_and_nothing_else,
    lengths_are_checked,
    random_requests_do_no_harm,
];

pub(crate) const PARTS: &[Part] = &[send_items, receive_items];

/// Slots: the server and its memory; the notifications and the frames of the ends.
const SERVER_MEMORY: u64 = 45;
const SERVER: u64 = 46;
const BELLS: [u64; 2] = [54, 55];
const FRAMES: [u64; 2] = [56, 57];

/// Where the frames are mapped.
const ADDRESSES: [u64; 2] = [0x7002_0000, 0x7002_1000];

/// Enough for the server, and how many it has to share.
const SERVER_PAGES: u64 = 400;
const SHARED_PAGES: u64 = 16;

const ITEMS: u64 = BUFFER_BYTES as u64 / 8;

/// Runs a test with a server of its own. This program has both ends of its first pipe, and a notification for each.
fn with_server(test: impl FnOnce(Program)) {
    with_scratch(|| {
        MEMORY.split(SERVER_PAGES, OWN_TABLE, SERVER_MEMORY).expect("enough memory");
        let memory = Memory(SERVER_MEMORY);
        let program = load_from("pipe-server", memory, SERVER);
        memory.split(SHARED_PAGES, SCRATCH, 1).expect("enough memory");
        program.table.move_here(slots::MEMORY, at(1)).expect("a free slot");
        program.start(0).expect("a loaded program can be started");
        yield_once();
        mint(program, PRODUCER, producer_context(0));
        mint(program, CONSUMER, consumer_context(0));
        for bell in BELLS {
            memory.make(Kind::Notification, 1, OWN_TABLE, bell).expect("a free slot");
        }
        test(program);
        assert_lives(program);
        OWN_TABLE.delete(SERVER_MEMORY).expect("the memory is there");
        // What the test has moved to somebody else has gone with that.
        for slot in [PRODUCER, CONSUMER] {
            OWN_TABLE.delete(slot).unwrap_or_default();
        }
    });
}

fn mint(program: Program, slot: u64, context: u64) {
    let rights = Rights::CALL | Rights::TRANSFER | Rights::GRANT;
    OWN_TABLE.mint(slot, program.slot(SERVICE), rights, context).expect("it offers its service");
}

/// Its last pipe works.
fn assert_lives(program: Program) {
    let [first, second] = [at(20), at(21)];
    for (slot, context) in [(20, producer_context(PIPES - 1)), (21, consumer_context(PIPES - 1))] {
        SCRATCH.mint(slot, program.slot(SERVICE), Rights::CALL | Rights::TRANSFER, context).expect("a free slot");
    }
    for (slot, end) in [(22, 20), (23, 21)] {
        MEMORY.make(Kind::Notification, 1, SCRATCH, slot).expect("a free slot");
        connect(Endpoint(at(end)), at(slot), PipeKind::Items).expect("it is new");
    }
    assert_eq!(Endpoint(first).call([PipeRequest::Push as u64, 42, 0, 0]), Ok([0; 4]));
    assert_eq!(Endpoint(second).call([PipeRequest::Pop as u64, 0, 0, 0]), Ok([0, 42, 0, 0]));
}

/// Connects an end by hand.
fn connect(end: Endpoint, bell: u64, kind: PipeKind) -> Result<(), Error> {
    OWN_TABLE.copy(WINDOW, bell, Rights::WRITE | Rights::GRANT)?;
    request_with_window(end, [PipeRequest::Connect as u64, kind as u64, 0, 0])
}

/// Calls with what is in the first slot of the window. Nothing may come back.
fn request_with_window(end: Endpoint, message: Words) -> Result<(), Error> {
    let ([status, ..], window) = end.call_with_window(message, 1).expect("the server is there");
    assert_eq!(window, 0);
    match status.cast_signed() {
        0 => Ok(()),
        status => Err(Error::from_status(status).expect("a status of the kernel's")),
    }
}

fn producer() -> MediatedProducer {
    MediatedProducer::connect(Endpoint(PRODUCER), Notification(BELLS[0])).expect("a new end")
}

fn consumer() -> MediatedConsumer {
    MediatedConsumer::connect(Endpoint(CONSUMER), Notification(BELLS[1])).expect("a new end")
}

fn writer() -> MediatedWriter {
    MediatedWriter::connect(Endpoint(PRODUCER), Notification(BELLS[0]), FRAMES[0], ADDRESSES[0]).expect("a new end")
}

fn reader() -> MediatedReader {
    MediatedReader::connect(Endpoint(CONSUMER), Notification(BELLS[1]), FRAMES[1], ADDRESSES[1]).expect("a new end")
}

/// A number for each index.
fn item(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn items_come_in_order_and_a_full_pipe_takes_no_more() {
    with_server(|_| {
        let (mut producer, mut consumer) = (producer(), consumer());
        assert_eq!(consumer.pop(), Err(PipeError::Empty));
        let mut sent = (0..).map(item);
        let mut received = (0..).map(item);
        // Each round begins in another place of the buffer.
        for count in [ITEMS, 700, ITEMS, 1, ITEMS, 1500, ITEMS] {
            for item in sent.by_ref().take(count as usize) {
                assert_eq!(producer.push(item), Ok(()));
            }
            if count == ITEMS {
                assert_eq!(producer.push(0), Err(PipeError::Full));
            }
            for item in received.by_ref().take(count as usize) {
                assert_eq!(consumer.pop(), Ok(item));
            }
            assert_eq!(consumer.pop(), Err(PipeError::Empty));
        }
    });
}

fn bytes_come_as_they_were_sent_in_other_lengths() {
    with_server(|_| {
        let (mut writer, mut reader) = (writer(), reader());
        assert_eq!(reader.read(MOST_BYTES), Err(PipeError::Empty));
        let mut random = Random(1);
        let (mut sent, mut received) = (0_u64, 0_u64);
        let (mut was_full, mut was_empty) = (false, false);
        for round in 0..2000 {
            // Sometimes there is more to write, sometimes more to read.
            let is_filling = round / 100 % 2 == 0;
            let count = if is_filling { random.below(MOST_BYTES as u64 + 1) } else { random.below(100) };
            for (byte, index) in writer.bytes().iter_mut().zip(sent..sent + count) {
                *byte = item(index) as u8;
            }
            match writer.write(count as usize) {
                Ok(()) => sent += count,
                Err(error) => {
                    assert_eq!(error, PipeError::Full);
                    assert!(BUFFER_BYTES as u64 - (sent - received) < count, "there was room");
                    was_full = true;
                }
            }
            let most = 1 + if is_filling { random.below(100) } else { random.below(MOST_BYTES as u64) };
            match reader.read(most as usize) {
                Ok(bytes) => {
                    assert_eq!(bytes.len() as u64, most.min(sent - received));
                    for &byte in bytes {
                        assert_eq!(byte, item(received) as u8);
                        received += 1;
                    }
                }
                Err(error) => {
                    assert_eq!((error, sent), (PipeError::Empty, received));
                    was_empty = true;
                }
            }
        }
        assert!(was_full && was_empty && sent > 10 * BUFFER_BYTES as u64, "{was_full}, {was_empty}, {sent} bytes");
    });
}

/// What knows nothing of the pipe sends pieces of all lengths, and receives their bytes.
fn carry_bytes(sink: &mut impl ByteSink, source: &mut impl ByteSource) {
    const LENGTHS: usize = 300;
    let mut memory = [0; LENGTHS];
    assert_eq!(source.receive(&mut memory), Err(PipeError::Empty));
    assert_eq!(sink.send(&[0; BUFFER_BYTES + 1]), Err(PipeError::TooLong));
    for length in 1..LENGTHS {
        let piece: [u8; LENGTHS] = core::array::from_fn(|index| (length * 7 + index) as u8);
        let piece = piece.get(..length).expect("it is not longer");
        if length % 2 == 0 { sink.send(piece) } else { sink.send_waiting(piece) }.expect("there is room");
        let received = if length % 3 == 0 { source.receive(&mut memory) } else { source.receive_waiting(&mut memory) };
        assert_eq!(received, Ok(length));
        assert_eq!(memory.get(..length), Some(piece));
    }
    while sink.send(&[1; LENGTHS]).is_ok() {}
    assert_eq!(sink.send(&[1; LENGTHS]), Err(PipeError::Full));
}

fn bytes_are_carried_by_either_kind_of_pipe() {
    with_server(|_| {
        let (mut writer, mut reader) = (writer(), reader());
        carry_bytes(&mut writer, &mut reader);
        drop(writer);
        let received = (0..).map_while(|_| reader.receive_waiting(&mut [0; MOST_BYTES]).ok()).sum::<usize>();
        assert!(received > BUFFER_BYTES / 10 * 9, "{received}");
        assert_eq!(reader.receive(&mut [0; 1]), Err(PipeError::Closed));
    });
    with_daemon(MANY_PAGES, |daemon| {
        let (producer, consumer) = daemon.create_pipe(BUFFER_BYTES as u64 / PAGE_SIZE);
        let mut producer = producer.open_frames(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
        let mut consumer = consumer.open_frames(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
        carry_bytes(&mut producer, &mut consumer);
        ProducerEnd::close_frames(producer).expect("the daemon is there");
        let received = (0..).map_while(|_| consumer.receive_waiting(&mut [0; 300]).ok()).sum::<usize>();
        assert!(received > BUFFER_BYTES / 10 * 9, "{received}");
        ConsumerEnd::close_frames(consumer).expect("the daemon is there");
    });
}

fn send_items(count: u64) -> Words {
    let mut producer = MediatedProducer::connect(Endpoint(END), Notification(NOTIFICATIONS)).expect("a new end");
    for index in 0..count {
        producer.push_waiting(item(index)).expect("the consumer is there");
    }
    [count, 0, 0, 0]
}

fn receive_items(count: u64) -> Words {
    let mut consumer = MediatedConsumer::connect(Endpoint(END), Notification(NOTIFICATIONS)).expect("a new end");
    for index in 0..count {
        assert_eq!(consumer.pop_waiting(), Ok(item(index)));
    }
    assert_eq!(consumer.pop_waiting(), Err(PipeError::Closed));
    [count, 0, 0, 0]
}

fn ends_in_two_programs_wait_for_each_other() {
    const COUNT: u64 = 20_000;
    with_server(|_| {
        let children = [(0, PRODUCER), (1, CONSUMER)].map(|(number, end)| {
            let child = Child::load(number, end);
            MEMORY.make(Kind::Notification, 1, child.program.table, NOTIFICATIONS).expect("a free slot");
            child
        });
        let [first, second] = children;
        first.start(send_items, COUNT);
        second.start(receive_items, COUNT);
        for child in children {
            assert_eq!(child.join(), Ok([COUNT, 0, 0, 0]));
        }
        children.into_iter().for_each(|child| child.end());
    });
}

fn what_was_sent_before_the_end_is_received() {
    with_server(|_| {
        let (mut producer, mut consumer) = (producer(), consumer());
        assert_eq!([producer.push(1), producer.push(2)], [Ok(()); 2]);
        drop(producer);
        assert_eq!([consumer.pop(), consumer.pop_waiting()], [Ok(1), Ok(2)]);
        assert_eq!([consumer.pop(), consumer.pop_waiting()], [Err(PipeError::Closed); 2]);
    });
}

fn a_producer_learns_at_once_that_nobody_receives() {
    with_server(|_| {
        let (mut producer, consumer) = (producer(), consumer());
        assert_eq!(producer.push(1), Ok(()));
        drop(consumer);
        assert_eq!([producer.push(2), producer.push_waiting(3)], [Err(PipeError::Closed); 2]);
    });
}

/// A program that ends says nothing, but its memory goes, and its notification with that.
fn an_end_whose_notification_is_gone_is_gone() {
    with_server(|_| {
        let (mut first, mut consumer) = (producer(), consumer());
        assert_eq!(first.push(1), Ok(()));
        OWN_TABLE.revoke(BELLS[0]).expect("it was made");
        assert_eq!([consumer.pop(), consumer.pop()], [Ok(1), Err(PipeError::Closed)]);
        assert_eq!(first.push(2), Err(PipeError::Corrupt), "it was given up");
        drop(consumer);
        drop(first);
        // The other way round: it is noticed by an end that has to wait.
        let (mut producer, _consumer) = (producer(), self::consumer());
        for index in 0..ITEMS {
            assert_eq!(producer.push(item(index)), Ok(()));
        }
        assert_eq!(producer.push(0), Err(PipeError::Full));
        OWN_TABLE.revoke(BELLS[1]).expect("it was made");
        assert_eq!([producer.push(0), producer.push_waiting(0)], [Err(PipeError::Closed); 2]);
    });
}

fn both_ends_can_be_connected_anew_after_both_were_closed() {
    with_server(|_| {
        let (mut first, second) = (producer(), consumer());
        assert_eq!(first.push(1), Ok(()));
        drop(first);
        let again = MediatedProducer::connect(Endpoint(PRODUCER), Notification(BELLS[0])).err();
        assert_eq!(again, Some(Error::InvalidState), "the consumer has not received everything yet");
        drop(second);
        // Now of another kind, and with nothing in it.
        let (mut writer, mut reader) = (writer(), reader());
        assert_eq!(reader.read(1), Err(PipeError::Empty));
        writer.bytes()[0] = 7;
        assert_eq!(writer.write(1), Ok(()));
        assert_eq!(reader.read(2), Ok([7].as_slice()));
    });
}

fn a_frame_is_taken_back_and_has_nothing_of_its_last_user() {
    with_server(|_| {
        let mut first = writer();
        first.bytes().fill(0xaa);
        drop((first, reader()));
        for slot in FRAMES {
            assert_eq!(OWN_TABLE.delete(slot), Err(Error::InvalidCapability), "it was taken back");
        }
        assert!(writer().bytes().iter().all(|&byte| byte == 0));
    });
}

fn only_a_notification_to_signal_connects_an_end() {
    with_server(|_| {
        let end = Endpoint(PRODUCER);
        let message = [PipeRequest::Connect as u64, PipeKind::Items as u64, 0, 0];
        let none = Error::InvalidCapability.status().cast_unsigned();
        assert_eq!(end.call(message), Ok([none, 0, 0, 0]), "nothing has come");
        OWN_TABLE.copy(WINDOW, PRODUCER, Rights::all()).expect("the window is empty");
        assert_eq!(request_with_window(end, message), Err(Error::WrongKind));
        OWN_TABLE.copy(WINDOW, BELLS[0], Rights::READ | Rights::GRANT).expect("the window is empty");
        assert_eq!(request_with_window(end, message), Err(Error::MissingRight));
        for kind in [2, u64::MAX] {
            OWN_TABLE.copy(WINDOW, BELLS[0], Rights::all()).expect("the window is empty");
            let unknown = [PipeRequest::Connect as u64, kind, 0, 0];
            assert_eq!(request_with_window(end, unknown), Err(Error::InvalidArgument));
        }
        assert_eq!(connect(end, BELLS[0], PipeKind::Items), Ok(()));
        assert_eq!(connect(end, BELLS[0], PipeKind::Items), Err(Error::InvalidState), "once");
        let other = MediatedReader::connect(Endpoint(CONSUMER), Notification(BELLS[1]), FRAMES[1], ADDRESSES[1]);
        assert_eq!(other.err(), Some(Error::InvalidState), "the pipe is for items");
    });
}

fn an_end_does_what_it_is_for_and_nothing_else() {
    with_server(|program| {
        let status = |end: u64, request: u64| {
            let [status, ..] = Endpoint(end).call([request, 0, 0, 0]).expect("the server is there");
            status.cast_signed()
        };
        let refused = [Error::InvalidArgument, Error::InvalidState].map(Error::status);
        // Nobody is connected yet.
        for end in [PRODUCER, CONSUMER] {
            for request in 1..8 {
                assert!(refused.contains(&status(end, request)), "{request} to {end}");
            }
        }
        let ends = (producer(), consumer());
        let others = [PipeRequest::Pop, PipeRequest::Read, PipeRequest::Write].map(|request| (PRODUCER, request));
        let more = [PipeRequest::Push, PipeRequest::Write, PipeRequest::Read].map(|request| (CONSUMER, request));
        for (end, request) in others.into_iter().chain(more) {
            assert!(refused.contains(&status(end, request as u64)), "{request:?} to {end}");
        }
        for request in [6, u64::MAX] {
            assert_eq!(status(PRODUCER, request), Error::InvalidArgument.status());
        }
        for context in [producer_context(PIPES), u64::MAX] {
            SCRATCH.mint(10, program.slot(SERVICE), Rights::CALL, context).expect("a free slot");
            for request in 0..8 {
                assert_eq!(status(at(10), request), Error::InvalidArgument.status(), "there is no such pipe");
            }
            SCRATCH.delete(10).expect("it was minted");
        }
        drop(ends);
    });
}

fn lengths_are_checked() {
    with_server(|_| {
        let (mut writer, mut reader) = (writer(), reader());
        for count in [MOST_BYTES + 1, BUFFER_BYTES, 1 << 32, usize::MAX] {
            assert_eq!(writer.write(count), Err(PipeError::TooLong));
            assert_eq!(reader.read(count).err(), Some(PipeError::TooLong));
        }
        assert_eq!([writer.write(0), writer.write(MOST_BYTES)], [Ok(()); 2]);
        assert_eq!(reader.read(0).map(<[u8]>::len), Ok(0));
        assert_eq!(reader.read(MOST_BYTES).map(<[u8]>::len), Ok(MOST_BYTES));
    });
}

/// To ends of which some are connected, with and without something in the window.
fn random_requests_do_no_harm() {
    with_server(|_| {
        let mut random = Random(7);
        let mut seen = [0_u32; 6];
        for _ in 0..4000 {
            let end = Endpoint(random.choose(&[PRODUCER, CONSUMER]));
            let number = random.choose(&[0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 1 << 32, u64::MAX]);
            let word = random.choose(&[0, 1, 1, 8, 64, 4096, 4097, 1 << 40, u64::MAX]);
            let mut window = 0;
            for slot in 0..4 {
                // What connects an end, and sometimes something else.
                if (number, slot) != (0, 0) && random.below(6) != 0 {
                    continue;
                }
                let source = random.choose(&[BELLS[0], BELLS[1], slots::SPACE, PRODUCER]);
                OWN_TABLE.copy(WINDOW + slot, source, Rights::all()).expect("the window is empty");
                window |= 1 << slot;
            }
            let (answer, came) = end.call_with_window([number, word, 0, 0], window).expect("the server is there");
            let kind = if answer[0].cast_signed() < 0 { 5 } else { answer[0] as usize };
            *seen.get_mut(kind).expect("a status that there is") += 1;
            // Only a frame may come.
            assert!(came == 0 || (came, number, word) == (1, 0, PipeKind::Bytes as u64));
            if came != 0 {
                OWN_TABLE.delete(WINDOW).expect("it has come");
            }
        }
        for kind in [PipeStatus::Done, PipeStatus::Empty, PipeStatus::TooLong] {
            assert!(seen.get(kind as usize).is_some_and(|&count| count > 0), "{seen:?}");
        }
        assert!(seen.last().is_some_and(|&refused| refused > 0), "{seen:?}");
    });
}
