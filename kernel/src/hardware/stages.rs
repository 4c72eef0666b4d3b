//! Boot stages: how far boot has come, where there is no other way to see it.
//!
//! Each stage is written to I/O port 0x80, where diagnostic cards and some boards show it, and as two hexadecimal digits into the upper
//! right corner of the screen. A machine that hangs shows the stage in which it does.

use x86_64::instructions::port::Port;

use crate::console;

/// The port of power-on self tests.
const POST_PORT: u16 = 0x80;

macro_rules! stages {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// A stage of boot, which begins when its code is shown.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Stage {
            $($(#[doc = $doc])+ $name = $code,)+
        }
    };
}

// ANCHOR: stages
stages! {
    /// The bootloader has handed over; next are the serial port and the screen.
    Console = 0x10,
    /// The console is there; next are descriptor tables, the 8259 controllers, the 8254 timer and the keyboard controller.
    Interrupts = 0x20,
    /// Next are the table of pages and the kernel's own address space.
    Memory = 0x30,
    /// Next are the protections of tasks, calls, scheduling, identifiers and softuser.
    Tasks = 0x40,
    /// Next is the screen's memory, and what else is a device's.
    Devices = 0x50,
    /// Next the kernel takes over the local APIC.
    LocalApic = 0x60,
    /// Next it reads the firmware's tables and measures how fast the local APIC counts.
    Calibration = 0x61,
    /// Next the local APIC's timer begins to tick.
    Timer = 0x62,
    /// Next the root task is loaded.
    RootTask = 0x70,
}
// ANCHOR_END: stages

/// A stage begins. In a debugger, `break kernel::hardware::stages::reach` comes to each.
#[inline(never)]
pub(crate) fn reach(stage: Stage) {
    // SAFETY: whatever is written to this port only shows; where nobody listens the write goes nowhere.
    unsafe { Port::<u8>::new(POST_PORT).write(stage as u8) };
    console::mark(stage as u8);
}
