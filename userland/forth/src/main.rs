//! A small Forth. It begins with a program of its own, then does what it is called with: 32 bytes of text, padded with zeros. Its answer: word 0: 0,
//! or the error; word 1: the number on top of the stack; word 2: how many there are; word 3: how many steps that took.
#![no_std]
#![no_main]

use core::fmt::{self, Write};

use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;
use flatmk_runtime::{OneTask, print};
use forth::{Forth, PRIMES};

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn forth_entry = serve);

// SAFETY: this program is one task.
static FORTH: OneTask<Forth> = unsafe { OneTask::new(Forth::new()) };

/// A line of output, which takes one system call.
struct Line {
    bytes: [u8; 256],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 256], length: 0 }
    }

    fn print(&mut self) {
        // All of it is text, piece by piece.
        print!("{}", core::str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()).unwrap_or("?"));
        self.length = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.bytes.len() - self.length {
            self.print();
        }
        let room = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

fn serve(_context: u64, message: &mut [u64; 4]) {
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().zip(message.iter().flat_map(|word| word.to_le_bytes())) {
        *place = byte;
    }
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut line = Line::new();
    *message = FORTH.with(|forth| {
        // What is no text has no words, either.
        let result =
            core::str::from_utf8(text).map_or(Err(forth::Error::UnknownWord), |text| forth.run(text, &mut line));
        let top = i64::from(forth.top().unwrap_or(0)).cast_unsigned();
        let (status, steps) = match result {
            Ok(steps) => (0, steps),
            Err(error) => (error as u64, 0),
        };
        [status, top, forth.depth() as u64, steps.into()]
    });
    line.print();
}

fn main(_argument: u64, _words: [u64; 4]) {
    let mut line = Line::new();
    let result = FORTH.with(|forth| forth.run(PRIMES, &mut line));
    print!("forth: primes: ");
    line.print();
    result.expect("its own program is right");
    OWN_TASK.make_endpoint(forth_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}
