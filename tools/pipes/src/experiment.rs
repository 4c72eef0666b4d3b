//! The experiment: which pipes are compared, and how a round of it goes.

use std::io;
use std::process::Command;

use crate::bell::Patience;
use crate::limits::Limits;
use crate::peer::{Peer, Seen};
use crate::processor::{Cores, pin};
use crate::stream::Load;
use crate::threads;

/// What items go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The pipe in shared memory, between two processes. An end that cannot go on looks again for a while, and then sleeps.
    Ring,
    /// A Unix pipe between two processes, with a buffer of the same size.
    UnixPipe,
    /// The pipe in shared memory, between two threads. Its ends try again until they can go on.
    ThreadRing,
    /// A ring of the crate `rtrb` between two threads. Its ends try again until they can go on.
    Rtrb,
}

impl Channel {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::UnixPipe => "Unix pipe",
            Self::ThreadRing => "ring, threads",
            Self::Rtrb => "rtrb, threads",
        }
    }
}

/// Where the two ends run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Both on one core: they take turns.
    OneCore,
    /// Each on a core of its own.
    TwoCores,
}

impl Placement {
    /// How many cores that takes.
    #[must_use]
    pub fn cores(self) -> u64 {
        match self {
            Self::OneCore => 1,
            Self::TwoCores => 2,
        }
    }
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// What items go through.
    pub channel: Channel,
    /// Where the ends run.
    pub placement: Placement,
    /// The size of an item.
    pub item_bytes: usize,
    /// How many items are sent at once.
    pub batch: usize,
}

/// Two things to compare, item by item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub id: String,
    /// The pipe in shared memory.
    pub ours: Contestant,
    /// What it is compared with.
    pub theirs: Contestant,
}

/// The sizes of items, their names, and how many make a batch.
const SIZES: [(usize, &str, usize); 4] = [(8, "8", 64), (64, "64", 64), (1 << 10, "1k", 16), (64 << 10, "64k", 4)];

/// The rows, in the order of the table.
#[must_use]
pub fn rows(cores: Cores) -> Vec<Row> {
    let placements = [Placement::OneCore, Placement::TwoCores];
    let placements =
        placements.into_iter().filter(|&placement| placement == Placement::OneCore || cores.second.is_some());
    placements.flat_map(rows_on).collect()
}

fn rows_on(placement: Placement) -> Vec<Row> {
    let contestant = |channel, item_bytes, batch| Contestant { channel, placement, item_bytes, batch };
    let row = |name: String, ours, theirs| Row { id: format!("{name}_{}_core", placement.cores()), ours, theirs };
    let mut rows = Vec::new();
    for (bytes, name, batch) in SIZES {
        let [ours, theirs] =
            [Channel::Ring, Channel::UnixPipe].map(|channel| [1, batch].map(|batch| contestant(channel, bytes, batch)));
        rows.push(row(format!("pipe_{name}_item"), ours[0], theirs[0]));
        rows.push(row(format!("pipe_{name}_batch"), ours[1], theirs[1]));
        if bytes == 8 {
            rows.push(row("pipe_8_batch_to_item".to_owned(), ours[1], theirs[0]));
        }
    }
    let (bytes, _, slice) = SIZES[0];
    for (name, batch) in [("rtrb_8_item", 1), ("rtrb_8_slice", slice)] {
        let [ours, theirs] = [Channel::ThreadRing, Channel::Rtrb].map(|channel| contestant(channel, bytes, batch));
        rows.push(row(name.to_owned(), ours, theirs));
    }
    rows
}

/// One measurement, of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How long it took, in nanoseconds.
    pub ns: f64,
    /// How many system calls the producer and the consumer have made.
    pub calls: [f64; 2],
    /// How many times the producer and the consumer have left their core.
    pub switches: [f64; 2],
}

/// What was measured in one round: a sample of each contestant, in their order, and the machine's limits.
#[derive(Clone, Debug)]
pub struct Round {
    /// The samples.
    pub samples: Vec<Sample>,
    /// The limits.
    pub limits: Limits,
}

/// How long an end is patient, where the other one runs at the same time, or has to get a turn.
const SPINS: u32 = 2000;
const YIELDS: u32 = 4;

/// A running experiment.
#[derive(Debug)]
pub struct Experiment {
    cores: Cores,
    peer: Peer,
    /// What is measured, and how many batches a sample of it takes.
    contestants: Vec<(Contestant, u64)>,
    rounds: usize,
}

impl Experiment {
    /// Prepares to measure the contestants, each for about so long in every round. The command has to start another process that calls [`serve`](crate::serve) with
    /// its standard input. From now on this thread is kept on the first of the cores.
    ///
    /// # Errors
    ///
    /// If something that it takes is not there, or goes wrong.
    pub fn new(command: Command, cores: Cores, contestants: Vec<Contestant>, sample_ns: u64) -> io::Result<Self> {
        let peer = Peer::start(command)?;
        let mut experiment = Self { cores, peer, contestants: Vec::new(), rounds: 0 };
        for contestant in contestants {
            let batches = experiment.calibrate(contestant, sample_ns)?;
            experiment.contestants.push((contestant, batches));
        }
        Ok(experiment)
    }

    /// How many batches take about so long. The caches are warm after that.
    fn calibrate(&mut self, contestant: Contestant, sample_ns: u64) -> io::Result<u64> {
        let mut batches = 16;
        loop {
            // The least of some: whoever else is on the machine only makes it longer.
            let mut least_ns = f64::INFINITY;
            for _ in 0..3 {
                least_ns = least_ns.min(self.measure(contestant, batches)?.ns);
            }
            let taken = least_ns * (batches * contestant.batch as u64) as f64;
            let wanted = batches as f64 * sample_ns as f64 / taken;
            if taken * 8.0 > sample_ns as f64 {
                return Ok((wanted as u64).max(1));
            }
            batches = (wanted / 4.0) as u64 + 1;
        }
    }

    /// Measures everything once. Every other time it goes backwards, so that nobody always comes after the same one.
    ///
    /// # Errors
    ///
    /// If something goes wrong: an item that is not as it was sent above all.
    pub fn round(&mut self) -> io::Result<Round> {
        let limits = Limits::measure(self.cores)?;
        let is_backwards = self.rounds % 2 == 1;
        self.rounds += 1;
        let mut order = self.contestants.clone();
        if is_backwards {
            order.reverse();
        }
        let mut samples = order
            .into_iter()
            .map(|(contestant, batches)| self.measure(contestant, batches))
            .collect::<io::Result<Vec<Sample>>>()?;
        if is_backwards {
            samples.reverse();
        }
        Ok(Round { samples, limits })
    }

    fn measure(&mut self, contestant: Contestant, batches: u64) -> io::Result<Sample> {
        let Contestant { channel, placement, item_bytes, batch } = contestant;
        let load = Load { item_words: item_bytes / size_of::<u64>(), batch, batches };
        let first = self.cores.first;
        let (second, patience) = match (placement, self.cores.second) {
            (Placement::TwoCores, Some(second)) => (second, Patience::Spin(SPINS)),
            (Placement::TwoCores, None) => return Err(io::Error::other("there is no second core")),
            (Placement::OneCore, _) => (first, Patience::Yield(YIELDS)),
        };
        // Room for some of the largest items; otherwise as much as a Unix pipe has unless told otherwise.
        let size_bytes = if item_bytes < 64 << 10 { 64 << 10 } else { 256 << 10 };
        pin(first)?;
        let (start, [producer, consumer]) = match channel {
            Channel::Ring => self.peer.ring(load, size_bytes, second, patience)?,
            Channel::UnixPipe => self.peer.unix_pipe(load, size_bytes, second)?,
            Channel::ThreadRing => threads::ring(load, size_bytes, [first, second])?,
            Channel::Rtrb => threads::rtrb(load, size_bytes, [first, second])?,
        };
        let per_item = |count: u64| count as f64 / load.items() as f64;
        let both = |count: fn(&Seen) -> u64| [per_item(count(&producer)), per_item(count(&consumer))];
        Ok(Sample {
            ns: per_item(consumer.end_ns.saturating_sub(start).max(1)),
            calls: both(|seen| seen.calls),
            switches: both(|seen| seen.switches),
        })
    }
}
