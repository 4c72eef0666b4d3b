//! How far a learner is. It is kept beside git's own data of the working copy, where no work of theirs is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{ExerciseError, file_error};

const FILE: &str = "flatmk-progress.json";

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The commit in which the bodies were taken out.
    pub start: String,
    /// How many steps have passed, from the first on.
    pub passed: usize,
    /// How many hints were given for the step after these.
    pub hints: usize,
}

/// Where it is kept for a working copy, given git's folder for that.
fn path(git_folder: &Path) -> PathBuf {
    git_folder.join(FILE)
}

impl Progress {
    /// What was kept. Without it, or where it cannot be understood, it is that of somebody who has just begun: the next check sets it right.
    #[must_use]
    pub fn read(git_folder: &Path) -> Self {
        let text = fs::read_to_string(path(git_folder)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Keeps it.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, git_folder: &Path) -> Result<(), ExerciseError> {
        let path = path(git_folder);
        let text = serde_json::to_string(self).unwrap_or_default();
        fs::write(&path, text).map_err(file_error(&path))
    }

    /// When it was written last.
    #[must_use]
    pub fn used(git_folder: &Path) -> Option<SystemTime> {
        fs::metadata(path(git_folder)).and_then(|metadata| metadata.modified()).ok()
    }

    /// A step was tried, and has failed; tells how many hints to give for it.
    pub fn fail(&mut self, passed: usize) -> usize {
        self.hints = if self.passed == passed { self.hints + 1 } else { 1 };
        self.passed = passed;
        self.hints
    }
}
