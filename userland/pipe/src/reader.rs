//! The positions of a pipe, as its consumer works with them.

use crate::atomic::Ordering;
use crate::bell::{Bell, Peer};
use crate::error::Error;
use crate::memory::{EndPage, Memory};
use crate::planted;
use crate::writer::{PUBLISH, acquire, close};

/// A producer that waits for room is woken when this part of the buffer has been taken, and not for each item.
const PARTS: u32 = 4;

/// The consumer's positions.
pub(crate) struct Reader<'a, B: Bell> {
    own: &'a EndPage,
    peer: &'a EndPage,
    bell: B,
    /// How many bytes were taken, modulo 2^32; `own.position` has the same, for the other end.
    head: u32,
    /// How many bytes there are at least.
    filled: u32,
    /// The size of the buffer; 0 once there is nothing more to come.
    size: u32,
    /// Why there is nothing.
    end: Option<Error>,
    /// Whether the other end is known to be closed or gone. What it has published is still there.
    is_last: bool,
    /// For which of the other end's sleeps the bell was rung.
    rung: u32,
    /// How many times this end has gone to sleep, and rung.
    sleeps: u32,
    rings: u32,
    /// The bits of a position that change only from one part of the buffer to the next.
    part: u32,
}

impl<'a, B: Bell> Reader<'a, B> {
    pub(crate) fn new(memory: &Memory<'a>, bell: B) -> Self {
        let &Memory { own, peer, size, .. } = memory;
        let part = (size / PARTS).max(1).wrapping_neg();
        Self {
            own,
            peer,
            bell,
            head: 0,
            filled: 0,
            size,
            end: None,
            is_last: false,
            rung: 0,
            sleeps: 0,
            rings: 0,
            part,
        }
    }

    // ANCHOR: read
    /// Reads what has a size: `take` is given the position at which it begins. Then the room is the producer's again.
    #[inline(always)]
    pub(crate) fn read<R>(&mut self, size: u32, take: impl FnOnce(u32) -> R) -> Result<R, Error> {
        self.require(size)?;
        let head = self.head;
        if planted::REUSE_BEFORE_READ {
            self.release(size);
            return Ok(take(head));
        }
        let taken = take(head);
        self.release(size);
        Ok(taken)
    }

    /// Sees to it that there are so many bytes.
    #[inline(always)]
    pub(crate) fn require(&mut self, size: u32) -> Result<(), Error> {
        self.require_up_to(size, size).map(|_| ())
    }

    /// How many bytes there are, up to `most`, and at least `least`. The other end's position is read only if what is known does not do.
    #[inline(always)]
    pub(crate) fn require_up_to(&mut self, least: u32, most: u32) -> Result<u32, Error> {
        if self.filled < most {
            // No less than when this was last asked, as the producer does not go back, and no more than fits.
            let filled = acquire(&self.peer.position.0).wrapping_sub(self.head);
            if filled > self.size || filled < self.filled {
                return Err(self.give_up());
            }
            self.filled = filled;
            if filled < least {
                self.refuse(least)?;
            }
        }
        Ok(self.filled.min(most))
    }

    /// Gives back bytes that there are, and that were read.
    #[inline(always)]
    pub(crate) fn release(&mut self, size: u32) {
        let before = self.head;
        self.head = before.wrapping_add(size);
        self.filled -= size;
        self.own.position.0.store(self.head, PUBLISH);
        if B::RINGS && (before ^ self.head) & self.part != 0 {
            self.wake_if_asleep();
        }
    }
    // ANCHOR_END: read

    /// The position at which the next bytes begin.
    #[inline(always)]
    pub(crate) fn position(&self) -> u32 {
        self.head
    }

    /// What the other end has published can not be, or this end has given up.
    #[cold]
    #[inline(never)]
    pub(crate) fn give_up(&mut self) -> Error {
        self.end(Error::Corrupt)
    }

    /// There is not so much, unless the other end has published it just before it was closed.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, size: u32) -> Result<(), Error> {
        if let Some(end) = self.end {
            return Err(end);
        }
        if size > self.size {
            return Err(Error::TooLong);
        }
        if !self.is_last {
            if acquire(&self.peer.closed.0) == 0 {
                // A producer that waits for more room than a part of the buffer may not have been woken yet.
                self.wake_if_asleep();
                return Err(Error::Empty);
            }
            // Nothing is published any more, but something may have been since the last look.
            self.is_last = true;
            if !planted::CLOSE_BEFORE_DRAIN {
                return self.require(size);
            }
        }
        // A part of what was to come: the other end has not done this in good order.
        Err(self.end(if self.filled == 0 { Error::Closed } else { Error::Corrupt }))
    }

    /// Nothing more is read, for the first reason there was.
    fn end(&mut self, reason: Error) -> Error {
        (self.filled, self.size) = (0, 0);
        *self.end.get_or_insert(reason)
    }

    #[cold]
    #[inline(never)]
    fn wake_if_asleep(&mut self) {
        if !B::RINGS {
            return;
        }
        self.bell.publisher_barrier();
        let asleep = self.peer.sleeps.0.load(Ordering::Relaxed);
        if asleep != self.rung {
            self.rung = asleep;
            self.rings = self.rings.wrapping_add(1);
            self.bell.ring();
        }
    }

    // ANCHOR: wait
    /// Sleeps until there may be so many bytes.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait(&mut self, size: u32) -> Result<(), Error> {
        self.sleeps = self.sleeps.wrapping_add(1);
        self.own.sleeps.0.store(self.sleeps, Ordering::Relaxed);
        if !planted::MISSING_FENCE {
            self.bell.sleeper_barrier();
        }
        if !planted::MISSING_RECHECK {
            match self.require(size) {
                Err(Error::Empty) => {}
                outcome => return outcome,
            }
        }
        if self.bell.sleep() == Peer::Gone {
            self.is_last = true;
        }
        Ok(())
    }
    // ANCHOR_END: wait

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
