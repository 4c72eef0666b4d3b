//! Machines whose kernel stops: both its reports, on the serial line and on the screen.

use flatmk_tests::built;
use flatmk_tests::machines::{Seat, TIME_LIMIT, start};
use flatmk_tests::screen_text::{STOPPED, ScreenText, wait_until};
use flatmk_tools::machine::Machine;
use serde_json::json;
use test_case::test_case;

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

/// It comes between any two instructions: while user mode runs without the kernel in its page tables, too.
#[test_case("off")]
#[test_case("on")]
fn a_non_maskable_interrupt_stops_the_kernel_whatever_runs(meltdown: &str) {
    let _seat = Seat::take();
    let mut running = start(&Machine::new(built::chapter(12)).boot_option("meltdown", meltdown));
    // From here on a program measures, and makes system calls all the time.
    if let Err(error) = running.wait_for("operation ", TIME_LIMIT) {
        panic!("{error}\n{}", running.text());
    }
    running.qmp("inject-nmi", &json!({})).expect("QEMU has the command");
    let serial = running.wait(TIME_LIMIT).serial();
    assert!(serial.contains("unhandled non-maskable interrupt (vector 2)"), "{serial}");
    assert!(serial.contains(&format!(", isolation {meltdown} (")), "{serial}");
}
