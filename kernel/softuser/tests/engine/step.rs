//! The engine and the reference with the same program, registers and data.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use flatmk_softuser::decode;
use flatmk_softuser::engine::{Code, Stop};

use crate::guest::{CODE, DATA, Fetch, Guest, data, run};
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
    /// They did the same and stopped; by [`Stop::Pending`] if the reference went on after so many steps.
    Same(Stop),
    /// The reference came to what it does not know. The engine did not run.
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
        let beginning = expected.clone();
        match (0..steps).find_map(|_| step(&mut expected, guest)) {
            None => run_a_while(guest, beginning, steps),
            Some(None) => Ok(Outcome::NotCompared),
            Some(Some(meant)) => {
                let stop = guest.run();
                if stop != meant {
                    return Err(format!("stopped by {stop:?} at {:#x}, not by {meant:?}", guest.hart.pc()));
                }
                difference(guest, &expected).map_or(Ok(Outcome::Same(stop)), Err)
            }
        }
    }
}

/// A program that goes on and on: the engine is asked to stop as soon as it has begun. Where it stops the reference comes by, too.
fn run_a_while(guest: &mut Guest, mut expected: Reference, steps: usize) -> Result<Outcome, String> {
    // SAFETY: the guest lives longer.
    let pending = unsafe { AtomicU32::from_ptr(guest.hart.pending().as_ptr()) };
    let Guest { hart, code, .. } = guest;
    let stop = run(
        hart,
        &mut Fetch(|pc| {
            pending.store(1, Relaxed);
            code.fetch(pc)
        }),
    );
    pending.store(0, Relaxed);
    if stop != Stop::Pending {
        return Err(format!("stopped by {stop:?} at {:#x}, but should go on", guest.hart.pc()));
    }
    let mut last = None;
    for _ in 0..steps {
        if expected.pc == guest.hart.pc() {
            last = difference(guest, &expected);
            if last.is_none() {
                return Ok(Outcome::Same(stop));
            }
        }
        if step(&mut expected, guest).is_some() {
            break;
        }
    }
    Err(last.unwrap_or_else(|| format!("was at {:#x} and should not be", guest.hart.pc())))
}

/// What is not the same.
fn difference(guest: &Guest, expected: &Reference) -> Option<String> {
    let pc = guest.hart.pc();
    if pc != expected.pc {
        return Some(format!("at {pc:#x} and not at {:#x}", expected.pc));
    }
    let x = guest.registers();
    if let Some(index) = (0..32).find(|&index| x[index] != expected.x[index]) {
        return Some(format!("x{index} is {:#x} and not {:#x}, at {pc:#x}", x[index], expected.x[index]));
    }
    let found = data();
    let index = (0..found.len()).find(|&index| found[index] != expected.memory[index])?;
    let (found, expected) = (found[index], expected.memory[index]);
    Some(format!("the byte {index:#x} of the data is {found:#x} and not {expected:#x}, at {pc:#x}"))
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
