//! The way into the handlers and out of them, and out of a fault of the host.

use core::arch::asm;
use core::mem::offset_of;

use super::Hart;
use super::operation::{Exit, Op};

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

/// A line of the section `softuser_accesses`.
#[repr(C)]
struct Access {
    /// How far from here an instruction is that accesses the guest's memory.
    distance: i32,
    /// How many operations behind that in `rdi` its own is.
    behind: u32,
}

unsafe extern "C" {
    static __start_softuser_accesses: Access;
    static __stop_softuser_accesses: Access;
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
    let address = |access: &Access| (core::ptr::from_ref(access) as u64).wrapping_add_signed(access.distance.into());
    let access = accesses.iter().find(|access| address(access) == rip)?;
    hart.op = (rdi as *const Op).wrapping_add(access.behind as usize);
    Some(Recovery { rip: hart.leave, rsp: hart.stack, rax: Exit::Fault as u64 })
}
