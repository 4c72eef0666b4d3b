//! What goes through: numbered items, sent one by one or in batches, by whatever there is to send them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread;

use flatmk_pipe::{Consumer, Error, Producer};
use rtrb::{PopError, PushError};
use zerocopy::IntoBytes;

use crate::bell::SocketBell;

/// What is sent in one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The size of an item in words of 8 bytes: 1, 8, 128 or 8192.
    pub item_words: usize,
    /// How many items are sent at once.
    pub batch: usize,
    /// How many times.
    pub batches: u64,
}

impl Load {
    /// How many items there are altogether.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.batches * self.batch as u64
    }
}

/// Sends words, and waits while there is no room.
pub(crate) trait Sender {
    fn send_one(&mut self, word: u64) -> io::Result<()>;
    fn send_all(&mut self, words: &[u64]) -> io::Result<()>;
    /// How many system calls that has taken.
    fn calls(&self) -> u64;
}

/// Receives words, and waits while there are none.
pub(crate) trait Receiver {
    fn receive_one(&mut self) -> io::Result<u64>;
    fn receive_all(&mut self, words: &mut [u64]) -> io::Result<()>;
    /// How many system calls that has taken.
    fn calls(&self) -> u64;
}

/// Sends everything.
pub(crate) fn produce(sender: &mut impl Sender, load: Load) -> io::Result<()> {
    match (load.item_words, load.batch) {
        (1, 1) => (0..load.batches).try_for_each(|number| sender.send_one(number)),
        (1, _) => produce_items::<1>(sender, load),
        (8, _) => produce_items::<8>(sender, load),
        (128, _) => produce_items::<128>(sender, load),
        (8192, _) => produce_items::<8192>(sender, load),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Receives everything, and looks at every item.
pub(crate) fn consume(receiver: &mut impl Receiver, load: Load) -> io::Result<()> {
    match (load.item_words, load.batch) {
        (1, 1) => (0..load.batches).try_for_each(|number| match receiver.receive_one()? {
            word if word == number => Ok(()),
            _ => Err(wrong_item(number)),
        }),
        (1, _) => consume_items::<1>(receiver, load),
        (8, _) => consume_items::<8>(receiver, load),
        (128, _) => consume_items::<128>(receiver, load),
        (8192, _) => consume_items::<8192>(receiver, load),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn produce_items<const WORDS: usize>(sender: &mut impl Sender, load: Load) -> io::Result<()> {
    let mut items = vec![[0; WORDS]; load.batch];
    let mut number = 0;
    for _ in 0..load.batches {
        for item in &mut items {
            mark(item, number);
            number += 1;
        }
        sender.send_all(items.as_flattened())?;
    }
    Ok(())
}

fn consume_items<const WORDS: usize>(receiver: &mut impl Receiver, load: Load) -> io::Result<()> {
    let mut items = vec![[0; WORDS]; load.batch];
    let mut number = 0;
    for _ in 0..load.batches {
        receiver.receive_all(items.as_flattened_mut())?;
        let mut difference = 0;
        for item in &items {
            difference |= difference_from(item, number);
            number += 1;
        }
        if difference != 0 {
            return Err(wrong_item(number - load.batch as u64));
        }
    }
    Ok(())
}

/// An item's number is in its first word and, the other way round, in its last: if one has come, so has all between.
#[inline(always)]
fn mark<const WORDS: usize>(item: &mut [u64; WORDS], number: u64) {
    if let [first, .., last] = item.as_mut_slice() {
        *last = !number;
        *first = number;
    } else {
        item.fill(number);
    }
}

/// 0 for the item with this number.
#[inline(always)]
fn difference_from<const WORDS: usize>(item: &[u64; WORDS], number: u64) -> u64 {
    match item.as_slice() {
        [first, .., last] => (first ^ number) | (last ^ !number),
        [only] => only ^ number,
        [] => 0,
    }
}

fn wrong_item(from: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("what was received is not what was sent, from item {from} on"))
}

/// A pipe whose ends sleep.
impl Sender for Producer<'_, u64, SocketBell> {
    #[inline(always)]
    fn send_one(&mut self, word: u64) -> io::Result<()> {
        self.push_waiting(word).map_err(io::Error::other)
    }

    #[inline(always)]
    fn send_all(&mut self, words: &[u64]) -> io::Result<()> {
        self.push_slice_waiting(words).map_err(io::Error::other)
    }

    fn calls(&self) -> u64 {
        self.bell().calls()
    }
}

impl Receiver for Consumer<'_, u64, SocketBell> {
    #[inline(always)]
    fn receive_one(&mut self) -> io::Result<u64> {
        self.pop_waiting().map_err(io::Error::other)
    }

    #[inline(always)]
    fn receive_all(&mut self, words: &mut [u64]) -> io::Result<()> {
        self.pop_slice_waiting(words).map_err(io::Error::other)
    }

    fn calls(&self) -> u64 {
        self.bell().calls()
    }
}

/// An end of a Unix pipe.
pub(crate) struct Counted {
    file: File,
    calls: u64,
}

impl Counted {
    pub(crate) fn new(file: File) -> Self {
        Self { file, calls: 0 }
    }
}

impl Sender for Counted {
    #[inline(always)]
    fn send_one(&mut self, word: u64) -> io::Result<()> {
        self.send_all(&[word])
    }

    #[inline(always)]
    fn send_all(&mut self, words: &[u64]) -> io::Result<()> {
        let mut bytes = words.as_bytes();
        while !bytes.is_empty() {
            self.calls += 1;
            let count = self.file.write(bytes)?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}

impl Receiver for Counted {
    #[inline(always)]
    fn receive_one(&mut self) -> io::Result<u64> {
        let mut word = [0];
        self.receive_all(&mut word)?;
        Ok(word[0])
    }

    #[inline(always)]
    fn receive_all(&mut self, words: &mut [u64]) -> io::Result<()> {
        let mut bytes = words.as_mut_bytes();
        while !bytes.is_empty() {
            self.calls += 1;
            match self.file.read(bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => bytes = bytes.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}

/// An end that never sleeps, between threads. It tries again until it can go on.
pub(crate) struct Polled<E> {
    end: E,
    /// On one core, the other end has to get a turn.
    is_on_one_core: bool,
    /// How many times that was given.
    yields: u64,
}

impl<E> Polled<E> {
    pub(crate) fn new(end: E, is_on_one_core: bool) -> Self {
        Self { end, is_on_one_core, yields: 0 }
    }

    #[cold]
    fn pause(&mut self) {
        if self.is_on_one_core {
            self.yields += 1;
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

impl Sender for Polled<Producer<'_, u64>> {
    #[inline(always)]
    fn send_one(&mut self, word: u64) -> io::Result<()> {
        loop {
            match self.end.push(word) {
                Ok(()) => return Ok(()),
                Err(Error::Full) => self.pause(),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    #[inline(always)]
    fn send_all(&mut self, mut words: &[u64]) -> io::Result<()> {
        while !words.is_empty() {
            match self.end.push_slice(words) {
                Ok(count) => words = words.get(count..).unwrap_or_default(),
                Err(Error::Full) => self.pause(),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.yields
    }
}

impl Receiver for Polled<Consumer<'_, u64>> {
    #[inline(always)]
    fn receive_one(&mut self) -> io::Result<u64> {
        loop {
            match self.end.pop() {
                Ok(word) => return Ok(word),
                Err(Error::Empty) => self.pause(),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    #[inline(always)]
    fn receive_all(&mut self, mut words: &mut [u64]) -> io::Result<()> {
        while !words.is_empty() {
            match self.end.pop_slice(words) {
                Ok(count) => words = words.get_mut(count..).unwrap_or_default(),
                Err(Error::Empty) => self.pause(),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.yields
    }
}

impl Sender for Polled<rtrb::Producer<u64>> {
    #[inline(always)]
    fn send_one(&mut self, word: u64) -> io::Result<()> {
        while let Err(PushError::Full(_)) = self.end.push(word) {
            if self.end.is_abandoned() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.pause();
        }
        Ok(())
    }

    #[inline(always)]
    fn send_all(&mut self, mut words: &[u64]) -> io::Result<()> {
        while !words.is_empty() {
            words = match self.end.push_partial_slice(words) {
                ([], _) if self.end.is_abandoned() => return Err(io::ErrorKind::BrokenPipe.into()),
                ([], rest) => {
                    self.pause();
                    rest
                }
                (_, rest) => rest,
            };
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.yields
    }
}

impl Receiver for Polled<rtrb::Consumer<u64>> {
    #[inline(always)]
    fn receive_one(&mut self) -> io::Result<u64> {
        loop {
            match self.end.pop() {
                Ok(word) => return Ok(word),
                Err(PopError::Empty) => self.pause(),
            }
        }
    }

    #[inline(always)]
    fn receive_all(&mut self, mut words: &mut [u64]) -> io::Result<()> {
        while !words.is_empty() {
            let (received, rest) = self.end.pop_partial_slice(words);
            if received.is_empty() {
                self.pause();
            }
            words = rest;
        }
        Ok(())
    }

    fn calls(&self) -> u64 {
        self.yields
    }
}
