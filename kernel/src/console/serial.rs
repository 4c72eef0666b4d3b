//! The first serial port, polled.

use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::LSR;
use uart_16550::{BaudRate, Config, Uart16550};

/// I/O port of the first serial port, by the convention of the PC.
const FIRST_PORT: u16 = 0x3f8;

/// The fastest that every port can do.
const CONFIG: Config = Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT };

/// How often the transmitter is asked before the line counts as dead. A byte takes 87 µs at 115,200 baud and a port read about
/// 1 µs, so this is a thousand times what it should need.
const PATIENCE_POLLS: u32 = 100_000;

/// The first serial port, at 115,200 baud, 8 data bits, no parity, 1 stop bit.
pub(super) struct Serial {
    port: Uart16550<PioBackend>,
}

impl Serial {
    /// The port, set up; `None` on a machine that has none, or a broken one.
    pub(super) fn find() -> Option<Self> {
        // SAFETY: these eight ports belong to the first serial port on every PC; where there is none, reads give all ones
        // and writes go nowhere. Only this type uses them.
        let mut port = unsafe { Uart16550::new_port(FIRST_PORT) }.ok()?;
        port.init(CONFIG).ok()?;
        port.test_loopback().ok()?;
        Some(Self { port })
    }

    // ANCHOR: send
    /// Sends one byte; `Err` when the transmitter never becomes free. A busy transmitter loses what is written to it, so each byte waits.
    pub(super) fn send(&mut self, byte: u8) -> Result<(), DeadLine> {
        for _ in 0..PATIENCE_POLLS {
            if self.port.try_send_byte(byte).is_ok() {
                return Ok(());
            }
        }
        Err(DeadLine)
    }
    // ANCHOR_END: send

    /// Waits until the last byte has left the transmitter, or until the line counts as dead.
    pub(super) fn flush(&mut self) {
        for _ in 0..PATIENCE_POLLS {
            if self.port.lsr().contains(LSR::TRANSMITTER_EMPTY) {
                return;
            }
        }
    }

    /// A byte that has arrived, if there is one.
    pub(super) fn receive(&mut self) -> Option<u8> {
        self.port.try_receive_byte().ok()
    }
}

/// The transmitter never became free.
pub(super) struct DeadLine;
