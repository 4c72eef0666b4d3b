//! The same between two threads of this process, to compare with a ring that is for threads only.

use std::io;
use std::sync::mpsc::sync_channel;
use std::thread;

use flatmk_pipe::{Consumer, NoBell, Producer};

use crate::memory::{End, SharedMemory};
use crate::peer::Seen;
use crate::processor::{now_ns, pin, switches};
use crate::stream::{Load, Polled, Receiver, Sender, consume, produce};

/// Sends through a pipe whose ends never sleep. Returns when it began, and what both ends have seen.
pub(crate) fn ring(load: Load, size_bytes: usize, cpus: [usize; 2]) -> io::Result<(u64, [Seen; 2])> {
    let memory = SharedMemory::new(size_bytes)?;
    let [producer, consumer] = [memory.map(End::Producer)?, memory.map(End::Consumer)?];
    // SAFETY: it is new, and there is one of each.
    let (producer, consumer) = unsafe { (producer.memory(), consumer.memory()) };
    let producer = Producer::new(producer, NoBell).map_err(io::Error::other)?;
    let consumer = Consumer::new(consumer, NoBell).map_err(io::Error::other)?;
    contest(polled(producer, cpus), polled(consumer, cpus), load, cpus)
}

/// Sends through a ring of `rtrb` with room for as much.
pub(crate) fn rtrb(load: Load, size_bytes: usize, cpus: [usize; 2]) -> io::Result<(u64, [Seen; 2])> {
    let (producer, consumer) = rtrb::RingBuffer::new(size_bytes / size_of::<u64>());
    contest(polled(producer, cpus), polled(consumer, cpus), load, cpus)
}

fn polled<E>(end: E, cpus: [usize; 2]) -> Polled<E> {
    Polled::new(end, cpus[0] == cpus[1])
}

fn contest(
    mut sender: impl Sender,
    mut receiver: impl Receiver + Send,
    load: Load,
    cpus: [usize; 2],
) -> io::Result<(u64, [Seen; 2])> {
    let (ready, is_ready) = sync_channel(0);
    thread::scope(|scope| {
        let consumer = scope.spawn(move || {
            pin(cpus[1])?;
            // If nobody waits for it, there is nobody who sends either.
            let _ = ready.send(());
            let switched = switches();
            consume(&mut receiver, load)?;
            Ok(Seen { end_ns: now_ns(), calls: receiver.calls(), switches: switches() - switched })
        });
        // If it cannot begin, it says why below.
        let sent = is_ready.recv().map_err(io::Error::other).and_then(|()| {
            let switched = switches();
            let start_ns = now_ns();
            produce(&mut sender, load)?;
            Ok((start_ns, Seen { end_ns: now_ns(), calls: sender.calls(), switches: switches() - switched }))
        });
        // One that waits for more learns that there is no more.
        drop(sender);
        let received = consumer.join().map_err(|_| io::Error::other("the thread that receives has panicked"))?;
        match (sent, received) {
            (Ok((start_ns, own)), Ok(other)) => Ok((start_ns, [own, other])),
            (_, Err(error)) | (Err(error), _) => Err(error),
        }
    })
}
