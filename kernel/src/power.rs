//! The end of a run.

use x86_64::instructions::{hlt, interrupts, port::Port};

use crate::boot::{Exit, options};
use crate::{console, println};

/// How a run went, for whoever started the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Success,
    /// Not as it should.
    Failure,
}

/// I/O port at which the runner puts QEMU's `isa-debug-exit` device. QEMU exits with `value * 2 + 1`.
const QEMU_EXIT_PORT: u16 = 0xf4;

/// I/O port at which Bochs shuts down on the bytes `Shutdown`.
const BOCHS_SHUTDOWN_PORT: u16 = 0x8900;

// ANCHOR: end
/// Ends the run: says `[exit N]`, then leaves the emulator as the boot options say. A real machine stays on, halted.
pub fn end(outcome: Outcome) -> ! {
    interrupts::disable();
    let status: u8 = match outcome {
        Outcome::Success => 0,
        Outcome::Failure => 1,
    };
    println!("[exit {status}]");
    console::flush();
    match options().exit {
        // SAFETY: the boot option says that QEMU's exit device is there.
        Exit::Qemu => unsafe { Port::<u32>::new(QEMU_EXIT_PORT).write(0x10 | u32::from(status)) },
        Exit::Bochs => {
            for byte in *b"Shutdown" {
                // SAFETY: the boot option says that this is Bochs, where the port takes these bytes.
                unsafe { Port::<u8>::new(BOCHS_SHUTDOWN_PORT).write(byte) };
            }
        }
        Exit::Halt => {}
    }
    halt()
}
// ANCHOR_END: end

/// Halts for ever. Only a non-maskable interrupt wakes the processor, and it goes back to sleep.
pub fn halt() -> ! {
    interrupts::disable();
    loop {
        hlt();
    }
}
