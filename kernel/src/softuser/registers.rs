//! The registers of a hart, for those who look at a task that stands still, and for reports.

use core::ptr::NonNull;

use flatmk_abi::{Error, Words};
use flatmk_softuser::engine::{Code, Hart};
use flatmk_softuser::{Disassembled, decode};

use super::part::Hardware;
use crate::task::{Context, TaskRef, Way};
use crate::{print, println};

/// The number of x0 in the interface.
const FIRST: u64 = 32;
const REGISTERS: u64 = 32;

/// Registers by their names in the calling convention (RISC-V ELF psABI, "Register Convention").
const SP: usize = 2;
const T0: usize = 5;
pub(super) const A0: usize = 10;
pub(super) const A1: usize = 11;
/// The pairs with the four words of a message begin with `a2`, `a4`, `a6` and `t3`.
const WORDS: [usize; 4] = [12, 14, 16, 28];

// ANCHOR: words
/// The four words of a system call.
#[inline(always)]
pub(super) fn words(hart: &Hart) -> Words {
    let [a, b, c, d] = WORDS;
    [hart.register_pair(a), hart.register_pair(b), hart.register_pair(c), hart.register_pair(d)]
}

/// Sets the registers in which a system call returns, or in which a message comes.
#[inline(always)]
pub(super) fn set_words(hart: &mut Hart, [first, second, third, fourth]: Words) {
    let [a, b, c, d] = WORDS;
    hart.set_register_pair(a, first);
    hart.set_register_pair(b, second);
    hart.set_register_pair(c, third);
    hart.set_register_pair(d, fourth);
}

/// A hart begins at an entry, with an argument, a message and what has come in the window. All other registers are as its code has left them.
#[inline(always)]
pub(super) fn begin(hardware: &mut Hardware, argument: u64, message: Words, window: u64) {
    let Hardware { hart, stack, .. } = hardware;
    hart.set_register(SP, *stack);
    hart.set_register_pair(A0, argument);
    set_words(hart, message);
    hart.set_register(T0, window as u32);
}

/// What has come for the task since its hart stopped goes into the hart's registers.
pub(super) fn take_over(context: &Context, hardware: &mut Hardware) {
    match context.way.get() {
        Way::SoftuserReturned => {
            hardware.hart.set_register(A0, context.rax.get() as u32);
            hardware.hart.set_register(A1, context.rsi.get() as u32);
            set_words(&mut hardware.hart, context.words());
        }
        Way::SoftuserEntry => begin(hardware, context.rdi.get(), context.words(), context.rsi.get()),
        _ => return,
    }
    context.way.set(Way::Softuser);
}
// ANCHOR_END: words

/// Lends the hart of a task, with its registers as they are by now.
fn with_hart<R>(task: TaskRef, use_it: impl FnOnce(&mut Hart) -> R) -> Option<R> {
    with_hardware(task, |hardware| use_it(&mut hardware.hart))
}

fn with_hardware<R>(task: TaskRef, use_it: impl FnOnce(&mut Hardware) -> R) -> Option<R> {
    let mut hardware: NonNull<Hardware> = task.softuser.hardware()?;
    // SAFETY: the hart is not used otherwise at this time: its task does not run.
    let hardware = unsafe { hardware.as_mut() };
    take_over(&task.context, hardware);
    Some(use_it(hardware))
}

/// All registers of a task that runs RISC-V code are where they belong. Tells whether it is such a task, which it is even if it has lost its hart.
pub(crate) fn settle(task: TaskRef) -> bool {
    let is_softuser = task.context.is_softuser();
    if is_softuser {
        with_hart(task, |_| ());
    }
    is_softuser
}

fn index(number: u64) -> Option<usize> {
    number.checked_sub(FIRST).filter(|&index| index < REGISTERS).and_then(|index| usize::try_from(index).ok())
}

/// Whether a task has a register with this number, beside those that every task has.
pub(crate) fn is_register(task: TaskRef, number: u64) -> bool {
    index(number).is_some() && task.softuser.hardware().is_some()
}

/// The content of such a register; 0 where there is none.
pub(crate) fn read_register(task: TaskRef, number: u64) -> u64 {
    index(number).and_then(|index| with_hart(task, |hart| hart.register(index))).unwrap_or(0).into()
}

/// Sets such a register.
///
/// # Errors
///
/// Those that the interface lists for `WriteRegister`.
pub(crate) fn write_register(task: TaskRef, number: u64, value: u64) -> Result<(), Error> {
    let index = index(number).filter(|&index| index != 0).ok_or(Error::InvalidArgument)?;
    let value = u32::try_from(value).map_err(|_| Error::InvalidArgument)?;
    with_hart(task, |hart| hart.set_register(index, value)).ok_or(Error::InvalidArgument)
}

/// Shows the registers of a task, if it runs RISC-V code, and the instruction. Tells whether it did.
pub(crate) fn show(task: TaskRef) -> bool {
    const PER_LINE: usize = 8;
    const NAMES: [&str; REGISTERS as usize] = [
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
        "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    ];

    let pc = task.context.rip.get() as u32;
    task.context.is_softuser()
        && with_hardware(task, |Hardware { hart, guest, .. }| {
            print!("  pc={pc:#x}");
            match guest.fetch(pc) {
                Some(bits) => match decode(bits) {
                    Some(instruction) => println!(" {}", Disassembled { instruction, pc }),
                    None => println!(" {bits:#x}: no instruction"),
                },
                None => println!(),
            }
            for (index, name) in NAMES.into_iter().enumerate() {
                let start = if index % PER_LINE == 0 { "  " } else { " " };
                let end = if index % PER_LINE == PER_LINE - 1 { "\n" } else { "" };
                print!("{start}{name}={:#x}{end}", hart.register(index));
            }
        })
        .is_some()
}
