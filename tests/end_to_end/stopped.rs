//! Machines whose kernel stops: both its reports, on the serial line and on the screen.

use flatmk_tests::machines::{Seat, TIME_LIMIT, start};
use flatmk_tests::screen_text::{STOPPED, ScreenText, wait_until};
use flatmk_tools::machine::Machine;

/// What a kernel that has stopped says.
pub(crate) struct Stopped {
    pub(crate) serial: String,
    pub(crate) screen: ScreenText,
}

/// Boots a machine that stays on until its kernel has stopped.
pub(crate) fn boot(machine: &Machine) -> Stopped {
    const LAST_LINE: &str = "The book's page \"Stop codes\" explains";
    let _seat = Seat::take();
    let mut running = start(&machine.clone().boot_option("exit", "none"));
    if let Err(error) = running.wait_for(LAST_LINE, TIME_LIMIT) {
        panic!("{error}\n{}", running.text());
    }
    let last_line = |text: &ScreenText| text.rows.iter().any(|row| row == "[exit 1]");
    let screen = wait_until(&mut running, STOPPED, TIME_LIMIT, last_line);
    Stopped { serial: running.text(), screen: screen.unwrap_or_else(|found| panic!("{found}")) }
}

/// Fails unless the kernel stopped with this code and a sentence with these words, on the serial line and on the screen.
#[track_caller]
pub(crate) fn assert_stops(machine: &Machine, code: &str, words: &str) -> Stopped {
    let stopped = boot(machine);
    let Stopped { serial, screen } = &stopped;
    let first_line = serial.lines().find(|line| line.starts_with("FlatMk stopped: ")).unwrap_or_default();
    assert!(first_line.starts_with(&format!("FlatMk stopped: {code} ")), "{code} was expected\n{serial}");
    assert!(first_line.contains(words), "{words:?} was expected\n{serial}");
    assert!(screen.contains(first_line) && screen.is_readable(), "{first_line:?} was expected\n{screen}");
    assert!(screen.contains(&format!("explains {code}.")), "{screen}");
    stopped
}
