//! The fast path of notifications, beside that of calls ([`ipc::fast_path`](crate::ipc::fast_path)): a signal after which the caller goes on, and a wait
//! without time-out.
//!
//! As there: lists of checks, each of which gives up with nothing changed; after the last one nothing can fail.

use flatmk_abi::{Kind, NO_TIMEOUT, Operation, Rights};

use super::notification::NotificationRef;
use crate::arch::syscall::stub;
use crate::task::scheduler;
use crate::task::{State, TaskRef};

/// What the stub needs to know: how it goes on, and a word.
#[repr(C)]
struct Outcome {
    /// [`GIVE_UP`], [`GO_ON`], or the task to go on with, by address.
    next: u64,
    /// Where the caller goes on, its result; where another task does, the caller, by address.
    word: u64,
}

/// Not this way.
const GIVE_UP: Outcome = Outcome { next: 0, word: 0 };

/// The caller goes on.
const GO_ON: u64 = 1;

/// The notification that a capability of the current task leads to: one of the first 64 of its own table, with this right.
#[inline(always)]
fn find(task: TaskRef, pointer: u64, right: Rights) -> Option<NotificationRef> {
    let slot = task.table().near(pointer)?;
    if slot.is(Kind::Notification, right) { NotificationRef::of(slot).ok() } else { None }
}

// ANCHOR: signal
extern "C" fn signal(pointer: u64, bits: u64) -> Outcome {
    let task = scheduler::current();
    // The capability is a notification that may be signalled,
    let Some(notification) = find(task, pointer, Rights::WRITE) else { return GIVE_UP };
    // with some bits,
    if bits == 0 {
        return GIVE_UP;
    }
    let Some(waiter) = notification.waiters.first.get() else {
        notification.bits.set(notification.bits.get() | bits);
        return Outcome { next: GO_ON, word: 0 };
    };
    // and whoever waits for it waits without time-out, and is no more urgent.
    if waiter.scheduling.timer.is_queued() || waiter.scheduling.priority.get() > task.scheduling.priority.get() {
        return GIVE_UP;
    }
    // From here on nothing can fail. While somebody waits there are no bits.
    notification.waiters.pop();
    waiter.scheduling.notification.set(None);
    waiter.context.set_result(Ok([bits, 0, 0, 0]));
    scheduler::make_ready(waiter);
    Outcome { next: GO_ON, word: 0 }
}
// ANCHOR_END: signal

// ANCHOR: wait
extern "C" fn wait(pointer: u64, timeout_ns: u64) -> Outcome {
    let task = scheduler::current();
    // The capability is a notification for which the task may wait.
    let Some(notification) = find(task, pointer, Rights::READ) else { return GIVE_UP };
    let bits = notification.bits.take();
    if bits != 0 {
        return Outcome { next: GO_ON, word: bits };
    }
    // There is no time-out,
    if timeout_ns != NO_TIMEOUT {
        return GIVE_UP;
    }
    // and somebody else is ready.
    let Some(next) = scheduler::take_ready() else { return GIVE_UP };
    // From here on nothing can fail.
    notification.waiters.push(task);
    task.scheduling.notification.set(Some(notification));
    task.state.set(State::Blocked);
    scheduler::switch(task, next);
    Outcome { next: next.as_ptr() as u64, word: task.as_ptr() as u64 }
}
// ANCHOR_END: wait

// ANCHOR: stub
stub!(
    "
    .balign 64
    .global further_fast_entry
further_fast_entry:
    # The fast path of calls comes here with what is not its own. These two operations are, each without flags.
    cmp rsi, {signal_operation}
    je 2f
    cmp rsi, {wait_operation}
    je 3f
    jmp syscall_slow

    # Both operations have one argument.
    .macro call_short function, operation
    # Where the caller goes on, with which flags, and its arguments.
    push rcx
    push r11
    push rdi
    push rdx
    mov rsi, rdx                    # the argument, where Rust expects it
    call \\function                 # the checks, and what is to be done
    # Who goes on: the caller, another task, or nobody yet?
    cmp rax, {go_on}
    je 4f
    ja 5f
    # Not this way: everything as it came.
    pop rdx
    pop rdi
    pop r11
    pop rcx
    mov esi, \\operation
    jmp syscall_slow
    .endm

2:  call_short {signal}, {signal_operation}
3:  call_short {wait}, {wait_operation}

    # The caller goes on. rdx: its result.
4:  mov rcx, [rsp + 24]
    mov r11, [rsp + 16]
    mov rsp, [rip + {user_stack}]
    xor eax, eax                    # the status: no error
    # Nothing of the kernel's is left in a register.
    xor r10d, r10d
    xor r8d, r8d
    xor r9d, r9d
    xor edi, edi
    xor esi, esi
    leave_by_sysret                 # to rcx, with the flags in r11

    # Another task goes on. rax: that task; rdx: the caller, where its registers go: all that it is promised to keep, and where it goes on.
5:  mov rcx, [rsp + 24]
    mov r11, [rsp + 16]
    save_task rdx
    jmp resume_task                 # loads those of the other
    ",
    signal = sym signal,
    wait = sym wait,
    go_on = const GO_ON,
    signal_operation = const Operation::Signal as u64,
    wait_operation = const Operation::Wait as u64,
);
// ANCHOR_END: stub

unsafe extern "C" {
    pub(crate) fn further_fast_entry();
}
