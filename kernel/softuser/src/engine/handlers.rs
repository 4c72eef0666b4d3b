//! What the operations do, one function each, and one for each pair that is frequent.
//!
//! A function ends in a tail call of the next, with the same three arguments in the same registers: the operation, the guest's registers,
//! and the hart. An access to the guest's memory is one instruction of the host, before anything of its guest instruction is written, with
//! the function's operation in `rdi`: so a fault there has an exact state.
//!
//! All are called with an operation of the hart's cache, with the registers of the hart, and with the hart, which nobody else uses but for
//! its atomic number. What follows an operation in its block, and what its number leads to, are operations, too; the registers of an
//! operation are below 33. Of the host's memory they access nothing else; what the guest may access is up to who runs the hart.

use core::sync::atomic::Ordering::Relaxed;

use super::Hart;
use super::access::{load, store, time_stamp, touch};
use super::operation::{Exit, Handler, Op};
use crate::table::Operation;

// ANCHOR: go
/// Goes on with an operation.
macro_rules! go {
    ($op:expr, $x:ident, $hart:ident) => {{
        let next: *const Op = $op;
        become ((*next).handler)(next, $x, $hart)
    }};
}

/// The contents of the registers `rs1` and `rs2`, and the number.
macro_rules! a {
    ($op:expr, $x:ident) => {
        *$x.add((*$op).rs1 as usize)
    };
}
macro_rules! b {
    ($op:expr, $x:ident) => {
        *$x.add((*$op).rs2 as usize)
    };
}
macro_rules! n {
    ($op:expr) => {
        (*$op).number.cast_unsigned()
    };
}

/// Writes the register `rd`.
macro_rules! set {
    ($op:expr, $x:ident, $value:expr) => {{
        let value = $value;
        *$x.add((*$op).rd as usize) = value;
    }};
}

// ANCHOR_END: go
/// What an instruction does that only computes, loads or stores.
macro_rules! body {
    (Lui, $op:expr, $x:ident, $at:tt) => { set!($op, $x, n!($op)) };
    (Lb, $op:expr, $x:ident, $at:tt) => { set!($op, $x, load!($at, a!($op, $x).wrapping_add(n!($op)), "movsx {value:e}, byte ptr [{address}]")) };
    (Lh, $op:expr, $x:ident, $at:tt) => { set!($op, $x, load!($at, a!($op, $x).wrapping_add(n!($op)), "movsx {value:e}, word ptr [{address}]")) };
    (Lw, $op:expr, $x:ident, $at:tt) => { set!($op, $x, load!($at, a!($op, $x).wrapping_add(n!($op)), "mov {value:e}, dword ptr [{address}]")) };
    (Lbu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, load!($at, a!($op, $x).wrapping_add(n!($op)), "movzx {value:e}, byte ptr [{address}]")) };
    (Lhu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, load!($at, a!($op, $x).wrapping_add(n!($op)), "movzx {value:e}, word ptr [{address}]")) };
    (Sb, $op:expr, $x:ident, $at:tt) => { store!($at, a!($op, $x).wrapping_add(n!($op)), b!($op, $x), "mov byte ptr [{address}], {value:l}") };
    (Sh, $op:expr, $x:ident, $at:tt) => { store!($at, a!($op, $x).wrapping_add(n!($op)), b!($op, $x), "mov word ptr [{address}], {value:x}") };
    (Sw, $op:expr, $x:ident, $at:tt) => { store!($at, a!($op, $x).wrapping_add(n!($op)), b!($op, $x), "mov dword ptr [{address}], {value:e}") };
    (Addi, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_add(n!($op))) };
    (Slti, $op:expr, $x:ident, $at:tt) => { set!($op, $x, u32::from(a!($op, $x).cast_signed() < (*$op).number)) };
    (Sltiu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, u32::from(a!($op, $x) < n!($op))) };
    (Xori, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x) ^ n!($op)) };
    (Ori, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x) | n!($op)) };
    (Andi, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x) & n!($op)) };
    (Slli, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_shl(n!($op))) };
    (Srli, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_shr(n!($op))) };
    (Srai, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).cast_signed().wrapping_shr(n!($op)).cast_unsigned()) };
    (Add, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_add(b!($op, $x))) };
    (Sub, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_sub(b!($op, $x))) };
    (Sll, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_shl(b!($op, $x))) };
    (Slt, $op:expr, $x:ident, $at:tt) => { set!($op, $x, u32::from(a!($op, $x).cast_signed() < b!($op, $x).cast_signed())) };
    (Sltu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, u32::from(a!($op, $x) < b!($op, $x))) };
    (Xor, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x) ^ b!($op, $x)) };
    (Srl, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_shr(b!($op, $x))) };
    (Sra, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).cast_signed().wrapping_shr(b!($op, $x)).cast_unsigned()) };
    (Or, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x) | b!($op, $x)) };
    (And, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x) & b!($op, $x)) };
    (Mul, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).wrapping_mul(b!($op, $x))) };
    (Mulh, $op:expr, $x:ident, $at:tt) => { set!($op, $x, upper(i64::from(a!($op, $x).cast_signed()).wrapping_mul(i64::from(b!($op, $x).cast_signed())).cast_unsigned())) };
    (Mulhsu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, upper(i64::from(a!($op, $x).cast_signed()).wrapping_mul(i64::from(b!($op, $x))).cast_unsigned())) };
    (Mulhu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, upper(u64::from(a!($op, $x)).wrapping_mul(u64::from(b!($op, $x))))) };
    (Div, $op:expr, $x:ident, $at:tt) => { set!($op, $x, divide(a!($op, $x).cast_signed(), b!($op, $x).cast_signed())) };
    (Divu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).checked_div(b!($op, $x)).unwrap_or(u32::MAX)) };
    (Rem, $op:expr, $x:ident, $at:tt) => { set!($op, $x, remainder(a!($op, $x).cast_signed(), b!($op, $x).cast_signed())) };
    (Remu, $op:expr, $x:ident, $at:tt) => { set!($op, $x, a!($op, $x).checked_rem(b!($op, $x)).unwrap_or(a!($op, $x))) };
    (Fence, $op:expr, $x:ident, $at:tt) => { let _ = ($op, $x); };
}

/// The upper half of a product.
fn upper(product: u64) -> u32 {
    (product >> 32) as u32
}

/// -1 for a division by 0; the least number divided by -1 is itself (Unprivileged Architecture, table 11).
fn divide(a: i32, b: i32) -> u32 {
    if b == 0 { u32::MAX } else { a.wrapping_div(b).cast_unsigned() }
}

fn remainder(a: i32, b: i32) -> u32 {
    if b == 0 { a.cast_unsigned() } else { a.wrapping_rem(b).cast_unsigned() }
}

/// Whether a branch is taken.
macro_rules! condition {
    (Beq, $op:expr, $x:ident) => {
        a!($op, $x) == b!($op, $x)
    };
    (Bne, $op:expr, $x:ident) => {
        a!($op, $x) != b!($op, $x)
    };
    (Blt, $op:expr, $x:ident) => {
        a!($op, $x).cast_signed() < b!($op, $x).cast_signed()
    };
    (Bge, $op:expr, $x:ident) => {
        a!($op, $x).cast_signed() >= b!($op, $x).cast_signed()
    };
    (Bltu, $op:expr, $x:ident) => {
        a!($op, $x) < b!($op, $x)
    };
    (Bgeu, $op:expr, $x:ident) => {
        a!($op, $x) >= b!($op, $x)
    };
}

macro_rules! handler {
    ($name:ident, |$op:ident, $x:ident, $hart:ident| $body:block) => {
        pub(super) unsafe extern "C" fn $name($op: *const Op, $x: *mut u32, $hart: *mut Hart) -> Exit {
            // SAFETY: as the head of this file says.
            unsafe { $body }
        }
    };
}

/// The engine stops at an operation.
#[inline(always)]
unsafe fn stop(op: *const Op, hart: *mut Hart, exit: Exit) -> Exit {
    // SAFETY: the caller is a handler.
    unsafe { (*hart).op = op };
    exit
}

handler!(link, |op, _x, hart| { stop(op, hart, Exit::Link) });
handler!(ask, |op, _x, hart| { stop(op, hart, Exit::Asked) });
// It is to be fast: its number is its address, so that nobody need look for that.
handler!(ecall, |op, _x, hart| {
    (*hart).pc = n!(op);
    Exit::Ecall
});

#[cold]
#[inline(never)]
unsafe extern "C" fn stop_pending(op: *const Op, _: *mut u32, hart: *mut Hart) -> Exit {
    // SAFETY: a handler.
    unsafe { stop(op, hart, Exit::Pending) }
}

/// Whether somebody wants the hart to stop.
macro_rules! is_pending {
    ($hart:ident) => {
        (*$hart).pending.load(Relaxed) != 0
    };
}

/// Where a jump goes on: so far from it.
macro_rules! target {
    ($op:expr) => {
        $op.byte_offset((*$op).number as isize)
    };
}

macro_rules! straight {
    ($($name:ident)+) => {
        #[expect(non_snake_case, reason = "a function is called like its operation")]
        mod single {
            use super::*;
            $(handler!($name, |op, x, hart| { body!($name, op, x, (op, 0)); go!(op.add(1), x, hart) });)+
        }
        /// What does an instruction alone that goes on with the next.
        pub(super) fn straight(operation: Operation) -> Option<Handler> {
            match operation {
                $(Operation::$name => Some(single::$name),)+
                _ => None,
            }
        }
    };
}

straight!(
    Lui Lb Lh Lw Lbu Lhu Sb Sh Sw Addi Slti Sltiu Xori Ori Andi Slli Srli Srai Add Sub Sll Slt Sltu Xor Srl Sra Or And
    Mul Mulh Mulhsu Mulhu Div Divu Rem Remu Fence
);

/// An access to memory that nothing comes in between: on one processor no other hart runs before this one stops. The first instruction of the
/// host writes what is there, so that a fault is that of a write.
macro_rules! atomic {
    ($op:ident, $x:ident, $hart:ident, |$old:ident, $operand:ident| $new:expr) => {{
        let address = a!($op, $x);
        if address & 0b11 != 0 {
            return stop($op, $hart, Exit::Misaligned);
        }
        touch!(($op, 0), address);
        let ($old, $operand) = (load!(($op, 0), address, "mov {value:e}, dword ptr [{address}]"), b!($op, $x));
        store!(($op, 0), address, $new, "mov dword ptr [{address}], {value:e}");
        set!($op, $x, $old);
        go!($op.add(1), $x, $hart)
    }};
}

macro_rules! atomics {
    ($($name:ident: |$old:ident, $operand:ident| $new:expr;)+) => {
        #[expect(non_snake_case, reason = "a function is called like its operation")]
        mod atomic {
            use super::*;
            $(handler!($name, |op, x, hart| { atomic!(op, x, hart, |$old, $operand| $new) });)+
        }
        /// What does an atomic access, or reads a counter.
        pub(super) fn special(operation: Operation) -> Option<Handler> {
            match operation {
                $(Operation::$name => Some(atomic::$name),)+
                Operation::LrW => Some(reserve),
                Operation::ScW => Some(store_reserved),
                Operation::Cycle | Operation::Time => Some(time),
                Operation::Cycleh | Operation::Timeh => Some(time_high),
                _ => None,
            }
        }
    };
}

atomics! {
    AmoswapW: |_old, operand| operand;
    AmoaddW: |old, operand| old.wrapping_add(operand);
    AmoxorW: |old, operand| old ^ operand;
    AmoandW: |old, operand| old & operand;
    AmoorW: |old, operand| old | operand;
    AmominW: |old, operand| old.cast_signed().min(operand.cast_signed()).cast_unsigned();
    AmomaxW: |old, operand| old.cast_signed().max(operand.cast_signed()).cast_unsigned();
    AmominuW: |old, operand| old.min(operand);
    AmomaxuW: |old, operand| old.max(operand);
}

handler!(reserve, |op, x, hart| {
    let address = a!(op, x);
    if address & 0b11 != 0 {
        return stop(op, hart, Exit::Misaligned);
    }
    let value = load!((op, 0), address, "mov {value:e}, dword ptr [{address}]");
    (*hart).reserved = address;
    set!(op, x, value);
    go!(op.add(1), x, hart)
});

handler!(store_reserved, |op, x, hart| {
    let address = a!(op, x);
    if address & 0b11 != 0 {
        return stop(op, hart, Exit::Misaligned);
    }
    let is_reserved = (*hart).reserved == address;
    if is_reserved {
        store!((op, 0), address, b!(op, x), "mov dword ptr [{address}], {value:e}");
    }
    (*hart).reserved = 1;
    set!(op, x, u32::from(!is_reserved));
    go!(op.add(1), x, hart)
});

handler!(time, |op, x, hart| {
    set!(op, x, time_stamp() as u32);
    go!(op.add(1), x, hart)
});
handler!(time_high, |op, x, hart| {
    set!(op, x, upper(time_stamp()));
    go!(op.add(1), x, hart)
});

// ANCHOR: branches
macro_rules! branches {
    ($($name:ident)+) => {
        #[expect(non_snake_case, reason = "a function is called like its operation")]
        mod forward {
            use super::*;
            $(handler!($name, |op, x, hart| {
                if condition!($name, op, x) { go!(target!(op), x, hart) } else { go!(op.add(2), x, hart) }
            });)+
        }
        #[expect(non_snake_case, reason = "a function is called like its operation")]
        mod backward {
            use super::*;
            $(handler!($name, |op, x, hart| {
                if !condition!($name, op, x) { go!(op.add(2), x, hart) }
                if is_pending!(hart) { become stop_pending(op, x, hart) }
                go!(target!(op), x, hart)
            });)+
        }
        /// What does a branch.
        pub(super) fn branch(operation: Operation, is_backward: bool) -> Option<Handler> {
            match (operation, is_backward) {
                $((Operation::$name, false) => Some(forward::$name),
                (Operation::$name, true) => Some(backward::$name),)+
                _ => None,
            }
        }
    };
}
// ANCHOR_END: branches

branches!(Beq Bne Blt Bge Bltu Bgeu);

handler!(jump, |op, x, hart| { go!(target!(op), x, hart) });
handler!(jump_backward, |op, x, hart| {
    if is_pending!(hart) {
        become stop_pending(op, x, hart)
    }
    go!(target!(op), x, hart)
});
// The link has the address to return to.
handler!(call, |op, x, hart| {
    set!(op, x, (*op.add(1)).return_address());
    go!(target!(op), x, hart)
});
handler!(call_backward, |op, x, hart| {
    if is_pending!(hart) {
        become stop_pending(op, x, hart)
    }
    set!(op, x, (*op.add(1)).return_address());
    go!(target!(op), x, hart)
});
handler!(jump_indirect, |op, x, hart| {
    if is_pending!(hart) {
        become stop_pending(op, x, hart)
    }
    let pc = a!(op, x).wrapping_add(n!(op)) & !1;
    set!(op, x, (*op.add(1)).return_address());
    match (*hart).cache.find(pc) {
        Some(next) => go!(next, x, hart),
        None => {
            (*hart).pc = pc;
            Exit::Find
        }
    }
});

macro_rules! pairs {
    (@row $first:ident: $($second:ident)+; $($branch:ident)+) => {
        pub(super) mod $first {
            use super::super::*;
            $(handler!($second, |op, x, hart| { body!($first, op, x, (op, 0)); body!($second, op.add(1), x, (op, 1)); go!(op.add(2), x, hart) });)+
            $(handler!($branch, |op, x, hart| {
                body!($first, op, x, (op, 0));
                let op = op.add(1);
                if !condition!($branch, op, x) { go!(op.add(2), x, hart) }
                // A check more than a branch forward needs, and half as many functions.
                if is_pending!(hart) { become stop_pending(op, x, hart) }
                go!(target!(op), x, hart)
            });)+
            pub(in crate::engine::handlers) fn with(operation: Operation) -> Option<Handler> {
                match operation {
                    $(Operation::$second => Some($second),)+
                    $(Operation::$branch => Some($branch),)+
                    _ => None,
                }
            }
        }
    };
    ($($first:ident)+; $seconds:tt; $branches:tt) => {
        #[expect(non_snake_case, reason = "a function is called like its operation")]
        mod pairs {
            $(pairs!(@one $first $seconds $branches);)+
        }
        /// What does two instructions, one after the other.
        pub(super) fn pair(first: Operation, second: Operation) -> Option<Handler> {
            match first {
                $(Operation::$first => pairs::$first::with(second),)+
                _ => None,
            }
        }
    };
    (@one $first:ident ($($second:ident)+) ($($branch:ident)+)) => {
        pairs!(@row $first: $($second)+; $($branch)+);
    };
}

pairs!(
    Lui Lw Lbu Sw Sb Addi Andi Slli Srli Add Sub Xor Mul;
    (Lui Lw Lbu Sw Sb Addi Andi Slli Srli Add Sub Xor Mul);
    (Beq Bne Blt Bge Bltu Bgeu)
);
