//! An instruction in words, as the manual's assembly has it: plain names, none of the assembler's other names for special cases.

use core::fmt;

use crate::decode::Instruction;
use crate::table::Format;

/// The registers by the names of the calling convention.
const REGISTERS: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2",
    "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// An instruction at an address, to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Disassembled {
    /// Where it is: jumps and branches are shown with the address they lead to.
    pub pc: u32,
    /// Which it is.
    pub instruction: Instruction,
}

impl fmt::Display for Disassembled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Instruction { operation, rd, rs1, rs2, immediate, .. } = self.instruction;
        let [rd, rs1, rs2] =
            [rd, rs1, rs2].map(|register| REGISTERS.get(usize::from(register)).copied().unwrap_or("?"));
        let target = self.pc.wrapping_add_signed(immediate);
        let pattern = operation.pattern();
        let name = pattern.name;
        match pattern.format {
            Format::Register => write!(formatter, "{name} {rd}, {rs1}, {rs2}"),
            Format::Immediate | Format::Shift => write!(formatter, "{name} {rd}, {rs1}, {immediate}"),
            Format::Offset => write!(formatter, "{name} {rd}, {immediate}({rs1})"),
            Format::Store => write!(formatter, "{name} {rs2}, {immediate}({rs1})"),
            Format::Branch => write!(formatter, "{name} {rs1}, {rs2}, {target:#x}"),
            Format::Upper => write!(formatter, "{name} {rd}, {:#x}", immediate.cast_unsigned() >> 12),
            Format::Jump => write!(formatter, "{name} {rd}, {target:#x}"),
            Format::Atomic => write!(formatter, "{name} {rd}, {rs2}, ({rs1})"),
            Format::Reserve => write!(formatter, "{name} {rd}, ({rs1})"),
            Format::Counter => write!(formatter, "{name} {rd}"),
            Format::Bare | Format::Ignored => formatter.write_str(name),
        }
    }
}
