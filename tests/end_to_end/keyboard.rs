//! What is typed on the machine's keyboard appears on its screen.

use std::time::Duration;

use flatmk_tests::built;
use flatmk_tests::machines::{Seat, TIME_LIMIT, assert_status, start};
use flatmk_tests::screen_text::{CONSOLE, wait_until};
use flatmk_tools::machine::{Clock, Machine, QmpError};

const PROMPT: &str = "end it with Enter:";
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn keys_appear_on_the_screen_until_enter() {
    let _seat = Seat::take();
    let machine = Machine::new(built::chapter(2)).clock(Clock::Interactive).boot_option("interactive", "yes");
    let mut running = start(&machine);
    running.wait_for(PROMPT, TIME_LIMIT).expect("chapter 2 asks for keys");

    running.type_text("Hello, FlatMk: 2 + 3 = 6").expect("QEMU takes keys");
    let echo = |expected: &'static str| {
        move |text: &flatmk_tests::screen_text::ScreenText| text.rows.iter().any(|row| row == expected)
    };
    wait_until(&mut running, CONSOLE, LIMIT, echo("Hello, FlatMk: 2 + 3 = 6"))
        .unwrap_or_else(|found| panic!("{found}"));
    running.type_text("\x085!").expect("QEMU takes keys");
    let screen = wait_until(&mut running, CONSOLE, LIMIT, echo("Hello, FlatMk: 2 + 3 = 5!"))
        .unwrap_or_else(|found| panic!("{found}"));
    assert!(screen.is_readable(), "{screen}");

    // The machine goes off at once, perhaps before QEMU has answered; that the key has come is told by its status.
    let answer = running.type_text("\n");
    assert!(matches!(answer, Ok(()) | Err(QmpError::Socket(_))), "{answer:?}");
    assert_status(&running.wait(TIME_LIMIT), 0);
}
