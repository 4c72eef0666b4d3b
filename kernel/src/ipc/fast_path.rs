//! The fast path: a call to a task that is ready for it, and the return from it.
//!
//! Two lists of checks. Each check that fails gives up, with nothing changed, and the slow path ([`ipc`](super)) takes over. After the
//! last check nothing can fail: a few stores, and the stub goes straight to the other task. There is no lock here, no
//! reference count, no access to CR0 and none to a model-specific register; CR3 is written when the address space changes, once.

use core::arch::global_asm;
use core::mem::offset_of;
use core::ptr;

use flatmk_abi::{Kind, Operation, Rights, slots};

use crate::arch::{self, syscall::USER_STACK};
use crate::boot::STACK_TOP;
use crate::capability::Slot;
use crate::task::scheduler::{self, CURRENT};
use crate::task::{Context, State, Task, TaskRef, USER_FLAGS};

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
    caller.callee.set(Some(callee));
    callee.caller.set(Some(caller));
    scheduler::switch(caller, callee);
    Destination { callee: callee.as_ptr(), endpoint }
}
// ANCHOR_END: call

// ANCHOR: return
/// Checks whether the current task's return can take the fast path.
#[inline(always)]
fn check_return(callee: TaskRef) -> Option<TaskRef> {
    // Nobody waits for the callee,
    if callee.waiters.first.get().is_some() {
        return None;
    }
    // and somebody waits for the answer.
    callee.caller.get()
}

extern "C" fn return_to_caller() -> *const Task {
    let callee = scheduler::current();
    let Some(caller) = check_return(callee) else { return ptr::null() };
    // From here on nothing can fail.
    callee.state.set(State::Accepting);
    callee.caller.set(None);
    caller.callee.set(None);
    scheduler::switch(callee, caller);
    caller.as_ptr()
}
// ANCHOR_END: return

// What the stub keeps in registers while Rust runs: the message in rbx, r12, r13 and r14, which Rust preserves, and the
// capability pointer in rbp.
// ANCHOR: stub
global_asm!(
    "
    .balign 64
fast_entry:
    # The processor does not change the stack: the task's is put away, and the kernel's taken.
    mov [rip + {user_stack}], rsp
    movabs rsp, {stack_top}
    # A call without flags has its way below.
    test rsi, rsi
    jz 3f
    # Of all the others, only a return has one here,
    cmp rsi, {return_operation}
    jne syscall_slow
    # and only by the reply slot.
    test rdi, rdi
    jnz syscall_slow

    # Return. The registers of the task that returns are not needed any more; Rust preserves these, for the answer.
    mov rbx, rdx
    mov r12, r10
    mov r13, r8
    mov r14, r9
    # The checks, and the switch.
    call {return_to_caller}
    # No caller: not this way.
    test rax, rax
    jz 2f
    # The answer, back to where the caller expects it.
    mov rdx, rbx
    mov r10, r12
    mov r8, r13
    mov r9, r14
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
    sysretq                         # to rcx, with the flags in r11

    # Not this way. A return never comes back, so nothing is saved.
2:  xor edi, edi
    mov esi, {return_operation}
    jmp 5f

    # Call. The caller's registers go into its task: all that it is promised to keep, and where it goes on.
3:  mov rax, [rip + {current}]
    mov [rax + {rbx}], rbx
    mov [rax + {rbp}], rbp
    mov [rax + {r12}], r12
    mov [rax + {r13}], r13
    mov [rax + {r14}], r14
    mov [rax + {r15}], r15
    mov [rax + {rip_}], rcx
    mov [rax + {rflags}], r11
    mov rcx, [rip + {user_stack}]
    mov [rax + {rsp_}], rcx
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
    sysretq                         # to rcx, with the flags in r11

    # Not this way: the arguments as they came; the caller's registers are saved already.
4:  mov rdi, rbp
    xor esi, esi
    # The message, back to where it came from.
5:  mov rdx, rbx
    mov r10, r12
    mov r8, r13
    mov r9, r14
    jmp syscall_saved               # the slow path, behind the point where it saves registers
    ",
    user_stack = sym USER_STACK,
    stack_top = const STACK_TOP,
    current = sym CURRENT,
    call = sym call,
    return_to_caller = sym return_to_caller,
    return_operation = const Operation::Return as u64,
    user_flags = const USER_FLAGS,
    entry_word = const Slot::WORDS_OFFSET,
    context_word = const Slot::WORDS_OFFSET + 8,
    stack = const offset_of!(Task, stack),
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

// The stub tells the operations apart by these numbers.
const _: () = assert!(Operation::Call as u64 == 0 && slots::REPLY == 0);

unsafe extern "C" {
    fn fast_entry();
}

/// From now on system calls enter through the stub above.
pub(super) fn initialize() {
    arch::syscall::set_entry(fast_entry as *const () as u64);
}
