//! Random programs.

use std::cell::{Cell, RefCell};

use flatmk_softuser::{Format, INSTRUCTIONS, decode};
use proptest::prelude::*;

use crate::guest::{DATA, DATA_BYTES, ECALL, Guest, bytes, fill_data};
use crate::step::{Both, Outcome};

/// Numbers at the edges, and others.
fn number() -> impl Strategy<Value = u32> {
    const EDGES: [u32; 12] =
        [0, 1, 2, 31, 32, 0x7f, 0xff, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff];
    prop_oneof![prop::sample::select(EDGES.to_vec()), any::<u32>(), (DATA..DATA + DATA_BYTES)]
}

/// Random instructions, most of which access the data by x8 and x9, and branch or jump within the program. With some the lower half is a short
/// instruction, so that others begin in the middle of a word.
fn program() -> impl Strategy<Value = Vec<u32>> {
    const LENGTH: usize = 40;
    let patterns: Vec<usize> = (0..INSTRUCTIONS.len())
        .filter(|&index| {
            use flatmk_softuser::Operation::*;
            !matches!(INSTRUCTIONS[index].operation, Cycle | Time | Cycleh | Timeh | Wfi | Ecall | Ebreak | Jalr)
        })
        .collect();
    let kind = (prop::sample::select(patterns), prop::bool::weighted(0.95), prop::bool::weighted(0.1));
    let instruction = (kind, any::<u32>(), 0..4_u8, -12..13_i32);
    prop::collection::vec(instruction, LENGTH).prop_map(|instructions| {
        let word = |((index, tame, short), bits, base, distance): ((usize, bool, bool), u32, u8, i32)| {
            if short {
                return (bits & !0b11) | (u32::from(base) % 3);
            }
            let pattern = INSTRUCTIONS[index];
            let mut instruction = decode(pattern.bits | bits & !pattern.mask).expect("it is known");
            match pattern.format {
                Format::Offset | Format::Store | Format::Atomic | Format::Reserve if tame => {
                    instruction.rs1 = 8 + base % 2;
                }
                Format::Branch | Format::Jump => instruction.immediate = 2 * distance,
                _ => {}
            }
            // The bases stay what they are.
            if tame && matches!(instruction.rd, 8 | 9) {
                instruction.rd = 10;
            }
            instruction.encode()
        };
        instructions.into_iter().map(word).chain([ECALL; 8]).collect()
    })
}

const STEPS: usize = 300;

/// Registers, memory, the reason and the place, whatever the program does.
#[test]
fn random_programs_do_what_the_manual_says() {
    let (guest, compared) = (RefCell::new(Guest::new()), Cell::new(0));
    let cases = ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() };
    proptest!(cases, |(program in program(), x in prop::collection::vec(number(), 32), pattern in any::<[u8; 16]>())| {
        let guest = &mut *guest.borrow_mut();
        guest.load(&bytes(&program));
        fill_data(&pattern);
        let mut x: [u32; 32] = x.try_into().expect("so many");
        x[8] = DATA + DATA_BYTES / 2;
        x[9] = DATA + DATA_BYTES - 16;
        let outcome = Both { guest, x, steps: STEPS }.run();
        compared.set(compared.get() + usize::from(matches!(outcome, Ok(Outcome::Same(_)))));
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    });
    let compared = compared.get();
    assert!(compared > 3000, "only {compared} were compared");
}
