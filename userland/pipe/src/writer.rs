//! The positions of a pipe, as its producer works with them. All that the two ends agree on is here and in `reader`; what is written
//! where, is not.

use crate::atomic::{AtomicU32, Ordering, fence};
use crate::bell::{Bell, Peer};
use crate::error::Error;
use crate::memory::{EndPage, Memory};
use crate::planted;

/// Reads a word of the other end, which may be mapped read-only: only relaxed loads are sure to work there (documentation of `core::sync::atomic`, "Atomic
/// accesses to read-only memory"). What the other end did before it wrote the word has happened then.
#[inline(always)]
pub(crate) fn acquire(word: &AtomicU32) -> u32 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    value
}

/// How a position is made known.
pub(crate) const PUBLISH: Ordering = if planted::RELAXED_PUBLISH { Ordering::Relaxed } else { Ordering::Release };

/// Says that an end is closed, and tells the other one.
pub(crate) fn close(own: &EndPage, sleeps: u32, bell: &mut impl Bell) {
    own.closed.0.store(1, Ordering::Release);
    if !planted::LOST_CLOSE {
        // An end that publishes looks at this word, so it learns of it early.
        own.sleeps.0.store(sleeps.wrapping_add(1), Ordering::Release);
        bell.ring();
    }
}

/// The producer's positions.
pub(crate) struct Writer<'a, B: Bell> {
    own: &'a EndPage,
    peer: &'a EndPage,
    bell: B,
    /// How many bytes were published, modulo 2^32; `own.position` has the same, for the other end.
    tail: u32,
    /// How many bytes are free at least.
    free: u32,
    /// The size of the buffer; 0 once there is no use in writing any more.
    size: u32,
    /// Why there is no use.
    end: Option<Error>,
    /// For which of the other end's sleeps the bell was rung.
    rung: u32,
    /// How many times this end has gone to sleep, and rung.
    sleeps: u32,
    rings: u32,
}

impl<'a, B: Bell> Writer<'a, B> {
    pub(crate) fn new(memory: &Memory<'a>, bell: B) -> Self {
        let &Memory { own, peer, size, .. } = memory;
        Self { own, peer, bell, tail: 0, free: size, size, end: None, rung: 0, sleeps: 0, rings: 0 }
    }

    // ANCHOR: write
    /// Writes what has a size: `fill` is given the position at which it begins. Then it is published.
    #[inline(always)]
    pub(crate) fn write(&mut self, size: u32, fill: impl FnOnce(u32)) -> Result<(), Error> {
        self.reserve(size)?;
        fill(self.tail);
        self.publish(size);
        Ok(())
    }

    /// Sees to it that so many bytes are free.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, size: u32) -> Result<(), Error> {
        self.reserve_up_to(size, size).map(|_| ())
    }

    /// How many bytes are free, up to `most`, and at least `least`. The other end's position is read only if what is known does not do.
    #[inline(always)]
    pub(crate) fn reserve_up_to(&mut self, least: u32, most: u32) -> Result<u32, Error> {
        if self.free < most {
            // What is in the buffer: at most what was in it when this was last asked, as the consumer does not go back.
            let used = self.tail.wrapping_sub(acquire(&self.peer.position.0));
            if used > self.size - self.free {
                return Err(self.give_up());
            }
            self.free = self.size - used;
            if self.free < least {
                return Err(self.refuse(least));
            }
        }
        Ok(self.free.min(most))
    }

    /// Publishes bytes that are free and have been written.
    #[inline(always)]
    pub(crate) fn publish(&mut self, size: u32) {
        self.tail = self.tail.wrapping_add(size);
        self.free -= size;
        self.own.position.0.store(self.tail, PUBLISH);
        if B::RINGS {
            self.bell.publisher_barrier();
            if self.peer.sleeps.0.load(Ordering::Relaxed) != self.rung {
                self.wake();
            }
        }
    }
    // ANCHOR_END: write

    /// The position at which the next bytes begin.
    #[inline(always)]
    pub(crate) fn position(&self) -> u32 {
        self.tail
    }

    /// The other end's position is not one that it can have, or this end has given up.
    #[cold]
    #[inline(never)]
    fn give_up(&mut self) -> Error {
        self.end(Error::Corrupt)
    }

    /// There is not so much room.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, size: u32) -> Error {
        match self.end {
            Some(end) => end,
            None if acquire(&self.peer.closed.0) != 0 => self.end(Error::Closed),
            None if size > self.size => Error::TooLong,
            None => Error::Full,
        }
    }

    /// Nothing more is written, for the first reason there was.
    fn end(&mut self, reason: Error) -> Error {
        (self.free, self.size) = (0, 0);
        *self.end.get_or_insert(reason)
    }

    /// The other end has gone to sleep, or is closed.
    #[cold]
    #[inline(never)]
    fn wake(&mut self) {
        self.rung = acquire(&self.peer.sleeps.0);
        if acquire(&self.peer.closed.0) != 0 {
            self.end(Error::Closed);
            return;
        }
        self.rings = self.rings.wrapping_add(1);
        self.bell.ring();
    }

    // ANCHOR: wait
    /// Sleeps until there may be so much room.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait(&mut self, size: u32) -> Result<(), Error> {
        self.sleeps = self.sleeps.wrapping_add(1);
        self.own.sleeps.0.store(self.sleeps, Ordering::Relaxed);
        if !planted::MISSING_FENCE {
            self.bell.sleeper_barrier();
        }
        if !planted::MISSING_RECHECK {
            match self.reserve(size) {
                Err(Error::Full) => {}
                outcome => return outcome,
            }
        }
        if self.bell.sleep() == Peer::Gone {
            return Err(self.end(Error::Closed));
        }
        Ok(())
    }
    // ANCHOR_END: wait

    /// How many times this end has gone to sleep, and how many times it has rung for the other one.
    pub(crate) fn kernel_events(&self) -> (u32, u32) {
        (self.sleeps, self.rings)
    }
}

impl<B: Bell> Drop for Writer<'_, B> {
    fn drop(&mut self) {
        close(self.own, self.sleeps, &mut self.bell);
    }
}
