//! The terminal as the console of a machine: every key goes to the machine at once, except Ctrl-C, which ends it.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc::Sender;
use std::thread;

use rustix::termios::{InputModes, LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::cleanup::SavedTerminal;

/// Whether a human is there: both stdin and stdout are a terminal.
#[must_use]
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// A terminal whose keys go to a machine. It is as before once this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Console(SavedTerminal);

impl Console {
    /// Sends the terminal's keys to a machine.
    ///
    /// # Errors
    ///
    /// If stdin is not a terminal.
    pub fn open(machine: Sender<Vec<u8>>) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        // The machine echoes; Enter is a carriage return, as on any serial line. Signals stay on for Ctrl-C.
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        modes.input_modes -= InputModes::ICRNL | InputModes::IXON;
        let saved = SavedTerminal::new(before);
        tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
        // It ends with the program: reading a terminal cannot be called off.
        thread::spawn(move || {
            let mut part = [0; 256];
            while let Ok(count @ 1..) = io::stdin().lock().read(&mut part) {
                if machine.send(part.get(..count).unwrap_or_default().to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self(saved))
    }
}
