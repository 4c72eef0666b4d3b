//! What the tasks do.

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FLAG_NO_WAIT, FaultAnswer, Rights, WINDOW_SHIFT, Words, slots};
use flatmk_runtime::object::{Endpoint, OWN_TABLE, OWN_TASK, Reply};
use flatmk_runtime::service;

use crate::MS;
use crate::objects::{
    HANDLERS, KEPT_REPLY, NEAR, NEAR_ENDPOINTS, NOTIFICATIONS, OF_TASK, Random, TASKS, endpoint, has_floating_point,
    notification, task,
};

/// Set when nothing new is to be begun.
pub(crate) static DRAINING: AtomicU64 = AtomicU64::new(0);

/// What is counted.
pub(crate) const COUNTED: [&str; 8] =
    ["answers", "refused or broken calls", "windows", "kept replies", "faults", "signals taken", "stops", "starts"];
pub(crate) static COUNTS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

#[derive(Clone, Copy)]
enum Counted {
    Answers = 0,
    Errors,
    Windows,
    KeptReplies,
    Faults,
    SignalsTaken,
    Stops,
    Starts,
}

fn count(what: Counted) {
    COUNTS.get(what as usize).expect("each has a place").fetch_add(1, Relaxed);
}

/// How many calls of each task have not come back: 0 or 1. A task that begins anew has none.
static CALLING: [AtomicU64; TASKS as usize] = [const { AtomicU64::new(0) }; TASKS as usize];
/// The message of the call that each task has kept.
static KEPT: [AtomicU64; TASKS as usize] = [const { AtomicU64::new(0) }; TASKS as usize];

fn of(list: &'static [AtomicU64], task: u64) -> &'static AtomicU64 {
    list.get(task as usize).expect("there is one for each task")
}

/// How many calls are under way.
pub(crate) fn outstanding_calls() -> u64 {
    CALLING.iter().map(|calling| calling.load(Relaxed)).sum()
}

/// A task is gone.
pub(crate) fn forget(task: u64) {
    of(&CALLING, task).store(0, Relaxed);
}

/// The answer to a message.
fn answer_to(message: u64, server: u64) -> Words {
    [message ^ 0xa5a5, server, 0, 0]
}

/// The address at which a task begins that lives for a while before it serves.
pub(crate) fn live() -> u64 {
    live_entry as *const () as u64
}

#[unsafe(naked)]
extern "C" fn live_entry() {
    naked_asm!("call {live}", "ud2", live = sym live_for_a_while)
}

/// The address at which a task begins that only serves.
pub(crate) fn only_serve() -> u64 {
    serving_entry as *const () as u64
}

#[unsafe(naked)]
extern "C" fn serving_entry() {
    naked_asm!("call {begin}", "ud2", begin = sym begin_serving)
}

extern "C" fn begin_serving(argument: u64) {
    of(&CALLING, argument >> 32).store(0, Relaxed);
    flatmk_runtime::finish_start();
}

extern "C" fn live_for_a_while(argument: u64) {
    let (own, seed) = (argument >> 32, argument & 0xffff_ffff);
    of(&CALLING, own).store(0, Relaxed);
    let mut random = Random(seed << 10 | own | 1 << 63);
    let mut turns = 5 + random.below(40);
    while turns > 0 && DRAINING.load(Relaxed) == 0 {
        with_own_state(own, || act(own, &mut random));
        turns -= 1;
        rest(random.below(80 * MS));
    }
    flatmk_runtime::finish_start();
}

/// An error ends the rest: the task was stopped in it.
fn rest(time_ns: u64) {
    OWN_TASK.sleep(time_ns).unwrap_or_default();
}

/// Does something; a task with floating-point state has it afterwards.
fn with_own_state(own: u64, action: impl FnOnce()) {
    if !has_floating_point(own) {
        return action();
    }
    let number = own << 32 | 0x1234_5678;
    // SAFETY: the compiler uses no floating-point registers.
    unsafe { asm!("movq xmm7, {0}", "pinsrq xmm14, {0}, 1", in(reg) number, options(nomem, nostack)) };
    action();
    let (first, second): (u64, u64);
    // SAFETY: as above.
    unsafe {
        asm!("movq {}, xmm7", "pextrq {}, xmm14, 1", out(reg) first, out(reg) second, options(nomem, nostack));
    }
    assert_eq!((first, second), (number, number), "the state of task {own}");
}

/// One thing that a task can do.
fn act(own: u64, random: &mut Random) {
    let other = HANDLERS + random.below(TASKS - HANDLERS);
    match random.below(20) {
        0..=7 => call_somebody(own, random),
        8 => OWN_TASK.yield_now().unwrap_or_default(),
        9 | 10 => take(random),
        11 | 12 => {
            let bits = 1 << random.below(64);
            notification(OF_TASK, random.below(NOTIFICATIONS)).signal(bits).expect("it is there");
        }
        13 => {
            count(Counted::Faults);
            // SAFETY: the fault handler goes on behind it, or the task is stopped.
            unsafe { asm!("ud2") };
        }
        14 => {
            let is_stopped = task(OF_TASK, other).stop().is_ok();
            (0..u64::from(is_stopped)).for_each(|_| count(Counted::Stops));
        }
        15 => task(OF_TASK, other).resume().unwrap_or_default(),
        16 => {
            let entry = if random.below(2) == 0 { live() } else { only_serve() };
            if task(OF_TASK, other).start(entry, other << 32 | random.next() >> 32).is_ok() {
                count(Counted::Starts);
            }
        }
        17 => task(OF_TASK, other).set_priority(random.below(30) as u8).unwrap_or_default(),
        18 => (0..random.below(100_000)).for_each(|_| core::hint::spin_loop()),
        _ => rest(0),
    }
}

/// Waits for a notification, with a limit.
fn take(random: &mut Random) {
    let notification = notification(OF_TASK, random.below(NOTIFICATIONS));
    let taken = if random.below(4) == 0 { notification.poll() } else { notification.wait_for(random.below(30 * MS)) };
    match taken {
        Ok(0) | Err(Error::TimedOut | Error::Interrupted) => {}
        Ok(_) => count(Counted::SignalsTaken),
        Err(error) => panic!("a wait ended with {error:?}"),
    }
}

/// Calls another task, by the fast path or the slow one, perhaps with a capability in the window.
fn call_somebody(own: u64, random: &mut Random) {
    let callee = HANDLERS + random.below(TASKS - HANDLERS);
    let near = NEAR + random.below(NEAR_ENDPOINTS);
    let pointer = if random.below(2) == 0 { near } else { endpoint(OF_TASK, callee).0 };
    let mut flags = if random.below(4) == 0 { 0 } else { FLAG_NO_WAIT };
    let in_window = random.below(3) == 0;
    if in_window {
        let slot = random.below(slots::WINDOW_SLOTS);
        let source = notification(OF_TASK, random.below(NOTIFICATIONS)).0;
        // What has come with an earlier answer may be there still.
        OWN_TABLE.copy(slots::WINDOW + slot, source, Rights::all()).unwrap_or_default();
        flags |= 1 << (u64::from(WINDOW_SHIFT) + slot);
    }
    let message = random.next();
    of(&CALLING, own).store(1, Relaxed);
    let outcome = Endpoint(pointer).call_with_flags(flags, [message, u64::from(in_window), own, 0]);
    of(&CALLING, own).store(0, Relaxed);
    match outcome {
        Ok(([answer, server, ..], _)) => {
            assert_eq!([answer, server, 0, 0], answer_to(message, server), "the answer to another call");
            assert!(pointer == near || server == callee, "{server} has answered in place of {callee}");
            count(Counted::Answers);
            (0..u64::from(in_window)).for_each(|_| count(Counted::Windows));
        }
        Err(Error::UnknownOperation | Error::InvalidArgument | Error::WrongKind | Error::CalleeFaulted) => {
            panic!("a call ended with {outcome:?}")
        }
        Err(_) => count(Counted::Errors),
    }
    empty_window();
}

fn empty_window() {
    for slot in slots::WINDOW..slots::WINDOW + slots::WINDOW_SLOTS {
        OWN_TABLE.delete(slot).unwrap_or_default();
    }
}

/// Serves: does something itself, and answers; or keeps the capability to return for later.
fn serve(own: u64, message: &mut Words) {
    let [word, ..] = *message;
    of(&CALLING, own).store(0, Relaxed);
    let mut random = Random(word | 1);
    answer_kept(own);
    if DRAINING.load(Relaxed) == 0 {
        match random.below(8) {
            0 | 1 => with_own_state(own, || call_somebody(own, &mut random)),
            2 => rest(random.below(5 * MS)),
            3 => with_own_state(own, || act(own, &mut random)),
            4 => {
                of(&KEPT, own).store(word, Relaxed);
                if OWN_TABLE.move_here(KEPT_REPLY, slots::REPLY).is_ok() {
                    count(Counted::KeptReplies);
                }
            }
            _ => {}
        }
    }
    empty_window();
    *message = answer_to(word, own);
}

service!(pub(crate) fn serve_entry = serve);

/// Answers the call that was kept. Its caller may have been stopped or destroyed meanwhile.
fn answer_kept(own: u64) {
    let answer = answer_to(of(&KEPT, own).load(Relaxed), own);
    match Reply(KEPT_REPLY).reply(answer) {
        Ok(()) | Err(Error::InvalidCapability) => {}
        Err(error) => panic!("an answer was refused: {error:?}"),
    }
}

/// Lets a faulting task go on behind the instruction.
fn handle_fault(_: u64, message: &mut Words) {
    let [_, _, _, rip] = *message;
    *message = [FaultAnswer::ResumeAt as u64, rip + 2, 0, 0];
}

service!(pub(crate) fn handle_fault_entry = handle_fault);
