//! A block as the engine keeps it, for whoever wants to look at it.

use core::ptr::fn_addr_eq;

use super::operation::{Handler, Op};
use super::{Code, Hart, handlers, translate};
use crate::decode::{Instruction, decode};
use crate::table::Operation;

/// A slot of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The first: the address of the block.
    Head {
        /// The address.
        pc: u32,
    },
    /// An operation.
    Operation {
        /// Where its instruction is; that behind the block for the jump that goes on there.
        pc: u32,
        /// The instruction, if it was made of one.
        instruction: Option<Instruction>,
        /// Whether its function does the next operation, too.
        does_next: bool,
        /// Its number: an immediate, or how far the operation is with which it goes on.
        number: i32,
        /// Its registers: the result's, 32 for one that nobody wants,
        rd: u8,
        /// and the operands'.
        rs1: u8,
        /// The second one.
        rs2: u8,
    },
    /// Behind a jump: where that leads.
    Link {
        /// The address; 0 for an indirect jump.
        target: u32,
        /// The address to return to; 0 for a jump that does not call.
        return_address: u32,
    },
}

impl Hart {
    /// Forgets all translated code, and translates the block that begins at an address. Returns its slots; `None` where nothing can be executed.
    pub fn show(&mut self, pc: u32, code: &mut impl Code) -> Option<impl Iterator<Item = Shown>> {
        self.cache.clear();
        translate::block(&mut self.cache, pc, code).ok()?;
        let (mut pc, mut is_link) = (pc, false);
        let slots = self.cache.slots().iter().enumerate();
        Some(slots.map(move |(index, op)| {
            if index == 0 {
                return Shown::Head { pc };
            }
            if is_link {
                is_link = false;
                return Shown::Link { target: op.number.cast_unsigned(), return_address: op.return_address() };
            }
            is_link = op.place.slots() == 2;
            let at = pc;
            pc = pc.wrapping_add(op.place.length());
            let instruction =
                translate::fetch(code, at).ok().and_then(decode).filter(|instruction| does(op, instruction.operation));
            let does_next = instruction.is_some_and(|instruction| does_next(op, instruction.operation));
            Shown::Operation { pc: at, instruction, does_next, number: op.number, rd: op.rd, rs1: op.rs1, rs2: op.rs2 }
        }))
    }
}

/// Whether an operation was made of such an instruction. At its end a block may have a jump that was made of none.
fn does(op: &Op, operation: Operation) -> bool {
    let goes_on = [handlers::jump as Handler, handlers::jump_backward].iter().any(|jump| fn_addr_eq(*jump, op.handler));
    operation == Operation::Jal || !goes_on
}

/// Whether its function is not the one that does the instruction alone.
fn does_next(op: &Op, operation: Operation) -> bool {
    let operation = if operation == Operation::Auipc { Operation::Lui } else { operation };
    handlers::straight(operation).is_some_and(|alone| !fn_addr_eq(alone, op.handler))
}
