//! Working copies: worktrees of git, each on a branch of its own, so that nothing in the checkout is touched and all of a learner's work is kept.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::progress::Progress;
use super::{ExerciseError, steps, text};

/// What the branch of a chapter's exercises is called, before its number.
const BRANCH: &str = "learn/chapter";

/// Why there is no working copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Git is not there.
    #[error("cannot run git ({0}), which keeps the working copies: install it")]
    NoGit(io::Error),
    /// Git said no.
    #[error("git {command} has failed: {said}")]
    Git {
        /// What it was asked.
        command: String,
        /// What it said.
        said: String,
    },
    /// The checkout is not one.
    #[error(
        "{} is no checkout of git, and a working copy is a branch of one: get FlatMk by git clone (git says: {said})", .folder.display()
    )]
    NoCheckout {
        /// The folder.
        folder: PathBuf,
        /// What git said.
        said: String,
    },
    /// Something is where the copy should be.
    #[error("{} is there already: name another folder with --folder", .0.display())]
    FolderIsThere(PathBuf),
    /// Work that would be lost.
    #[error(
        "{} has changes that are not committed, so nothing was done: commit them there (git commit -a), or take them back, and try again", .0.display()
    )]
    Dirty(PathBuf),
    /// Called from within one.
    #[error("this is a working copy itself: call ./x learn in the checkout that it was made from")]
    WithinCopy,
    /// No exercises have begun.
    #[error("no exercises have begun: ./x learn N makes a working copy of those of chapter N")]
    NoneBegun,
    /// Not those of this chapter.
    #[error("the exercises of chapter {0} have not begun: ./x learn {0} makes a working copy")]
    NotBegun(u8),
    /// What is in it cannot be used.
    #[error(transparent)]
    Exercise(#[from] ExerciseError),
}

/// A working copy with the exercises of a chapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingCopy {
    /// Its chapter.
    pub chapter: u8,
    /// Its folder.
    pub folder: PathBuf,
    /// Where git keeps its own data of it.
    pub git_folder: PathBuf,
}

/// Runs git in a folder and returns what it prints.
pub(super) fn git<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Result<String, CopyError> {
    // Nobody need have told git who they are, and nobody's hooks run.
    let settings =
        ["user.name=FlatMk", "user.email=flatmk@localhost", "commit.gpgsign=false", "core.hooksPath=/dev/null"];
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(settings.iter().flat_map(|setting| ["-c", setting])).args(arguments);
    let output = command.output().map_err(CopyError::NoGit)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let command = arguments.first().map(|first| first.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
    Err(CopyError::Git { command, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

fn is_dirty(folder: &Path) -> Result<bool, CopyError> {
    git(folder, &["status", "--porcelain"]).map(|changes| !changes.is_empty())
}

fn branch(chapter: u8) -> String {
    format!("{BRANCH}{chapter}")
}

/// How a new working copy came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// It.
    pub copy: WorkingCopy,
    /// Whether it was there already.
    pub was_there: bool,
    /// Whether the checkout has changes which are not in it.
    pub without_changes: bool,
    /// The branch on which work of an earlier beginning is kept.
    pub kept: Option<String>,
}

/// Makes the working copy of a chapter, or finds it. `anew` begins once more, and keeps what was there on a branch of another name.
///
/// # Errors
///
/// If git cannot do it, or work would be lost.
pub fn begin(checkout: &Path, chapter: u8, folder: Option<&Path>, anew: bool) -> Result<Begun, CopyError> {
    if chapter_of_branch(&current_branch(checkout)?).is_some() {
        return Err(CopyError::WithinCopy);
    }
    // Whether there is anything to learn is found before a folder is made.
    steps(checkout, chapter)?;
    let without_changes = is_dirty(checkout)?;
    if let Some(copy) = all(checkout)?.into_iter().find(|copy| copy.chapter == chapter) {
        let mut kept = None;
        if anew {
            kept = Some(set_aside(&copy)?);
            let commit = git(checkout, &["rev-parse", "HEAD"])?;
            git(&copy.folder, &["checkout", "--quiet", "-b", &branch(chapter), &commit])?;
            take_out(&copy)?;
        }
        return Ok(Begun { copy, was_there: !anew, without_changes, kept });
    }
    let folder = folder.map_or_else(|| usual_folder(checkout, chapter), Path::to_path_buf);
    if folder.exists() {
        return Err(CopyError::FolderIsThere(folder));
    }
    let branch = branch(chapter);
    let exists = git(checkout, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).is_ok();
    let add = |arguments: &[&OsStr]| {
        git(checkout, &[&[OsStr::new("worktree"), OsStr::new("add"), OsStr::new("--quiet")], arguments].concat())
    };
    git(checkout, &["worktree", "prune"])?;
    if exists {
        // The folder is gone; what was committed there is not.
        add(&[folder.as_os_str(), OsStr::new(&branch)])?;
    } else {
        add(&[OsStr::new("-b"), OsStr::new(&branch), folder.as_os_str(), OsStr::new("HEAD")])?;
    }
    let copy = working_copy(chapter, &folder)?;
    if !exists {
        take_out(&copy)?;
    }
    Ok(Begun { copy, was_there: exists, without_changes, kept: None })
}

/// Beside the checkout.
fn usual_folder(checkout: &Path, chapter: u8) -> PathBuf {
    let name = checkout.file_name().unwrap_or(OsStr::new("flatmk")).to_string_lossy();
    checkout.with_file_name(format!("{name}-chapter{chapter}"))
}

/// Gives the branch of a working copy another name, and tells which.
fn set_aside(copy: &WorkingCopy) -> Result<String, CopyError> {
    if is_dirty(&copy.folder)? {
        return Err(CopyError::Dirty(copy.folder.clone()));
    }
    let is_free = |name: &String| {
        git(&copy.folder, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}")]).is_err()
    };
    let names = (1..).map(|number: u32| format!("{}-before-{number}", branch(copy.chapter)));
    let name = names.into_iter().find(is_free).unwrap_or_default();
    git(&copy.folder, &["branch", "--move", &branch(copy.chapter), &name])?;
    Ok(name)
}

/// Takes the bodies out of a new working copy, as the first commit of its branch.
fn take_out(copy: &WorkingCopy) -> Result<(), CopyError> {
    text::take_out(&copy.folder, &steps(&copy.folder, copy.chapter)?)?;
    git(
        &copy.folder,
        &["commit", "--quiet", "--all", "--message", &format!("Begin the exercises of chapter {}", copy.chapter)],
    )?;
    let start = git(&copy.folder, &["rev-parse", "HEAD"])?;
    Progress { start, ..Progress::default() }.write(&copy.git_folder)?;
    Ok(())
}

fn working_copy(chapter: u8, folder: &Path) -> Result<WorkingCopy, CopyError> {
    let git_folder = git(folder, &["rev-parse", "--absolute-git-dir"])?.into();
    Ok(WorkingCopy { chapter, folder: folder.to_owned(), git_folder })
}

fn current_branch(checkout: &Path) -> Result<String, CopyError> {
    git(checkout, &["rev-parse", "--abbrev-ref", "HEAD"]).map_err(|error| match error {
        CopyError::Git { said, .. } => CopyError::NoCheckout { folder: checkout.to_owned(), said },
        error => error,
    })
}

/// Which chapter's exercises a branch has.
fn chapter_of_branch(branch: &str) -> Option<u8> {
    branch.strip_prefix(BRANCH)?.parse().ok()
}

/// All working copies of a checkout.
///
/// # Errors
///
/// If git does not say.
pub fn all(checkout: &Path) -> Result<Vec<WorkingCopy>, CopyError> {
    let list = git(checkout, &["worktree", "list", "--porcelain"])?;
    let mut copies = Vec::new();
    for entry in list.split("\n\n") {
        let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name));
        let chapter = field("branch refs/heads/").and_then(chapter_of_branch);
        // Of one whose folder is gone there is an entry still.
        if let (Some(chapter), Some(folder)) = (chapter, field("worktree ").map(Path::new).filter(|path| path.is_dir()))
        {
            copies.push(working_copy(chapter, folder)?);
        }
    }
    Ok(copies)
}

/// The working copy that is meant: of this chapter; else the one in which the caller is; else the one that was checked last.
///
/// # Errors
///
/// If there is none.
pub fn find(checkout: &Path, chapter: Option<u8>) -> Result<WorkingCopy, CopyError> {
    let here = current_branch(checkout)?;
    let copies = all(checkout)?;
    let Some(chapter) = chapter.or_else(|| chapter_of_branch(&here)) else {
        let used = |copy: &WorkingCopy| Progress::used(&copy.git_folder);
        return copies.into_iter().max_by_key(used).ok_or(CopyError::NoneBegun);
    };
    copies.into_iter().find(|copy| copy.chapter == chapter).ok_or(CopyError::NotBegun(chapter))
}

/// The source of a step before its body was taken out.
///
/// # Errors
///
/// If git has no such file.
pub fn original(copy: &WorkingCopy, file: &Path) -> Result<String, CopyError> {
    let start = Progress::read(&copy.git_folder).start;
    // Without the record: the branch begins with that commit, which has a subject of its own.
    let start = if start.is_empty() {
        let subject = format!("--grep=^Begin the exercises of chapter {}$", copy.chapter);
        git(&copy.folder, &["log", "--max-count=1", "--format=%H", &subject])?
    } else {
        start
    };
    git(&copy.folder, &["show", &format!("{start}^:{}", file.display())]).map(|text| text + "\n")
}
