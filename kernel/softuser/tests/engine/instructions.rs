//! Every instruction with operands at the edges, and every two one after the other, whatever the registers are.

use flatmk_softuser::engine::Stop;
use flatmk_softuser::{Format, INSTRUCTIONS, Operation, Pattern};

use crate::guest::{CODE, DATA, ECALL, Guest, PAGE, bytes, fill_data, word};
use crate::step::{Both, Outcome};

const EDGES: [u32; 12] = [
    0,
    1,
    2,
    31,
    32,
    33,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
    // An address.
    DATA + PAGE,
];

/// Numbers that the instruction can have.
fn numbers(pattern: &Pattern) -> &'static [i32] {
    match pattern.format {
        Format::Immediate => &[0, 1, 2, 31, 32, 0x7ff, -1, -2, -0x7ff, -0x800],
        Format::Offset | Format::Store => &[0, 1, -1, 0x7ff, -0x800],
        Format::Shift => &[0, 1, 15, 30, 31],
        Format::Upper => &[0, 0x1000, 0x7fff_f000, i32::MIN, -0x1000, DATA as i32],
        Format::Branch | Format::Jump => &[8, 12, 2],
        _ => &[0],
    }
}

/// Of an instruction without one of them, the field is part of something else.
fn has_registers(format: Format) -> [bool; 3] {
    match format {
        Format::Register | Format::Atomic => [true; 3],
        Format::Immediate | Format::Shift | Format::Offset | Format::Reserve => [true, true, false],
        Format::Store | Format::Branch => [false, true, true],
        Format::Upper | Format::Jump | Format::Counter => [true, false, false],
        Format::Bare | Format::Ignored => [false; 3],
    }
}

/// Those that the reference knows, and that do not only stop.
fn patterns() -> impl Iterator<Item = &'static Pattern> {
    let is_known = |pattern: &&&Pattern| !matches!(pattern.format, Format::Bare | Format::Counter);
    INSTRUCTIONS.iter().filter(is_known).copied()
}

fn compare(guest: &mut Guest, x: [u32; 32], what: &dyn Fn() -> String) -> Option<Stop> {
    match (Both { guest, x, steps: 20 }).run() {
        Ok(Outcome::Same(stop)) => Some(stop),
        Ok(Outcome::NotCompared) => None,
        Err(why) => panic!("{}: {why}", what()),
    }
}

/// All pairs of operands; the result to x0, to an operand's register, and to another; both operands the same register, and x0.
#[test]
fn every_instruction_does_what_the_manual_says_with_operands_at_the_edges() {
    let mut guest = Guest::new();
    let mut compared = 0;
    for pattern in patterns() {
        let [has_rd, has_rs1, has_rs2] = has_registers(pattern.format);
        let choices = |is_there: bool, registers: &'static [u8]| if is_there { registers } else { &[0] };
        for &number in numbers(pattern) {
            for &rd in choices(has_rd, &[0, 5, 6, 7]) {
                for &rs1 in choices(has_rs1, &[5, 0]) {
                    for &rs2 in choices(has_rs2, &[6, 5, 0]) {
                        let instruction = word(pattern.operation, rd, rs1, rs2, number);
                        guest.load(&bytes(&[instruction, word(Operation::Addi, 8, 0, 0, 1), ECALL, ECALL]));
                        fill_data(&[0x81, 0x7f, 0xff, 0x80, 1, 2, 3]);
                        for (a, b) in EDGES.iter().flat_map(|a| EDGES.map(|b| (*a, b))) {
                            let mut x = [0xaaaa_5555; 32];
                            (x[5], x[6]) = (a, b);
                            let what =
                                || format!("{} x{rd}, x{rs1}, x{rs2}, {number:#x} of {a:#x} and {b:#x}", pattern.name);
                            compared += usize::from(compare(&mut guest, x, &what).is_some());
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 100_000, "{compared}");
}

/// Whether the engine does them together or one by one: the reference does them one by one. Each register is x0, an address, or a number at the
/// edge, so the second instruction uses and overwrites what the first uses and overwrites in every way.
#[test]
fn every_two_instructions_do_what_they_do_one_by_one() {
    const REGISTERS: [u8; 3] = [0, 5, 6];
    let mut guest = Guest::new();
    let mut compared = 0;
    let mut turn = 0_usize;
    for (first, second) in patterns().flat_map(|first| patterns().map(move |second| (first, second))) {
        for registers in 0..3_usize.pow(6) {
            let digit = |index: u32| REGISTERS[registers / 3_usize.pow(index) % 3];
            // Of registers that are not there only one choice is made.
            let is_there = [has_registers(first.format), has_registers(second.format)].concat();
            if (0..6).any(|index| !is_there[index as usize] && digit(index) != 0) {
                continue;
            }
            turn += 1;
            // A share of those that are never done together.
            let [one, two] = [first, second].map(|pattern| numbers(pattern)[turn % numbers(pattern).len()]);
            let program = [
                word(first.operation, digit(0), digit(1), digit(2), one),
                word(second.operation, digit(3), digit(4), digit(5), two),
                word(Operation::Addi, 8, 0, 0, 1),
                ECALL,
                ECALL,
                ECALL,
            ];
            guest.load(&bytes(&program));
            let mut x = [0xaaaa_5555; 32];
            (x[5], x[6]) = (DATA + PAGE - 2 * (turn as u32 % 2), EDGES[turn % EDGES.len()]);
            let what = || format!("{program:x?} with {:#x} and {:#x} at {CODE:#x}", x[5], x[6]);
            compared += usize::from(compare(&mut guest, x, &what).is_some());
        }
    }
    assert!(compared > 100_000, "{compared}");
}
