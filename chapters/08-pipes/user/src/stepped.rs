//! What happens between any two instructions of an end: the other end changes what it reads. How steps are taken is here, too.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{FaultAnswer, FaultReason, MissingCapability, Words};
use flatmk_pipe::{Error, HEADER_BYTES};
use flatmk_runtime::object::{Endpoint, Task};
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::{at, end_thread, idle, make_thread, prepare_stack, thread_slot, yield_once};
use crate::hostile::POSITION;
use crate::servers::{Server, start_server, thread_address};
use crate::stage::{CONSUMER, CONSUMER_AREA, CONSUMER_BELL, MANY_PAGES, PRODUCER_AREA, PRODUCER_BELL, with_daemon};

pub(crate) const TESTS: &[Test] = tests![
    a_length_that_changes_at_any_instruction_is_read_once,
    a_position_that_changes_at_any_instruction_is_an_item_or_corrupt,
];

/// The threads: who handles the breakpoints, and who reads.
pub(crate) const HANDLER: u64 = 0;
const VICTIM: u64 = 1;

/// Before which instruction something happens, and how many were executed; how often there was a breakpoint.
static MOMENT: AtomicU64 = AtomicU64::new(0);
pub(crate) static STEPS: AtomicU64 = AtomicU64::new(0);
static BREAKPOINTS: AtomicU64 = AtomicU64::new(0);

/// What happens: a word is written at an address, or, where that is 0, this task is stopped.
static TASK: AtomicU64 = AtomicU64::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
static VALUE: AtomicU32 = AtomicU32::new(0);

/// From the first breakpoint to the second it goes step by step.
fn step(_: u64, message: &mut Words) {
    let [reason, ..] = *message;
    let answer =
        match FaultReason::from_number(reason) {
            Some(FaultReason::Breakpoint) if BREAKPOINTS.fetch_add(1, Relaxed) == 1 => FaultAnswer::Resume,
            Some(FaultReason::Breakpoint | FaultReason::Debug) => {
                if STEPS.fetch_add(1, Relaxed) == MOMENT.load(Relaxed) { interfere() } else { FaultAnswer::Step }
            }
            // The test does not find what it expects then.
            _ => FaultAnswer::Stop,
        };
    *message = [answer as u64, 0, 0, 0];
}

service!(pub(crate) fn step_entry = step);

fn interfere() -> FaultAnswer {
    let address = ADDRESS.load(Relaxed);
    if address == 0 {
        // The kernel says nothing of it, as it would if this were the answer: to show that on the screen takes longer than all the rest.
        Task(TASK.load(Relaxed)).stop().expect("it waits for the answer");
        return FaultAnswer::Stop;
    }
    // SAFETY: the test has mapped it, and the word is in shared memory, which is read as such.
    unsafe { with_exposed_provenance_mut::<u32>(address as usize).write_volatile(VALUE.load(Relaxed)) };
    FaultAnswer::Step
}

/// Gets ready for a moment. The steps are taken by `task`.
pub(crate) fn prepare(task: Task, handler: Server, moment: u64, (address, value): (u64, u32)) {
    MOMENT.store(moment, Relaxed);
    STEPS.store(0, Relaxed);
    BREAKPOINTS.store(0, Relaxed);
    TASK.store(task.0, Relaxed);
    ADDRESS.store(address, Relaxed);
    VALUE.store(value, Relaxed);
    task.set_fault_handler(Some(Endpoint(handler.near())), MissingCapability::IsError).expect("it may be called");
}

fn breakpoint() {
    // SAFETY: a fault handler lets the task go on.
    unsafe { asm!("int3") }
}

/// Steps are taken from one breakpoint to the other.
pub(crate) fn in_steps<R>(act: impl FnOnce() -> R) -> R {
    breakpoint();
    let result = act();
    breakpoint();
    result
}

/// What the victim has found: a length or the error.
static OUTCOME: AtomicU64 = AtomicU64::new(PENDING);
const PENDING: u64 = u64::MAX;
const CORRUPT: u64 = 1 << 40;
const OTHER_ERROR: u64 = 2 << 40;
const WROTE_BEHIND_THE_FRAME: u64 = 3 << 40;

/// Receives a frame, step by step.
extern "C" fn receive_a_frame(_: u64) {
    const FILLER: u8 = 0xee;
    let mut consumer = ConsumerEnd(Endpoint(CONSUMER)).open_frames(CONSUMER_AREA, CONSUMER_BELL).expect("a new end");
    let mut frame = [FILLER; PAGE_SIZE as usize];
    let outcome = in_steps(|| consumer.pop(&mut frame));
    let outcome = match outcome {
        Ok(length) if frame.iter().skip(length).any(|&byte| byte != FILLER) => WROTE_BEHIND_THE_FRAME,
        Ok(length) => length as u64,
        Err(Error::Corrupt) => CORRUPT,
        Err(_) => OTHER_ERROR,
    };
    ConsumerEnd::close_frames(consumer).expect("the daemon is there");
    OUTCOME.store(outcome, Relaxed);
    idle(Task(at(thread_slot(VICTIM))))
}

/// The length of the first frame, and the number of words of the two that are in the pipe.
pub(crate) const LENGTH: u64 = 100;
const WORDS: u64 = 14 + 6;

/// Lets a thread receive a frame, again and again; each time an instruction later a word is changed. `is_right` is asked what may be found.
fn change_at_any_instruction(address: u64, value: u32, is_right: impl Fn(u64) -> bool) -> [bool; 2] {
    let mut found = [false; 2];
    with_daemon(MANY_PAGES, |daemon| {
        let handler = start_server(HANDLER, step_entry, 0);
        for moment in 0.. {
            let (producer, _) = daemon.create_pipe(1);
            let mut producer = producer.open_frames(PRODUCER_AREA, PRODUCER_BELL).expect("a new end");
            assert_eq!(producer.push(&[1; LENGTH as usize]), Ok(()));
            assert_eq!(producer.push(&[2; 40]), Ok(()));
            OUTCOME.store(PENDING, Relaxed);
            let task = make_thread(VICTIM, prepare_stack(VICTIM, receive_a_frame, 0));
            prepare(task, handler, moment, (address, value));
            task.start(thread_address(), 0).expect("a configured task can be started");
            while OUTCOME.load(Relaxed) == PENDING {
                yield_once();
            }
            let outcome = OUTCOME.load(Relaxed);
            assert!(outcome == LENGTH || is_right(outcome), "{outcome:#x} after {moment} instructions");
            let [is_unchanged, is_changed] = &mut found;
            *if outcome == LENGTH { is_unchanged } else { is_changed } = true;
            ProducerEnd::close_frames(producer).expect("the daemon is there");
            end_thread(VICTIM);
            if STEPS.load(Relaxed) <= moment {
                assert!(moment > 20, "it takes more instructions");
                break;
            }
        }
        handler.end();
    });
    found
}

fn a_length_that_changes_at_any_instruction_is_read_once() {
    let header = PRODUCER_AREA + 2 * PAGE_SIZE;
    let most = (WORDS - 1) * 8;
    let whole_page = PAGE_SIZE as u32;
    for length in [0, 99, most as u32, most as u32 + 1, whole_page - HEADER_BYTES as u32, whole_page, u32::MAX] {
        let right = if u64::from(length) <= most { length.into() } else { CORRUPT };
        let found = change_at_any_instruction(header, length, |outcome| outcome == right);
        assert_eq!(found, [true; 2], "it is changed before it is read, and behind");
    }
}

fn a_position_that_changes_at_any_instruction_is_an_item_or_corrupt() {
    let capacity = PAGE_SIZE as u32 / 8;
    for position in [capacity + 1, u32::MAX, 1 << 31, 1] {
        let found = change_at_any_instruction(PRODUCER_AREA + POSITION, position, |outcome| outcome == CORRUPT);
        assert_eq!(found, [true; 2], "it is changed before it is read, and behind");
    }
    // Nothing is there yet.
    let found = change_at_any_instruction(PRODUCER_AREA + POSITION, 0, |outcome| outcome == OTHER_ERROR);
    assert_eq!(found, [true; 2], "it is changed before it is read, and behind");
}
