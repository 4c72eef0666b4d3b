//! The fast path of notifications, beside that of calls ([`ipc::fast_path`](crate::ipc::fast_path)): a signal after which the caller goes on, and a wait
//! without time-out.
//!
//! As there: lists of checks, each of which gives up with nothing changed; after the last one nothing can fail.

use core::arch::global_asm;
use core::mem::offset_of;

use flatmk_abi::{Kind, NO_TIMEOUT, Operation, Rights};

use super::notification::NotificationRef;
use crate::arch::syscall::USER_STACK;
use crate::task::scheduler;
use crate::task::{Context, State, Task, TaskRef};

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
global_asm!(
    "
    .balign 64
    .global further_fast_entry
further_fast_entry:                 # the fast path of calls comes here with what is not its own
    cmp rsi, {signal_operation}
    je 2f
    cmp rsi, {wait_operation}
    je 3f
    jmp syscall_slow

    # Both operations have one argument. Whoever goes on later finds its registers saved.
    .macro call_short function, operation
    push rcx
    push r11
    push rdi
    push rdx
    mov rsi, rdx
    call \\function
    cmp rax, {go_on}
    je 4f
    ja 5f
    pop rdx                         # not this way: everything as it came
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
    xor eax, eax
    xor r10d, r10d
    xor r8d, r8d
    xor r9d, r9d
    xor edi, edi
    xor esi, esi
    sysretq

    # Another task goes on. rax: that task; rdx: the caller.
5:  mov rcx, [rsp + 24]
    mov r11, [rsp + 16]
    mov [rdx + {rbx}], rbx
    mov [rdx + {rbp}], rbp
    mov [rdx + {r12}], r12
    mov [rdx + {r13}], r13
    mov [rdx + {r14}], r14
    mov [rdx + {r15}], r15
    mov [rdx + {rip_}], rcx
    mov [rdx + {rflags}], r11
    mov rcx, [rip + {user_stack}]
    mov [rdx + {rsp_}], rcx
    jmp resume_task
    ",
    signal = sym signal,
    wait = sym wait,
    go_on = const GO_ON,
    signal_operation = const Operation::Signal as u64,
    wait_operation = const Operation::Wait as u64,
    user_stack = sym USER_STACK,
    rbx = const offset_of!(Task, context) + offset_of!(Context, rbx),
    rbp = const offset_of!(Task, context) + offset_of!(Context, rbp),
    rsp_ = const offset_of!(Task, context) + offset_of!(Context, rsp),
    r12 = const offset_of!(Task, context) + offset_of!(Context, r12),
    r13 = const offset_of!(Task, context) + offset_of!(Context, r13),
    r14 = const offset_of!(Task, context) + offset_of!(Context, r14),
    r15 = const offset_of!(Task, context) + offset_of!(Context, r15),
    rip_ = const offset_of!(Task, context) + offset_of!(Context, rip),
    rflags = const offset_of!(Task, context) + offset_of!(Context, rflags),
);
// ANCHOR_END: stub

unsafe extern "C" {
    pub(crate) fn further_fast_entry();
}
