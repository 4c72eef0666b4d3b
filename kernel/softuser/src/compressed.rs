//! The instructions of 16 bits: each stands for one of 32 (Unprivileged Architecture, chapter 26, "C" Standard Extension).

use crate::decode::{Instruction, Length, signed};
use crate::table::Operation;

/// The stack pointer, and where a call leaves the address to return to.
const SP: u8 = 2;
const RA: u8 = 1;

/// Moves bits of an instruction to their places in its immediate: `[from count to]`.
macro_rules! immediate {
    ($bits:expr, $([$from:literal $count:literal $to:literal])+) => {
        0 $(| ($bits >> $from & ((1 << $count) - 1)) << $to)+
    };
}

/// What a short instruction stands for. `None`: it is reserved, or belongs to an extension that is not there.
pub(crate) fn expand(bits: u16) -> Option<Instruction> {
    let bits = u32::from(bits);
    // The tables are ordered by the lowest two bits, the quadrant, and the highest three.
    let expanded = match (bits & 0b11, bits >> 13) {
        (0b00, function) => quadrant_0(bits, function),
        (0b01, function) => quadrant_1(bits, function),
        (_, function) => quadrant_2(bits, function),
    };
    expanded.map(|instruction| Instruction { length: Length::Two, ..instruction })
}

/// A register in a field of five bits,
fn register(bits: u32, from: u32) -> u8 {
    (bits >> from & 0b1_1111) as u8
}

/// and one in a field of three: x8 to x15.
fn short_register(bits: u32, from: u32) -> u8 {
    8 + (bits >> from & 0b111) as u8
}

fn quadrant_0(bits: u32, function: u32) -> Option<Instruction> {
    let (high, low) = (short_register(bits, 7), short_register(bits, 2));
    let word_offset = immediate!(bits, [10 3 3] [6 1 2] [5 1 6]) as i32;
    match function {
        0b000 => {
            let amount = immediate!(bits, [11 2 4] [7 4 6] [6 1 2] [5 1 3]) as i32;
            // Nothing to add is reserved; all zeros are never an instruction.
            (amount != 0).then(|| Instruction::new(Operation::Addi, low, SP, 0, amount))
        }
        0b010 => Some(Instruction::new(Operation::Lw, low, high, 0, word_offset)),
        0b110 => Some(Instruction::new(Operation::Sw, 0, high, low, word_offset)),
        _ => None,
    }
}

fn quadrant_1(bits: u32, function: u32) -> Option<Instruction> {
    let rd = register(bits, 7);
    let number = signed(immediate!(bits, [12 1 5] [2 5 0]), 6);
    let distance = |rd| {
        let distance = immediate!(bits, [12 1 11] [11 1 4] [9 2 8] [8 1 10] [7 1 6] [6 1 7] [3 3 1] [2 1 5]);
        Some(Instruction::new(Operation::Jal, rd, 0, 0, signed(distance, 12)))
    };
    let branch = |operation| {
        let distance = signed(immediate!(bits, [12 1 8] [10 2 3] [5 2 6] [3 2 1] [2 1 5]), 9);
        Some(Instruction::new(operation, 0, short_register(bits, 7), 0, distance))
    };
    match function {
        0b000 => Some(Instruction::new(Operation::Addi, rd, rd, 0, number)),
        0b001 => distance(RA),
        0b010 => Some(Instruction::new(Operation::Addi, rd, 0, 0, number)),
        0b011 if rd == SP => {
            let amount = signed(immediate!(bits, [12 1 9] [6 1 4] [5 1 6] [3 2 7] [2 1 5]), 10);
            (amount != 0).then(|| Instruction::new(Operation::Addi, SP, SP, 0, amount))
        }
        0b011 => (number != 0).then(|| Instruction::new(Operation::Lui, rd, 0, 0, number << 12)),
        0b100 => arithmetic(bits, number),
        0b101 => distance(0),
        0b110 => branch(Operation::Beq),
        _ => branch(Operation::Bne),
    }
}

fn arithmetic(bits: u32, number: i32) -> Option<Instruction> {
    let rd = short_register(bits, 7);
    let shift = |operation| amount(bits).map(|amount| Instruction::new(operation, rd, rd, 0, amount));
    match bits >> 10 & 0b11 {
        0b00 => shift(Operation::Srli),
        0b01 => shift(Operation::Srai),
        0b10 => Some(Instruction::new(Operation::Andi, rd, rd, 0, number)),
        _ => {
            let operation = match (bits >> 12 & 1, bits >> 5 & 0b11) {
                (0, 0b00) => Operation::Sub,
                (0, 0b01) => Operation::Xor,
                (0, 0b10) => Operation::Or,
                (0, _) => Operation::And,
                // For 64 bits only.
                _ => return None,
            };
            Some(Instruction::new(operation, rd, rd, short_register(bits, 2), 0))
        }
    }
}

/// By how much is shifted. More than 31 is not for 32 bits.
fn amount(bits: u32) -> Option<i32> {
    (bits >> 12 & 1 == 0).then_some((bits >> 2 & 0b1_1111) as i32)
}

fn quadrant_2(bits: u32, function: u32) -> Option<Instruction> {
    let (rd, rs2) = (register(bits, 7), register(bits, 2));
    match function {
        0b000 => amount(bits).map(|amount| Instruction::new(Operation::Slli, rd, rd, 0, amount)),
        0b010 => {
            let offset = immediate!(bits, [12 1 5] [4 3 2] [2 2 6]) as i32;
            (rd != 0).then(|| Instruction::new(Operation::Lw, rd, SP, 0, offset))
        }
        0b100 => match (bits >> 12 & 1, rd, rs2) {
            (0, 0, 0) => None,
            (0, _, 0) => Some(Instruction::new(Operation::Jalr, 0, rd, 0, 0)),
            (0, ..) => Some(Instruction::new(Operation::Add, rd, 0, rs2, 0)),
            (_, 0, 0) => Some(Instruction::new(Operation::Ebreak, 0, 0, 0, 0)),
            (_, _, 0) => Some(Instruction::new(Operation::Jalr, RA, rd, 0, 0)),
            _ => Some(Instruction::new(Operation::Add, rd, rd, rs2, 0)),
        },
        0b110 => {
            let offset = immediate!(bits, [9 4 2] [7 2 6]) as i32;
            Some(Instruction::new(Operation::Sw, 0, SP, rs2, offset))
        }
        _ => None,
    }
}
