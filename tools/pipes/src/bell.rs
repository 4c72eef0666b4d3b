//! How an end sleeps and is woken on Linux: by a byte through a socket of which each end has one side.

use std::hint::spin_loop;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{Ordering, compiler_fence, fence};
use std::thread;

use flatmk_pipe::{Bell, Peer};
use rustix::net::{SendFlags, send};
use rustix::thread::{MembarrierCommand, membarrier};

/// The barrier between what an end says and what it then looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// The sleeper's takes effect on all threads of this process, and the publisher's costs nothing.
    Threads,
    /// The same for the threads of all processes that have asked for this.
    Processes,
    /// Each end has its own, where the kernel has none of the others.
    Each,
}

impl Barrier {
    /// For two ends in this process.
    #[must_use]
    pub fn between_threads() -> Self {
        Self::Threads.if_registered(MembarrierCommand::RegisterPrivateExpedited)
    }

    /// For an end here and one in another process, which has to ask for the same; both then have to use what both have got.
    #[must_use]
    pub fn between_processes() -> Self {
        Self::Processes.if_registered(MembarrierCommand::RegisterGlobalExpedited)
    }

    fn if_registered(self, command: MembarrierCommand) -> Self {
        if membarrier(command).is_ok() { self } else { Self::Each }
    }

    /// The one that two ends use that have got these.
    #[must_use]
    pub fn agreed(self, other: Self) -> Self {
        if self == other { self } else { Self::Each }
    }
}

/// What an end does before it sleeps: to sleep and to be woken takes longer than a short wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It looks again, up to so many times: the other end runs on another core.
    Spin(u32),
    /// It gives its turn to others, up to so many times: the other end runs on the same core.
    Yield(u32),
}

/// One side of the bells of a pipe.
#[derive(Debug)]
pub struct SocketBell {
    socket: UnixStream,
    barrier: Barrier,
    patience: Patience,
    /// How many system calls it has made.
    calls: u64,
}

impl SocketBell {
    /// A bell on one side of a pair of sockets. The patience is what its end has before it sleeps.
    #[must_use]
    pub fn new(socket: UnixStream, barrier: Barrier, patience: Patience) -> Self {
        Self { socket, barrier, patience, calls: 0 }
    }

    /// How many system calls it has made: barriers, sleeps, rings, and turns given to others.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Both bells of a pipe between two threads.
    ///
    /// # Errors
    ///
    /// If the kernel has no more sockets.
    pub fn pair(patience: Patience) -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        let barrier = Barrier::between_threads();
        Ok((Self::new(one, barrier, patience), Self::new(other, barrier, patience)))
    }
}

// ANCHOR: socket_bell
impl Bell for SocketBell {
    fn sleeper_barrier(&mut self) {
        let command = match self.barrier {
            Barrier::Threads => MembarrierCommand::PrivateExpedited,
            Barrier::Processes => MembarrierCommand::GlobalExpedited,
            Barrier::Each => return fence(Ordering::SeqCst),
        };
        self.calls += 1;
        // It was registered, so it is not refused.
        membarrier(command).expect("the kernel keeps its word");
        // For this thread's own accesses the compiler has to keep to it, too.
        compiler_fence(Ordering::SeqCst);
    }

    #[inline(always)]
    fn publisher_barrier(&mut self) {
        match self.barrier {
            Barrier::Each => fence(Ordering::SeqCst),
            Barrier::Threads | Barrier::Processes => compiler_fence(Ordering::SeqCst),
        }
    }

    fn pause(&mut self, looks: u32) -> bool {
        match self.patience {
            Patience::Spin(most) if looks <= most => spin_loop(),
            Patience::Yield(most) if looks <= most => {
                self.calls += 1;
                thread::yield_now();
            }
            Patience::Spin(_) | Patience::Yield(_) => return false,
        }
        true
    }

    fn sleep(&mut self) -> Peer {
        self.calls += 1;
        // Several rings at once are as good as one.
        match (&self.socket).read(&mut [0; 64]) {
            Ok(1..) => Peer::There,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Peer::There,
            Ok(0) | Err(_) => Peer::Gone,
        }
    }

    fn ring(&mut self) {
        self.calls += 1;
        // If there is no room for one more, the other end has enough to wake up from; if it is gone, it need not.
        let _ = send(&self.socket, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
// ANCHOR_END: socket_bell

#[cfg(test)]
mod tests {
    use super::*;

    /// How many system calls a bell makes to do this.
    fn calls_to(barrier: Barrier, work: fn(&mut SocketBell)) -> u64 {
        let (socket, _) = UnixStream::pair().expect("the kernel has sockets");
        let mut bell = SocketBell::new(socket, barrier, Patience::Yield(1));
        work(&mut bell);
        bell.calls()
    }

    #[test]
    fn a_barrier_of_each_end_is_no_system_call() {
        for barrier in [Barrier::between_threads(), Barrier::between_processes(), Barrier::Each] {
            let calls = u64::from(barrier != Barrier::Each);
            assert_eq!(calls_to(barrier, SocketBell::sleeper_barrier), calls, "{barrier:?}");
            assert_eq!(calls_to(barrier, SocketBell::publisher_barrier), 0, "{barrier:?}");
        }
    }

    #[test]
    fn to_sleep_and_to_ring_and_to_give_its_turn_to_others_is_one_each() {
        assert_eq!(calls_to(Barrier::Each, SocketBell::ring), 1);
        // The other side is gone, so it does not wait.
        assert_eq!(calls_to(Barrier::Each, |bell| assert_eq!(bell.sleep(), Peer::Gone)), 1);
        assert_eq!(calls_to(Barrier::Each, |bell| assert!(bell.pause(1))), 1);
        assert_eq!(calls_to(Barrier::Each, |bell| assert!(!bell.pause(2))), 0);
    }
}
