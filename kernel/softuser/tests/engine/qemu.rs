//! Random programs in step with `qemu-riscv32`: the same image, and the same bytes written.
//!
//! An image consists of many programs, one after the other. Each loads its registers with random numbers, does random instructions, and writes all
//! registers and the data by a system call of Linux.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flatmk_softuser::engine::Stop;
use flatmk_softuser::{Format, INSTRUCTIONS, Instruction, Operation, Pattern, decode};

use crate::guest::{CODE, DATA, DATA_BYTES, ECALL, Guest, PAGE, data, fill_data, word};

/// What is written: the data of the programs, and the registers.
const REGISTERS: u32 = DATA + PAGE + 64;
const WRITTEN: u32 = PAGE + 64 + 128;
/// Registers that programs do not write: addresses in the middle of the data, how often they may still jump back, and where they are saved.
const STACK: u8 = 2;
const BASES: [u8; 2] = [8, 9];
const TURNS: u8 = 30;
const SAVE: u8 = 31;
/// A register for addresses of indirect jumps; it may change otherwise, too.
const LINK: u8 = 29;

const WRITE: i32 = 64;
const EXIT: i32 = 93;

/// Numbers that look random (G. Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % count
    }

    fn bits(&mut self) -> u32 {
        self.below(1 << 32) as u32
    }

    fn of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }
}

/// The code of a program, in pieces of which a jump may lead to any.
struct Pieces(Vec<Vec<u8>>);

impl Pieces {
    fn push(&mut self, words: &[u32]) {
        self.0.push(words.iter().flat_map(|word| word.to_le_bytes()).collect());
    }
}

/// Loads a number, by two instructions.
fn number(rd: u8, number: u32) -> [u32; 2] {
    let low = (number << 20).cast_signed() >> 20;
    let high = number.wrapping_sub(low.cast_unsigned()).cast_signed();
    [word(Operation::Lui, rd, 0, 0, high), word(Operation::Addi, rd, rd, 0, low)]
}

fn begin(random: &mut Random) -> Vec<u32> {
    let edges = [0, 1, 2, 31, 32, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
    let mut code = Vec::new();
    for register in 1..32 {
        let value = match register {
            STACK => DATA + PAGE / 4,
            SAVE => REGISTERS,
            TURNS => random.below(12) as u32,
            _ if BASES.contains(&register) => DATA + PAGE / 2 + 4 * random.below(4) as u32,
            _ if random.below(3) == 0 => random.of(&edges),
            _ => random.bits(),
        };
        code.extend(number(register, value));
    }
    code
}

fn end() -> Vec<u32> {
    let mut code: Vec<u32> =
        (1..31).map(|register| word(Operation::Sw, 0, SAVE, register, 4 * i32::from(register))).collect();
    code.push(word(Operation::Addi, 10, 0, 0, 1));
    code.extend(number(11, DATA));
    code.extend(number(12, WRITTEN));
    code.extend([word(Operation::Addi, 17, 0, 0, WRITE), ECALL]);
    code
}

/// Whether a program may write the register.
fn is_free(register: u8) -> bool {
    !BASES.contains(&register) && ![STACK, TURNS, SAVE].contains(&register)
}

/// An instruction that may stand anywhere: what it writes is free, what it accesses is there, and it does not jump.
fn is_harmless(instruction: &Instruction) -> bool {
    let Instruction { operation, rd, rs1, immediate, .. } = *instruction;
    let is_in_page = match operation.pattern().format {
        Format::Offset | Format::Store => {
            let is_inside = BASES.contains(&rs1) || rs1 == STACK && immediate >= -1024;
            is_inside && immediate < 2028 && operation != Operation::Jalr
        }
        Format::Atomic => BASES.contains(&rs1),
        Format::Branch | Format::Jump | Format::Counter | Format::Bare | Format::Reserve => false,
        _ => true,
    };
    is_in_page && is_free(rd)
}

/// An instruction that may stand anywhere, or a few that must stand together.
fn piece(random: &mut Random) -> Vec<u8> {
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let registers: Vec<u8> = (0..32).filter(|register| is_free(*register)).collect();
    if random.below(40) == 0 {
        let (base, results) = (random.of(&BASES), [(); 2].map(|()| random.of(&registers)));
        let store = word(Operation::ScW, results[1], base, random.below(32) as u8, 0);
        return bytes(&[word(Operation::LrW, results[0], base, 0, 0), store]);
    }
    loop {
        let bits = random.bits();
        if random.below(4) == 0 {
            let short = bits & 0xffff;
            if short & 0b11 != 0b11 && decode(short).is_some_and(|instruction| is_harmless(&instruction)) {
                return short.to_le_bytes()[..2].to_vec();
            }
            continue;
        }
        let pattern: &Pattern = random.of(INSTRUCTIONS);
        let mut instruction = decode(pattern.bits | (bits & !pattern.mask)).expect("it is known");
        if matches!(pattern.format, Format::Offset | Format::Store | Format::Atomic) {
            instruction.rs1 = random.of(&BASES);
        }
        if is_harmless(&instruction) {
            return bytes(&[instruction.encode()]);
        }
    }
}

/// A jump or branch forwards over so many bytes, by one or two instructions.
fn forward(random: &mut Random, over: i32) -> Vec<u32> {
    use Operation::{Beq, Bge, Bgeu, Blt, Bltu, Bne};
    let registers: Vec<u8> = (0..32).filter(|register| is_free(*register)).collect();
    let rd = random.of(&registers);
    match random.below(8) {
        0 => vec![word(Operation::Jal, rd, 0, 0, over + 4)],
        1 => vec![word(Operation::Auipc, LINK, 0, 0, 0), word(Operation::Jalr, rd, LINK, 0, over + 8)],
        _ => {
            let operation = random.of(&[Beq, Bne, Blt, Bge, Bltu, Bgeu]);
            vec![word(operation, 0, random.below(32) as u8, random.below(32) as u8, over + 4)]
        }
    }
}

/// A program: random instructions with jumps between them. Back it goes only a few times.
fn program(random: &mut Random) -> Vec<u8> {
    let mut pieces = Pieces(Vec::new());
    for _ in 0..30 {
        let code = piece(random);
        pieces.0.push(code);
        match random.below(8) {
            0 => {
                let skipped: Vec<Vec<u8>> = (0..1 + random.below(3)).map(|_| piece(random)).collect();
                let jump = forward(random, skipped.iter().map(Vec::len).sum::<usize>() as i32);
                pieces.push(&jump);
                pieces.0.extend(skipped);
            }
            1 => {
                let first = pieces.0.len() - random.below(pieces.0.len().min(10));
                let back = pieces.0[first..].iter().map(Vec::len).sum::<usize>() as i32;
                let count = word(Operation::Addi, TURNS, TURNS, 0, -1);
                pieces.push(&[count, word(Operation::Blt, 0, 0, TURNS, -back - 4)]);
            }
            _ => {}
        }
    }
    pieces.0.concat()
}

/// An image of so many programs.
fn image(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut image = Vec::new();
    for _ in 0..count {
        image.extend(bytes(&begin(&mut random)));
        image.extend(program(&mut random));
        image.extend(bytes(&end()));
    }
    image.extend(bytes(&[word(Operation::Addi, 10, 0, 0, 0), word(Operation::Addi, 17, 0, 0, EXIT), ECALL]));
    image
}

/// An ELF file that has the image at its place, and the data behind: an executable for RISC-V, 32 bits, of the first version, in two segments.
fn elf(image: &[u8]) -> Vec<u8> {
    const HEADERS: u32 = 52 + 2 * 32;
    let mut file: Vec<u8> = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let mut half = |values: &[u16]| values.iter().for_each(|value| file.extend(value.to_le_bytes()));
    half(&[2, 243, 1, 0]);
    let mut push = |values: &[u32]| values.iter().for_each(|value| file.extend(value.to_le_bytes()));
    // Where it begins; where the segments are described; that it has short instructions.
    push(&[CODE, 52, 0, 1]);
    push(&[52 | 32 << 16, 2, 0]);
    let bytes = image.len() as u32;
    push(&[1, PAGE, CODE, CODE, bytes, bytes, 5, PAGE]);
    push(&[1, 0, DATA, DATA, 0, DATA_BYTES, 6, PAGE]);
    assert_eq!(file.len(), HEADERS as usize);
    file.resize(PAGE as usize, 0);
    file.extend(image);
    file
}

/// A file that is gone afterwards.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("the file is there");
    }
}

fn run_by_qemu(path: &Path) -> Vec<u8> {
    let output = Command::new("qemu-riscv32")
        .arg(path)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("qemu-riscv32 is needed, which is in Debian's package qemu-user: {error}"));
    assert!(output.status.success(), "qemu-riscv32 has ended with {}", output.status);
    output.stdout
}

fn run_by_engine(image: &[u8]) -> Vec<u8> {
    let mut guest = Guest::new();
    guest.load(image);
    fill_data(&[0]);
    let mut written = Vec::new();
    loop {
        assert_eq!((guest.run(), guest.hart.pc() % 2), (Stop::Ecall, 0), "at {:#x}", guest.hart.pc());
        if guest.hart.register(17) == EXIT as u32 {
            return written;
        }
        let [address, bytes] = [11, 12].map(|index| guest.hart.register(index));
        assert_eq!((guest.hart.register(17), address), (WRITE as u32, DATA));
        written.extend(&data()[..bytes as usize]);
        guest.hart.set_register(10, bytes);
        guest.hart.set_pc(guest.hart.pc() + 4);
    }
}

#[test]
fn random_programs_do_what_they_do_in_qemu() {
    const PROGRAMS: usize = 600;
    for seed in 1..=12 {
        let image = image(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed), PROGRAMS);
        let file = File(std::env::temp_dir().join(format!("flatmk-random-{}-{seed}", std::process::id())));
        std::fs::write(&file.0, elf(&image)).expect("a file for the programs");
        make_executable(&file.0);
        let (theirs, ours) = (run_by_qemu(&file.0), run_by_engine(&image));
        assert_eq!(ours.len(), theirs.len(), "seed {seed}");
        assert_eq!(ours.len(), PROGRAMS * WRITTEN as usize);
        for (index, (ours, theirs)) in ours.chunks(WRITTEN as usize).zip(theirs.chunks(WRITTEN as usize)).enumerate() {
            let place = (0..ours.len()).find(|&place| ours[place] != theirs[place]);
            if let Some(place) = place {
                let register = (place as u32).checked_sub(PAGE + 64).map(|offset| offset / 4);
                panic!(
                    "seed {seed}, program {index}: byte {place:#x} is {:#x} and not {:#x} (register {register:?})",
                    ours[place], theirs[place]
                );
            }
        }
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}
