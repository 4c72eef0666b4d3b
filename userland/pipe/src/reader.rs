//! The positions of a pipe, as its consumer works with them.

use crate::atomic::Ordering;
use crate::bell::{Bell, Peer};
use crate::error::Error;
use crate::memory::EndPage;
use crate::planted;
use crate::writer::{PUBLISH, acquire, close};

/// The consumer's positions: numbers of items, modulo 2^32.
pub(crate) struct Reader<'a, B: Bell> {
    own: &'a EndPage,
    peer: &'a EndPage,
    bell: B,
    /// How many were taken; `own.position` has the same, for the other end.
    head: u32,
    /// Up to here items were published, as far as is known.
    limit: u32,
    /// How many items the buffer holds; 0 once there is nothing more to come.
    capacity: u32,
    /// Why there is nothing.
    end: Option<Error>,
    /// Whether the other end is known to be closed or gone. What it has published is still there.
    is_last: bool,
    /// For which of the other end's sleeps the bell was rung.
    rung: u32,
    /// How many times this end has gone to sleep, and rung.
    sleeps: u32,
    rings: u32,
}

impl<'a, B: Bell> Reader<'a, B> {
    pub(crate) fn new(own: &'a EndPage, peer: &'a EndPage, capacity: u32, bell: B) -> Self {
        Self { own, peer, bell, head: 0, limit: 0, capacity, end: None, is_last: false, rung: 0, sleeps: 0, rings: 0 }
    }

    // ANCHOR: read
    /// Reads an item: `take` is given its position. Then the room is the producer's again.
    #[inline(always)]
    pub(crate) fn read<R>(&mut self, take: impl FnOnce(u32) -> R) -> Result<R, Error> {
        let head = self.head;
        if head == self.limit {
            self.look(head, 1)?;
        }
        if planted::REUSE_BEFORE_READ {
            self.advance(head, 1);
            return Ok(take(head));
        }
        let item = take(head);
        self.advance(head, 1);
        Ok(item)
    }

    /// Looks at how far the producer is, as there must be `least` items. Returns how many there are.
    #[inline(always)]
    fn look(&mut self, head: u32, least: u32) -> Result<u32, Error> {
        // ANCHOR: exercise-8-2
        let known = self.limit.wrapping_sub(head);
        let position = acquire(&self.peer.position.0);
        // What is in the buffer: no less than before, as the producer does not go back, and no more than fits.
        let filled = position.wrapping_sub(head);
        if filled < least.max(known) || filled > self.capacity {
            return Err(self.refuse(least, position));
        }
        self.limit = position;
        Ok(filled)
        // ANCHOR_END: exercise-8-2
    }

    /// Gives back the room of items that were read, from the position `head` on.
    #[inline(always)]
    fn advance(&mut self, head: u32, count: u32) {
        self.head = head.wrapping_add(count);
        self.own.position.0.store(self.head, PUBLISH);
        if B::RINGS {
            self.bell.publisher_barrier();
            if self.peer.sleeps.0.load(Ordering::Relaxed) != self.rung {
                self.wake();
            }
        }
    }
    // ANCHOR_END: read

    /// How many items there are, up to `most`, and at least `least`. It looks only if what is known does not do.
    #[inline(always)]
    pub(crate) fn require(&mut self, least: u32, most: u32) -> Result<u32, Error> {
        if self.known() >= most {
            return Ok(most);
        }
        self.look(self.head, least).map(|filled| filled.min(most))
    }

    /// How many items there are, as far as is known.
    #[inline(always)]
    pub(crate) fn known(&self) -> u32 {
        self.limit.wrapping_sub(self.head)
    }

    /// Gives back the room of so many items, which there are, and which were read.
    #[inline(always)]
    pub(crate) fn release(&mut self, count: u32) {
        self.advance(self.head, count);
    }

    /// The position of the next item.
    #[inline(always)]
    pub(crate) fn position(&self) -> u32 {
        self.head
    }

    /// What the other end has published cannot be, or this end has given up.
    #[cold]
    #[inline(never)]
    pub(crate) fn give_up(&mut self) -> Error {
        self.end(Error::Corrupt)
    }

    /// There is not so much, or the other end's position is not one that it can have. In one function, as then whoever calls it needs no stack otherwise.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, count: u32, position: u32) -> Error {
        // ANCHOR: exercise-8-3
        if let Some(end) = self.end {
            return end;
        }
        let filled = position.wrapping_sub(self.head);
        if filled > self.capacity || filled < self.known() {
            return self.give_up();
        }
        self.limit = position;
        if count > self.capacity {
            return Error::TooLong;
        }
        if !self.is_last && acquire(&self.peer.closed.0) == 0 {
            return Error::Empty;
        }
        self.is_last = true;
        // Nothing is published any more, but something may have been since the last look.
        if !planted::CLOSE_BEFORE_DRAIN && acquire(&self.peer.position.0) != self.limit {
            return Error::Empty;
        }
        // There may be items, fewer than were asked for.
        if self.known() == 0 { self.end(Error::Closed) } else { Error::Closed }
        // ANCHOR_END: exercise-8-3
    }

    /// Nothing more is read, for the first reason there was.
    fn end(&mut self, reason: Error) -> Error {
        (self.limit, self.capacity) = (self.head, 0);
        *self.end.get_or_insert(reason)
    }

    /// The other end has gone to sleep, or is closed.
    #[cold]
    #[inline(never)]
    fn wake(&mut self) {
        self.rung = self.peer.sleeps.0.load(Ordering::Relaxed);
        self.rings = self.rings.wrapping_add(1);
        self.bell.ring();
    }

    // ANCHOR: wait
    /// Sleeps until there may be so many items.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait(&mut self, count: u32) -> Result<(), Error> {
        // ANCHOR: exercise-8-4
        let mut looks = 1;
        while self.bell.pause(looks) {
            match self.require(count, count) {
                Err(Error::Empty) => looks += 1,
                outcome => return outcome.map(|_| ()),
            }
        }
        self.sleeps = self.sleeps.wrapping_add(1);
        self.own.sleeps.0.store(self.sleeps, Ordering::Relaxed);
        if !planted::MISSING_FENCE {
            self.bell.sleeper_barrier();
        }
        if !planted::MISSING_RECHECK {
            match self.require(count, count) {
                Err(Error::Empty) if !self.is_last => {}
                Err(Error::Empty) => return Ok(()),
                outcome => return outcome.map(|_| ()),
            }
        }
        if self.bell.sleep() == Peer::Gone {
            self.is_last = true;
        }
        Ok(())
        // ANCHOR_END: exercise-8-4
    }
    // ANCHOR_END: wait

    pub(crate) fn bell(&self) -> &B {
        &self.bell
    }

    /// How many times this end has gone to sleep, and how many times it has rung for the other one.
    pub(crate) fn kernel_events(&self) -> (u32, u32) {
        (self.sleeps, self.rings)
    }
}

impl<B: Bell> Drop for Reader<'_, B> {
    fn drop(&mut self) {
        close(self.own, self.sleeps, &mut self.bell);
    }
}
