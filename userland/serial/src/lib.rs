//! A serial port: sends text, receives bytes, and never waits for ever.
//!
//! The crate `uart_16550` knows the registers. How they are reached is a [`Registers`]: the driver does it with a capability to their ports, the tests
//! with a model of the port.
#![no_std]
#![warn(missing_docs)]

#[cfg(test)]
mod tests;

use uart_16550::backend::Backend;
use uart_16550::spec::registers::{FifoTriggerLevel, IER, LSR, offsets};
use uart_16550::{BaudRate, Config, Uart16550};

/// How often the transmitter is asked for room before the line counts as dead. Sixteen bytes take 1.4 ms at 115,200 baud, and asking takes a system
/// call, half a microsecond at least.
const PATIENCE_POLLS: u32 = 50_000;

/// 115,200 baud, 8 data bits, no parity, 1 stop bit, an interrupt for each byte received.
const CONFIG: Config = Config {
    interrupts: IER::DATA_READY,
    fifo_trigger_level: Some(FifoTriggerLevel::One),
    baud_rate: BaudRate::Baud115200,
    ..Config::DEFAULT
};

/// The eight registers of the port.
pub trait Registers {
    /// Reads one, by its number.
    fn read(&mut self, register: u8) -> u8;
    /// Writes one, by its number.
    fn write(&mut self, register: u8, value: u8);
}

// ANCHOR: patient
/// Registers whose line status can be read so many times. Afterwards it reads all ones, as if nobody had answered: that ends every wait for the transmitter,
/// also those within the crate.
struct Patient<R> {
    registers: R,
    polls_left: u32,
}

impl<R: Registers> Backend for Patient<R> {
    // SAFETY: any register number is fine.
    unsafe fn read(&mut self, register: u8) -> u8 {
        if register == offsets::LSR as u8 {
            if self.polls_left == 0 {
                return u8::MAX;
            }
            self.polls_left -= 1;
        }
        self.registers.read(register)
    }

    // SAFETY: any register number is fine.
    unsafe fn write(&mut self, register: u8, value: u8) {
        self.registers.write(register, value);
    }
}
// ANCHOR_END: patient

/// The transmitter never became free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLine;

/// A serial port that is there.
pub struct Port<R: Registers> {
    uart: Uart16550<Patient<R>>,
    last_sent: u8,
}

impl<R: Registers> Port<R> {
    /// The port, set up; `None` where there is none, or one that is broken. What was being sent is sent to its end.
    pub fn find(registers: R) -> Option<Self> {
        let backend = Patient { registers, polls_left: PATIENCE_POLLS };
        // SAFETY: the backend accepts every register number; what the registers are is the caller's affair.
        let mut uart = unsafe { Uart16550::new_with_backend(backend) };
        if !uart.check_present() {
            return None;
        }
        while !uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {}
        uart.init(CONFIG).ok()?;
        let is_alive = uart.backend().polls_left > 0;
        is_alive.then_some(Self { uart, last_sent: 0 })
    }

    // ANCHOR: send
    /// Sends text. A terminal wants a carriage return before each line feed.
    ///
    /// # Errors
    ///
    /// [`DeadLine`] when the transmitter never becomes free. Part of the text may be sent.
    pub fn send(&mut self, text: &[u8]) -> Result<(), DeadLine> {
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let (body, end): (&[u8], &[u8]) = line.strip_suffix(b"\n").map_or((line, b""), |body| {
                let before = body.last().copied().unwrap_or(self.last_sent);
                (body, if before == b'\r' { b"\n" } else { b"\r\n" })
            });
            self.send_as_is(body)?;
            self.send_as_is(end)?;
        }
        Ok(())
    }
    // ANCHOR_END: send

    fn send_as_is(&mut self, mut bytes: &[u8]) -> Result<(), DeadLine> {
        if let Some(&last) = bytes.last() {
            self.last_sent = last;
        }
        self.uart.backend_mut().polls_left = PATIENCE_POLLS;
        while !bytes.is_empty() {
            let sent = self.uart.send_bytes(bytes);
            if self.uart.backend().polls_left == 0 {
                return Err(DeadLine);
            }
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// A byte that has arrived, if there is one.
    pub fn receive(&mut self) -> Option<u8> {
        self.uart.backend_mut().polls_left = PATIENCE_POLLS;
        self.uart.try_receive_byte().ok()
    }
}
