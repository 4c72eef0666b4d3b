//! The exercises: function bodies of the real source that a learner writes anew, in a working copy of their own, step by step.
//!
//! A chapter's steps are listed in `chapters/NN-name/exercises.toml`. The body of step 3.1 stands between the anchors `exercise-3-1` of its file. In a
//! working copy there is a `todo!` in its place, and the tests that show the step fail until something right is there again.
//!
//! - [`text`]: takes a body out of a source, and shows it.
//! - [`copy`]: the working copy, a worktree of git with a branch of its own.
//! - [`progress`]: how far the learner is.
//! - [`grade`]: runs the tests of a step and says what came out.
//! - [`watch`]: waits for changes.
//! - [`proof`]: for all exercises, that each start fails where it should, and that the solution passes.
//! - [`page`]: the page of the book.

pub mod copy;
pub mod grade;
pub mod page;
pub mod progress;
pub mod proof;
pub mod text;
pub mod watch;

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// Why there are no exercises, or why one cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExerciseError {
    /// No folder for this chapter.
    #[error("there is no folder for chapter {0} in {path}", path = .1.display())]
    NoChapter(u8, PathBuf),
    /// A file that cannot be read or written.
    #[error("cannot use {}: {cause}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The list is not what it should be.
    #[error("cannot read the exercises in {}: {cause}", .path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: Box<toml_edit::de::Error>,
    },
    /// A file without the anchors of a step.
    #[error("{} has no complete anchor {anchor}", .path.display())]
    NoBody {
        /// The file.
        path: PathBuf,
        /// Which anchor.
        anchor: String,
    },
}

/// A file that could not be used.
fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ExerciseError {
    let path = path.to_owned();
    move |cause| ExerciseError::File { path, cause }
}

// ANCHOR: step
/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// Its chapter and, from 1 on, its number in it. Not in the list, where its place says so.
    #[serde(skip)]
    pub chapter: u8,
    /// See there.
    #[serde(skip)]
    pub number: usize,
    /// What is to be done, in a few words.
    pub title: String,
    /// The file with the body, from the root of the checkout.
    pub file: PathBuf,
    /// Where its tests are.
    #[serde(flatten)]
    pub tests: Tests,
    /// The test target of the package in which they are; without it all of its tests are built.
    pub target: Option<String>,
    /// Words in the names of the tests that fail at the start and pass with the solution. A test belongs to a step by one of these.
    pub shows: Vec<String>,
    /// What helps: the first stands in the source, the others come one by one.
    pub hints: Vec<String>,
}

/// Where the tests of a step are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tests {
    /// In a test of the kernel, which runs in the emulator with the features of the chapter.
    Test(String),
    /// In a package that is tested on this machine.
    Package(String),
}
// ANCHOR_END: step

impl Step {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.chapter, self.number)
    }

    /// The anchor around its body.
    #[must_use]
    pub fn anchor(&self) -> String {
        format!("exercise-{}-{}", self.chapter, self.number)
    }

    /// What the kernel or a test says where the body is missing.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("exercise {}", self.name())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    step: Vec<Step>,
}

/// The steps of a chapter, in order.
///
/// # Errors
///
/// If the checkout has no readable list for it.
pub fn steps(checkout: &Path, chapter: u8) -> Result<Vec<Step>, ExerciseError> {
    let chapters = checkout.join("chapters");
    let prefix = format!("{chapter:02}-");
    let entries = fs::read_dir(&chapters).map_err(file_error(&chapters))?;
    let folder = entries.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let folder = folder.ok_or_else(|| ExerciseError::NoChapter(chapter, chapters.clone()))?;
    let path = folder.path().join("exercises.toml");
    let text = fs::read_to_string(&path).map_err(file_error(&path))?;
    let list: List =
        toml_edit::de::from_str(&text).map_err(|cause| ExerciseError::List { path, cause: Box::new(cause) })?;
    let numbered = (1..).zip(list.step).map(|(number, step)| Step { chapter, number, ..step });
    Ok(numbered.collect())
}

#[cfg(test)]
mod tests;
