//! The way into the handlers and out of them, and out of a fault of the host.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::Hart;
use super::operation::{Exit, Op};

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

/// A line of the section `softuser_accesses`: how far from here an instruction is that accesses the guest's memory.
#[repr(transparent)]
struct Access(i32);

unsafe extern "C" {
    static __start_softuser_accesses: Access;
    static __stop_softuser_accesses: Access;
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
    let (start, end) = ((&raw const __start_softuser_accesses), (&raw const __stop_softuser_accesses));
    let count = (end as usize - start as usize) / size_of::<Access>();
    // SAFETY: the linker puts the lines of the section between these two symbols.
    let accesses = unsafe { core::slice::from_raw_parts(start, count) };
    let address = |access: &Access| (core::ptr::from_ref(access) as u64).wrapping_add_signed(access.0.into());
    accesses.iter().any(|access| address(access) == rip).then(|| {
        hart.op = rdi as *const Op;
        Recovery { rip: (&raw const softuser_leave) as u64, rsp: hart.stack, rax: Exit::Fault as u64 }
    })
}
