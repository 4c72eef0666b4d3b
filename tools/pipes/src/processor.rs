//! Where threads run, and what time it is.

use std::fs;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The processor cores that the experiment uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Both ends run here, or the producer.
    pub first: usize,
    /// The consumer runs here, where there is another one.
    pub second: Option<usize>,
}

impl Cores {
    /// The first core that this program may use, and the next one that is not only another thread of it, if there is any. Without such a one it is a thread of the
    /// same core, as far as is known, which is said on stderr.
    ///
    /// # Errors
    ///
    /// If the kernel does not say which there are.
    pub fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
        let first = allowed.next().ok_or(io::ErrorKind::NotFound)?;
        let others: Vec<usize> = allowed.collect();
        let threads = threads_of(first);
        let apart = others.iter().find(|&&cpu| threads_of(cpu) != threads);
        let second = apart.or(others.first()).copied();
        if let (None, Some(second)) = (apart, second) {
            eprintln!(
                "no other core is known: two cores are {first} and {second} here, maybe two threads of the same one"
            );
        }
        Ok(Self { first, second })
    }
}

/// The list of the processors that are threads of the same core, as the kernel writes it; nothing where it does not.
fn threads_of(cpu: usize) -> Option<String> {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")).ok()
}

/// Keeps this thread on a core.
///
/// # Errors
///
/// If it may not run there.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// The time in nanoseconds, the same for all processes.
#[must_use]
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // It is counted from when the machine was started.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How many times this thread has left its core so far, by its own wish or not.
pub(crate) fn switches() -> u64 {
    // SAFETY: all zeros are valid, and the kernel writes nothing but this.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0, "a thread may ask about itself");
        usage
    };
    (usage.ru_nvcsw + usage.ru_nivcsw) as u64
}
