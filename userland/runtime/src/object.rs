//! Capabilities as values: a pointer with the operations of its kind.
//!
//! These types do not own what they name: a capability goes when its slot is deleted. Their operations are in operations.rs, which is made
//! from the list in flatmk-abi; what is here are shorter forms for common uses. All functions return what the kernel says.

use flatmk_abi::{Error, FLAG_NO_WAIT, FLAGS_WINDOW, NO_TIMEOUT, WINDOW_SHIFT, Words, slots};

use crate::arch::entry_address;
pub use crate::operations::{identify, return_with_flags};

macro_rules! objects {
    ($($(#[$attribute:meta])* $name:ident)+) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub u64);
    )+};
}

objects! {
    /// A capability table.
    Table
    /// A memory capability.
    Memory
    /// An address space.
    AddressSpace
    /// A frame, small or large, or device memory.
    Frame
    /// A task.
    Task
    /// An endpoint.
    Endpoint
    /// The console.
    Console
    /// The power switch.
    Power
    /// A capability to return to a caller.
    Reply
    /// A notification.
    Notification
    /// A page for a task's floating-point state.
    FloatingPoint
    /// Pages for a task's RISC-V registers and translated code: the first of them.
    Softuser
    /// Interrupt lines.
    Interrupts
    /// I/O ports.
    Ports
    /// The kernel's trace.
    Trace
}

/// The program's own table.
pub const OWN_TABLE: Table = Table(slots::TABLE);
/// The program's own address space.
pub const OWN_SPACE: AddressSpace = AddressSpace(slots::SPACE);
/// The program's own task.
pub const OWN_TASK: Task = Task(slots::SELF);

/// What operations without results return.
pub type Done = Result<(), Error>;

/// The flags of a call or return that name slots of the window, one bit each.
#[inline(always)]
fn window_flags(window: u64) -> u64 {
    window << WINDOW_SHIFT & FLAGS_WINDOW
}

/// Answers the caller, with the capabilities in these slots of the window, one bit each. That ends the work on the call, so nothing behind it is
/// executed: it comes back, with one of the errors of [`return_with_flags`], only where the kernel refuses it. Then the caller waits still.
pub fn answer_with_window(answer: Words, window: u64) -> Error {
    match return_with_flags(window_flags(window), answer) {
        Ok(()) => unreachable!("a task went on after its return"),
        Err(error) => error,
    }
}

impl Task {
    /// Makes an endpoint of the task whose entry is a function of this program; see [`make_endpoint_at`](Self::make_endpoint_at).
    pub fn make_endpoint(self, entry: extern "C" fn(), context_word: u64, table: Table, slot: u64) -> Done {
        self.make_endpoint_at(entry_address(entry), context_word, table, slot)
    }
}

impl Endpoint {
    /// Calls without flags; see [`call_with_flags`](Self::call_with_flags).
    #[inline(always)]
    pub fn call(self, message: Words) -> Result<Words, Error> {
        self.call_with_flags(0, message).map(|(answer, _)| answer)
    }

    /// Calls; the capabilities in these slots of the window, one bit each, move to the callee. Returns also which slots of the window have
    /// come with the answer.
    pub fn call_with_window(self, message: Words, window: u64) -> Result<(Words, u64), Error> {
        self.call_with_flags(window_flags(window), message)
    }

    /// Calls, unless the call would have to wait for its turn.
    pub fn call_without_waiting(self, message: Words) -> Result<Words, Error> {
        self.call_with_flags(FLAG_NO_WAIT, message).map(|(answer, _)| answer)
    }
}

impl Reply {
    /// Answers without flags; see [`reply_with_flags`](Self::reply_with_flags).
    pub fn reply(self, answer: Words) -> Done {
        self.reply_with_flags(0, answer)
    }
}

impl Notification {
    /// Takes all bits, as soon as there are some; see [`wait_for`](Self::wait_for).
    #[inline(always)]
    pub fn wait(self) -> Result<u64, Error> {
        self.wait_for(NO_TIMEOUT)
    }
}

impl Ports {
    /// Reads a byte from a port.
    pub fn read_byte(self, port: u16) -> Result<u8, Error> {
        self.read_port(port, 1).map(|value| value as u8)
    }

    /// Writes a byte to a port.
    pub fn write_byte(self, port: u16, value: u8) -> Done {
        self.write_port(port, 1, value.into())
    }
}

impl Console {
    /// A byte that was typed, if there is one.
    pub fn read(self) -> Result<Option<u8>, Error> {
        let (count, byte) = self.read_raw()?;
        Ok(u8::try_from(byte).ok().filter(|_| count != 0))
    }
}

impl Power {
    /// Ends the run; returns only if it is refused.
    pub fn off(self, success: Result<(), ()>) -> Error {
        self.power_off(success.is_err().into()).err().unwrap_or(Error::UnknownOperation)
    }
}
