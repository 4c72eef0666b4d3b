//! Instructions, from bits to operands and back, and in words.

use flatmk_softuser::{Disassembled, INSTRUCTIONS, Instruction, Length, Operation, decode};
use proptest::prelude::*;

/// No word is two instructions.
#[test]
fn no_two_patterns_have_a_word_in_common() {
    for (index, one) in INSTRUCTIONS.iter().enumerate() {
        assert_eq!(one.bits & !one.mask, 0, "{}", one.name);
        for other in INSTRUCTIONS.iter().skip(index + 1) {
            let common = one.mask & other.mask;
            assert_ne!(one.bits & common, other.bits & common, "{} and {}", one.name, other.name);
        }
    }
}

proptest! {
    #[test]
    fn an_instruction_survives_its_encoding(bits in any::<u32>(), index in 0..INSTRUCTIONS.len()) {
        let pattern = INSTRUCTIONS[index];
        let instruction = decode(pattern.bits | bits & !pattern.mask).expect("it is known");
        prop_assert_eq!(instruction.operation, pattern.operation);
        prop_assert_eq!(decode(instruction.encode()), Some(instruction));
    }

    #[test]
    fn a_short_instruction_says_the_same_as_the_long_one(bits in any::<u16>()) {
        let Some(short) = decode(bits.into()).filter(|short| short.length == Length::Two) else { return Ok(()) };
        let long = decode(short.encode()).expect("what it stands for is known");
        prop_assert_eq!(Instruction { length: Length::Two, ..long }, short);
    }

    /// The two bytes behind a short instruction may be anything.
    #[test]
    fn what_follows_a_short_instruction_does_not_matter(bits in any::<u16>(), next in any::<u16>()) {
        prop_assume!(bits & 0b11 != 0b11);
        prop_assert_eq!(decode(u32::from(bits) | u32::from(next) << 16), decode(bits.into()));
    }
}

#[test]
fn what_is_reserved_is_illegal() {
    let reserved = [
        ("all zeros", 0x0000_0000),
        ("all ones", 0xffff_ffff),
        ("a shift by 32", 0x0200_1013 | 1 << 7),
        ("a jump with another function", 0x1067),
        ("a branch that there is not", 0x2063),
        ("a load of 64 bits", 0x3003),
        ("c.addi4spn of 0", 0x0004),
        ("c.lui of 0", 0x6081),
        ("c.addi16sp of 0", 0x6101),
        ("c.srli by 32", 0x9001),
        ("c.slli by 32", 0x1082),
        ("c.subw, for 64 bits", 0x9c01),
        ("c.lwsp to x0", 0x4002),
        ("c.jr to x0", 0x8002),
        ("c.flw, a floating-point load", 0x6000),
        ("another system instruction", 0x0020_0073),
        ("a counter that is written", 0xc000_1073),
        ("a load with reservation and an operand", 0x1010_202f),
    ];
    for (what, bits) in reserved {
        assert_eq!(decode(bits), None, "{what}");
    }
}

fn words(pc: u32, bits: u32) -> String {
    Disassembled { pc, instruction: decode(bits).expect("it is known") }.to_string()
}

#[test]
fn a_long_instruction_in_words() {
    assert_eq!(words(0, 0x0050_0093), "addi ra, zero, 5");
    assert_eq!(words(0, 0xfe51_2e23), "sw t0, -4(sp)");
    assert_eq!(words(0x1000, 0xfe00_0ee3), "beq zero, zero, 0xffc");
    assert_eq!(words(0x1000, 0x0080_00ef), "jal ra, 0x1008");
    assert_eq!(words(0, 0x1234_5537), "lui a0, 0x12345");
    assert_eq!(words(0, 0xc000_2573), "rdcycle a0");
    assert_eq!(words(0, 0x0cf5_a52f), "amoswap.w a0, a5, (a1)");
    assert_eq!(words(0, 0x0000_0073), "ecall");
    assert_eq!(words(4, 0xffdf_f06f), "jal zero, 0x0");
    assert_eq!(words(0, 0x4020_d093), "srai ra, ra, 2");
    assert_eq!(words(0, 0x1005_a52f), "lr.w a0, (a1)");
    // Each bit of a distance on its own.
    for shift in 1..=11 {
        let bits = word(Operation::Beq, 0, 0, 0, 1 << shift);
        assert_eq!(words(0, bits), format!("beq zero, zero, {:#x}", 1 << shift));
    }
    for shift in 1..=19 {
        let bits = word(Operation::Jal, 0, 0, 0, 1 << shift);
        assert_eq!(words(0, bits), format!("jal zero, {:#x}", 1 << shift));
    }
}

fn word(operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> u32 {
    Instruction { operation, rd, rs1, rs2, immediate, length: Length::Four }.encode()
}

#[test]
fn a_short_instruction_in_words() {
    assert_eq!(words(0, 0x4501), "addi a0, zero, 0");
    assert_eq!(decode(0x4501).expect("it is known").operation, Operation::Addi);
}
