//! Printing through the console capability: the kernel's console, or an endpoint of the terminal.

use core::fmt::{self, Write};

use flatmk_abi::{Error, WRITE_LIMIT_BYTES, slots};
use flatmk_system::{Service, Text, outcome};

use crate::connection::Connection;
use crate::object::Console;

const CAPACITY: usize = WRITE_LIMIT_BYTES as usize;

/// Collects text, so that a line takes one system call if it is short. What is left is written when it is dropped.
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }
    }

    fn flush(&mut self) {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        // A program without a console has nobody to tell.
        if let Err(Error::WrongKind | Error::InvalidCapability) =
            Console(slots::CONSOLE).write(text.as_ptr() as u64, text.len() as u64)
        {
            write_to_terminal(text).unwrap_or_default();
        }
        self.length = 0;
    }
}

// ANCHOR: terminal
/// The same slot may have an endpoint of the terminal, which takes a message's worth at a time. When the terminal has ended the slot is empty, and is
/// filled anew by the supervisor, where the program has one.
fn write_to_terminal(mut text: &[u8]) -> Result<(), Error> {
    const TERMINAL: Connection = Connection { service: Service::Terminal, slot: slots::CONSOLE };
    while !text.is_empty() {
        let (part, rest) = Text::take(text);
        outcome(TERMINAL.call(part.write_message())?)?;
        text = rest;
    }
    Ok(())
}
// ANCHOR_END: terminal

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.length == CAPACITY {
                self.flush();
            }
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes formatted text; what [`print!`](crate::print) and [`println!`](crate::println) call.
pub fn write_line(arguments: fmt::Arguments<'_>) {
    // Collecting the text cannot fail; a `Display` that fails loses its text.
    Line::new().write_fmt(arguments).unwrap_or_default();
}

/// Writes formatted text to the console.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::write_line(format_args!($($argument)*)) };
}

/// Writes formatted text and a line feed to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::write_line(format_args!("{}\n", format_args!($($argument)*))) };
}
