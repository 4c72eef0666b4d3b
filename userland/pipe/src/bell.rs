//! How an end that can not go on sleeps, and how it is woken.

use core::sync::atomic::{Ordering, compiler_fence};

/// What an end learns when it wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The other end is there, as far as is known.
    There,
    /// The other end is gone, and will not ring any more.
    Gone,
}

// ANCHOR: bell
/// A way to sleep until the other end rings, and to ring for it.
///
/// The two ends must not miss each other. The one that falls asleep says so in its page, then looks once more at the other's position. The
/// other one publishes its position, then looks whether somebody sleeps. Each writes one word and then reads the other's; one of
/// the two must see what the other has written, and for that each needs a barrier between its store and its load (Intel SDM
/// vol. 3A, 8.2.3.4: loads may be reordered with older stores to different locations).
///
/// As going to sleep is rare and publishing is not, the sleeper pays for both where it can: its barrier takes effect on the other
/// processor, too, and the publisher's costs nothing.
pub trait Bell {
    /// Is it ever rung? Without this an end does not look whether the other one sleeps.
    const RINGS: bool = true;

    /// The barrier of an end that goes to sleep. If the publisher's is not a full one, this must be one for both.
    fn sleeper_barrier(&mut self);

    /// The barrier of an end that has published. As it stands, the compiler alone keeps to it.
    #[inline(always)]
    fn publisher_barrier(&mut self) {
        compiler_fence(Ordering::SeqCst);
    }

    /// Before it sleeps, an end that has looked so many times in vain asks for a short pause, and looks again after it. `false` says that it is time to
    /// sleep. Without an own implementation it always is.
    fn pause(&mut self, looks: u32) -> bool {
        let _ = looks;
        false
    }

    /// Sleeps until the other end has rung since this end last slept. It may return without a reason.
    fn sleep(&mut self) -> Peer;

    /// Wakes the other end, or lets its next sleep end at once.
    fn ring(&mut self);
}
// ANCHOR_END: bell

/// For ends that never sleep: nobody rings for them, and they ring for nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBell;

impl Bell for NoBell {
    const RINGS: bool = false;

    fn sleeper_barrier(&mut self) {}

    fn sleep(&mut self) -> Peer {
        core::hint::spin_loop();
        Peer::There
    }

    fn ring(&mut self) {}
}
