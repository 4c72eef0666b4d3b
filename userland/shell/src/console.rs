//! The terminal as the shell uses it.

use core::fmt;

use arrayvec::ArrayVec;
use flatmk_abi::Error;
use flatmk_runtime::connection::Connection;
use flatmk_runtime::object::Notification;
use flatmk_system::{Service, TEXT_BYTES, Text, TextRequest, outcome, slots};

const TERMINAL: Connection = Connection::to(Service::Terminal);
const NOTIFICATION: Notification = Notification(slots::NOTIFICATION);

/// For how long the shell rests if nobody tells it that something was typed: then it looks.
pub(crate) const LOOK_AGAIN_NS: u64 = 200_000_000;

/// How many bytes may be typed ahead.
const TYPED_AHEAD: usize = 256;

/// What is written and what was typed.
pub(crate) struct Console {
    output: ArrayVec<u8, TEXT_BYTES>,
    input: ArrayVec<u8, TYPED_AHEAD>,
}

impl Console {
    pub(crate) fn new() -> Self {
        Self { output: ArrayVec::new(), input: ArrayVec::new() }
    }

    /// Writes what was collected.
    pub(crate) fn flush(&mut self) {
        let (text, _) = Text::take(&self.output);
        self.output.clear();
        if !text.is_empty() {
            // Without a terminal there is nobody to tell.
            TERMINAL.call(text.write_message()).and_then(outcome).unwrap_or_default();
        }
    }

    /// Takes what was typed. What is too much is lost.
    fn fetch(&mut self) -> Result<(), Error> {
        loop {
            let text = Text::from_answer(TERMINAL.call([TextRequest::Read as u64, 0, 0, 0])?)?;
            if text.is_empty() {
                return Ok(());
            }
            self.input.extend(text.bytes().take(self.input.remaining_capacity()));
        }
    }

    // ANCHOR: read
    /// The next byte that is typed.
    pub(crate) fn read(&mut self) -> u8 {
        self.flush();
        loop {
            if !self.input.is_empty() {
                return self.input.remove(0);
            }
            // A signal that comes before the wait is kept. Without a terminal there is nothing yet.
            if self.fetch().is_err() || self.input.is_empty() {
                NOTIFICATION.wait_for(LOOK_AGAIN_NS).unwrap_or_default();
            }
        }
    }
    // ANCHOR_END: read

    /// Rests until something happens, at most for a while. Tells whether Ctrl-C was typed; what was typed before it is forgotten.
    pub(crate) fn wait_for_interrupt(&mut self, timeout_ns: u64) -> bool {
        const INTERRUPT: u8 = 3;
        self.flush();
        NOTIFICATION.wait_for(timeout_ns).unwrap_or_default();
        self.fetch().unwrap_or_default();
        let place = self.input.iter().position(|&byte| byte == INTERRUPT);
        if let Some(place) = place {
            self.input.drain(..=place);
        }
        place.is_some()
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.output.is_full() {
                self.flush();
            }
            self.output.push(byte);
        }
        Ok(())
    }
}
