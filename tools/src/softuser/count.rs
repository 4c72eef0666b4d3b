//! How many instructions a program executes, and of which kinds.

use std::fmt;
use std::io;

use flatmk_softuser::{Instruction, Length, Operation};

use super::run::{Step, Watch};

/// What instructions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Computing,
    Multiplying,
    Load,
    Store,
    Branch,
    Jump,
    Atomic,
    System,
}

const SORTS: [(Sort, &str); 8] = [
    (Sort::Computing, "computing"),
    (Sort::Multiplying, "multiplication, division"),
    (Sort::Load, "loads"),
    (Sort::Store, "stores"),
    (Sort::Branch, "branches"),
    (Sort::Jump, "jumps, calls, returns"),
    (Sort::Atomic, "atomic"),
    (Sort::System, "system"),
];

impl Sort {
    fn of(operation: Operation) -> Self {
        use Operation::{
            AmoaddW, AmoandW, AmomaxW, AmomaxuW, AmominW, AmominuW, AmoorW, AmoswapW, AmoxorW, Beq, Bge, Bgeu, Blt,
            Bltu, Bne, Cycle, Cycleh, Div, Divu, Ebreak, Ecall, Fence, FenceI, Jal, Jalr, Lb, Lbu, Lh, Lhu, LrW, Lw,
            Mul, Mulh, Mulhsu, Mulhu, Rem, Remu, Sb, ScW, Sh, Sw, Time, Timeh, Wfi,
        };
        match operation {
            Mul | Mulh | Mulhsu | Mulhu | Div | Divu | Rem | Remu => Self::Multiplying,
            Lb | Lh | Lw | Lbu | Lhu => Self::Load,
            Sb | Sh | Sw => Self::Store,
            Beq | Bne | Blt | Bge | Bltu | Bgeu => Self::Branch,
            Jal | Jalr => Self::Jump,
            LrW | ScW | AmoswapW | AmoaddW | AmoxorW | AmoandW | AmoorW | AmominW | AmomaxW | AmominuW | AmomaxuW => {
                Self::Atomic
            }
            Fence | FenceI | Ecall | Ebreak | Wfi | Cycle | Time | Cycleh | Timeh => Self::System,
            _ => Self::Computing,
        }
    }
}

/// Counts them as they are done. One that ends the program by a trap is not done; the system call by which it exits is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    sorts: [u64; SORTS.len()],
    short: u64,
    taken: u64,
}

impl Count {
    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sorts.iter().sum()
    }

    fn add(&mut self, pc: u32, next: u32, instruction: &Instruction) {
        let sort = Sort::of(instruction.operation);
        for ((known, _), count) in SORTS.iter().zip(&mut self.sorts) {
            *count += u64::from(*known == sort);
        }
        let is_short = instruction.length == Length::Two;
        self.short += u64::from(is_short);
        let behind = pc.wrapping_add(if is_short { 2 } else { 4 });
        self.taken += u64::from(sort == Sort::Branch && next != behind);
    }
}

impl Watch for Count {
    fn see(&mut self, step: &Step<'_>) -> io::Result<()> {
        if let (Some(hart), Some(instruction)) = (step.after, step.instruction) {
            self.add(step.pc, hart.pc(), &instruction);
        }
        Ok(())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, short) = (self.total(), self.short);
        write!(
            formatter,
            "{total} instructions, counted one by one as they were done; {short} of them are of 16 bits"
        )?;
        for ((sort, name), count) in SORTS.iter().zip(self.sorts) {
            if count != 0 {
                write!(formatter, "\n  {name:<24} {count}")?;
            }
            if count != 0 && *sort == Sort::Branch {
                write!(formatter, ", {} taken", self.taken)?;
            }
        }
        Ok(())
    }
}
