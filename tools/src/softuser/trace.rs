//! Every instruction in words, a line each.

use std::io::{self, Write};

use flatmk_softuser::{Disassembled, Length, Operation};

use super::run::{Step, Watch};

/// The registers by the names of the calling convention.
const NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2",
    "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// A system call leaves its result in this register.
const A0: usize = 10;

/// Writes where an instruction is, its bytes, what it is, and what it has left in its register.
pub struct Trace<W>(pub W);

impl<W: Write> Watch for Trace<W> {
    fn see(&mut self, step: &Step<'_>) -> io::Result<()> {
        // A line is written at once, between those that the program may write.
        self.0.write_all((line(step) + "\n").as_bytes())
    }
}

fn line(step: &Step<'_>) -> String {
    let Step { pc, bits, instruction, after } = *step;
    let Some(instruction) = instruction else { return format!("{pc:08x}: {bits:<8x}  (no instruction)") };
    let width = if instruction.length == Length::Two { 4 } else { 8 };
    let bytes = format!("{bits:0width$x}");
    let text = Disassembled { pc, instruction }.to_string();
    let register = if instruction.operation == Operation::Ecall { A0 } else { instruction.rd.into() };
    match (after, NAMES.get(register)) {
        (Some(hart), Some(name)) if register != 0 => {
            format!("{pc:08x}: {bytes:<8}  {text:<28} {name} = {:#010x}", hart.register(register))
        }
        (Some(_), _) => format!("{pc:08x}: {bytes:<8}  {text}"),
        (None, _) => format!("{pc:08x}: {bytes:<8}  {text:<28} (trap)"),
    }
}
