//! The devices of the machine that the tests make interrupt.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots;
use flatmk_runtime::object::{Console, Endpoint, Interrupts, Ports};

use crate::harness::yield_once;

pub(crate) const TIMER: u64 = 0;
pub(crate) const KEYBOARD: u64 = 1;
pub(crate) const CASCADE: u64 = 2;
pub(crate) const CLOCK: u64 = 8;

const PORTS: Ports = Ports(slots::PORTS);

pub(crate) fn read(port: u16) -> u8 {
    PORTS.read_byte(port).expect("the root task has all ports")
}

fn write(port: u16, value: u8) {
    PORTS.write_byte(port, value).expect("the root task has all ports");
}

pub(crate) fn bind(line: u64, endpoint: u64) {
    Interrupts(slots::INTERRUPTS).bind(line, Some(Endpoint(endpoint))).expect("nothing is bound to the line");
}

pub(crate) fn unbind(line: u64) {
    Interrupts(slots::INTERRUPTS).bind(line, None).expect("the root task has all lines");
}

/// Lets time pass until something holds, at most for about a second. Tells whether it does.
pub(crate) fn wait_until(condition: impl Fn() -> bool) -> bool {
    (0..2_000_000).any(|_| {
        let holds = condition();
        if !holds {
            yield_once();
        }
        holds
    })
}

/// Lets some time pass, in which a device could have interrupted.
pub(crate) fn wait_a_little() {
    (0..20_000).for_each(|_| yield_once());
}

/// The keyboard controller's ports, status flags and command to put a byte where the keyboard's come from, with an interrupt as if it were one of
/// those (IBM PS/2 Hardware Interface Technical Reference, Keyboard and Auxiliary Device Controller, 4-8).
pub(crate) const KEYBOARD_DATA: u16 = 0x60;
pub(crate) const KEYBOARD_STATUS: u16 = 0x64;
pub(crate) const OUTPUT_FULL: u8 = 1;
const INPUT_FULL: u8 = 2;
const WRITE_OUTPUT: u8 = 0xd2;

/// Presses a key, by its scan code.
pub(crate) fn press(scan_code: u8) {
    for (port, byte) in [(KEYBOARD_STATUS, WRITE_OUTPUT), (KEYBOARD_DATA, scan_code)] {
        assert!(wait_until(|| read(KEYBOARD_STATUS) & INPUT_FULL == 0), "the controller takes what it is told");
        write(port, byte);
    }
}

/// What was typed, as the kernel has it.
pub(crate) fn typed() -> Option<u8> {
    Console(slots::CONSOLE).read().expect("the root task has the console")
}

/// Takes all that was typed.
pub(crate) fn forget_typed() {
    assert!((0..1000).any(|_| typed().is_none()), "nobody types on and on");
}

/// Whether a line is masked at the interrupt controllers (Intel 8259A data sheet, "Operation Command Word 1").
pub(crate) fn is_masked(line: u64) -> bool {
    let port = if line < 8 { 0x21 } else { 0xa1 };
    read(port) & 1 << (line % 8) != 0
}

/// The clock's registers (Motorola MC146818A data sheet): B has the flag for periodic interrupts, reading C lets the next one come.
const CLOCK_B: u8 = 0x8b;
const CLOCK_C: u8 = 0x8c;
const PERIODIC: u8 = 0x40;

fn clock_register(register: u8) -> u8 {
    write(0x70, register);
    read(0x71)
}

/// Lets the clock interrupt 1024 times a second, or not.
pub(crate) fn set_clock(runs: bool) {
    let flags = clock_register(CLOCK_B) & !PERIODIC;
    write(0x70, CLOCK_B);
    write(0x71, if runs { flags | PERIODIC } else { flags });
    clock_register(CLOCK_C);
}

/// The clock may interrupt again.
pub(crate) fn acknowledge_clock() {
    clock_register(CLOCK_C);
}

/// How often a handler was called.
pub(crate) static CALLED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn times_called() -> u64 {
    CALLED.load(Relaxed)
}
