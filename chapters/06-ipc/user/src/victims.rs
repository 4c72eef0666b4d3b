//! Threads that fault, and the tasks that handle it.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{FaultAnswer, FaultReason, MissingCapability, Operation, Words};
use flatmk_runtime::object::{Endpoint, Task};
use flatmk_runtime::service;

use crate::harness::{at, make_thread, stack_top, thread_slot, yield_once};
use crate::servers::{Server, start_server};

/// The thread that faults, and the one that handles it.
pub(crate) const VICTIM: u64 = 6;
pub(crate) const HANDLER: u64 = 0;

/// The handler's context.
pub(crate) const CONTEXT: u64 = 0xfa_0175;

/// How often the victim has come to its end.
pub(crate) static DONE: AtomicU64 = AtomicU64::new(0);

/// How often the victim has come to its end since the last look.
pub(crate) fn times_done() -> u64 {
    DONE.swap(0, Relaxed)
}

/// The victim's own task.
pub(crate) const VICTIM_TASK: u64 = at(thread_slot(VICTIM));
pub(crate) const YIELD: u64 = Operation::Yield as u64;

/// Makes threads of instructions: they do it, count that it is done, and let the others run for ever.
macro_rules! victims {
    ($($(#[$attribute:meta])* $name:ident: $($line:literal),+;)+) => {$(
        $(#[$attribute])*
        #[unsafe(naked)]
        pub(crate) extern "C" fn $name() {
            core::arch::naked_asm!(
                $($line,)+
                "inc qword ptr [rip + {done}]",
                "2: mov edi, {task}",
                "mov esi, {operation}",
                "syscall",
                "jmp 2b",
                done = sym $crate::victims::DONE,
                task = const $crate::victims::VICTIM_TASK,
                operation = const $crate::victims::YIELD,
            )
        }
    )+};
}
pub(crate) use victims;

victims! {
    /// An instruction of two bytes that does not exist.
    undefined: "ud2";
    /// Reads what `rdi` points to: 3 bytes.
    reads: "mov rax, [rdi]";
}

/// The address of an instruction so many bytes behind the beginning of a thread.
pub(crate) fn address(entry: extern "C" fn(), offset: u64) -> u64 {
    entry as usize as u64 + offset
}

const LOG_LENGTH: usize = 32;

/// Context and message of each call to the handler.
static LOG: [[AtomicU64; 5]; LOG_LENGTH] = [const { [const { AtomicU64::new(0) }; 5] }; LOG_LENGTH];
static LOGGED: AtomicU64 = AtomicU64::new(0);

/// How many faults the handler has seen.
pub(crate) fn faults() -> u64 {
    LOGGED.load(Relaxed)
}

/// One of them, from 0: its message.
pub(crate) fn fault(index: u64) -> Words {
    assert!(index < faults(), "there was such a fault");
    let entry = LOG.get(index as usize).expect("the log is long enough");
    let [context, words @ ..] = entry.each_ref().map(|word| word.load(Relaxed));
    assert_eq!(context, CONTEXT, "the handler's own context");
    words
}

/// The reason of the last fault.
pub(crate) fn last_reason() -> Option<FaultReason> {
    let [reason, ..] = fault(faults() - 1);
    FaultReason::from_number(reason)
}

/// Notes a fault.
pub(crate) fn note(context: u64, &[a, b, c, d]: &Words) {
    let entry = LOG.get(LOGGED.fetch_add(1, Relaxed) as usize).expect("the log is long enough");
    entry.iter().zip([context, a, b, c, d]).for_each(|(place, word)| place.store(word, Relaxed));
}

pub(crate) fn forget_faults() {
    LOGGED.store(0, Relaxed);
    DONE.store(0, Relaxed);
}

/// What the handler answers.
static ANSWER: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Sets what the handler answers.
pub(crate) fn set_answer(answer: FaultAnswer, address: u64) {
    ANSWER[0].store(answer as u64, Relaxed);
    ANSWER[1].store(address, Relaxed);
}

fn answer_as_set(context: u64, message: &mut Words) {
    note(context, message);
    *message = [ANSWER[0].load(Relaxed), ANSWER[1].load(Relaxed), 0, 0];
}

service!(pub(crate) fn handle_entry = answer_as_set);

/// Lets the task go on behind an instruction of two bytes.
fn skip(context: u64, message: &mut Words) {
    note(context, message);
    let [.., rip] = *message;
    *message = [FaultAnswer::ResumeAt as u64, rip + 2, 0, 0];
}

service!(pub(crate) fn skip_entry = skip);

/// Starts a handler that answers what was set.
pub(crate) fn start_handler() -> Server {
    forget_faults();
    start_server(HANDLER, handle_entry, CONTEXT)
}

/// Starts one that lets the task go on behind the instruction.
pub(crate) fn start_skipper() -> Server {
    forget_faults();
    start_server(HANDLER, skip_entry, CONTEXT)
}

pub(crate) fn handle_faults_of(task: Task, handler: Server) {
    task.set_fault_handler(Some(Endpoint(handler.near())), MissingCapability::IsError).expect("an endpoint");
}

/// Starts a victim and lets it come to its fault.
pub(crate) fn start_victim(entry: extern "C" fn(), argument: u64, handler: Server) -> Task {
    let task = make_thread(VICTIM, stack_top(VICTIM));
    handle_faults_of(task, handler);
    task.start(address(entry, 0), argument).expect("a configured task can be started");
    yield_once();
    task
}

/// Whether a task is stopped: only then its page for floating-point state can be taken away, which none has here.
pub(crate) fn is_stopped(task: Task) -> bool {
    task.set_floating_point(None).is_ok()
}
