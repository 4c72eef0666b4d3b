//! The driver of the PS/2 keyboard. It has the controller's ports, in slot 7, the keyboard's interrupt line, in slot 11, and the notification of whoever
//! reads, in slot 10. What it is asked is in [`flatmk_system`]. It is started with the number of its layout.
#![no_std]
#![no_main]

use flatmk_abi::{Error, Words};
use flatmk_runtime::OneTask;
use flatmk_runtime::object::{Endpoint, Interrupts, Notification, OWN_TABLE, OWN_TASK, Ports};
use flatmk_system::{KeyboardRequest, Layout, TEXT_BYTES, Text, TextRequest, answer, slots};
use heapless::Deque;
use keyboard::{Bus, Controller, Keys};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn serve_entry = serve);
flatmk_runtime::service!(fn interrupt_entry = interrupt);

/// The controller's ports, and the keyboard's interrupt line, by the convention of the PC.
const DATA_PORT: u16 = 0x60;
const COMMAND_PORT: u16 = 0x64;
const LINE: u64 = 1;

/// Where the endpoint for interrupts is, which nobody else calls.
const INTERRUPT_SLOT: u64 = 13;

const PORTS: Ports = Ports(slots::PORTS);
const READER: Notification = Notification(slots::NOTIFICATION);

/// How many bytes wait to be read before further keys are dropped.
const QUEUE_BYTES: usize = 256;

/// The controller's ports, by the capability to them. Without it, it is as without a controller.
struct PortBus;

impl Bus for PortBus {
    fn read_data(&mut self) -> u8 {
        PORTS.read_byte(DATA_PORT).unwrap_or(u8::MAX)
    }

    fn read_status(&mut self) -> u8 {
        PORTS.read_byte(COMMAND_PORT).unwrap_or(u8::MAX)
    }

    fn write_data(&mut self, value: u8) {
        PORTS.write_byte(DATA_PORT, value).unwrap_or_default();
    }

    fn write_command(&mut self, value: u8) {
        PORTS.write_byte(COMMAND_PORT, value).unwrap_or_default();
    }
}

struct Driver {
    /// None on a machine without one.
    controller: Option<Controller<PortBus>>,
    keys: Keys,
    queue: Deque<u8, QUEUE_BYTES>,
}

// SAFETY: this program is one task.
static DRIVER: OneTask<Driver> =
    unsafe { OneTask::new(Driver { controller: None, keys: Keys::new(), queue: Deque::new() }) };

fn main(layout: u64, _words: Words) {
    OWN_TASK.make_endpoint(interrupt_entry, 0, OWN_TABLE, INTERRUPT_SLOT).expect("the slot is free");
    // Before anything is asked of the controller: else the kernel's own handler could take the answer. Without its interrupt no key will ever come,
    // but that is no reason to stop.
    Interrupts(slots::LINES).bind(LINE, Some(Endpoint(INTERRUPT_SLOT))).unwrap_or_default();
    let controller = Controller::find(PortBus);
    DRIVER.with(|driver| {
        driver.controller = controller;
        driver.keys.set_layout(Layout::from_number(layout).unwrap_or_default());
    });
    // What has come in between holds back the next interrupt.
    DRIVER.with(Driver::take_all);
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

/// A key was pressed or released.
fn interrupt(_context: u64, _message: &mut Words) {
    DRIVER.with(Driver::take_all);
}

impl Driver {
    /// Queues what the keys send, and tells whoever waits for it.
    fn take_all(&mut self) {
        let Self { controller: Some(controller), keys, queue } = self else { return };
        let mut has_come = false;
        controller.take_all(|byte| {
            keys.take(byte, |text| {
                // Half a key would be read as another.
                if queue.capacity() - queue.len() >= text.len() {
                    queue.extend(text.iter().copied());
                    has_come = true;
                }
            });
        });
        if has_come {
            READER.signal(slots::KEYBOARD_INPUT).unwrap_or_default();
        }
    }

    fn read(&mut self) -> Text {
        let mut bytes = [0; TEXT_BYTES];
        let waiting = core::iter::from_fn(|| self.queue.pop_front());
        let count = bytes.iter_mut().zip(waiting).map(|(place, byte)| *place = byte).count();
        Text::take(bytes.get(..count).unwrap_or_default()).0
    }
}

fn serve(_context: u64, message: &mut Words) {
    *message = DRIVER.with(|driver| match Text::parse(*message) {
        Ok((Some(TextRequest::Read), _)) if driver.controller.is_some() => driver.read().read_answer(),
        Ok((Some(TextRequest::Read), _)) => answer(Err(Error::InvalidState)),
        Ok((None, _)) => answer(perform(driver, *message)),
        Ok((Some(TextRequest::Write | TextRequest::Clear), _)) => answer(Err(Error::InvalidArgument)),
        Err(error) => answer(Err(error)),
    });
}

fn perform(driver: &mut Driver, [request, layout, ..]: Words) -> Result<[u64; 3], Error> {
    match KeyboardRequest::from_number(request) {
        Some(KeyboardRequest::SetLayout) => {
            driver.keys.set_layout(Layout::from_number(layout).ok_or(Error::InvalidArgument)?);
            Ok([0; 3])
        }
        Some(KeyboardRequest::Layout) => Ok([driver.keys.layout() as u64, 0, 0]),
        None => Err(Error::InvalidArgument),
    }
}
