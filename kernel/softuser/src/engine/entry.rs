//! The way into the handlers and out of them, and out of a fault of the host.

use core::arch::asm;
use core::mem::offset_of;

use super::operation::{Exit, Op};
use super::{Hart, access};

/// Runs from an operation on.
///
/// # Safety
///
/// The operation is in the hart's cache.
#[inline(always)]
pub(super) unsafe fn enter(op: *const Op, hart: &mut Hart) -> Exit {
    let exit: u64;
    // SAFETY: the caller vouches for the operation; the registers are the hart's. After a fault the handlers have not brought back what they
    // preserve, so no register is relied on, and the stack pointer is that which was noted.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov [rdx + {stack}], rsp",
            "lea rax, [rip + 2f]",
            "mov [rdx + {leave}], rax",
            "call [rdi]",
            "2:",
            "pop rbp",
            "pop rbx",
            stack = const offset_of!(Hart, stack),
            leave = const offset_of!(Hart, leave),
            inout("rdi") op => _,
            inout("rsi") hart.x.as_mut_ptr() => _,
            inout("rdx") core::ptr::from_mut(hart) => _,
            out("rax") exit,
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            clobber_abi("sysv64"),
        );
    }
    // SAFETY: a handler has returned it, or it is what `recover` says.
    unsafe { core::mem::transmute::<u64, Exit>(exit) }
}

/// With what the host goes on after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The instruction pointer,
    pub rip: u64,
    /// the stack pointer,
    pub rsp: u64,
    /// and `rax`.
    pub rax: u64,
}

/// If the instruction at which the host has faulted is an access of this hart: with what to go on. The hart stops with
/// [`Stop::Access`](super::Stop::Access) then, and nothing of the instruction has happened. `rdi` is the register's content at the fault.
pub fn recover(hart: &mut Hart, rip: u64, rdi: u64) -> Option<Recovery> {
    hart.op = access::operation_at(rip, rdi)?;
    Some(Recovery { rip: hart.leave, rsp: hart.stack, rax: Exit::Fault as u64 })
}
