//! A RISC-V program in the engine, instruction by instruction.

mod guest;
mod view;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;

use flatmk_softuser::engine::{Hart as Engine, Stop};

use guest::{CODE, Guest};
pub use view::View;

/// The programs, in the words of memory. An `ecall` writes the character in `a0` to the console; an `ebreak` is the end.
const PROGRAMS: [&[u32]; 3] = [
    // Adds 1 to 5, in a loop.
    &[0x0000_0513, 0x0050_0293, 0x0055_0533, 0xfff2_8293, 0xfe02_9ce3, 0x0010_0073],
    // Writes a text; that follows the code.
    &[
        0x0001_0437,
        0x0204_0413,
        0x0004_4503,
        0x0005_0863,
        0x0000_0073,
        0x0014_0413,
        0xff1f_f06f,
        0x0010_0073,
        0x6c6c_6548,
        0x7266_206f,
        0x5220_6d6f,
        0x2d43_5349,
        0x0000_0a56,
    ],
    // Stores and loads, and stores where it has no memory. Some of its instructions have two bytes.
    &[0x429d_6441, 0x0454_2023, 0x0404_2303, 0x04b7_9316, 0xa023_0002, 0x9002_0064],
];

/// How many bytes of a program are code.
const CODE_BYTES: [u32; PROGRAMS.len()] = [24, 32, 24];

/// Words for translated code: a page.
const CACHE_WORDS: usize = 512;

/// A program that does not end would not let the browser go on.
const MOST_CALLS: usize = 10_000;

/// A hart with its memory and its console.
pub struct Hart {
    engine: Engine,
    guest: Guest,
    program: usize,
    console: String,
    /// What the last step came to, in words.
    says: String,
    has_ended: bool,
}

impl Default for Hart {
    fn default() -> Self {
        Self::new()
    }
}

impl Hart {
    /// A hart at the beginning of the first program. Its memory is never given back, so one is made.
    #[must_use]
    pub fn new() -> Self {
        let engine = Engine::new(Box::leak(vec![0; CACHE_WORDS].into_boxed_slice()));
        let (console, says) = (String::new(), String::new());
        let mut hart = Self { engine, guest: Guest::new(), program: 0, console, says, has_ended: false };
        hart.begin(0);
        hart
    }

    /// Begins a program; the first, for a number that is none's.
    pub fn begin(&mut self, program: usize) {
        self.program = if program < PROGRAMS.len() { program } else { 0 };
        self.guest.load(PROGRAMS.get(self.program).copied().unwrap_or_default());
        self.engine.forget_code();
        self.engine.forget_reservation();
        (1..32).for_each(|index| self.engine.set_register(index, 0));
        self.engine.set_pc(CODE);
        self.console.clear();
        self.has_ended = false;
        self.says = "At the first instruction.".into();
    }

    /// Runs one instruction.
    pub fn step(&mut self) {
        if self.has_ended {
            return;
        }
        self.says = "Ran one instruction.".into();
        // SAFETY: the guest has memory of its own, and is asked to access no other: see `guest`.
        let stop = unsafe { self.engine.step(&mut self.guest.code()) };
        if let Some(stop) = stop {
            self.stopped(stop);
        }
    }

    /// Runs to the end.
    pub fn run(&mut self) {
        for _ in 0..MOST_CALLS {
            if self.has_ended {
                return;
            }
            // SAFETY: as above.
            let stop = unsafe { self.engine.run(&mut self.guest.code()) };
            self.stopped(stop);
        }
    }

    /// What the kernel would do.
    fn stopped(&mut self, stop: Stop) {
        let pc = self.engine.pc();
        if stop == Stop::Ecall {
            let character = char::from(self.engine.register(10) as u8);
            self.console.push(character);
            self.engine.set_pc(pc.wrapping_add(4));
            self.says = alloc::format!("A system call: the console gets {character:?}.");
            return;
        }
        self.has_ended = true;
        self.says = match stop {
            Stop::Ebreak => alloc::format!("Stopped at {pc:#x}, by ebreak: the end of the program."),
            Stop::Access => alloc::format!(
                "Stopped at {pc:#x}: an access to {:#x}, where the program has no memory. Nothing of the instruction has happened.",
                guest::fault_address()
            ),
            stop => alloc::format!("Stopped at {pc:#x}: {stop:?}."),
        };
    }
}

#[cfg(test)]
mod tests;
