//! Capabilities as values: a pointer with the operations of its kind.
//!
//! These types do not own what they name: a capability goes when its slot is deleted. All functions return what the
//! kernel says; the errors of each operation are listed in [`flatmk_abi::OPERATIONS`].

use flatmk_abi::{Access, Error, FLAG_NO_WAIT, Kind, NO_TIMEOUT, Operation, Rights, Words, slots};

use crate::syscall::{call, call_with_window, invoke};

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
    /// A frame, small or large.
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
    /// Interrupt lines.
    Interrupts
    /// I/O ports.
    Ports
}

/// The program's own table.
pub const OWN_TABLE: Table = Table(slots::TABLE);
/// The program's own address space.
pub const OWN_SPACE: AddressSpace = AddressSpace(slots::SPACE);
/// The program's own task.
pub const OWN_TASK: Task = Task(slots::SELF);

/// What operations without results return.
pub type Done = Result<(), Error>;

fn done(result: Result<Words, Error>) -> Done {
    result.map(|_| ())
}

/// The kind and rights of the capability behind a pointer.
#[inline(always)]
pub fn identify(pointer: u64) -> Result<(Kind, Rights), Error> {
    let [kind, rights, ..] = invoke(pointer, Operation::Identify, [0; 4])?;
    let rights = u8::try_from(rights).map_or(Rights::empty(), Rights::from_bits_truncate);
    Ok((Kind::from_number(kind).ok_or(Error::WrongKind)?, rights))
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Table {
    pub fn copy(self, destination: u64, source: u64, rights: Rights) -> Done {
        done(invoke(self.0, Operation::Copy, [destination, source, rights.bits().into(), 0]))
    }

    pub fn mint(self, destination: u64, source: u64, rights: Rights, context: u64) -> Done {
        done(invoke(self.0, Operation::Mint, [destination, source, rights.bits().into(), context]))
    }

    pub fn move_here(self, destination: u64, source: u64) -> Done {
        done(invoke(self.0, Operation::Move, [destination, source, 0, 0]))
    }

    pub fn delete(self, slot: u64) -> Done {
        done(invoke(self.0, Operation::Delete, [slot, 0, 0, 0]))
    }

    pub fn revoke(self, slot: u64) -> Done {
        done(invoke(self.0, Operation::Revoke, [slot, 0, 0, 0]))
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Memory {
    pub fn make(self, kind: Kind, count: u64, destination: Table, first: u64) -> Done {
        done(invoke(self.0, Operation::Make, [kind as u64, count, destination.0, first]))
    }

    pub fn split(self, page_count: u64, destination: Table, slot: u64) -> Done {
        done(invoke(self.0, Operation::Split, [page_count, destination.0, slot, 0]))
    }

    /// Free pages and all pages.
    pub fn measure(self) -> Result<(u64, u64), Error> {
        invoke(self.0, Operation::Measure, [0; 4]).map(|[free, pages, ..]| (free, pages))
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl AddressSpace {
    pub fn map(self, frame: Frame, address: u64, access: Access) -> Done {
        done(invoke(self.0, Operation::Map, [frame.0, address, access as u64, 0]))
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Frame {
    pub fn unmap(self) -> Done {
        done(invoke(self.0, Operation::Unmap, [0; 4]))
    }

    pub fn protect(self, access: Access) -> Done {
        done(invoke(self.0, Operation::Protect, [access as u64, 0, 0, 0]))
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Task {
    pub fn configure(self, table: Table, space: AddressSpace, stack: u64) -> Done {
        done(invoke(self.0, Operation::Configure, [table.0, space.0, stack, 0]))
    }

    pub fn start(self, entry: u64, argument: u64) -> Done {
        done(invoke(self.0, Operation::Start, [entry, argument, 0, 0]))
    }

    pub fn make_endpoint(self, entry: extern "C" fn(), context: u64, table: Table, slot: u64) -> Done {
        done(invoke(self.0, Operation::MakeEndpoint, [entry as usize as u64, context, table.0, slot]))
    }

    pub fn stop(self) -> Done {
        done(invoke(self.0, Operation::Stop, [0; 4]))
    }

    pub fn resume(self) -> Done {
        done(invoke(self.0, Operation::Resume, [0; 4]))
    }

    pub fn set_priority(self, priority: u8) -> Done {
        done(invoke(self.0, Operation::SetPriority, [priority.into(), 0, 0, 0]))
    }

    pub fn set_fault_handler(self, handler: Option<Endpoint>, missing: MissingCapability) -> Done {
        let handler = handler.map_or(0, |Endpoint(pointer)| pointer);
        done(invoke(self.0, Operation::SetFaultHandler, [handler, missing as u64, 0, 0]))
    }

    pub fn set_floating_point(self, page: Option<u64>) -> Done {
        done(invoke(self.0, Operation::SetFloatingPoint, [page.unwrap_or(0), 0, 0, 0]))
    }

    /// Four registers, from this one on.
    pub fn read_registers(self, first: u64) -> Result<Words, Error> {
        invoke(self.0, Operation::ReadRegisters, [first, 0, 0, 0])
    }

    pub fn write_register(self, register: u64, value: u64) -> Done {
        done(invoke(self.0, Operation::WriteRegister, [register, value, 0, 0]))
    }

    /// Lets the caller rest. The task must be its own.
    pub fn sleep(self, time_ns: u64) -> Done {
        done(invoke(self.0, Operation::Sleep, [time_ns, 0, 0, 0]))
    }

    /// Lets the other ready tasks run. The task must be the caller's own.
    #[inline(always)]
    pub fn yield_now(self) -> Done {
        done(invoke(self.0, Operation::Yield, [0; 4]))
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Endpoint {
    #[inline(always)]
    pub fn call(self, message: Words) -> Result<Words, Error> {
        call(self.0, 0, message)
    }

    /// The same, with the window: see [`call_with_window`].
    pub fn call_with_window(self, message: Words, window: u64) -> Result<(Words, u64), Error> {
        call_with_window(self.0, message, window)
    }

    pub fn call_without_waiting(self, message: Words) -> Result<Words, Error> {
        call(self.0, FLAG_NO_WAIT, message)
    }
}

/// What becomes of a system call that names no capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum MissingCapability {
    /// It returns an error.
    IsError = 0,
    /// The fault handler is called.
    IsFault = 1,
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Reply {
    pub fn reply(self, answer: Words) -> Done {
        done(invoke(self.0, Operation::Reply, answer))
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Notification {
    #[inline(always)]
    pub fn signal(self, bits: u64) -> Done {
        done(invoke(self.0, Operation::Signal, [bits, 0, 0, 0]))
    }

    /// The bits, as soon as there are some.
    #[inline(always)]
    pub fn wait(self) -> Result<u64, Error> {
        self.wait_for(NO_TIMEOUT)
    }

    /// The same, for a limited time.
    #[inline(always)]
    pub fn wait_for(self, timeout_ns: u64) -> Result<u64, Error> {
        invoke(self.0, Operation::Wait, [timeout_ns, 0, 0, 0]).map(|[bits, ..]| bits)
    }

    /// The bits; 0 for none.
    pub fn poll(self) -> Result<u64, Error> {
        invoke(self.0, Operation::Poll, [0; 4]).map(|[bits, ..]| bits)
    }
}

#[expect(missing_docs, reason = "named after the operations, which flatmk-abi documents")]
impl Interrupts {
    pub fn bind(self, line: u64, handler: Option<Endpoint>) -> Done {
        let handler = handler.map_or(0, |Endpoint(pointer)| pointer);
        done(invoke(self.0, Operation::Bind, [line, handler, 0, 0]))
    }
}

impl Ports {
    /// Reads a byte from a port.
    pub fn read_byte(self, port: u16) -> Result<u8, Error> {
        invoke(self.0, Operation::ReadPort, [port.into(), 1, 0, 0]).map(|[value, ..]| value as u8)
    }

    /// Writes a byte to a port.
    pub fn write_byte(self, port: u16, value: u8) -> Done {
        done(invoke(self.0, Operation::WritePort, [port.into(), 1, value.into(), 0]))
    }
}

impl Console {
    /// A byte that was typed, if there is one.
    pub fn read(self) -> Result<Option<u8>, Error> {
        let [present, byte, ..] = invoke(self.0, Operation::Read, [0; 4])?;
        Ok(u8::try_from(byte).ok().filter(|_| present != 0))
    }
}

impl Power {
    /// Ends the run; returns only if it is refused.
    pub fn off(self, success: Result<(), ()>) -> Error {
        let result = u64::from(success.is_err());
        invoke(self.0, Operation::PowerOff, [result, 0, 0, 0]).err().unwrap_or(Error::UnknownOperation)
    }
}
