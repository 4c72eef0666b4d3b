//! The way into the handlers and out of them, and out of a fault of the host.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::operation::{Exit, Op};
use super::{Hart, access};

/// Runs from an operation on.
///
/// # Safety
///
/// The operation is in the hart's cache.
pub(super) unsafe fn enter(op: *const Op, hart: &mut Hart) -> Exit {
    // SAFETY: the caller vouches for the operation; the registers are the hart's.
    unsafe { begin(op, hart.x.as_mut_ptr(), hart) }
}

// What Rust preserves is saved here once: after a fault the handlers' copies are lost.
#[unsafe(naked)]
unsafe extern "sysv64" fn begin(op: *const Op, x: *mut u32, hart: *mut Hart) -> Exit {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rdx + {stack}], rsp",
        "call [rdi]",
        ".global softuser_leave",
        "softuser_leave:",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        stack = const offset_of!(Hart, stack),
    )
}

unsafe extern "C" {
    static softuser_leave: u8;
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
    Some(Recovery { rip: (&raw const softuser_leave) as u64, rsp: hart.stack, rax: Exit::Fault as u64 })
}
