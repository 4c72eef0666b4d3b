//! From guest code to blocks of operations.
//!
//! A block begins anywhere and goes on behind a branch that is not taken. It ends with a jump, with an instruction that the handlers leave to
//! others, or when it has become long; then a jump leads to what follows.

use super::cache::Cache;
use super::operation::{BLOCK, Handler, Op, Place, SINK};
use super::{Code, Stop, handlers, length_of};
use crate::decode::{Instruction, Length, decode};
use crate::table::Operation;

/// What an instruction wants that the handlers leave to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// That the hart stops.
    Stop(Stop),
    /// That translated code is forgotten.
    ForgetCode,
}

impl Reason {
    const ALL: [Reason; 4] =
        [Reason::Stop(Stop::Illegal), Reason::Stop(Stop::Ebreak), Reason::Stop(Stop::Wfi), Reason::ForgetCode];

    /// As the number of an operation.
    fn number(self) -> i32 {
        Self::ALL.iter().position(|reason| *reason == self).unwrap_or(0) as i32
    }

    pub(super) fn from_number(number: i32) -> Self {
        let [first, ..] = Self::ALL;
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index).copied()).unwrap_or(first)
    }
}

/// The slots of a block that is being made.
struct Block {
    room: *mut Op,
    used: usize,
    /// The operation before, if it is one that could be the first of a pair.
    last: Option<Operation>,
}

impl Block {
    fn push(&mut self, op: Op) {
        // SAFETY: the room is that of a block of the greatest length, and `block` ends before it is used up.
        unsafe { self.room.add(self.used).write(op) };
        self.used += 1;
        self.last = None;
    }

    /// An instruction, with a link or without.
    fn instruction(&self, instruction: &Instruction, handler: Handler, has_link: bool) -> Op {
        let Instruction { rd, rs1, rs2, immediate, .. } = *instruction;
        let rd = if rd == 0 { SINK } else { rd };
        let place = Place::new(self.used, length_of(instruction) == 4, has_link);
        Op { handler, number: immediate, rd, rs1, rs2, place }
    }

    /// A jump: its operation, which leads to the link as long as it knows no better, and the link.
    fn jump(&mut self, op: Op, target: u32, return_address: u32) {
        let number = if op.number == i32::MIN { size_of::<Op>() as i32 } else { op.number };
        self.push(Op { number, ..op });
        self.push(Op::link(target, return_address));
    }
}

/// A page of code can be executed or not, and none is smaller.
const PAGE: u32 = 4096;

/// The bits of an instruction. `Err`: the address of the half of it that cannot be executed.
pub(super) fn fetch(code: &mut impl Code, pc: u32) -> Result<u32, u32> {
    // ANCHOR: exercise-10-2
    let bits = code.fetch(pc).ok_or(pc)?;
    let second = pc.wrapping_add(2);
    if bits & 0b11 != 0b11 || !second.is_multiple_of(PAGE) {
        return Ok(bits);
    }
    let upper = code.fetch(second).ok_or(second)?;
    Ok(bits & 0xffff | upper << 16)
    // ANCHOR_END: exercise-10-2
}

/// Translates the block that begins there. `Err`: the address because of which its first instruction cannot be executed.
pub(super) fn block(cache: &mut Cache, start: u32, code: &mut impl Code) -> Result<*const Op, u32> {
    let mut bits = fetch(code, start)?;
    let mut block = Block { room: cache.reserve(), used: 0, last: None };
    block.push(Cache::head(start));
    let mut pc = start;
    loop {
        let Some(instruction) = decode(bits) else {
            let illegal = Instruction { length: Length::Two, ..Instruction::new(Operation::Ecall, 0, 0, 0, 0) };
            block.ask(&illegal, Reason::Stop(Stop::Illegal));
            break;
        };
        let next = pc.wrapping_add(length_of(&instruction));
        if !block.add(&instruction, pc, next) {
            break;
        }
        // Behind the end of memory comes its beginning: a step back, at which the hart can be stopped.
        if next < pc {
            block.go_on(next, handlers::jump_backward);
            break;
        }
        pc = next;
        // Room for a branch and the jump at the end.
        let following = if block.used + 4 <= BLOCK { fetch(code, pc).ok() } else { None };
        match following {
            Some(following) => bits = following,
            None => {
                block.go_on(pc, handlers::jump);
                break;
            }
        }
    }
    Ok(cache.add(start, block.used))
}

impl Block {
    /// Adds an instruction. Tells whether the block goes on behind it.
    fn add(&mut self, instruction: &Instruction, pc: u32, next: u32) -> bool {
        let operation = instruction.operation;
        // Only forwards is the code known to be left some time; a jump may wrap around.
        let target = pc.wrapping_add_signed(instruction.immediate);
        let is_backward = target <= pc;
        if let Some(handler) = handlers::straight(operation) {
            let op = self.instruction(instruction, handler, false);
            self.straight(op, operation);
            return true;
        }
        if let Some(handler) = handlers::branch(operation, is_backward) {
            let last = self.last;
            let op = self.instruction(instruction, handler, true);
            self.fuse(last, operation);
            self.jump(Op { number: i32::MIN, ..op }, target, 0);
            return true;
        }
        match operation {
            Operation::Auipc => {
                let address = pc.wrapping_add_signed(instruction.immediate).cast_signed();
                let constant = Instruction { operation: Operation::Lui, immediate: address, ..*instruction };
                return self.add(&constant, pc, next);
            }
            Operation::Jal => {
                let handler = match (instruction.rd == 0, is_backward) {
                    (true, false) => handlers::jump,
                    (true, true) => handlers::jump_backward,
                    (false, false) => handlers::call,
                    (false, true) => handlers::call_backward,
                };
                let op = self.instruction(instruction, handler, true);
                self.jump(Op { number: i32::MIN, ..op }, target, next);
            }
            Operation::Jalr => {
                let op = self.instruction(instruction, handlers::jump_indirect, true);
                self.push(op);
                self.push(Op::link(0, next));
            }
            Operation::Ecall => {
                let op = self.instruction(instruction, handlers::ecall, false);
                self.push(Op { number: pc.cast_signed(), ..op });
            }
            Operation::Ebreak => self.ask(instruction, Reason::Stop(Stop::Ebreak)),
            Operation::Wfi => self.ask(instruction, Reason::Stop(Stop::Wfi)),
            Operation::FenceI => self.ask(instruction, Reason::ForgetCode),
            _ => {
                // All others are among those above.
                let Some(handler) = handlers::special(operation) else { return false };
                let op = self.instruction(instruction, handler, false);
                self.push(op);
                return true;
            }
        }
        false
    }

    /// An instruction after which the next follows, perhaps done together with the one before.
    fn straight(&mut self, op: Op, operation: Operation) {
        let is_second = self.fuse(self.last, operation);
        self.push(op);
        self.last = (!is_second).then_some(operation);
    }

    /// Makes the operation before one that does the next as well, if there is such a pair.
    fn fuse(&mut self, first: Option<Operation>, second: Operation) -> bool {
        let Some(handler) = first.and_then(|first| handlers::pair(first, second)) else { return false };
        // SAFETY: there is an operation before.
        unsafe { (*self.room.add(self.used - 1)).handler = handler };
        true
    }

    fn ask(&mut self, instruction: &Instruction, reason: Reason) {
        let op = self.instruction(instruction, handlers::ask, false);
        self.push(Op { number: reason.number(), ..op });
    }

    /// The block ends here, and the code does not.
    fn go_on(&mut self, pc: u32, handler: Handler) {
        let nothing = Instruction::new(Operation::Jal, 0, 0, 0, 0);
        let op = self.instruction(&nothing, handler, true);
        self.jump(Op { number: i32::MIN, ..op }, pc, 0);
    }
}
