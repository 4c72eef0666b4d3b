//! What the tests with another process have in common.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use flatmk_pipes::{Barrier, End, Mapping, Patience, SharedMemory, SocketBell};

/// How a process dies in the step that it was told.
pub(crate) const SIGKILL: i32 = 9;

/// Enough for some items, so that it is full again and again.
pub(crate) const SIZE_BYTES: usize = 4096;

/// As the other process has it.
pub(crate) const ITEMS: u64 = 20_000;

/// The other process, and what this one needs for its own end.
pub(crate) struct Other {
    pub(crate) child: Child,
    pub(crate) mapping: Mapping,
    bell: Option<SocketBell>,
}

impl Other {
    /// Starts the other process with this task, in which it may die in a certain step. This one has the other end.
    pub(crate) fn start(task: &str, step: u32) -> Self {
        let memory = SharedMemory::new(SIZE_BYTES).expect("the kernel gives shared memory");
        let (socket, theirs) = UnixStream::pair().expect("the kernel gives sockets");
        let file = memory.file().try_clone_to_owned().expect("the kernel gives one more");
        // The name has no hyphen: a shell between cargo and the compiler would drop such a variable.
        let child = Command::new(env!("CARGO_BIN_EXE_pipes_test_peer"))
            .args([task, &SIZE_BYTES.to_string(), &step.to_string()])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(file))
            .spawn()
            .expect("the program is there");
        let own = if task.starts_with("produce") { End::Consumer } else { End::Producer };
        let mapping = memory.map(own).expect("the kernel gives shared memory");
        // It has not asked for less than this one.
        let bell = SocketBell::new(socket, Barrier::between_processes(), Patience::Spin(0));
        Self { child, mapping, bell: Some(bell) }
    }

    /// This one's side of the bell.
    pub(crate) fn bell(&mut self) -> SocketBell {
        self.bell.take().expect("there is one end only")
    }

    /// Waits until it has gone to sleep, or has ended.
    pub(crate) fn wait_until_stuck(&mut self, end: End) {
        // SAFETY: the page is mapped. The word is how many times its end has gone to sleep.
        let sleeps = unsafe { self.mapping.page(end).cast::<u8>().add(128).cast::<AtomicU32>().as_ref() };
        while sleeps.load(Ordering::Relaxed) == 0 && self.child.try_wait().expect("it is a child").is_none() {
            std::thread::yield_now();
        }
    }

    /// Whether it has died as it was to; otherwise it must have come to its end with nothing wrong.
    pub(crate) fn has_died(&mut self) -> bool {
        let status = self.child.wait().expect("it is a child of this program");
        assert!(status.success() || status.signal() == Some(SIGKILL), "{status}");
        !status.success()
    }

    /// The signal that has ended it, if one has.
    pub(crate) fn signal(&mut self) -> Option<i32> {
        self.child.wait().expect("it is a child of this program").signal()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The frames that the other process sends and expects.
pub(crate) fn frame(item: u64) -> Vec<u8> {
    (0..item % 201).map(|index| (item + index) as u8).collect()
}
