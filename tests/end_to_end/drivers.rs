//! The drivers: text on screen and serial line, keys from both, on machines that lack some of it; time, power and colours.

use std::time::Duration;

use flatmk_tests::machines::{Seat, TIME_LIMIT, start};
use flatmk_tests::screen_text::{CONSOLE, ScreenText, wait_until};
use flatmk_tests::shell::{Keys, PROMPT, Shell};
use flatmk_tools::disk::Firmware;
use flatmk_tools::machine::{Clock, Machine, MachineType, Running, Serial};
use serde_json::json;
use test_case::test_case;

const LIMIT: Duration = Duration::from_secs(60);

/// Without a keyboard's controller.
const NO_KEYBOARD: &[&str] = &["-machine", "pc,i8042=off"];

/// Without tables of the firmware.
const NO_TABLES: &[&str] = &["-machine", "pc,acpi=off"];

/// What a machine does when it is switched off: nothing more, but it stays there to be asked.
const STAY: &[&str] = &["-action", "shutdown=pause,reboot=reset"];

/// Waits for a row of the screen.
#[track_caller]
fn see_row(running: &mut Running, wanted: impl Fn(&str) -> bool) -> ScreenText {
    let is_there = |screen: &ScreenText| screen.rows.iter().any(|row| wanted(row));
    wait_until(running, CONSOLE, TIME_LIMIT, is_there).unwrap_or_else(|found| panic!("{found}"))
}

#[test_case(Keys::Keyboard; "from the keyboard")]
#[test_case(Keys::Serial; "from the serial line")]
fn what_is_typed_appears_on_screen_and_serial_line(keys: Keys) {
    let mut shell = Shell::boot(keys);
    let mut wanted = format!("{PROMPT}nonsense 123");
    shell.expect("nonsense 123", "there is no command nonsense");
    let screen = see_row(&mut shell.running, |row| row == wanted);
    assert!(screen.rows.iter().any(|row| row.contains("there is no command nonsense")), "{screen}");
    // A key that is no letter.
    shell.type_keys("heldp");
    // The two inputs have no order between them.
    shell.wait_for("heldp", LIMIT);
    shell.running.qmp("send-key", &json!({ "keys": [{ "type": "qcode", "data": "left" }] })).expect("QEMU takes keys");
    wanted = format!("{PROMPT}heldp");
    see_row(&mut shell.running, |row| row == wanted);
}

#[test]
fn without_a_keyboard_the_serial_line_is_enough() {
    let mut shell = Shell::boot_machine(&Shell::machine().qemu_options(NO_KEYBOARD), Keys::Serial);
    // The driver is there, and has nothing to read.
    shell.expect("layout", "us");
    shell.expect("nonsense", "there is no command nonsense");
    let wanted = format!("{PROMPT}nonsense");
    see_row(&mut shell.running, |row| row == wanted);
}

/// The boot loader starts nothing on a BIOS that has no screen.
#[test]
fn without_a_screen_the_serial_line_is_enough() {
    let machine = Shell::machine().firmware(Firmware::Uefi).clock(Clock::Host);
    let mut shell = Shell::boot_machine(&machine.qemu_options(&["-vga", "none"]), Keys::Serial);
    shell.expect("nonsense", "there is no command nonsense");
}

#[test]
fn without_a_serial_port_keyboard_and_screen_are_enough() {
    let _seat = Seat::take();
    let mut running = start(&Shell::machine().serial(Serial::Absent));
    see_row(&mut running, |row| row == PROMPT.trim_end());
    running.type_text("nonsense\n").expect("QEMU takes keys");
    let wanted = format!("{PROMPT}nonsense");
    let screen = see_row(&mut running, |row| row.starts_with("there is no command nonsense"));
    assert!(screen.rows.contains(&wanted), "{screen}");
}

#[test]
fn the_clock_tells_the_date_of_the_machine() {
    let machine = Shell::machine().qemu_options(&["-rtc", "base=2024-02-29T23:59:30,clock=vm"]);
    let mut shell = Shell::boot_machine(&machine, Keys::Serial);
    let date = shell.command("date");
    assert!(date.contains("2024-02-29 23:59:") || date.contains("2024-03-01 00:00:"), "{date}");
}

#[test]
fn keys_have_the_letters_of_the_layout() {
    let mut shell = Shell::boot_machine(&Shell::machine().boot_option("layout", "de"), Keys::Keyboard);
    // On a German keyboard the keys of the US letters `;'[-` and `y`.
    shell.type_keys(";'[-y");
    shell.wait_for("öäüßz", LIMIT);
}

#[test_case(Firmware::Bios, MachineType::Pc; "i440FX with BIOS")]
#[test_case(Firmware::Bios, MachineType::Q35; "Q35 with BIOS")]
#[test_case(Firmware::Uefi, MachineType::Q35; "Q35 with UEFI")]
fn the_firmware_switches_the_machine_off(firmware: Firmware, machine_type: MachineType) {
    let clock = if firmware == Firmware::Uefi { Clock::Host } else { Clock::Interactive };
    let machine = real_machine().firmware(firmware).machine_type(machine_type).clock(clock);
    let mut shell = Shell::boot_machine(&machine, Keys::Serial);
    shell.type_keys("poweroff\r");
    let is_off = |status: &str| status.contains("shutdown");
    assert!(wait_for_status(&mut shell.running, is_off), "it is on still: {}", shell.running.text());
    assert!(!shell.running.text().contains("[exit"), "the kernel had to do it: {}", shell.running.text());
}

#[test]
fn a_machine_that_cannot_be_switched_off_says_why_and_goes_on() {
    const WHY: &str = "the machine stays on: the firmware has no ACPI tables; it can be switched off by hand now";
    let mut shell = Shell::boot_machine(&real_machine().qemu_options(NO_TABLES), Keys::Serial);
    for _ in 0..2 {
        shell.expect("poweroff", WHY);
        see_row(&mut shell.running, |row| row == WHY);
        shell.expect("clear", "");
    }
    shell.expect("call echo 1", "1 0 0 0");
}

#[test_case(Firmware::Bios, MachineType::Pc; "i440FX with BIOS")]
#[test_case(Firmware::Bios, MachineType::Q35; "Q35 with BIOS")]
fn the_machine_is_started_anew(firmware: Firmware, machine_type: MachineType) {
    let machine = real_machine().firmware(firmware).machine_type(machine_type);
    let mut shell = Shell::boot_machine(&machine, Keys::Serial);
    shell.type_keys("reboot\r");
    shell.wait_for(PROMPT, TIME_LIMIT);
}

/// A machine whose end no emulator's host waits for.
fn real_machine() -> Machine {
    Shell::machine().boot_option("exit", "none").qemu_options(STAY)
}

fn wait_for_status(running: &mut Running, wanted: impl Fn(&str) -> bool) -> bool {
    const PAUSE: Duration = Duration::from_millis(100);
    (0..LIMIT.as_millis() / PAUSE.as_millis()).any(|_| {
        std::thread::sleep(PAUSE);
        running.qmp("query-status", &json!({})).is_ok_and(|status| wanted(&status.to_string()))
    })
}

/// In QEMU's instruction time a second is a thousand million instructions.
#[test]
fn text_pours_in_colours_fast_enough() {
    const LEAST_CHARACTERS_A_SECOND: u64 = 50_000;
    let mut shell = Shell::boot(Keys::Serial);
    let answer = shell.command("run flood 500");
    let (_, rate) = answer.rsplit_once(" characters in ").expect("it says so");
    let rate = rate.split_whitespace().rev().nth(2).and_then(|rate| rate.parse::<u64>().ok());
    println!("{}", answer.lines().last().unwrap_or_default());
    assert!(rate.is_some_and(|rate| rate >= LEAST_CHARACTERS_A_SECOND), "{rate:?}");
    let picture = shell.running.screen().expect("QEMU draws it");
    for color in [[0xcd, 0x31, 0x31], [0x0d, 0xbc, 0x79], [0x24, 0x72, 0xc8]] {
        assert!(picture.pixels().any(|pixel| pixel.0 == color), "{color:x?} is nowhere");
    }
}
