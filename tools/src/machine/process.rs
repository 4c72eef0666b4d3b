//! Processes that this program starts, emulators above all: each the leader of a group of its own, which never outlives this program.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::cleanup::ListedGroup;

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    state: State,
}

#[derive(Debug)]
enum State {
    Runs(ListedGroup),
    /// The number of its group may belong to somebody else by now.
    Ended(ExitStatus),
}

impl Process {
    /// Starts a program in a process group of its own. It ends with the thread that starts it.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        command.process_group(0);
        // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may be called: this one is a
        // single system call.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = command.spawn()?;
        let group = ListedGroup::new(Pid::from_child(&child));
        Ok(Self { child, state: State::Runs(group) })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Asks it to stop. Its end has to be awaited.
    pub(super) fn interrupt(&self) {
        if matches!(self.state, State::Runs(_)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        }
    }

    /// The status, if the process has ended.
    pub(super) fn try_wait(&mut self) -> Option<ExitStatus> {
        if let State::Ended(status) = self.state {
            return Some(status);
        }
        let status = self.child.try_wait().ok().flatten()?;
        self.state = State::Ended(status);
        Some(status)
    }

    /// Waits for its end. There is no status if the kernel does not know of it any more.
    pub(crate) fn wait(&mut self) -> Option<ExitStatus> {
        if let State::Runs(_) = self.state
            && let Ok(status) = self.child.wait()
        {
            self.state = State::Ended(status);
        }
        self.try_wait()
    }

    /// Ends the group, if it still runs.
    pub(crate) fn kill(&mut self) {
        if let State::Runs(group) = &self.state {
            group.kill();
            self.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last bytes of a stream, however long it is; read by a thread of its own.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Arc<Mutex<Option<thread::JoinHandle<()>>>>,
}

const TAIL_BYTES: usize = 256 * 1024;

impl Tail {
    pub(super) fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut part = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut part) {
                let mut bytes = writer.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend(part.get(..count).unwrap_or_default());
                if let Some(excess @ TAIL_BYTES..) = bytes.len().checked_sub(TAIL_BYTES) {
                    bytes.drain(..excess);
                }
            }
        });
        Self { bytes, reader: Arc::new(Mutex::new(Some(reader))) }
    }

    /// What there is now.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// What there is at the end of the stream. Waits for it: the process must have ended.
    pub(super) fn finish(&self) -> String {
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = reader.join();
        }
        self.text()
    }
}
