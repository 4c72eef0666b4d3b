//! An instruction from its bits, and back.

use crate::compressed;
use crate::table::{Format, INSTRUCTIONS, Operation, Pattern};

/// How long an instruction is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Length {
    /// One of the extension C.
    Two = 2,
    /// All others.
    Four = 4,
}

/// An instruction with its operands. Those that its format does not have are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub operation: Operation,
    /// The register for the result, 0 to 31.
    pub rd: u8,
    /// The registers with the operands, 0 to 31.
    pub rs1: u8,
    /// The second one.
    pub rs2: u8,
    /// The number in the instruction, with its sign; for the upper 20 bits of a word the whole word.
    pub immediate: i32,
    /// How long it is.
    pub length: Length,
}

/// The instruction that these bits are: the two bytes at its address, which is even, in the lower half and the two that follow in the upper
/// one. Of a short instruction only the lower half counts. `None`: an illegal instruction; every encoding that the manual reserves is one.
#[must_use]
pub fn decode(bits: u32) -> Option<Instruction> {
    // All that is longer than two bytes ends in 11 (Unprivileged Architecture, 1.5).
    if bits & 0b11 != 0b11 {
        return compressed::expand(bits as u16);
    }
    let pattern = INSTRUCTIONS.iter().find(|pattern| bits & pattern.mask == pattern.bits)?;
    Some(Instruction::with_pattern(pattern, bits))
}

/// Bits of a word: so many, from this one on.
fn field(bits: u32, from: u32, count: u32) -> u32 {
    bits >> from & ((1 << count) - 1)
}

/// A number of so many bits, with its sign.
pub(crate) fn signed(value: u32, bits: u32) -> i32 {
    (value << (32 - bits)).cast_signed() >> (32 - bits)
}

impl Instruction {
    /// One of four bytes, with these operands.
    pub(crate) fn new(operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> Self {
        Self { operation, rd, rs1, rs2, immediate, length: Length::Four }
    }

    fn with_pattern(pattern: &Pattern, bits: u32) -> Self {
        // ANCHOR: exercise-10-1
        use Format::{
            Atomic, Bare, Branch, Counter, Ignored, Immediate, Jump, Offset, Register, Reserve, Shift, Store, Upper,
        };
        let [rd, rs1, rs2] = [7, 15, 20].map(|from| field(bits, from, 5) as u8);
        let (rd, rs1, rs2, immediate) = match pattern.format {
            Register | Atomic => (rd, rs1, rs2, 0),
            Reserve => (rd, rs1, 0, 0),
            Immediate | Offset => (rd, rs1, 0, signed(field(bits, 20, 12), 12)),
            Shift => (rd, rs1, 0, rs2.into()),
            Store => (0, rs1, rs2, signed(field(bits, 25, 7) << 5 | field(bits, 7, 5), 12)),
            Branch => {
                let upper = field(bits, 31, 1) << 12 | field(bits, 7, 1) << 11;
                (0, rs1, rs2, signed(upper | field(bits, 25, 6) << 5 | field(bits, 8, 4) << 1, 13))
            }
            Upper => (rd, 0, 0, (bits & 0xffff_f000).cast_signed()),
            Jump => {
                let upper = field(bits, 31, 1) << 20 | field(bits, 12, 8) << 12;
                (rd, 0, 0, signed(upper | field(bits, 20, 1) << 11 | field(bits, 21, 10) << 1, 21))
            }
            Counter => (rd, 0, 0, 0),
            Bare | Ignored => (0, 0, 0, 0),
        };
        Self::new(pattern.operation, rd, rs1, rs2, immediate)
        // ANCHOR_END: exercise-10-1
    }

    /// The word of 32 bits for this instruction, which may have come from one of 16. Bits that mean nothing here are 0.
    #[must_use]
    pub fn encode(&self) -> u32 {
        let pattern = self.operation.pattern();
        let [rd, rs1, rs2] =
            [(self.rd, 7), (self.rs1, 15), (self.rs2, 20)].map(|(register, to)| u32::from(register) << to);
        let number = self.immediate.cast_unsigned();
        let immediate = match pattern.format {
            Format::Immediate | Format::Offset => number << 20,
            Format::Shift => field(number, 0, 5) << 20,
            Format::Store => field(number, 5, 7) << 25 | field(number, 0, 5) << 7,
            Format::Branch => {
                let upper = field(number, 12, 1) << 31 | field(number, 5, 6) << 25;
                upper | field(number, 1, 4) << 8 | field(number, 11, 1) << 7
            }
            Format::Upper => number & 0xffff_f000,
            Format::Jump => {
                let upper = field(number, 20, 1) << 31 | field(number, 1, 10) << 21;
                upper | field(number, 11, 1) << 20 | field(number, 12, 8) << 12
            }
            _ => 0,
        };
        pattern.bits | rd | rs1 | rs2 | immediate
    }
}
