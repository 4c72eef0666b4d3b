//! Where a program of the system finds its capabilities. It has those that it needs and no others; the other slots are empty.

pub use flatmk_abi::slots::{CONSOLE, MEMORY, PORTS, POWER, SELF, SPACE, TABLE, WINDOW};

// ANCHOR: slots
/// The endpoint that a service makes of itself when it starts.
pub const SERVICE: u64 = 6;
/// An endpoint of the supervisor. Its context says who calls.
pub const SUPERVISOR: u64 = 9;
/// A notification: an input driver signals it, the shell waits for it.
pub const NOTIFICATION: u64 = 10;
/// The driver's interrupt line.
pub const LINES: u64 = 11;
/// The device's memory.
pub const DEVICE: u64 = 12;
/// What the kernel notes of all programs.
pub const TRACE: u64 = 13;
/// Connections: that to a service is in the slot with its number added to this.
pub const CONNECTIONS: u64 = 16;
/// The services of the programs that were loaded for this one, in their order.
pub const COMPANIONS: u64 = 32;
// ANCHOR_END: slots

/// Bit of the shell's notification: something was typed on the keyboard.
pub const KEYBOARD_INPUT: u64 = 1 << 0;
/// Bit of the shell's notification: something has come on the serial line.
pub const SERIAL_INPUT: u64 = 1 << 1;
/// Bit of the shell's notification: a program that it has started has ended.
pub const PROGRAM_ENDED: u64 = 1 << 2;
