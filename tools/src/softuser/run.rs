//! A program as it runs.

use std::io;

use flatmk_image::{Image, Machine};
use flatmk_softuser::engine::{Code, Hart, Stop};
use flatmk_softuser::{Instruction, Length, decode};

use super::memory::Memory;
use super::trap::{Kind, Trap};
use super::{Files, SoftuserError, faults};

/// How much room there is for translated code, in words.
const CACHE: usize = 1 << 20;

const SP: usize = 2;

/// How a program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this exit code.
    Exited(u8),
    /// By what it must not do.
    Trapped(Trap),
}

/// A program that is loaded.
pub struct Guest<F> {
    pub(super) hart: Box<Hart>,
    pub(super) memory: Memory,
    pub(super) files: F,
}

/// One instruction, as whoever watches sees it.
pub struct Step<'guest> {
    /// Where it is,
    pub pc: u32,
    /// and the bytes that are there: two, or four.
    pub bits: u32,
    /// What they mean, unless there is no such instruction.
    pub instruction: Option<Instruction>,
    /// Where the program goes on, and with what in its registers; none if the instruction has ended it.
    pub after: Option<&'guest Hart>,
}

/// Sees every instruction that a program executes.
pub trait Watch {
    /// One more.
    ///
    /// # Errors
    ///
    /// If what there is to say cannot be written.
    fn see(&mut self, step: &Step<'_>) -> io::Result<()>;
}

impl<F: Files> Guest<F> {
    /// Loads a program from the bytes of its file.
    ///
    /// # Errors
    ///
    /// If it is none, or there is no place for it.
    pub fn load(file: &[u8], arguments: &[Vec<u8>], files: F) -> Result<Self, SoftuserError> {
        Self::load_with(file, arguments, files, CACHE)
    }

    pub(super) fn load_with(file: &[u8], arguments: &[Vec<u8>], files: F, cache: usize) -> Result<Self, SoftuserError> {
        let image = Image::parse_for(Machine::RiscV32, file)?;
        let mut memory = Memory::load(&image)?;
        let mut hart = Box::new(Hart::new(vec![0; cache].leak()));
        hart.set_register(SP, memory.push_arguments(arguments)?);
        hart.set_pc(image.entry() as u32);
        Ok(Self { hart, memory, files })
    }

    /// Runs it to its end.
    pub fn run(&mut self) -> Ending {
        loop {
            let Self { hart, memory, .. } = self;
            // SAFETY: the program may use its memory, and nothing else is in the lowest 4 GiB.
            let stop = faults::recovered(hart, |hart| unsafe { hart.run(memory) });
            if let Some(ending) = self.answer(stop) {
                return ending;
            }
        }
    }

    /// Runs it to its end, one instruction after the other.
    ///
    /// # Errors
    ///
    /// If whoever watches has one.
    pub fn run_watched(&mut self, watch: &mut dyn Watch) -> Result<Ending, SoftuserError> {
        loop {
            let pc = self.hart.pc();
            // What cannot be fetched ends the program, and is nothing to see.
            let bits = self.memory.fetch(pc).unwrap_or(0);
            let ending = self.step();
            if let Some(Ending::Trapped(trap @ Trap { kind: Kind::Fetch, .. })) = ending {
                return Ok(Ending::Trapped(trap));
            }
            let instruction = decode(bits);
            let is_short = instruction.map_or(bits & 0b11 != 0b11, |instruction| instruction.length == Length::Two);
            let bits = if is_short { bits & 0xffff } else { bits };
            // To exit is done, too.
            let after = (!matches!(ending, Some(Ending::Trapped(_)))).then_some(&*self.hart);
            watch.see(&Step { pc, bits, instruction, after }).map_err(SoftuserError::Watch)?;
            if let Some(ending) = ending {
                return Ok(ending);
            }
        }
    }

    /// Runs one instruction. `Some`: that was the last.
    pub(super) fn step(&mut self) -> Option<Ending> {
        let Self { hart, memory, .. } = self;
        // SAFETY: as above.
        let stop = faults::recovered(hart, |hart| unsafe { hart.step(memory) });
        stop.and_then(|stop| self.answer(stop))
    }

    /// What follows from a stop: the program goes on, unless it ends.
    fn answer(&mut self, stop: Stop) -> Option<Ending> {
        let pc = self.hart.pc();
        let (kind, address) = match stop {
            Stop::Ecall => {
                let ending = self.call();
                self.hart.set_pc(pc.wrapping_add(4));
                return ending;
            }
            // Nobody asks for it.
            Stop::Pending => return None,
            Stop::Illegal => (Kind::Illegal, None),
            Stop::Ebreak => (Kind::Breakpoint, None),
            Stop::Wfi => (Kind::Wait, None),
            Stop::Fetch => (Kind::Fetch, Some(self.hart.fetch_address().into())),
            Stop::Access => (Kind::Access, Some(faults::address())),
            Stop::Misaligned => {
                let instruction = self.memory.fetch(pc).and_then(decode);
                let address = instruction.map(|instruction| self.hart.register(instruction.rs1.into()).into());
                (Kind::Misaligned, address)
            }
        };
        Some(Ending::Trapped(Trap { kind, pc, address }))
    }
}
