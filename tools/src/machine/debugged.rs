//! Machines that a debugger looks into.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::Machine;
use super::running::{Poll, Running};

impl Machine {
    /// It waits for a debugger at this Unix socket before its first instruction, and stands still in place of a reset. QEMU only.
    pub fn debugger(mut self, socket: impl Into<PathBuf>) -> Self {
        self.debugger = Some(socket.into());
        self
    }
}

impl Running {
    /// Hands out what the machine writes, as it comes, for as long as `goes_on` says so; also when the machine has ended.
    pub fn watch_while(&mut self, mut goes_on: impl FnMut() -> bool, mut show: impl FnMut(&[u8])) {
        const PAUSE: Duration = Duration::from_millis(50);
        while goes_on() {
            match self.poll(PAUSE) {
                Poll::Output(bytes) => show(&self.preface.pass(bytes)),
                Poll::Quiet => {}
                Poll::Ended => thread::sleep(PAUSE),
            }
        }
    }
}
