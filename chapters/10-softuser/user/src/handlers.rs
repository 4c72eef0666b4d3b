//! Handlers of guests' faults: native code that notes the message in the log, and answers as it was told.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{FaultAnswer, MissingCapability, Words};
use flatmk_runtime::object::{OWN_TABLE, Task};
use flatmk_runtime::service;

use crate::harness::{SCRATCH, thread_slot};
use crate::threads::{log, near, serve, task};

/// The thread of the handler.
pub(crate) const HANDLER: u64 = 9;

static ANSWER: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Sets what the handler answers.
pub(crate) fn set_answer(answer: FaultAnswer, address: u64) {
    ANSWER[0].store(answer as u64, Relaxed);
    ANSWER[1].store(address, Relaxed);
}

/// Lets the handler stop guest 0 itself: unlike with the answer that says so, the kernel does not report anything.
pub(crate) fn stop_quietly() {
    ANSWER[0].store(QUIETLY, Relaxed);
}

const QUIETLY: u64 = u64::MAX;

fn note_and_answer(_: u64, message: &mut Words) {
    message.iter().copied().for_each(log);
    if ANSWER[0].load(Relaxed) == QUIETLY {
        task(0).stop().expect("it waits for this handler");
    }
    *message = [ANSWER[0].load(Relaxed), ANSWER[1].load(Relaxed), 0, 0];
}

service!(fn note_and_answer_entry = note_and_answer);

/// Starts the handler, for a task.
pub(crate) fn handle_faults_of(task: Task) {
    serve(HANDLER, 30, note_and_answer_entry, 0);
    set_handler_of(task);
}

/// The handler, which was started, is that of a task, too.
pub(crate) fn set_handler_of(task: Task) {
    task.set_fault_handler(Some(near(HANDLER)), MissingCapability::IsError).expect("it is an endpoint");
}

/// Destroys a guest, or another thread with endpoints, with all that it had.
pub(crate) fn end_guest(thread: u64) {
    SCRATCH.revoke(thread_slot(thread)).expect("it is there");
    SCRATCH.delete(thread_slot(thread)).expect("it is there");
    OWN_TABLE.delete(near(thread).0).unwrap_or_default();
    crate::guest::take_pages(thread);
}
