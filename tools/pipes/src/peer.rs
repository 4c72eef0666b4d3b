//! The other process: this program once more, which receives what it is told to.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use flatmk_pipe::{Consumer, Producer};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Signal, set_parent_process_death_signal};
use zerocopy::IntoBytes;

use crate::bell::{Barrier, Patience, SocketBell};
use crate::memory::{End, SharedMemory};
use crate::processor::{now_ns, pin, switches};
use crate::stream::{Counted, Load, Receiver, Sender, consume, produce};

/// What one end has seen of a measurement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// When it was done.
    pub(crate) end_ns: u64,
    /// How many system calls it took.
    pub(crate) calls: u64,
    /// How many times it left its core.
    pub(crate) switches: u64,
}

/// The words of a message to the other process, and how many files come with it at most.
const JOB_WORDS: usize = 9;
const JOB_FILES: usize = 2;

const RING: u64 = 0;
const UNIX_PIPE: u64 = 1;

/// The other process. It ends with this one, and with this value.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    control: UnixStream,
    barrier: Barrier,
}

impl Peer {
    /// Starts it: the command has to call [`serve`] with its standard input.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let (mut control, theirs) = UnixStream::pair()?;
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may be called: this one is a single system call.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn()?;
        let barrier = Barrier::between_processes().agreed(match receive_answer(&mut control)?[0] {
            0 => Barrier::Each,
            _ => Barrier::Processes,
        });
        Ok(Self { child, control, barrier })
    }

    /// Sends through a pipe in shared memory. Returns when it began, and what both ends have seen.
    pub(crate) fn ring(
        &mut self,
        load: Load,
        size_bytes: usize,
        cpu: usize,
        patience: Patience,
    ) -> io::Result<(u64, [Seen; 2])> {
        let memory = SharedMemory::new(size_bytes)?;
        let (bell, theirs) = UnixStream::pair()?;
        let files = [memory.file(), theirs.as_fd()];
        self.give(RING, load, size_bytes, cpu, patience, &files)?;
        drop(theirs);
        let mapping = memory.map(End::Producer)?;
        // SAFETY: it is new, and the other process makes the consumer.
        let own = unsafe { mapping.memory() };
        let mut producer =
            Producer::new(own, SocketBell::new(bell, self.barrier, patience)).map_err(io::Error::other)?;
        self.send(&mut producer, load)
    }

    /// Sends through a Unix pipe with a buffer of the same size.
    pub(crate) fn unix_pipe(&mut self, load: Load, size_bytes: usize, cpu: usize) -> io::Result<(u64, [Seen; 2])> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setpipe_size(&writer, size_bytes)?;
        self.give(UNIX_PIPE, load, size_bytes, cpu, Patience::Spin(0), &[reader.as_fd()])?;
        drop(reader);
        self.send(&mut Counted::new(File::from(writer)), load)
    }

    /// Tells the other process what to do, and waits until it is ready.
    fn give(
        &mut self,
        kind: u64,
        load: Load,
        size_bytes: usize,
        cpu: usize,
        patience: Patience,
        files: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let barrier = u64::from(self.barrier == Barrier::Processes);
        let Load { item_words, batch, batches } = load;
        let sizes = [item_words, batch, size_bytes, cpu].map(|size| size as u64);
        let [yields, patience] = match patience {
            Patience::Spin(most) => [0, most.into()],
            Patience::Yield(most) => [1, most.into()],
        };
        let job: [u64; JOB_WORDS] = [kind, sizes[0], sizes[1], batches, sizes[2], sizes[3], yields, patience, barrier];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(JOB_FILES))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(files));
        // So few bytes are taken at once.
        sendmsg(&self.control, &[IoSlice::new(job.as_bytes())], &mut ancillary, SendFlags::NOSIGNAL)?;
        receive_answer(&mut self.control).map(|_| ())
    }

    fn send(&mut self, sender: &mut impl Sender, load: Load) -> io::Result<(u64, [Seen; 2])> {
        let switched = switches();
        let start_ns = now_ns();
        let sent = produce(sender, load);
        let own = Seen { end_ns: now_ns(), calls: sender.calls(), switches: switches() - switched };
        // Why the other end has gone says more than that it is gone.
        let [end_ns, calls, switches] = receive_answer(&mut self.control)?;
        sent?;
        Ok((start_ns, [own, Seen { end_ns, calls, switches }]))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be busy with something that nobody wants any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer is three words behind a zero, or an error: the length of the text that follows.
fn receive_answer(control: &mut UnixStream) -> io::Result<[u64; 3]> {
    let mut words = [0; 4];
    control.read_exact(words.as_mut_bytes()).map_err(|_| io::Error::other("the other process has ended"))?;
    match words {
        [0, rest @ ..] => Ok(rest),
        [length, ..] => {
            let mut text = String::new();
            control.take(length).read_to_string(&mut text)?;
            Err(io::Error::other(text))
        }
    }
}

fn answer(control: &mut UnixStream, outcome: io::Result<[u64; 3]>) -> io::Result<()> {
    match outcome {
        Ok([a, b, c]) => control.write_all([0, a, b, c].as_bytes()),
        Err(error) => {
            let text = error.to_string();
            control.write_all([text.len() as u64, 0, 0, 0].as_bytes())?;
            control.write_all(text.as_bytes())
        }
    }
}

/// Receives what it is told to, until nobody tells it anything any more.
///
/// # Errors
///
/// If the other process breaks off in the middle.
pub fn serve(mut control: UnixStream) -> io::Result<()> {
    let barrier = Barrier::between_processes();
    answer(&mut control, Ok([u64::from(barrier == Barrier::Processes), 0, 0]))?;
    while let Some((job, files)) = receive_job(&control)? {
        let outcome = work(&mut control, job, files);
        answer(&mut control, outcome.map(|seen| [seen.end_ns, seen.calls, seen.switches]))?;
    }
    Ok(())
}

type Job = ([u64; JOB_WORDS], Vec<OwnedFd>);

fn receive_job(control: &UnixStream) -> io::Result<Option<Job>> {
    let mut job = [0; JOB_WORDS];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(JOB_FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(job.as_mut_bytes())];
    match recvmsg(control, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?.bytes {
        0 => return Ok(None),
        bytes if bytes < size_of_val(&job) => return Err(io::ErrorKind::UnexpectedEof.into()),
        _ => {}
    }
    let files = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    Ok(Some((job, files.collect())))
}

fn work(control: &mut UnixStream, job: [u64; JOB_WORDS], files: Vec<OwnedFd>) -> io::Result<Seen> {
    let [kind, item_words, batch, batches, size_bytes, cpu, yields, patience, barrier] = job;
    let load = Load { item_words: item_words as usize, batch: batch as usize, batches };
    let mut files = files.into_iter();
    let mut file = || files.next().ok_or(io::ErrorKind::InvalidData);
    pin(cpu as usize)?;
    if kind == UNIX_PIPE {
        return receive(control, &mut Counted::new(File::from(file()?)), load);
    }
    let memory = SharedMemory::from_file(file()?, size_bytes as usize)?;
    let mapping = memory.map(End::Consumer)?;
    let barrier = if barrier == 0 { Barrier::Each } else { Barrier::Processes };
    let patience = if yields == 0 { Patience::Spin(patience as u32) } else { Patience::Yield(patience as u32) };
    let bell = SocketBell::new(UnixStream::from(file()?), barrier, patience);
    // SAFETY: it is new, and the other process makes the producer.
    let own = unsafe { mapping.memory() };
    receive(control, &mut Consumer::new(own, bell).map_err(io::Error::other)?, load)
}

fn receive(control: &mut UnixStream, receiver: &mut impl Receiver, load: Load) -> io::Result<Seen> {
    // Ready.
    answer(control, Ok([0; 3]))?;
    let switched = switches();
    consume(receiver, load)?;
    Ok(Seen { end_ns: now_ns(), calls: receiver.calls(), switches: switches() - switched })
}
