//! The system calls: those of Linux that programs cannot do without, with its numbers and errors.

use std::io::{self, ErrorKind, Read, Write};

use super::run::{Ending, Guest};

const READ: u32 = 63;
const WRITE: u32 = 64;
const EXIT: u32 = 93;
const EXIT_GROUP: u32 = 94;
const BRK: u32 = 214;

/// The registers of a call.
const A0: usize = 10;
const A1: usize = 11;
const A2: usize = 12;
const A7: usize = 17;

/// The exit code of a program that writes to a pipe that nobody reads, as a shell has it: 128 and the number of the signal.
const NOBODY_READS: u8 = 128 + 13;

/// The files of a program: 0 to read, 1 and 2 to write.
pub trait Files {
    /// Reads some bytes.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize>;

    /// Writes bytes to the file 1 or 2.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    fn write(&mut self, file: u32, bytes: &[u8]) -> io::Result<()>;
}

/// The files of this process.
#[derive(Clone, Copy, Debug)]
pub struct OwnFiles;

impl Files for OwnFiles {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        io::stdin().lock().read(bytes)
    }

    fn write(&mut self, file: u32, bytes: &[u8]) -> io::Result<()> {
        let mut output: Box<dyn Write> = if file == 1 { Box::new(io::stdout().lock()) } else { Box::new(io::stderr()) };
        output.write_all(bytes)?;
        output.flush()
    }
}

impl<F: Files> Guest<F> {
    /// Does what the program asks for. `Some`: that was to end.
    pub(super) fn call(&mut self) -> Option<Ending> {
        let [a0, a1, a2, number] = [A0, A1, A2, A7].map(|index| self.hart.register(index));
        let (start, length) = (a1.into(), a2.into());
        let result = match number {
            EXIT | EXIT_GROUP => return Some(Ending::Exited(a0 as u8)),
            READ if a0 == 0 => match self.memory.slice_mut(start, length) {
                Some(bytes) => self.files.read(bytes).map(|count| count as u32),
                None => Err(error(libc::EFAULT)),
            },
            WRITE if a0 == 1 || a0 == 2 => match self.memory.slice(start, length) {
                Some(bytes) => self.files.write(a0, bytes).map(|()| a2),
                None => Err(error(libc::EFAULT)),
            },
            READ | WRITE => Err(error(libc::EBADF)),
            BRK => Ok(self.memory.set_heap_end(a0.into()) as u32),
            _ => Err(error(libc::ENOSYS)),
        };
        let result = match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Some(Ending::Exited(NOBODY_READS)),
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO).wrapping_neg().cast_unsigned(),
            Ok(result) => result,
        };
        self.hart.set_register(A0, result);
        None
    }
}

fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
