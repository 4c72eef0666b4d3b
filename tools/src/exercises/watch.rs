//! Changes in a working copy, to be waited for.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// For how long nothing must change before a change counts as done.
const QUIET: Duration = Duration::from_millis(300);

/// Folders that are watched.
pub struct Watch {
    changes: Receiver<notify::Result<()>>,
    /// It watches as long as it is there.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches these folders of a checkout, with all that is in them.
    ///
    /// # Errors
    ///
    /// If one is not there, or the system watches no more.
    pub fn new(checkout: &Path, folders: &[&str]) -> notify::Result<Self> {
        let (sender, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // A check reads what it builds, and that is no change.
            let change = event.map(|event| !event.kind.is_access());
            if change.as_ref().is_ok_and(|is_change| !is_change) {
                return;
            }
            // Nobody waits any more.
            let _ = sender.send(change.map(|_| ()));
        })?;
        for folder in folders {
            watcher.watch(&checkout.join(folder), RecursiveMode::Recursive)?;
        }
        Ok(Self { changes, _watcher: watcher })
    }

    /// Waits for a change, and until there are no more of them; at most so long for the first. Tells whether there was one.
    ///
    /// # Errors
    ///
    /// If the system cannot watch.
    pub fn wait(&self, most: Option<Duration>) -> notify::Result<bool> {
        let first = match most {
            Some(most) => self.changes.recv_timeout(most),
            None => self.changes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match first {
            Ok(change) => change?,
            Err(_) => return Ok(false),
        }
        while let Ok(change) = self.changes.recv_timeout(QUIET) {
            change?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MOMENT: Option<Duration> = Some(Duration::from_millis(500));
    const LONG: Option<Duration> = Some(Duration::from_secs(30));

    #[test]
    fn what_is_written_is_a_change_and_what_is_read_is_none() {
        let checkout = tempfile::tempdir().unwrap();
        let file = checkout.path().join("kernel/src/lib.rs");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "one").unwrap();
        let watch = Watch::new(checkout.path(), &["kernel"]).unwrap();
        assert!(!watch.wait(MOMENT).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        assert!(!watch.wait(MOMENT).unwrap(), "reading is no change");
        fs::write(&file, "two").unwrap();
        assert!(watch.wait(LONG).unwrap(), "writing is one");
        assert!(!watch.wait(MOMENT).unwrap(), "and one only");
        // As an editor does that writes another file first.
        fs::write(checkout.path().join("kernel/new"), "three").unwrap();
        fs::rename(checkout.path().join("kernel/new"), &file).unwrap();
        assert!(watch.wait(LONG).unwrap());
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_watched() {
        let checkout = tempfile::tempdir().unwrap();
        assert!(Watch::new(checkout.path(), &["kernel"]).is_err());
    }
}
