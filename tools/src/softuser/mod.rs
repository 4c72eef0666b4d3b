//! RISC-V programs on this machine, run by the engine that the kernel runs them with.
//!
//! A program sees what it would see on Linux, as far as there is any: its arguments on the stack, and a few system calls. There is one at a
//! time: its memory is the lowest 4 GiB of this process.
//!
//! - [`memory`]: that memory, and what of it may be used.
//! - `faults`: how an access that is not allowed becomes the program's, and not this process's.
//! - `calls`: the system calls.
//! - [`trap`]: what else ends a program.
//! - [`count`], [`trace`]: for whoever watches.

mod calls;
pub mod count;
mod faults;
pub mod memory;
mod run;
pub mod trace;
pub mod trap;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flatmk_image::ImageError;

pub use calls::{Files, OwnFiles};
pub use run::{Ending, Guest, Step, Watch};

/// The largest file that is looked at.
const LARGEST_FILE: u64 = 256 << 20;

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub enum SoftuserError {
    /// There is no file, or it cannot be read.
    #[error("cannot read {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// It is no program.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no place for it.
    #[error(transparent)]
    Memory(#[from] memory::MemoryError),
    /// What is told of it cannot be written.
    #[error("cannot write what it does: {0}")]
    Watch(io::Error),
}

/// Reads a file that may be a program.
///
/// # Errors
///
/// If it is not there, is no file, or is so large that it cannot be one.
pub fn read(path: &Path) -> Result<Vec<u8>, SoftuserError> {
    let read = || {
        // Asked first: to open a pipe waits for its other end.
        let about = std::fs::metadata(path)?;
        if !about.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        if about.len() > LARGEST_FILE {
            return Err(io::Error::other("it is larger than 256 MiB"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|cause| SoftuserError::Read { path: path.to_owned(), cause })
}
