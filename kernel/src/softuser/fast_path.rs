//! The fast path of calls to RISC-V code, beside that of other calls ([`ipc::fast_path`](crate::ipc::fast_path)): from native code to a task that is ready for
//! it or to the caller's own code, and the return from there.
//!
//! As there: lists of checks, each of which gives up with nothing changed; after the last one nothing can fail.

use flatmk_abi::{Kind, Rights, SOFTUSER_ENTRY, Words};
use flatmk_softuser::engine::Hart;

use super::part::Hardware;
use super::registers::{begin, words};
use super::run::{TRAP_FLAG, go_on};
use super::system_call::system_call;
use super::way::forget_way;
use crate::arch;
use crate::scheduling::lend;
use crate::task::{State, TaskRef, USER_FLAGS, Way, floating_point, scheduler};

// ANCHOR: call
/// Called by the stub with a call that is not one to native code. Returns only where the call does not go this way.
pub(crate) extern "C" fn call(pointer: u64, _operation: u64, a: u64, b: u64, c: u64, d: u64) {
    let caller = scheduler::current();
    // The capability is one of the first 64 of the caller's own table, an endpoint of RISC-V code that may be called,
    let Some(endpoint) = caller.table().near(pointer).filter(|slot| slot.is(Kind::SoftuserEndpoint, Rights::CALL))
    else {
        return;
    };
    // its task has what it needs to run that,
    let Some((callee, mut hardware)) =
        TaskRef::of(endpoint).ok().and_then(|callee| Some((callee, callee.softuser.hardware()?)))
    else {
        return;
    };
    // and it is the caller, or has nothing else to do.
    if callee == caller {
        // One that is executed in single steps is not this way.
        if caller.context.rflags.get() & TRAP_FLAG != 0 {
            return;
        }
        // From here on nothing can fail.
        caller.context.entered_from.set(caller.context.rip.get());
    } else if callee.state() == State::Accepting {
        callee.context.rflags.set(USER_FLAGS);
        caller.state.set(State::Calling);
        caller.calls.set_callee(Some(callee));
        callee.calls.set_caller(Some(caller));
        lend(caller, callee);
        scheduler::switch(caller, callee);
    } else {
        return;
    }
    callee.context.way.set(Way::Softuser);
    // SAFETY: the hart is the task's own, and the task does not run elsewhere.
    let hardware: &mut Hardware = unsafe { hardware.as_mut() };
    begin(hardware, endpoint.word::<1>(), [a, b, c, d], 0);
    hardware.hart.set_pc((endpoint.word::<0>() & !SOFTUSER_ENTRY) as u32);
    // While the kernel traces nobody comes here, and nobody begins to trace until the code stops.
    arch::syscall::resume(go_on(callee, hardware, system_call))
}
// ANCHOR_END: call

// ANCHOR: return
/// The current task, whose hart has stopped at the system call, returns. Returns the task to go on with; `None`: not this way.
#[inline(always)]
pub(super) fn return_to_caller(task: TaskRef, hart: &Hart) -> Option<TaskRef> {
    let context = &task.context;
    let entered_from = context.entered_from.get();
    if entered_from != 0 {
        // The task's own native code waits. From here on nothing can fail.
        context.entered_from.set(0);
        context.rip.set(entered_from);
        return Some(answer(task, words(hart)));
    }
    // Nobody waits for the task, and no interrupt does; somebody waits for the answer, who has called from native code.
    let caller = task.calls.only_caller().filter(|caller| caller.state() == State::Calling)?;
    // From here on nothing can fail.
    task.state.set(State::Accepting);
    task.calls.set_caller(None);
    caller.calls.set_callee(None);
    forget_way(context);
    // Native code of this task may have left it in the registers.
    floating_point::put_away();
    scheduler::switch(task, caller);
    Some(answer(caller, words(hart)))
}

/// Native code goes on with an answer.
#[inline(always)]
fn answer(task: TaskRef, answer: Words) -> TaskRef {
    task.context.way.set(Way::Returned);
    task.context.set_result(Ok(answer));
    task
}
// ANCHOR_END: return
