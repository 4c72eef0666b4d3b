//! Files that are made by this program and kept in the repository, so that it can be read and built without. For each a test says when it is
//! no longer what it should be.

use std::path::Path;
use std::{fs, io};

/// Writes such a file, if it is not what it should be.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn update(path: &Path, text: &str) -> io::Result<()> {
    // What is made from it is made anew when it is written, so one that is right is left alone.
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    // In one step: another build may be reading it.
    let new = path.with_added_extension(std::process::id().to_string());
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(&new, text)?;
    fs::rename(new, path)
}
