//! The driver of the real-time clock. It has the clock's two ports, in slot 7. What it is asked is in [`flatmk_system`].
#![no_std]
#![no_main]

use clock::{Registers, seconds_since_1970};
use flatmk_abi::{Error, Words};
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK, Ports};
use flatmk_system::{ClockRequest, answer, slots};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn serve_entry = serve);

/// Where a register is chosen, and where it is read, by the convention of the PC.
const INDEX_PORT: u16 = 0x70;
const DATA_PORT: u16 = 0x71;

const PORTS: Ports = Ports(slots::PORTS);

struct PortRegisters;

impl Registers for PortRegisters {
    fn read(&mut self, register: u8) -> u8 {
        // Bit 7 of the index stays 0, which leaves non-maskable interrupts on. Without the capability it is as without a clock.
        PORTS.write_byte(INDEX_PORT, register).and_then(|()| PORTS.read_byte(DATA_PORT)).unwrap_or(u8::MAX)
    }
}

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words) {
    *message = answer(perform(*message));
}

fn perform([request, ..]: Words) -> Result<[u64; 3], Error> {
    match ClockRequest::from_number(request) {
        Some(ClockRequest::Date) => Ok([seconds_since_1970(&mut PortRegisters).ok_or(Error::InvalidState)?, 0, 0]),
        Some(ClockRequest::Uptime) => {
            let (nanoseconds, frequency_hz, _ticks) = OWN_TASK.read_clock()?;
            Ok([nanoseconds, frequency_hz, 0])
        }
        None => Err(Error::InvalidArgument),
    }
}
