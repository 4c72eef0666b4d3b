//! What the machine itself takes, measured beside the pipes: it says what limits them.

use std::hint::{black_box, spin_loop};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use rustix::process::getppid;

use crate::processor::{Cores, now_ns, pin, switches};

/// How long things take, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// A system call that does nothing.
    pub system_call: f64,
    /// One task of a core gives its turn to another one: without the system call for that.
    pub switch: f64,
    /// To copy 1 KiB that is in the core's own cache.
    pub copy_kib: f64,
    /// What there is with a second core only.
    pub between_cores: Option<BetweenCores>,
}

/// How long it takes to get something from one core to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BetweenCores {
    /// A cache line is written by one core, seen by the other, written by that, and seen again.
    pub line_round_trip: f64,
    /// To copy 1 KiB that the other core has just written.
    pub copy_kib: f64,
}

const CALLS: u64 = 2000;
const SWITCHES: u64 = 500;
const ROUND_TRIPS: u64 = 2000;
const COPIES: u64 = 50;
const BYTES: usize = 64 << 10;
const WORDS: usize = BYTES / size_of::<u64>();
const KIB: f64 = (BYTES / 1024) as f64;

impl Limits {
    /// Measures them all once, which takes some milliseconds.
    ///
    /// # Errors
    ///
    /// If the kernel refuses something.
    pub fn measure(cores: Cores) -> io::Result<Self> {
        pin(cores.first)?;
        let system_call = per(CALLS, || {
            (0..CALLS).for_each(|_| {
                black_box(getppid());
            });
        });
        Ok(Self {
            system_call,
            switch: switch(cores.first, system_call)?,
            copy_kib: copy(),
            between_cores: cores.second.map(|second| between(cores.first, second)).transpose()?,
        })
    }
}

/// How long one of so many takes.
fn per(count: u64, work: impl FnOnce()) -> f64 {
    let start = now_ns();
    work();
    (now_ns() - start) as f64 / count as f64
}

/// Two threads of a core give each other their turn.
fn switch(cpu: usize, system_call: f64) -> io::Result<f64> {
    let is_over = AtomicBool::new(false);
    let (ready, is_ready) = sync_channel(0);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let outcome = pin(cpu);
            // It answers in any case, so that nobody waits for it.
            let _ = ready.send(());
            while !is_over.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            outcome
        });
        let began = is_ready.recv().map_err(io::Error::other);
        let (start_ns, before) = (now_ns(), switches());
        (0..SWITCHES).for_each(|_| thread::yield_now());
        // To the other one, and back. Now and then it may have gone on itself.
        let count = 2 * (switches() - before).max(1);
        let time = (now_ns() - start_ns) as f64 / count as f64;
        is_over.store(true, Ordering::Relaxed);
        other.join().map_err(|_| io::Error::other("a thread has panicked"))?.and(began)?;
        Ok((time - system_call).max(0.0))
    })
}

fn copy() -> f64 {
    let (from, mut to) = (vec![1_u64; WORDS], vec![0; WORDS]);
    to.copy_from_slice(&from);
    per(COPIES, || (0..COPIES).for_each(|_| black_box(to.as_mut_slice()).copy_from_slice(black_box(&from)))) / KIB
}

/// A word that two threads write by turns, in cache lines of its own.
#[repr(align(128))]
struct Turn(AtomicU64);

impl Turn {
    fn wait_for(&self, turn: u64) {
        while self.0.load(Ordering::Acquire) != turn {
            spin_loop();
        }
    }

    fn give(&self, turn: u64) {
        self.0.store(turn, Ordering::Release);
    }
}

fn between(first: usize, second: usize) -> io::Result<BetweenCores> {
    let turn = Turn(AtomicU64::new(0));
    let data: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    let (ready, is_ready) = sync_channel(0);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let outcome = pin(second);
            // It answers in any case, so that nobody waits for it.
            let _ = ready.send(());
            for number in 0..ROUND_TRIPS {
                turn.wait_for(2 * number + 1);
                turn.give(2 * number + 2);
            }
            for number in 0..COPIES {
                turn.wait_for(2 * (ROUND_TRIPS + number) + 1);
                data.iter().for_each(|word| word.store(number, Ordering::Relaxed));
                turn.give(2 * (ROUND_TRIPS + number) + 2);
            }
            outcome
        });
        let began = pin(first).and(is_ready.recv().map_err(io::Error::other));
        let line_round_trip = per(ROUND_TRIPS, || {
            for number in 0..ROUND_TRIPS {
                turn.give(2 * number + 1);
                turn.wait_for(2 * number + 2);
            }
        });
        let (mut own, mut time) = (vec![0; WORDS], 0.0);
        for number in ROUND_TRIPS..ROUND_TRIPS + COPIES {
            turn.give(2 * number + 1);
            turn.wait_for(2 * number + 2);
            time +=
                per(COPIES, || own.iter_mut().zip(&data).for_each(|(own, word)| *own = word.load(Ordering::Relaxed)));
            black_box(&own);
        }
        other.join().map_err(|_| io::Error::other("a thread has panicked"))?.and(began)?;
        Ok(BetweenCores { line_round_trip, copy_kib: time / KIB })
    })
}
