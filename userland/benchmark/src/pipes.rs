//! What it costs to get data into another program: through a pipe in shared memory, and through a server that is called for each item.
//!
//! A batch is what both ends do for some thousand items, with all switches between them: it begins before the peer is told to receive, and ends when
//! that says that it has received everything. So it does not matter which of the two works when.

use flatmk_abi::{Error, Kind};
use flatmk_pipe::{Error as PipeError, FrameProducer, Producer, Sink};
use flatmk_runtime::mediated::{BUFFER_BYTES, MediatedProducer, MediatedWriter};
use flatmk_runtime::object::{Endpoint, Notification, OWN_TABLE, identify};
use flatmk_runtime::pipe::{NotificationBell, OpenError, ProducerEnd};
use flatmk_runtime::{marks, println};
use pipe_peer::{FRAME_BYTES, Peer, PeerRequest, SLICE_ITEMS, Stream};

use crate::SHARING;
use crate::capabilities::MEMORY;
use crate::method::{MOST_BATCHES, Method, stamp, undisturbed};
use crate::row::{Row, print_head};

/// What the root task has put into this program's table: the program at the other end, and the ends of two pipes of the server.
const PEER: Peer = Peer(Endpoint(18));
const ITEM_PRODUCER: Endpoint = Endpoint(19);
const ITEM_CONSUMER: Endpoint = Endpoint(28);
const BYTE_PRODUCER: Endpoint = Endpoint(29);
const BYTE_CONSUMER: Endpoint = Endpoint(36);

/// Slots: the ends of a pipe in shared memory, the frame of the server's, and the notifications of an end.
const PRODUCER_END: u64 = 37;
const CONSUMER_END: u64 = 38;
const FRAME: u64 = 39;
const BELLS: u64 = 54;

/// Where an end is mapped.
const ADDRESS: u64 = 0x2800_0000;

/// The buffers of both kinds of pipes are of one size.
const DATA_FRAMES: u64 = BUFFER_BYTES as u64 / 4096;

/// How many items make a batch: each fills the buffer some times. Through the server it is filled once: if the timer ticked in a batch, both ends would wait for the
/// server in line from there on, and that is not what is to be compared.
const ITEMS: u64 = 4 * BUFFER_BYTES as u64 / 8;
const MEDIATED_ITEMS: u64 = ITEMS / 4;
const SLICES: u64 = 2 * ITEMS / SLICE_ITEMS as u64;
const FRAMES: u64 = 8 * BUFFER_BYTES as u64 / FRAME_BYTES as u64;

/// How many operations make a batch through the server. On a processor it is over before the next tick, as other batches are.
fn through_server(count: u64) -> u64 {
    match Method::current() {
        Method::Instructions => count,
        Method::Cycles => count / 16,
    }
}

/// Why a row was not measured.
enum Failure {
    Kernel(Error),
    Pipe(PipeError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<PipeError> for Failure {
    fn from(error: PipeError) -> Self {
        Self::Pipe(error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Refused(error) => Self::Kernel(error),
            OpenError::TooSmall(_) => Self::Pipe(PipeError::TooLong),
        }
    }
}

/// Measures all rows and prints them; nothing before chapter 8.
pub(crate) fn show() {
    if identify(PEER.0.0).is_err() {
        return;
    }
    match measure() {
        Ok(()) => {}
        Err(Failure::Kernel(error)) => println!("pipes failed: {error}"),
        Err(Failure::Pipe(error)) => println!("pipes failed: {error}"),
    }
}

fn measure() -> Result<(), Failure> {
    SHARING.attach()?;
    let mut producer: Producer<'static, u64, NotificationBell> = create(Stream::Items)?.open(ADDRESS, BELLS)?;
    let called = |producer: &Producer<'static, u64, NotificationBell>| {
        let (sleeps, rings) = producer.kernel_events();
        u64::from(sleeps) + u64::from(rings)
    };
    let push = |producer: &mut Producer<'static, u64, NotificationBell>, number| producer.push_waiting(number);
    let items = stream("pipe_item", PeerRequest::Take, [ITEMS, 1], &mut producer, push, called)?;
    let mut slice = [0; SLICE_ITEMS];
    let push_slice = |producer: &mut Producer<'static, u64, NotificationBell>, number| {
        slice[0] = number;
        producer.push_slice_waiting(&slice)
    };
    let slices = [SLICES, SLICE_ITEMS as u64];
    stream("pipe_slice_64", PeerRequest::TakeSlices, slices, &mut producer, push_slice, called)?;
    PEER.close()?;
    ProducerEnd::close(producer)?;

    let mut producer: FrameProducer<'static, NotificationBell> = create(Stream::Frames)?.open_frames(ADDRESS, BELLS)?;
    let mut frame = [0; FRAME_BYTES];
    let push_frame = |producer: &mut FrameProducer<'static, NotificationBell>, number: u64| {
        frame[..8].copy_from_slice(&number.to_le_bytes());
        producer.push_waiting(&frame)
    };
    stream("pipe_frame_64", PeerRequest::Take, [FRAMES, 1], &mut producer, push_frame, |_| 0)?;
    PEER.close()?;
    ProducerEnd::close_frames(producer)?;

    MEMORY.make(Kind::Notification, 1, OWN_TABLE, BELLS)?;
    PEER.open(Stream::MediatedItems, ITEM_CONSUMER)?;
    let mut producer = MediatedProducer::connect(ITEM_PRODUCER, Notification(BELLS))?;
    let push = |producer: &mut MediatedProducer, number| producer.push_waiting(number);
    let mediated =
        stream("pipe_kernel_item", PeerRequest::Take, [through_server(MEDIATED_ITEMS), 1], &mut producer, push, |_| 0)?;
    PEER.close()?;
    drop(producer);

    PEER.open(Stream::MediatedBytes, BYTE_CONSUMER)?;
    let mut writer = MediatedWriter::connect(BYTE_PRODUCER, Notification(BELLS), FRAME, ADDRESS)?;
    let write = |writer: &mut MediatedWriter, number: u64| {
        writer.bytes()[..8].copy_from_slice(&number.to_le_bytes());
        writer.write_waiting(FRAME_BYTES)
    };
    stream("pipe_kernel_bytes", PeerRequest::Take, [through_server(FRAMES), 1], &mut writer, write, |_| 0)?;
    PEER.close()?;
    drop(writer);
    SHARING.detach()?;
    compare(&items, &mediated);
    Ok(())
}

/// Makes a pipe in shared memory, and lets the peer have its other end.
fn create(kind: Stream) -> Result<ProducerEnd, Failure> {
    let (producer, consumer) = SHARING.create_pipe(DATA_FRAMES, PRODUCER_END, CONSUMER_END)?;
    PEER.open(kind, consumer.0)?;
    OWN_TABLE.delete(CONSUMER_END)?;
    Ok(producer)
}

/// A batch: its ticks, and how often both ends have called the kernel.
#[derive(Clone, Copy, Default)]
struct Batch {
    ticks: u64,
    kernel_events: u64,
}

/// Measures batches and prints the row. A batch is so many operations, each of which stands for so many items.
#[inline(always)]
fn stream<P>(
    name: &str,
    how: PeerRequest,
    [count, share]: [u64; 2],
    producer: &mut P,
    mut send: impl FnMut(&mut P, u64) -> Result<(), PipeError>,
    called: impl Fn(&P) -> u64,
) -> Result<[Batch; MOST_BATCHES], Failure> {
    let mut row = Row::default();
    let mut batches = [Batch::default(); MOST_BATCHES];
    let mut events_before = called(producer) + PEER.report()?.kernel_events;
    let mut measure = || {
        marks::begin();
        let started = stamp();
        PEER.take(how, count)?;
        for number in 0..count {
            send(producer, number)?;
        }
        let report = PEER.report()?;
        let ticks = stamp() - started;
        marks::end(name, count * share);
        // What was sent was 0, 1, 2 and so on.
        if report.sum != count * (count - 1) / 2 {
            return Err(Failure::Kernel(Error::InvalidState));
        }
        let events = called(producer) + report.kernel_events;
        let batch = Batch { ticks, kernel_events: events - events_before };
        events_before = events;
        Ok(batch)
    };
    for _ in 0..Method::current().warm_up() {
        measure()?;
    }
    for batch in batches.iter_mut().take(Method::current().batches()) {
        *batch = undisturbed(&mut measure)?;
        row.add(batch.ticks.div_ceil(count * share));
    }
    row.print(name);
    Ok(batches)
}

/// Prints, batch for batch and rounded, how many times more a kernel-mediated item costs, and how often both ends of a pipe in shared memory call the kernel.
fn compare(items: &[Batch; MOST_BATCHES], mediated: &[Batch; MOST_BATCHES]) {
    let (mut ratio, mut kernel_events) = (Row::default(), Row::default());
    for (items, mediated) in items.iter().zip(mediated).take(Method::current().batches()) {
        let [item, mediated_item] = [items.ticks * through_server(MEDIATED_ITEMS), mediated.ticks * ITEMS];
        ratio.add((mediated_item + item / 2) / item);
        // There are some in each, so it is not 0.
        kernel_events.add((items.kernel_events * 1000).div_ceil(ITEMS));
    }
    print_head("comparison", "times");
    ratio.print("pipe_kernel_per_pipe");
    print_head("comparison", "kernel events for 1000 items");
    kernel_events.print("pipe_kernel_events");
}
