//! What must not outlive this program: emulators, their temporary folders, and a terminal in raw mode.
//!
//! Drop takes care of it in the ordinary case. A signal ends the program without dropping anything, so everything is also
//! listed here, and a handler tidies up. Against a `SIGKILL`, emulators ask Linux to end with their parent.

use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{OptionalActions, Termios, tcsetattr};

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
            tidy_up();
            // 128 + SIGINT, as shells do.
            exit(130);
        });
    });
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tidy_up() {
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(terminal) = &registry.terminal {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, terminal);
    }
    for &group in &registry.groups {
        let _ = kill_process_group(group, Signal::KILL);
    }
    for folder in &registry.folders {
        let _ = std::fs::remove_dir_all(folder);
    }
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

/// A temporary folder, removed when it is dropped and when a signal ends the program.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(Option<tempfile::TempDir>);

impl TemporaryFolder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let mut registry = registry();
        let folder = tempfile::Builder::new().prefix("flatmk-").tempdir()?;
        registry.folders.push(folder.path().to_owned());
        Ok(Self(Some(folder)))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), tempfile::TempDir::path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let path = self.path().to_owned();
        self.0 = None;
        registry().folders.retain(|folder| *folder != path);
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
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &terminal);
        }
    }
}
