//! A program in an ELF file, with the two system calls of Linux that it needs: `write` and `exit`.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::ptr;

use flatmk_softuser::decode;
use flatmk_softuser::engine::{Code, Hart, Stop};

use crate::reference::{Reference, Trap};

/// The guest's memory: the program, and at the end its stack.
const START: u32 = 0x1000_0000;
const BYTES: u32 = 0x80_0000;
const STACK: u32 = START + BYTES - 256;

/// Registers of the calling convention.
const SP: usize = 2;
const A0: usize = 10;
const A1: usize = 11;
const A2: usize = 12;
const A7: usize = 17;

const WRITE: u32 = 64;
const EXIT: u32 = 93;

/// What memory contains in the beginning, and where the program begins.
fn load(path: &Path, arguments: &[&str]) -> (Vec<u8>, u32) {
    let file = std::fs::read(path).expect("the program");
    let number = |at: usize, bytes: usize| {
        file[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
    };
    let word = |at| number(at, 4);
    assert_eq!((&file[..4], file[4]), (b"\x7fELF".as_slice(), 1), "an ELF file of 32 bits");
    let mut memory = vec![0; BYTES as usize];
    for index in 0..number(44, 2) {
        let header = (word(28) + 32 * index) as usize;
        let (kind, offset, address, bytes) = (word(header), word(header + 4), word(header + 8), word(header + 16));
        if kind == 1 && bytes > 0 {
            let (offset, place) = (offset as usize, (address - START) as usize);
            memory[place..place + bytes as usize].copy_from_slice(&file[offset..offset + bytes as usize]);
        }
    }
    // As Linux does: how many arguments, and their addresses; the first is the program's name.
    let mut text = STACK + 64;
    let mut words = vec![arguments.len() as u32 + 1, text];
    for argument in arguments {
        words.push(text);
        let place = (text - START) as usize;
        memory[place..place + argument.len()].copy_from_slice(argument.as_bytes());
        text += argument.len() as u32 + 1;
    }
    for (place, word) in memory[(STACK - START) as usize..].chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    (memory, word(24))
}

struct InPlace;

impl Code for InPlace {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        let is_there = (START..START + BYTES - 4).contains(&pc);
        // SAFETY: memory is there.
        is_there.then(|| unsafe { ptr::with_exposed_provenance::<u32>(pc as usize).read_unaligned() })
    }
}

pub(crate) fn run_by_engine(path: &Path, arguments: &[&str]) {
    let (memory, start) = load(path, arguments);
    // SAFETY: nothing is there: it would be refused.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let place = ptr::without_provenance_mut(START as usize);
        let at = libc::mmap(place, BYTES as usize, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        assert_eq!(at as usize, START as usize, "guest memory");
        at.cast::<u8>().copy_from_nonoverlapping(memory.as_ptr(), memory.len());
    }
    let mut hart = Hart::new(vec![0; 1 << 17].leak());
    hart.set_pc(start);
    hart.set_register(SP, STACK);
    loop {
        // SAFETY: the guest is one of ours, and a fault ends the process.
        let stop = unsafe { hart.run(&mut InPlace) };
        assert_eq!(stop, Stop::Ecall, "at {:#x}", hart.pc());
        match hart.register(A7) {
            EXIT => std::process::exit(hart.register(A0).cast_signed()),
            WRITE => {
                // SAFETY: the guest is one of ours.
                let bytes = unsafe {
                    std::slice::from_raw_parts(
                        ptr::with_exposed_provenance(hart.register(A1) as usize),
                        hart.register(A2) as usize,
                    )
                };
                std::io::stdout().write_all(bytes).expect("somebody who reads");
                hart.set_register(A0, hart.register(A2));
            }
            call => panic!("the system call {call}"),
        }
        hart.set_pc(hart.pc() + 4);
    }
}

/// How many instructions it executes.
pub(crate) fn count(path: &Path, arguments: &[&str]) -> u64 {
    let (memory, pc) = load(path, arguments);
    let mut reference = Reference { x: [0; 32], pc, base: START, memory, reserved: None };
    reference.x[SP] = STACK;
    let mut known = HashMap::new();
    for done in 0.. {
        let pc = reference.pc;
        let place = (pc - START) as usize;
        let instruction = *known.entry(pc).or_insert_with(|| {
            let bits =
                reference.memory[place..place + 4].iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            decode(bits).unwrap_or_else(|| panic!("the instruction {bits:#x} at {pc:#x}"))
        });
        match reference.step(&instruction) {
            Ok(()) => {}
            Err(Trap::Ecall) if reference.x[A7] == EXIT => return done,
            Err(Trap::Ecall) => {
                reference.x[A0] = reference.x[A2];
                reference.pc += 4;
            }
            Err(trap) => panic!("{trap:?} at {pc:#x}"),
        }
    }
    0
}
