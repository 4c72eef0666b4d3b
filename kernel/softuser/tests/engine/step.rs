//! The engine and the reference with the same program, registers and data.

use flatmk_softuser::decode;
use flatmk_softuser::engine::Stop;

use crate::guest::{CODE, DATA, DATA_BYTES, Guest, data};
use crate::reference::{Reference, Trap};

/// How both begin: with these registers, and with the data that is in guest memory.
pub(crate) struct Both<'guest> {
    pub(crate) guest: &'guest mut Guest,
    pub(crate) x: [u32; 32],
    pub(crate) steps: usize,
}

/// What became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They did the same and stopped.
    Same(Stop),
    /// The reference did not stop in so many steps, or came to what it does not know. The engine did not run.
    NotCompared,
}

impl Both<'_> {
    /// Runs both from the beginning of the program. Says what is different.
    pub(crate) fn run(self) -> Result<Outcome, String> {
        let Self { guest, mut x, steps } = self;
        x[0] = 0;
        let mut expected = Reference { x, pc: CODE, base: DATA, memory: data(), reserved: None };
        guest.hart.set_pc(CODE);
        (1..32).for_each(|index| guest.hart.set_register(index, x[index]));
        let Some(meant) = (0..steps).find_map(|_| step(&mut expected, guest)) else {
            return Ok(Outcome::NotCompared);
        };
        let Some(meant) = meant else { return Ok(Outcome::NotCompared) };
        let stop = guest.run();
        if (stop, guest.hart.pc()) != (meant, expected.pc) {
            let pc = guest.hart.pc();
            return Err(format!("stopped by {stop:?} at {pc:#x}, not by {meant:?} at {:#x}", expected.pc));
        }
        for (index, (found, expected)) in guest.registers().into_iter().zip(expected.x).enumerate() {
            if found != expected {
                return Err(format!("x{index} is {found:#x} and not {expected:#x}, at {:#x}", guest.hart.pc()));
            }
        }
        let found = data();
        if let Some(index) = (0..DATA_BYTES as usize).find(|&index| found[index] != expected.memory[index]) {
            let (found, expected) = (found[index], expected.memory[index]);
            return Err(format!("the byte {index:#x} of the data is {found:#x} and not {expected:#x}"));
        }
        Ok(Outcome::Same(stop))
    }
}

/// The next instruction. `None`: it was done. `Some(None)`: the reference does not know it.
fn step(reference: &mut Reference, guest: &Guest) -> Option<Option<Stop>> {
    let Some(bits) = guest.code.instruction(reference.pc) else { return Some(Some(Stop::Fetch)) };
    let Some(instruction) = decode(bits) else { return Some(Some(Stop::Illegal)) };
    let trap = reference.step(&instruction).err()?;
    Some(match trap {
        Trap::Ecall => Some(Stop::Ecall),
        Trap::Ebreak => Some(Stop::Ebreak),
        Trap::Wfi => Some(Stop::Wfi),
        Trap::Access => Some(Stop::Access),
        Trap::Misaligned => Some(Stop::Misaligned),
        Trap::Counter => None,
    })
}
