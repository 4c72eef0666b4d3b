//! The driver of the first serial port. It has the port's registers, in slot 7, its interrupt line, in slot 11, and the notification of whoever reads, in
//! slot 10. What it is asked is in [`flatmk_system`].
#![no_std]
#![no_main]

use flatmk_abi::{Error, Words};
use flatmk_runtime::OneTask;
use flatmk_runtime::object::{Endpoint, Interrupts, Notification, OWN_TABLE, OWN_TASK, Ports};
use flatmk_system::{TEXT_BYTES, Text, TextRequest, answer, slots};
use heapless::Deque;
use serial::{Port, Registers};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn serve_entry = serve);
flatmk_runtime::service!(fn interrupt_entry = interrupt);

/// I/O port of the first serial port, and its interrupt line, by the convention of the PC.
const FIRST_PORT: u16 = 0x3f8;
const LINE: u64 = 4;

/// Where the endpoint for interrupts is, which nobody else calls.
const INTERRUPT_SLOT: u64 = 13;

const PORTS: Ports = Ports(slots::PORTS);
const READER: Notification = Notification(slots::NOTIFICATION);

/// How many bytes wait to be read before further ones are dropped.
const QUEUE_BYTES: usize = 256;

/// The port's registers, by the capability to their I/O ports.
struct PortRegisters;

impl Registers for PortRegisters {
    fn read(&mut self, register: u8) -> u8 {
        // Without the capability it is as without the port.
        PORTS.read_byte(FIRST_PORT + u16::from(register)).unwrap_or(u8::MAX)
    }

    fn write(&mut self, register: u8, value: u8) {
        PORTS.write_byte(FIRST_PORT + u16::from(register), value).unwrap_or_default();
    }
}

struct Driver {
    /// None on a machine without the port, and when its line is dead.
    port: Option<Port<PortRegisters>>,
    queue: Deque<u8, QUEUE_BYTES>,
}

// SAFETY: this program is one task.
static DRIVER: OneTask<Driver> = unsafe { OneTask::new(Driver { port: None, queue: Deque::new() }) };

fn main(_argument: u64, _words: Words) {
    let port = Port::find(PortRegisters);
    DRIVER.with(|driver| driver.port = port);
    OWN_TASK.make_endpoint(interrupt_entry, 0, OWN_TABLE, INTERRUPT_SLOT).expect("the slot is free");
    // Without its interrupt the line can be written to still.
    Interrupts(slots::LINES).bind(LINE, Some(Endpoint(INTERRUPT_SLOT))).unwrap_or_default();
    // What has come before holds back the next interrupt.
    DRIVER.with(Driver::take_all);
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

// ANCHOR: interrupt
/// Something has come.
fn interrupt(_context: u64, _message: &mut Words) {
    DRIVER.with(Driver::take_all);
}

impl Driver {
    /// Queues what the port has, and tells whoever waits for it.
    fn take_all(&mut self) {
        let Some(port) = &mut self.port else { return };
        let mut has_come = false;
        // A port that is unplugged while it runs would have bytes for ever.
        for byte in core::iter::from_fn(|| port.receive()).take(QUEUE_BYTES) {
            has_come |= self.queue.push_back(byte).is_ok();
        }
        if has_come {
            READER.signal(slots::SERIAL_INPUT).unwrap_or_default();
        }
    }
    // ANCHOR_END: interrupt

    fn read(&mut self) -> Text {
        let mut bytes = [0; TEXT_BYTES];
        let waiting = core::iter::from_fn(|| self.queue.pop_front());
        let count = bytes.iter_mut().zip(waiting).map(|(place, byte)| *place = byte).count();
        Text::take(bytes.get(..count).unwrap_or_default()).0
    }

    fn write(&mut self, text: Text) -> Result<(), Error> {
        let port = self.port.as_mut().ok_or(Error::InvalidState)?;
        port.send(text.copy_to(&mut [0; TEXT_BYTES])).map_err(|_| {
            self.port = None;
            Error::InvalidState
        })
    }
}

fn serve(_context: u64, message: &mut Words) {
    *message = DRIVER.with(|driver| match Text::parse(*message) {
        Ok((Some(TextRequest::Write), text)) => answer(driver.write(text).map(|()| [0; 3])),
        Ok((Some(TextRequest::Read), _)) if driver.port.is_some() => driver.read().read_answer(),
        Ok((Some(TextRequest::Read), _)) => answer(Err(Error::InvalidState)),
        Ok((Some(TextRequest::Clear) | None, _)) => answer(Err(Error::InvalidArgument)),
        Err(error) => answer(Err(error)),
    });
}
