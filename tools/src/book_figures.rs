//! The program of the book's interactive figures: parts of the kernel, compiled for a browser. A page that was opened as a file may not fetch anything, so
//! the program is put into a script, as text.

use std::path::{Path, PathBuf};
use std::{fs, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::generated;
use crate::workspace::{self, BuildError};

/// Where the script goes, from the root of the repository. It is not kept there.
pub const PROGRAM: &str = "book/src/figures/program.js";

/// The most bytes that the program may have: somebody waits for it.
const MOST_BYTES: u64 = 150 * 1024;

/// Why the program could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FiguresError {
    /// It does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It has become too large.
    #[error("the program of the figures has {0} bytes and may have {MOST_BYTES}: see what book/figures has taken in")]
    TooLarge(u64),
    /// A file cannot be read or written.
    #[error("cannot make {}: {cause}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Builds the program and writes the script, if it is not what it should be.
///
/// # Errors
///
/// If the program does not build or is too large, or the script cannot be written.
pub fn update(root: &Path) -> Result<(), FiguresError> {
    let program = workspace::build_figures()?;
    let at = |path: &Path, cause| FiguresError::File { path: path.to_owned(), cause };
    let bytes = fs::read(&program).map_err(|cause| at(&program, cause))?;
    let path = root.join(PROGRAM);
    generated::update(&path, &script(&bytes)?).map_err(|cause| at(&path, cause))
}

fn script(program: &[u8]) -> Result<String, FiguresError> {
    if program.len() as u64 > MOST_BYTES {
        return Err(FiguresError::TooLarge(program.len() as u64));
    }
    Ok(format!(
        "// Written by `./x book` from book/figures.\nvar flatmkFiguresProgram = \"{}\";\n",
        STANDARD.encode(program)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_the_program() {
        let script = script(b"\0asm").expect("it is small");
        assert!(script.ends_with("var flatmkFiguresProgram = \"AGFzbQ==\";\n"), "{script}");
    }

    #[test]
    fn a_program_that_is_too_large_is_refused() {
        let error = script(&vec![0; MOST_BYTES as usize + 1]).expect_err("it is too large");
        assert!(error.to_string().contains("may have 153600"), "{error}");
    }
}
