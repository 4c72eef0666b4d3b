//! Accesses to the guest's memory. Each is one instruction of the host with the address of an operation in `rdi`. All are listed, so that
//! a fault of the host at one of them is known to be the guest's, and whose.

pub(super) use core::arch::x86_64::_rdtsc as time_stamp;
use core::mem::size_of;

use super::operation::Op;

// ANCHOR: access
/// An access: the register `rdi` and how many operations behind that the access's own is, the instruction, what else is true of it, and its
/// operands.
macro_rules! access {
    (($op:ident, $behind:literal), $instruction:literal, [$($option:ident)?], $($operands:tt)+) => {
        core::arch::asm!(
            "2:",
            $instruction,
            ".pushsection softuser_accesses, \"aR\"",
            ".balign 4",
            ".long 2b - .",
            ".long {behind}",
            ".popsection",
            behind = const $behind,
            $($operands)+,
            in("rdi") $op,
            options(nostack $(, $option)?),
        )
    };
}

/// Loads.
macro_rules! load {
    ($at:tt, $address:expr, $instruction:literal) => {{
        let value: u32;
        $crate::engine::access::access!(
            $at, $instruction, [preserves_flags], value = out(reg) value, address = in(reg) u64::from($address)
        );
        value
    }};
}

// ANCHOR_END: access
/// Stores.
macro_rules! store {
    ($at:tt, $address:expr, $value:expr, $instruction:literal) => {
        $crate::engine::access::access!(
            $at, $instruction, [preserves_flags], value = in(reg) $value, address = in(reg) u64::from($address)
        )
    };
}

/// Writes what is there. This changes the flags.
macro_rules! touch {
    ($at:tt, $address:expr) => {
        $crate::engine::access::access!($at, "or dword ptr [{address}], 0", [], address = in(reg) u64::from($address))
    };
}

pub(super) use {access, load, store, touch};

/// A line of the section `softuser_accesses`.
#[repr(C)]
struct Access {
    /// How far from here the instruction is.
    distance: i32,
    /// How many operations behind that in `rdi` its own is.
    behind: u32,
}

unsafe extern "C" {
    static __start_softuser_accesses: Access;
    static __stop_softuser_accesses: Access;
}

/// The operation whose access is at this address of the host, if one is.
pub(super) fn operation_at(rip: u64, rdi: u64) -> Option<*const Op> {
    let (start, end) = ((&raw const __start_softuser_accesses), (&raw const __stop_softuser_accesses));
    let count = (end as usize - start as usize) / size_of::<Access>();
    // SAFETY: the linker puts the lines of the section between these two symbols.
    let accesses = unsafe { core::slice::from_raw_parts(start, count) };
    let address = |access: &Access| (core::ptr::from_ref(access) as u64).wrapping_add_signed(access.distance.into());
    let access = accesses.iter().find(|access| address(access) == rip)?;
    Some((rdi as *const Op).wrapping_add(access.behind as usize))
}
