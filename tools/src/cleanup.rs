//! What must not outlive this program: emulators, their temporary folders, and a terminal in raw mode.
//!
//! Drop takes care of it in the ordinary case. A signal ends the program without dropping anything, so everything is also
//! listed here, and a handler tidies up. Against a `SIGKILL`, emulators ask Linux to end with their parent.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{OptionalActions, Termios, tcsetattr};
use tempfile::TempDir;

#[derive(Default)]
struct Registry {
    groups: Vec<Pid>,
    folders: Vec<PathBuf>,
    terminal: Option<Termios>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { groups: Vec::new(), folders: Vec::new(), terminal: None });

fn registry() -> MutexGuard<'static, Registry> {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // A program that has its own handler keeps it; it then has to drop its machines.
        let _ = ctrlc::try_set_handler(|| {
            // Held to the end, so that no thread starts anything more.
            let _registry = tidy_up();
            // 128 + SIGINT, as shells do.
            exit(130);
        });
    });
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tidy_up() -> MutexGuard<'static, Registry> {
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(terminal) = &registry.terminal {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
    }
    for &group in &registry.groups {
        let _ = kill_process_group(group, Signal::KILL);
    }
    for folder in &registry.folders {
        let _ = fs::remove_dir_all(folder);
    }
    registry
}

/// Lists a process group until it is dropped.
#[derive(Debug)]
pub(crate) struct ListedGroup(Pid);

impl ListedGroup {
    pub(crate) fn new(group: Pid) -> Self {
        registry().groups.push(group);
        Self(group)
    }

    pub(crate) fn kill(&self) {
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

impl Drop for ListedGroup {
    fn drop(&mut self) {
        registry().groups.retain(|group| *group != self.0);
    }
}

/// A temporary folder, removed when it is dropped and when a signal ends the program; after a `SIGKILL`, by the next run.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: Option<TempDir>,
    // As long as it is locked, somebody needs the folder.
    _lock: File,
}

const PREFIX: &str = "flatmk-";
const LOCK: &str = "in-use";

impl TemporaryFolder {
    /// A folder among the temporary files.
    ///
    /// # Errors
    ///
    /// If nothing can be written there.
    pub fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    /// A folder in another folder.
    ///
    /// # Errors
    ///
    /// If nothing can be written there.
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        remove_abandoned(parent);
        let mut registry = registry();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        registry.folders.push(folder.path().to_owned());
        // It gets its name when it is locked. Before that it would seem to be abandoned.
        let [path, unlocked] = [LOCK, "not-yet-in-use"].map(|name| folder.path().join(name));
        let lock = File::create(&unlocked)?;
        lock.lock()?;
        fs::rename(&unlocked, &path)?;
        Ok(Self { folder: Some(folder), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let path = self.path().to_owned();
        self.folder = None;
        registry().folders.retain(|folder| *folder != path);
    }
}

/// Removes the folders of programs that were killed. What cannot be removed is left to somebody else.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // A folder without the file is just being made.
        if is_ours && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Puts the terminal on stdin back as it is now, once dropped.
#[derive(Debug)]
pub(crate) struct SavedTerminal(());

impl SavedTerminal {
    pub(crate) fn new(terminal: Termios) -> Self {
        registry().terminal = Some(terminal);
        Self(())
    }
}

impl Drop for SavedTerminal {
    fn drop(&mut self) {
        if let Some(terminal) = registry().terminal.take() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &terminal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let folder = TemporaryFolder::new_in(parent.path()).unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn abandoned_folders_are_removed_and_others_left() {
        let parent = tempfile::tempdir().unwrap();
        let [abandoned, being_made, foreign] = ["flatmk-1", "flatmk-2", "other"].map(|name| parent.path().join(name));
        for folder in [&abandoned, &being_made, &foreign] {
            fs::create_dir(folder).unwrap();
        }
        for folder in [&abandoned, &foreign] {
            File::create(folder.join(LOCK)).unwrap();
        }
        let in_use = TemporaryFolder::new_in(parent.path()).unwrap();
        let _another = TemporaryFolder::new_in(parent.path()).unwrap();
        assert!(!abandoned.exists());
        assert!(being_made.exists() && foreign.exists() && in_use.path().exists());
    }
}
