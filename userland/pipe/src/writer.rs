//! The positions of a pipe, as its producer works with them. All that the two ends agree on is here and in `reader`; what is written
//! where, is not.

use crate::atomic::{AtomicU32, Ordering, fence};
use crate::bell::{Bell, Peer};
use crate::error::Error;
use crate::memory::EndPage;
use crate::planted;

/// Reads a word of the other end, which may be mapped read-only: only relaxed loads are sure to work there (documentation of `core::sync::atomic`, "Atomic
/// accesses to read-only memory"). What the other end did before it wrote the word has happened then.
#[inline(always)]
pub(crate) fn acquire(word: &AtomicU32) -> u32 {
    let value = word.load(Ordering::Relaxed);
    if !planted::RELAXED_LOOK {
        fence(Ordering::Acquire);
    }
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

/// The producer's positions: numbers of items, modulo 2^32.
pub(crate) struct Writer<'a, B: Bell> {
    own: &'a EndPage,
    peer: &'a EndPage,
    bell: B,
    /// How many were published; `own.position` has the same, for the other end.
    tail: u32,
    /// Up to here there is room, as far as is known.
    limit: u32,
    /// How many items the buffer holds; 0 once there is no use in writing any more.
    capacity: u32,
    /// Why there is no use.
    end: Option<Error>,
    /// For which of the other end's sleeps the bell was rung.
    rung: u32,
    /// How many times this end has gone to sleep, and rung.
    sleeps: u32,
    rings: u32,
}

impl<'a, B: Bell> Writer<'a, B> {
    pub(crate) fn new(own: &'a EndPage, peer: &'a EndPage, capacity: u32, bell: B) -> Self {
        Self { own, peer, bell, tail: 0, limit: capacity, capacity, end: None, rung: 0, sleeps: 0, rings: 0 }
    }

    // ANCHOR: write
    /// Writes an item: `fill` is given its position. Then it is published.
    #[inline(always)]
    pub(crate) fn write(&mut self, fill: impl FnOnce(u32)) -> Result<(), Error> {
        let tail = self.tail;
        if tail == self.limit {
            self.look(tail, 1)?;
        }
        fill(tail);
        self.advance(tail, 1);
        Ok(())
    }

    /// Looks at how far the consumer is, as there must be room for `least` items. Returns for how many there is.
    #[inline(always)]
    fn look(&mut self, tail: u32, least: u32) -> Result<u32, Error> {
        let known = self.limit.wrapping_sub(tail);
        let position = acquire(&self.peer.position.0);
        let free = self.capacity.wrapping_sub(tail.wrapping_sub(position));
        // No less than before, as the consumer does not go back, and no more than the buffer has.
        if free < least.max(known) || free > self.capacity {
            return Err(self.refuse(least, free));
        }
        self.limit = tail.wrapping_add(free);
        Ok(free)
    }

    /// Publishes items that have been written, from the position `tail` on.
    #[inline(always)]
    fn advance(&mut self, tail: u32, count: u32) {
        // ANCHOR: exercise-8-1
        self.tail = tail.wrapping_add(count);
        self.own.position.0.store(self.tail, PUBLISH);
        if B::RINGS {
            self.bell.publisher_barrier();
            if self.peer.sleeps.0.load(Ordering::Relaxed) != self.rung {
                self.wake();
            }
        }
        // ANCHOR_END: exercise-8-1
    }
    // ANCHOR_END: write

    /// For how many items there is room, up to `most`, and at least `least`. It looks only if what is known does not do.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, least: u32, most: u32) -> Result<u32, Error> {
        if self.limit.wrapping_sub(self.tail) >= most {
            return Ok(most);
        }
        self.look(self.tail, least).map(|free| free.min(most))
    }

    /// Publishes so many items, for which there was room, and which were written.
    #[inline(always)]
    pub(crate) fn publish(&mut self, count: u32) {
        self.advance(self.tail, count);
    }

    /// The position of the next item.
    #[inline(always)]
    pub(crate) fn position(&self) -> u32 {
        self.tail
    }

    /// There is not so much room, or the other end's position is not one that it can have. In one function, as then whoever calls it needs no stack otherwise.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, count: u32, free: u32) -> Error {
        if let Some(end) = self.end {
            return end;
        }
        if free > self.capacity || free < self.limit.wrapping_sub(self.tail) {
            return self.end(Error::Corrupt);
        }
        self.limit = self.tail.wrapping_add(free);
        if acquire(&self.peer.closed.0) != 0 {
            self.end(Error::Closed)
        } else if count > self.capacity {
            Error::TooLong
        } else {
            Error::Full
        }
    }

    /// Nothing more is written, for the first reason there was.
    fn end(&mut self, reason: Error) -> Error {
        (self.limit, self.capacity) = (self.tail, 0);
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
        if planted::LATE_NOTE {
            self.rung = acquire(&self.peer.sleeps.0);
        }
    }

    /// Sleeps until there may be room for so many items.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait(&mut self, count: u32) -> Result<(), Error> {
        let mut looks = 1;
        while self.bell.pause(looks) {
            match self.reserve(count, count) {
                Err(Error::Full) => looks += 1,
                outcome => return outcome.map(|_| ()),
            }
        }
        self.sleeps = self.sleeps.wrapping_add(1);
        self.own.sleeps.0.store(self.sleeps, Ordering::Relaxed);
        if !planted::MISSING_FENCE {
            self.bell.sleeper_barrier();
        }
        if !planted::MISSING_RECHECK {
            match self.reserve(count, count) {
                Err(Error::Full) => {}
                outcome => return outcome.map(|_| ()),
            }
        }
        if self.bell.sleep() == Peer::Gone {
            return Err(self.end(Error::Closed));
        }
        Ok(())
    }

    pub(crate) fn bell(&self) -> &B {
        &self.bell
    }

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
