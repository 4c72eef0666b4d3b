//! What instructions do, written from the manual and from nothing else: one at a time, in the plainest way.

use flatmk_softuser::{Instruction, Length, Operation};

/// A hart and its memory, which begins at `base`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) x: [u32; 32],
    pub(crate) pc: u32,
    pub(crate) base: u32,
    pub(crate) memory: Vec<u8>,
    pub(crate) reserved: Option<u32>,
}

/// Why an instruction was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    Ecall,
    Ebreak,
    Access,
    Misaligned,
    Wfi,
    /// A counter: what it says is not known here.
    Counter,
}

impl Reference {
    fn place(&self, address: u32, bytes: u32) -> Result<std::ops::Range<usize>, Trap> {
        let start = address.wrapping_sub(self.base) as usize;
        let range = start..start + bytes as usize;
        if address >= self.base && range.end <= self.memory.len() { Ok(range) } else { Err(Trap::Access) }
    }

    fn load(&self, address: u32, bytes: u32) -> Result<u32, Trap> {
        let range = self.place(address, bytes)?;
        Ok(self.memory[range].iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    fn store(&mut self, address: u32, bytes: u32, value: u32) -> Result<(), Trap> {
        let range = self.place(address, bytes)?;
        self.memory[range].copy_from_slice(&value.to_le_bytes()[..bytes as usize]);
        Ok(())
    }

    /// Does an instruction, or nothing.
    pub(crate) fn step(&mut self, instruction: &Instruction) -> Result<(), Trap> {
        use Operation::*;
        let Instruction { operation, rd, rs1, rs2, immediate, length } = *instruction;
        let next = self.pc.wrapping_add(if length == Length::Two { 2 } else { 4 });
        let (a, b, i) = (self.x[rs1 as usize], self.x[rs2 as usize], immediate as u32);
        let (sa, sb) = (a as i32, b as i32);
        let address = a.wrapping_add(i);
        let target = self.pc.wrapping_add(i);
        let mut pc = next;
        let mut branch = |taken: bool| {
            if taken {
                pc = target;
            }
            None
        };
        let result = match operation {
            Lui => Some(i),
            Auipc => Some(self.pc.wrapping_add(i)),
            Jal => {
                pc = target;
                Some(next)
            }
            Jalr => {
                pc = address & !1;
                Some(next)
            }
            Beq => branch(a == b),
            Bne => branch(a != b),
            Blt => branch(sa < sb),
            Bge => branch(sa >= sb),
            Bltu => branch(a < b),
            Bgeu => branch(a >= b),
            Lb => Some(self.load(address, 1)? as u8 as i8 as u32),
            Lh => Some(self.load(address, 2)? as u16 as i16 as u32),
            Lw => Some(self.load(address, 4)?),
            Lbu => Some(self.load(address, 1)?),
            Lhu => Some(self.load(address, 2)?),
            Sb => self.store(address, 1, b).map(|()| None)?,
            Sh => self.store(address, 2, b).map(|()| None)?,
            Sw => self.store(address, 4, b).map(|()| None)?,
            Addi => Some(a.wrapping_add(i)),
            Slti => Some(u32::from(sa < immediate)),
            Sltiu => Some(u32::from(a < i)),
            Xori => Some(a ^ i),
            Ori => Some(a | i),
            Andi => Some(a & i),
            Slli => Some(a << i),
            Srli => Some(a >> i),
            Srai => Some((sa >> i) as u32),
            Add => Some(a.wrapping_add(b)),
            Sub => Some(a.wrapping_sub(b)),
            Sll => Some(a << (b % 32)),
            Slt => Some(u32::from(sa < sb)),
            Sltu => Some(u32::from(a < b)),
            Xor => Some(a ^ b),
            Srl => Some(a >> (b % 32)),
            Sra => Some((sa >> (b % 32)) as u32),
            Or => Some(a | b),
            And => Some(a & b),
            // The code cannot be changed here.
            Fence | FenceI => None,
            Ecall => return Err(Trap::Ecall),
            Ebreak => return Err(Trap::Ebreak),
            Mul => Some((i128::from(sa) * i128::from(sb)) as u32),
            Mulh => Some(((i128::from(sa) * i128::from(sb)) >> 32) as u32),
            Mulhsu => Some(((i128::from(sa) * i128::from(b)) >> 32) as u32),
            Mulhu => Some(((i128::from(a) * i128::from(b)) >> 32) as u32),
            // Unprivileged Architecture, table 11.
            Div => Some(if b == 0 { u32::MAX } else { (i64::from(sa) / i64::from(sb)) as u32 }),
            Divu => Some(a.checked_div(b).unwrap_or(u32::MAX)),
            Rem => Some(if b == 0 { a } else { (i64::from(sa) % i64::from(sb)) as u32 }),
            Remu => Some(if b == 0 { a } else { a % b }),
            Wfi => return Err(Trap::Wfi),
            Cycle | Time | Cycleh | Timeh => return Err(Trap::Counter),
            atomic => {
                if a % 4 != 0 {
                    return Err(Trap::Misaligned);
                }
                let reserved = self.reserved.take();
                if atomic == ScW {
                    if reserved == Some(a) {
                        self.store(a, 4, b).inspect_err(|_| self.reserved = reserved)?;
                    }
                    Some(u32::from(reserved != Some(a)))
                } else {
                    self.reserved = reserved;
                    let old = self.load(a, 4)?;
                    let new = match atomic {
                        LrW => {
                            self.reserved = Some(a);
                            old
                        }
                        AmoswapW => b,
                        AmoaddW => old.wrapping_add(b),
                        AmoxorW => old ^ b,
                        AmoandW => old & b,
                        AmoorW => old | b,
                        AmominW => (old as i32).min(sb) as u32,
                        AmomaxW => (old as i32).max(sb) as u32,
                        AmominuW => old.min(b),
                        _ => old.max(b),
                    };
                    self.store(a, 4, new)?;
                    Some(old)
                }
            }
        };
        if let Some(result) = result
            && rd != 0
        {
            self.x[rd as usize] = result;
        }
        self.pc = pc;
        Ok(())
    }
}
