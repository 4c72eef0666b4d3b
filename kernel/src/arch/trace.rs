//! The way into the kernel while it traces.

use super::isolation;
use super::syscall::stub;
use crate::boot::STACK_TOP;
use crate::task::scheduler::CURRENT;

// ANCHOR: stub
stub!(
    "
    .balign 64
    .global traced_entry
traced_entry:
    mov [rip + {user_stack}], rsp
    movabs rsp, {stack_top}
    # Whether another task goes on or the same: all goes through the task, and the one way out for all.
    mov rax, [rip + {current}]
    save_task rax
    mov rcx, r10                    # where Rust expects the second argument
    call {system_call}
    jmp resume_task
    ",
    current = sym CURRENT,
    stack_top = const STACK_TOP,
    system_call = sym crate::trace::system_call,
);
// ANCHOR_END: stub

unsafe extern "C" {
    pub(super) fn traced_entry();
}

/// Where system calls enter, while the kernel traces.
pub(crate) fn entry() -> u64 {
    if isolation::is_on() { isolation::entry_for_tracing() } else { traced_entry as *const () as u64 }
}
