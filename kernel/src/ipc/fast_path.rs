//! The fast path: a call to a task that is ready for it, and the return from it.
//!
//! Two lists of checks. Each check that fails gives up, with nothing changed, and the slow path ([`ipc`](super)) takes over. After the
//! last check nothing can fail: a few stores, and the stub goes straight to the other task. There is no lock here, no
//! reference count, no access to CR0 and none to a model-specific register; CR3 is written when the address space changes, once.

use core::mem::offset_of;
use core::ptr;

use flatmk_abi::{Kind, Operation, Rights, slots};

use super::answer::Mending;
use super::later;
use crate::arch::{self, syscall::stub};
use crate::boot::STACK_TOP;
use crate::capability::Slot;
use crate::task::scheduler::{self, CURRENT};
use crate::task::{State, Task, TaskRef, USER_FLAGS};

/// Where a call goes, for the stub. A null callee: not this way.
#[repr(C)]
struct Destination {
    callee: *const Task,
    endpoint: *const Slot,
}

// ANCHOR: call
/// Checks whether the current task's call can take the fast path.
#[inline(always)]
fn check_call(caller: &TaskRef, pointer: u64) -> Option<(TaskRef, &Slot)> {
    // The capability is one of the first 64 of the caller's own table,
    let endpoint = caller.table().near(pointer)?;
    // an endpoint that may be called,
    if !endpoint.is(Kind::Endpoint, Rights::CALL) {
        return None;
    }
    // and its task has nothing else to do.
    let callee = TaskRef::of(endpoint).ok()?;
    (callee.state() == State::Accepting).then_some((callee, endpoint))
}

extern "C" fn call(pointer: u64) -> Destination {
    let caller = scheduler::current();
    let Some((callee, endpoint)) = check_call(&caller, pointer) else {
        return Destination { callee: ptr::null(), endpoint: ptr::null() };
    };
    // From here on nothing can fail.
    caller.state.set(State::Calling);
    caller.calls.callee.set(Some(callee));
    callee.calls.caller.set(Some(caller));
    later::lend(caller, callee);
    scheduler::switch(caller, callee);
    Destination { callee: callee.as_ptr(), endpoint }
}
// ANCHOR_END: call

// ANCHOR: return
/// Checks whether the current task's return can take the fast path.
#[inline(always)]
fn check_return(callee: TaskRef) -> Option<TaskRef> {
    // Nobody waits for the callee, and no interrupt does;
    if callee.calls.has_more.get() {
        return None;
    }
    // somebody waits for the answer.
    callee.calls.caller.get()
}

extern "C" fn return_to_caller(_pointer: u64, _operation: u64, word: u64, address: u64) -> *const Task {
    let callee = scheduler::current();
    let Some(caller) = check_return(callee) else { return ptr::null() };
    if caller.state() != State::Calling {
        return answer_fault(callee, caller, word, address);
    }
    // From here on nothing can fail.
    finish(callee, caller);
    scheduler::switch(callee, caller);
    caller.as_ptr()
}

/// The callee has nothing to do, and the caller waits no more.
#[inline(always)]
fn finish(callee: TaskRef, caller: TaskRef) {
    callee.state.set(State::Accepting);
    callee.calls.caller.set(None);
    caller.calls.callee.set(None);
}
// ANCHOR_END: return

// ANCHOR: answer_fault
/// The caller has not called, but faulted; or it has called from code that goes on in another way. Where one that has faulted goes on, it does
/// so with all its registers.
#[inline(never)]
fn answer_fault(callee: TaskRef, caller: TaskRef, word: u64, address: u64) -> *const Task {
    if caller.state() != State::Faulting {
        return ptr::null();
    }
    // The answer is one to a fault, and it is not the end of the task.
    let Ok(Some(mending)) = Mending::decode(caller, word, address) else { return ptr::null() };
    // From here on nothing can fail.
    finish(callee, caller);
    mending.perform(caller);
    arch::syscall::resume(scheduler::next_after(callee, caller))
}
// ANCHOR_END: answer_fault

// ANCHOR: yield
/// What the stub of a short operation needs to know. 0 in the first word means: not this way. Then, and where the caller goes on, the other word is
/// the capability pointer.
#[repr(C)]
struct Pair(u64, u64);

/// The first word of a yield after which the caller goes on.
const GO_ON: u64 = 1;

/// Checks whether the current task may yield by this capability: one to itself.
#[inline(always)]
fn check_yield(task: TaskRef, pointer: u64) -> bool {
    task.table()
        .near(pointer)
        .is_some_and(|slot| slot.is(Kind::Task, Rights::MANAGE) && slot.page_address() == task.as_ptr() as u64)
}

extern "C" fn yield_now(pointer: u64) -> Pair {
    let task = scheduler::current();
    if !check_yield(task, pointer) {
        return Pair(0, pointer);
    }
    let Some(next) = scheduler::rotate(task) else { return Pair(GO_ON, pointer) };
    task.context.set_result(Ok([0; 4]));
    scheduler::switch(task, next);
    Pair(next.as_ptr() as u64, task.as_ptr() as u64)
}
// ANCHOR_END: yield

extern "C" fn identify(pointer: u64) -> Pair {
    match scheduler::current().table().find(pointer) {
        Some(slot) if !slot.is_empty() => Pair(slot.kind() as u64, slot.rights().bits().into()),
        _ => Pair(0, pointer),
    }
}

// What the stub keeps in registers while Rust runs: the message of a call in rbx, r12, r13 and r14, which Rust preserves, and the
// capability pointer in rbp; their contents are saved in the caller by then.
// ANCHOR: stub
stub!(
    "
    .balign 64
    .global fast_entry
fast_entry:
    # The operations with a way here, each without flags; Call is number 0.
    cmp rsi, {return_operation}
    jb 3f
    # The processor does not change the stack: the task's is put away, and the kernel's taken.
    mov [rip + {user_stack}], rsp
    movabs rsp, {stack_top}
    je 1f                           # none of this has changed the flags
    cmp rsi, {identify_operation}   # the first of those after which the caller goes on
    je 8f
    ja syscall_slow
    cmp rsi, {yield_operation}
    je 5f
    jmp {further}

    # A return by the reply slot only.
1:  test rdi, rdi
    jnz syscall_slow

    # Return. The registers of the task that returns are not needed any more, if all goes well.
    push rcx
    push r11
    push rdx
    push r10
    push r8
    push r9
    mov rcx, r10                    # where Rust expects the second word
    # The checks, and the switch.
    call {return_to_caller}
    # The answer, back to where the caller expects it.
    pop r9
    pop r8
    pop r10
    pop rdx
    # No caller: not this way.
    test rax, rax
    jz 2f
    # What the caller is promised to keep, and where it goes on.
    mov rbx, [rax + {rbx}]
    mov rbp, [rax + {rbp}]
    mov r12, [rax + {r12}]
    mov r13, [rax + {r13}]
    mov r14, [rax + {r14}]
    mov r15, [rax + {r15}]
    mov rcx, [rax + {rip_}]
    mov r11, [rax + {rflags}]
    mov rsp, [rax + {rsp_}]
    xor eax, eax                    # the status: no error
    # Nothing of the kernel's is left in a register.
    xor edi, edi
    xor esi, esi
    leave_by_sysret                 # to rcx, with the flags in r11

    # Not this way: everything as it came.
2:  pop r11
    pop rcx
    xor edi, edi
    mov esi, {return_operation}
    jmp syscall_slow

    # Call. The caller's registers go into its task: all that it is promised to keep, and where it goes on.
3:  mov rax, [rip + {current}]
    mov [rax + {rsp_}], rsp         # at once to where it belongs
    movabs rsp, {stack_top}
    save_registers rax
    # Rust preserves these: the capability pointer, and the message.
    mov rbp, rdi
    mov rbx, rdx
    mov r12, r10
    mov r13, r8
    mov r14, r9
    # The checks, and the switch.
    call {call}
    # No callee: not this way.
    test rax, rax
    jz 4f
    # The callee begins at the endpoint's entry, with its context word, on an empty stack.
    mov rdi, [rdx + {context_word}]
    mov rcx, [rdx + {entry_word}]
    mov rsp, [rax + {stack}]
    mov r11d, {user_flags}
    # The message, back to where it came from.
    mov rdx, rbx
    mov r10, r12
    mov r8, r13
    mov r9, r14
    # Nothing of the caller's or the kernel's is left in a register.
    xor eax, eax
    xor esi, esi
    xor ebx, ebx
    xor ebp, ebp
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    leave_by_sysret                 # to rcx, with the flags in r11

    # Not this way: the arguments as they came; the caller's registers are saved already.
4:  mov rdi, rbp
    xor esi, esi
    # The message, back to where it came from.
    mov rdx, rbx
    mov r10, r12
    mov r8, r13
    mov r9, r14
    jmp {otherwise}                 # the slow path, behind the point where it saves registers

    # Yield. rax: the task to go on with; rdx: the current one.
5:  push rcx
    push r11
    call {yield_now}
    pop r11
    pop rcx
    cmp rax, {go_on}
    jb 7f                           # not this way
    ja 6f                           # another task goes on
    # Nobody else is ready: back, without an error and without results.
    xor eax, eax
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    xor r9d, r9d
    xor edi, edi
    xor esi, esi
    mov rsp, [rip + {user_stack}]
    leave_by_sysret

    # The registers of the current task go into it: all that it is promised to keep, and where it goes on.
6:  save_task rdx
    jmp resume_task                 # loads those of the other

    # Not this way. Neither operation has arguments; rdx: the capability pointer.
7:  mov rdi, rdx
    mov esi, {yield_operation}
    jmp syscall_slow

    # Identify. rax: the kind; rdx: the rights.
8:  push rcx
    push r11
    call {identify}
    pop r11
    pop rcx
    # No kind: not this way.
    test eax, eax
    jz 9f
    # The two results, no error, and nothing else.
    mov r10, rdx
    mov edx, eax
    xor eax, eax
    xor r8d, r8d
    xor r9d, r9d
    xor edi, edi
    xor esi, esi
    mov rsp, [rip + {user_stack}]
    leave_by_sysret

    # Not this way, as above.
9:  mov rdi, rdx
    mov esi, {identify_operation}
    jmp syscall_slow
    ",
    stack_top = const STACK_TOP,
    current = sym CURRENT,
    call = sym call,
    return_to_caller = sym return_to_caller,
    yield_now = sym yield_now,
    identify = sym identify,
    go_on = const GO_ON,
    further = sym later::further_fast_entry,
    otherwise = sym later::call_otherwise,
    return_operation = const Operation::Return as u64,
    yield_operation = const Operation::Yield as u64,
    identify_operation = const Operation::Identify as u64,
    user_flags = const USER_FLAGS,
    entry_word = const Slot::WORDS_OFFSET,
    context_word = const Slot::WORDS_OFFSET + 8,
    stack = const offset_of!(Task, stack),
);
// ANCHOR_END: stub

// The stub tells the operations apart by these numbers.
const _: () = assert!(Operation::Identify as u8 == Operation::LAST_SWITCHING + 1);
const _: () = assert!(Operation::Call as u64 == 0 && slots::REPLY == 0);

unsafe extern "C" {
    pub(crate) fn fast_entry();
}

/// From now on system calls enter through the stub above.
pub(super) fn initialize() {
    arch::syscall::set_fast_entry(fast_entry as *const () as u64);
}
