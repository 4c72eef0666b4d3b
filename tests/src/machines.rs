//! Machines, at most two at a time, that end in a finite time.

use std::fmt::Write;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use flatmk_tools::machine::{ExitReason, Machine, Outcome, Running};
use flatmk_tools::report;

/// How long a machine may run before it counts as hung. An idle host needs 2 to 12 s.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// How many machines may run at a time, however many threads there are: more would only make each slower.
const MOST_MACHINES: usize = 2;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to run a machine.
#[must_use]
pub struct Seat(());

impl Seat {
    /// Waits until fewer than two machines run.
    pub fn take() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running =
            ENDED.wait_while(running, |running| *running >= MOST_MACHINES).unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

/// Boots a machine and waits for its end.
pub fn boot(machine: &Machine) -> Outcome {
    boot_for(machine, TIME_LIMIT)
}

/// Boots a machine and waits for its end, at most so long.
pub fn boot_for(machine: &Machine, limit: Duration) -> Outcome {
    let _seat = Seat::take();
    start(machine).wait(limit)
}

/// Starts a machine. Take a [`Seat`] first.
pub fn start(machine: &Machine) -> Running {
    match machine.start() {
        Ok(running) => running,
        Err(error) => panic!("the machine does not start: {error}"),
    }
}

/// Fails, with everything there is to know, unless the kernel ended the run with this status.
#[track_caller]
pub fn assert_status(outcome: &Outcome, status: u8) {
    assert!(outcome.reason == ExitReason::Exited(status), "status {status} was expected\n{}", describe(outcome));
}

/// Fails, with everything there is to know, unless the serial output has this text.
#[track_caller]
pub fn assert_says(outcome: &Outcome, text: &str) {
    assert!(outcome.serial().contains(text), "{text:?} was expected\n{}", describe(outcome));
}

fn describe(outcome: &Outcome) -> String {
    let mut text = format!("what happened: {}\nserial output:\n{}", outcome.reason, outcome.serial());
    if let Some(report) = report::on(outcome) {
        let _ = write!(text, "\nreport: {report}");
    }
    text
}
