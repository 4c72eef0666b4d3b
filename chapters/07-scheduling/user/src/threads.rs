//! Threads with priorities, and a log of what they do.
//!
//! The test itself is the root task, the most urgent of all: the threads run while it sleeps.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use flatmk_abi::{Error, Kind, Rights, Words};
use flatmk_runtime::object::{Endpoint, Notification, OWN_TABLE, OWN_TASK, Task};
use flatmk_runtime::time_stamp;

use crate::calibration::at_least_ms;
use crate::harness::{
    FIRST_FREE, SCRATCH, THREADS, at, make, make_thread, prepare_stack, stack_top, thread_entry, thread_slot,
    with_scratch,
};

/// A millisecond, in nanoseconds.
pub(crate) const MS: u64 = 1_000_000;

/// The slots of the scratch table for other objects of a test.
pub(crate) const OBJECT: u64 = 1;

/// Runs a test with an empty log. Everything that it makes goes afterwards.
pub(crate) fn on_stage(test: impl FnOnce()) {
    with_scratch(|| {
        LOGGED.store(0, Relaxed);
        test();
        // Endpoints are in other tables, too.
        (0..THREADS).for_each(|thread| SCRATCH.revoke(thread_slot(thread)).unwrap_or_default());
    });
}

/// The task of a thread.
pub(crate) const fn task(thread: u64) -> Task {
    Task(at(thread_slot(thread)))
}

/// Lets the others run for some milliseconds.
pub(crate) fn let_run(milliseconds: u64) {
    OWN_TASK.sleep(milliseconds * MS).expect("a task may sleep");
}

/// Makes a thread that will run `body(argument)`, with this priority. It is not started.
pub(crate) fn prepare(thread: u64, priority: u8, body: extern "C" fn(u64), argument: u64) -> Task {
    let task = make_thread(thread, prepare_stack(thread, body, argument));
    task.set_priority(priority).expect("the root task is the most urgent");
    task
}

/// The address at which threads begin.
pub(crate) fn entry() -> u64 {
    thread_entry as *const () as u64
}

/// Starts a thread that runs `body(argument)`.
pub(crate) fn start(thread: u64, priority: u8, body: extern "C" fn(u64), argument: u64) -> Task {
    let task = prepare(thread, priority, body, argument);
    task.start(entry(), 0).expect("a configured task can be started");
    task
}

/// The end of a thread: it stops itself.
pub(crate) fn finish(thread: u64) {
    task(thread).stop().expect("a task may stop itself");
}

/// A thread that does nothing, for ever.
pub(crate) extern "C" fn spin(_: u64) {
    loop {
        core::hint::spin_loop();
    }
}

/// The end of a server's start: from now on it runs when it is called.
#[unsafe(naked)]
pub(crate) extern "C" fn finish_start() {
    naked_asm!("call {finish}", finish = sym flatmk_runtime::finish_start)
}

/// Where the endpoint of a server is: in this program's table, for the fast path,
pub(crate) const fn near(thread: u64) -> Endpoint {
    Endpoint(FIRST_FREE + 1 + thread)
}

/// and in the scratch table, for the slow one.
pub(crate) const fn far(thread: u64) -> Endpoint {
    Endpoint(at(20 + thread))
}

/// Makes a server. It has not been started.
pub(crate) fn make_server(thread: u64, priority: u8, entry: extern "C" fn(), context: u64) -> Task {
    let task = make_thread(thread, stack_top(thread));
    task.set_priority(priority).expect("the root task is the most urgent");
    task.make_endpoint(entry, context, OWN_TABLE, near(thread).0).expect("a free slot");
    task.make_endpoint(entry, context, SCRATCH, 20 + thread).expect("a free slot");
    task
}

/// Starts a server, and waits until it can be called.
pub(crate) fn serve(thread: u64, priority: u8, entry: extern "C" fn(), context: u64) -> Task {
    let task = make_server(thread, priority, entry, context);
    start_server(task);
    task
}

/// Starts a server that was made before.
pub(crate) fn start_server(task: Task) {
    task.start(finish_start as *const () as u64, 0).expect("a configured task can be started");
    let_run(1);
}

/// Makes a notification in a slot of the scratch table.
pub(crate) fn notification(slot: u64) -> Notification {
    Notification(make(Kind::Notification, slot))
}

/// The status of an error, as threads note it.
pub(crate) fn status(error: Error) -> u64 {
    error.status().cast_unsigned()
}

/// Word 0 of a result, or the status.
pub(crate) fn outcome(result: Result<Words, Error>) -> u64 {
    result.map_or_else(status, |[word, ..]| word)
}

const LOG_LENGTH: usize = 1024;
static LOG: [AtomicU64; LOG_LENGTH] = [const { AtomicU64::new(0) }; LOG_LENGTH];
static LOGGED: AtomicUsize = AtomicUsize::new(0);

/// Notes that something has happened.
pub(crate) fn log(event: u64) {
    let index = LOGGED.fetch_add(1, Relaxed);
    LOG.get(index).expect("the log is long enough").store(event, Relaxed);
}

/// What has happened since the log was last taken.
pub(crate) fn logged() -> impl Iterator<Item = u64> + Clone {
    LOG.iter().take(LOGGED.load(Relaxed)).map(|entry| entry.load(Relaxed))
}

/// The same; the log is empty afterwards.
pub(crate) fn take_log() -> impl Iterator<Item = u64> + Clone {
    let found = logged();
    LOGGED.store(0, Relaxed);
    found
}

/// Checks what has happened since the log was last taken.
#[track_caller]
pub(crate) fn check_log(expected: &[u64]) {
    let found = take_log();
    let is_equal = found.clone().eq(expected.iter().copied());
    assert!(is_equal, "the log is {:?}, and not {expected:x?}", Hex(found));
}

struct Hex<I>(I);

impl<I: Iterator<Item = u64> + Clone> core::fmt::Debug for Hex<I> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_list().entries(self.0.clone().map(|event| event.cast_signed())).finish()
    }
}

/// A number that threads and test share.
pub(crate) static SHARED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// One of these numbers.
pub(crate) fn shared(index: u64) -> &'static AtomicU64 {
    SHARED.get(index as usize).expect("there are so many")
}

/// Computes until so much time has passed, whoever it belonged to.
pub(crate) fn pass_ms(milliseconds: u64) {
    let end = time_stamp() + at_least_ms(milliseconds);
    while time_stamp() < end {}
}

/// Computes for so long, not counting the time of others.
pub(crate) fn work_ms(milliseconds: u64) {
    // The kernel takes less for a tick, others take more when they run.
    let gap = at_least_ms(1) / 2;
    let (mut left, mut last) = (at_least_ms(milliseconds), time_stamp());
    while left > 0 {
        let now = time_stamp();
        if now - last < gap {
            left = left.saturating_sub(now - last);
        }
        last = now;
    }
}

/// Rights to everything.
pub(crate) const ALL: Rights = Rights::all();
