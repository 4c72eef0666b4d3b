//! The terminal: one text for screen and serial line, one input from keyboard and serial line. It has connections to their drivers, and no device. What it is
//! asked is in [`flatmk_system`].
//!
//! Any of the drivers may be missing, or dead, or be started anew: the others go on.
#![no_std]
#![no_main]

use flatmk_abi::{Error, Words};
use flatmk_runtime::connection::Connection;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_system::{ScreenRequest, Service, Text, TextRequest, answer, slots};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn serve_entry = serve);

const SCREEN: Connection = Connection::to(Service::Screen);
const SERIAL: Connection = Connection::to(Service::Serial);
const KEYBOARD: Connection = Connection::to(Service::Keyboard);

/// Clears a terminal at the other end of the serial line: erases all, and goes to the upper left corner.
const CLEAR_SEQUENCE: &[u8] = b"\x1b[2J\x1b[H";

/// The size of a terminal of which nothing is known, in columns and rows.
const USUAL_SIZE: [u64; 3] = [80, 24, 0];

fn main(_argument: u64, _words: Words) {
    OWN_TASK.make_endpoint(serve_entry, 0, OWN_TABLE, slots::SERVICE).expect("the service's slot is free");
}

fn serve(_context: u64, message: &mut Words) {
    *message = match Text::parse(*message) {
        Ok((Some(TextRequest::Write), _)) => answer(to_both(*message, *message)),
        Ok((Some(TextRequest::Clear), _)) => answer(to_both(*message, Text::take(CLEAR_SEQUENCE).0.write_message())),
        Ok((Some(TextRequest::Read), _)) => read().map_or_else(|error| answer(Err(error)), Text::read_answer),
        Ok((None, _)) if message[0] == ScreenRequest::Size as u64 => {
            answer(Ok(SCREEN.request(*message).unwrap_or(USUAL_SIZE)))
        }
        Ok((None, _)) => answer(Err(Error::InvalidArgument)),
        Err(error) => answer(Err(error)),
    };
}

// ANCHOR: both
/// One message to the screen and one to the serial line. It is enough that one of them takes it.
fn to_both(for_screen: Words, for_serial: Words) -> Result<[u64; 3], Error> {
    let shown = SCREEN.request(for_screen);
    SERIAL.request(for_serial).or(shown)
}

/// What was typed on the keyboard; if nothing was, what has come on the serial line. It is enough that one of them answers.
fn read() -> Result<Text, Error> {
    let ask = |driver: Connection| driver.call([TextRequest::Read as u64, 0, 0, 0]).and_then(Text::from_answer);
    match ask(KEYBOARD) {
        Ok(typed) if !typed.is_empty() => Ok(typed),
        keyboard => ask(SERIAL).or(keyboard),
    }
}
// ANCHOR_END: both
