//! The kernel's console: the same text on the serial line and on the screen, where there is one.
//!
//! Used by everything in the kernel that has something to say, from the first line of boot to the last of a panic.

mod screen;
mod serial;

use core::fmt::{self, Write};

use bootloader_api::info::FrameBuffer;
#[cfg(feature = "chapter11")]
use bootloader_api::info::FrameBufferInfo;

pub use screen::{Color, Colors, Screen};
use serial::Serial;

use crate::sync::Exclusive;

static CONSOLE: Exclusive<Console> = Exclusive::new(Console { serial: None, screen: None, is_screen_lent: None });

// ANCHOR: console
/// The console's devices, each where the machine has it.
pub struct Console {
    serial: Option<Serial>,
    screen: Option<Screen>,
    /// While a program draws on the screen: tells whether it still does. Chapter 11 sets it.
    is_screen_lent: Option<fn() -> bool>,
}
// ANCHOR_END: console

impl Console {
    // ANCHOR: put
    fn put(&mut self, byte: u8) {
        if let Some(serial) = &mut self.serial
            && serial.send(byte).is_err()
        {
            self.serial = None;
        }
        if let Some(screen) = &mut self.screen {
            match self.is_screen_lent {
                Some(is_lent) if is_lent() => return,
                // It is the console's again, with whatever was drawn on it.
                Some(_) => screen.clear(Colors::NORMAL),
                None => {}
            }
            self.is_screen_lent = None;
            screen.put(byte);
        }
    }
    // ANCHOR_END: put

    /// The text screen, where the machine has a framebuffer.
    pub fn screen(&mut self) -> Option<&mut Screen> {
        self.screen.as_mut()
    }

    /// Whether there is a serial port.
    #[must_use]
    pub fn has_serial_port(&self) -> bool {
        self.serial.is_some()
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.put(byte));
        Ok(())
    }
}

/// Finds the serial port and takes the framebuffer, if the bootloader found one.
pub(crate) fn initialize(framebuffer: Option<FrameBuffer>) {
    with(|console| {
        console.serial = Serial::find();
        console.screen = framebuffer.map(Screen::on);
    });
}

/// Lends the console.
pub fn with<R>(use_it: impl FnOnce(&mut Console) -> R) -> R {
    CONSOLE.with(use_it)
}

/// The address of the framebuffer, and what it is like.
#[cfg(feature = "chapter11")]
pub(crate) fn framebuffer() -> Option<(u64, FrameBufferInfo)> {
    with(|console| console.screen.as_ref().map(Screen::framebuffer))
}

/// Shows two hexadecimal digits in the upper right corner of the screen, where there is one and the console has it.
#[cfg(feature = "chapter12")]
pub(crate) fn mark(number: u8) {
    with(|console| {
        let screen = console.screen.as_mut().filter(|_| console.is_screen_lent.is_none());
        screen.into_iter().for_each(|screen| screen.mark(number));
    });
}

/// A program draws on the screen from now on: what is written goes to the serial line only, as long as `is_lent` says so.
#[cfg(feature = "chapter11")]
pub(crate) fn lend_screen(is_lent: fn() -> bool) {
    with(|console| console.is_screen_lent = Some(is_lent));
}

/// Writes formatted text; what [`print!`](crate::print) calls.
pub fn write(arguments: fmt::Arguments<'_>) {
    // A console has no error to return: what cannot be shown is lost.
    with(|console| console.write_fmt(arguments)).unwrap_or_default();
}

/// Writes bytes as they are.
pub fn write_bytes(bytes: &[u8]) {
    with(|console| bytes.iter().for_each(|&byte| console.put(byte)));
}

/// Waits until all that was written has been sent.
pub(crate) fn flush() {
    with(|console| {
        if let Some(serial) = &mut console.serial {
            serial.flush();
        }
    });
}

/// A byte that was typed on the serial line, if there is one.
pub fn read_serial() -> Option<u8> {
    with(|console| console.serial.as_mut().and_then(Serial::receive))
}

/// Takes the console from whoever holds it and clears the screen for the last message.
///
/// # Safety
///
/// The holder must never run again: see [`Exclusive::reclaim`].
pub(crate) unsafe fn seize(colors: Option<Colors>) {
    // SAFETY: the caller promises what `reclaim` asks for.
    unsafe { CONSOLE.reclaim() };
    if let Some(colors) = colors {
        with(|console| {
            if let Some(screen) = &mut console.screen {
                screen.clear(colors);
            }
            console.is_screen_lent = None;
        });
    }
}

/// Writes formatted text to the console.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::console::write(format_args!($($argument)*)) };
}

/// Writes formatted text and a line feed to the console.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::console::write(format_args!("{}\n", format_args!($($argument)*))) };
}
