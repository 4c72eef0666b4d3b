//! What a figure shows of a hart.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use flatmk_softuser::engine::{Code, Shown};
use flatmk_softuser::{Disassembled, Length, decode};
use serde::Serialize;

use super::guest::CODE;
use super::{CODE_BYTES, Hart};

/// A hart as it is.
#[derive(Debug, Serialize)]
pub struct View {
    /// What the last step came to, in words.
    pub says: String,
    /// Whether the program has ended.
    pub ended: bool,
    /// The address of the next instruction.
    pub pc: String,
    /// The registers x0 to x31.
    pub registers: Vec<String>,
    /// What the program has written.
    pub console: String,
    /// The program.
    pub code: Vec<Line>,
    /// The block of operations that the engine makes of the code from the next instruction on.
    pub block: Vec<String>,
}

/// An instruction of the program.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Its address.
    pub pc: String,
    /// Its bits.
    pub bits: String,
    /// Its words.
    pub text: String,
}

impl Hart {
    /// The hart as it is. Translated code is forgotten.
    pub fn view(&mut self) -> View {
        let pc = self.engine.pc();
        let block = self.engine.show(pc, &mut self.guest.code()).map(|slots| slots.map(describe).collect());
        View {
            says: self.says.clone(),
            ended: self.has_ended,
            pc: format!("{pc:#x}"),
            registers: (0..32).map(|index| format!("{:#x}", self.engine.register(index))).collect(),
            console: self.console.clone(),
            code: self.lines(),
            block: block.unwrap_or_default(),
        }
    }

    fn lines(&self) -> Vec<Line> {
        let (mut pc, mut lines) = (CODE, Vec::new());
        let end = CODE + CODE_BYTES.get(self.program).copied().unwrap_or(0);
        while pc < end
            && let Some(bits) = self.guest.code().fetch(pc)
            && let Some(instruction) = decode(bits)
        {
            let is_short = instruction.length == Length::Two;
            let bits = if is_short { format!("{:04x}", bits & 0xffff) } else { format!("{bits:08x}") };
            lines.push(Line { pc: format!("{pc:#x}"), bits, text: Disassembled { pc, instruction }.to_string() });
            pc += if is_short { 2 } else { 4 };
        }
        lines
    }
}

fn describe(slot: Shown) -> String {
    match slot {
        Shown::Head { pc } => format!("head: a block that begins at {pc:#x}"),
        Shown::Link { target: 0, return_address } => format!("link: return to {return_address:#x}"),
        Shown::Link { target, return_address: 0 } => format!("link: leads to {target:#x}"),
        Shown::Link { target, return_address } => format!("link: leads to {target:#x}, return to {return_address:#x}"),
        Shown::Operation { instruction, does_next, number, rd, rs1, rs2, .. } => {
            let name = instruction.map_or("go on behind the block", |instruction| instruction.operation.pattern().name);
            let also = if does_next { ", and the next one" } else { "" };
            format!("{name}{also}: rd {rd}, rs1 {rs1}, rs2 {rs2}, number {number}")
        }
    }
}
