use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use flatmk_image::Machine;
use flatmk_image::builder::{CODE_ADDRESS, ElfFile, ElfSegment};
use flatmk_softuser::{Instruction, Length, Operation};
use proptest::prelude::*;
use proptest::sample::Index;

use super::count::Count;
use super::memory::STACK_TOP;
use super::trace::Trace;
use super::trap::{Kind, Trap};
use super::*;

const CODE: u32 = CODE_ADDRESS as u32;
const DATA: u32 = 0x50_0000;
const DATA_BYTES: u32 = 0x2000;

/// The registers, by the names of the calling convention.
const ZERO: u8 = 0;
const RA: u8 = 1;
const SP: u8 = 2;
const T0: u8 = 5;
const A0: u8 = 10;
const A1: u8 = 11;
const A2: u8 = 12;
const A7: u8 = 17;

const ECALL: u32 = 0x73;

fn word(operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> u32 {
    Instruction { operation, rd, rs1, rs2, immediate, length: Length::Four }.encode()
}

fn addi(rd: u8, rs1: u8, immediate: i32) -> u32 {
    word(Operation::Addi, rd, rs1, 0, immediate)
}

fn lui(rd: u8, value: u32) -> u32 {
    word(Operation::Lui, rd, 0, 0, value.cast_signed())
}

/// Ends with a0 as the exit code.
fn exit() -> [u32; 2] {
    [addi(A7, ZERO, 93), ECALL]
}

/// A program with these words and two pages of data.
fn file(words: &[u32]) -> Vec<u8> {
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    ElfFile::new_for(Machine::RiscV32, CODE_ADDRESS)
        .with(ElfSegment::read_execute(CODE_ADDRESS, &code))
        .with(ElfSegment::read_write(DATA.into(), b"data of the program\n").sized(DATA_BYTES.into()))
        .to_bytes()
}

/// To which file something was written, and what.
type Written = (u32, Vec<u8>);

/// Files in memory.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Written>>>);

impl Files for Kept {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = bytes.len().min(3);
        bytes[..count].copy_from_slice(&b"abc"[..count]);
        Ok(count)
    }

    fn write(&mut self, file: u32, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().push((file, bytes.to_vec()));
        Ok(())
    }
}

fn guest(file: &[u8]) -> Result<Guest<Kept>, SoftuserError> {
    Guest::load_with(file, &[], Kept::default(), 4096)
}

fn ending_of(words: &[u32]) -> Ending {
    guest(&file(words)).unwrap().run()
}

/// The result of a system call, whose low eight bits the program exits with.
fn result_of(number: i32, arguments: &[u32]) -> Ending {
    let call = [addi(A7, ZERO, number), ECALL];
    ending_of(&[arguments, &call[..], &exit()[..]].concat())
}

fn error(number: i32) -> Ending {
    Ending::Exited(number.wrapping_neg() as u8)
}

#[test]
fn the_exit_code_is_what_the_program_says() {
    assert_eq!(ending_of(&[&[addi(A0, ZERO, 42)][..], &exit()[..]].concat()), Ending::Exited(42));
    assert_eq!(ending_of(&[addi(A0, ZERO, 258), addi(A7, ZERO, 94), ECALL]), Ending::Exited(2));
}

#[test]
fn what_is_written_arrives() {
    let call = |number| [addi(A0, ZERO, number), lui(A1, DATA), addi(A2, ZERO, 20), addi(A7, ZERO, 64), ECALL];
    let mut guest = guest(&file(&[&call(1)[..], &call(2)[..], &exit()[..]].concat())).unwrap();
    // The count comes back.
    assert_eq!(guest.run(), Ending::Exited(20));
    let text = b"data of the program\n".to_vec();
    assert_eq!(*guest.files.0.lock().unwrap(), [(1, text.clone()), (2, text)]);
}

#[test]
fn what_is_read_arrives() {
    let load = word(Operation::Lbu, A0, A1, 0, 2);
    let words = [lui(A1, DATA), addi(A2, ZERO, 3), addi(A7, ZERO, 63), ECALL, load];
    assert_eq!(ending_of(&[&words[..], &exit()[..]].concat()), Ending::Exited(b'c'));
}

#[test]
fn system_calls_fail_as_they_do_on_linux() {
    assert_eq!(result_of(1234, &[]), error(libc::ENOSYS));
    assert_eq!(result_of(0, &[]), error(libc::ENOSYS));
    let write =
        |file, address, length: i32| result_of(64, &[addi(A0, ZERO, file), lui(A1, address), addi(A2, ZERO, length)]);
    assert_eq!(write(3, DATA, 1), error(libc::EBADF));
    assert_eq!(write(0, DATA, 1), error(libc::EBADF));
    assert_eq!(write(1, DATA + DATA_BYTES, 1), error(libc::EFAULT));
    // Longer than any program's memory.
    assert_eq!(write(1, DATA, -1), error(libc::EFAULT));
    // Nothing may come from anywhere.
    assert_eq!(write(1, 0, 0), Ending::Exited(0));
    // Code cannot be read into.
    assert_eq!(result_of(63, &[lui(A1, CODE), addi(A2, ZERO, 1)]), error(libc::EFAULT));
    assert_eq!(result_of(63, &[addi(A0, ZERO, 1), lui(A1, DATA), addi(A2, ZERO, 1)]), error(libc::EBADF));
}

#[test]
fn the_heap_grows_and_shrinks() {
    let mut guest = guest(&file(&[ECALL])).unwrap();
    let memory = &mut guest.memory;
    let start = memory.set_heap_end(0);
    assert_eq!(start, u64::from(DATA + DATA_BYTES));
    assert!(memory.slice_mut(start, 1).is_none());
    assert_eq!(memory.set_heap_end(start + 5000), start + 5000);
    memory.slice_mut(start, 8192).unwrap().fill(7);
    assert_eq!(memory.set_heap_end(start + 1), start + 1);
    assert!(memory.slice_mut(start + 4096, 1).is_none());
    assert_eq!(memory.set_heap_end(start + 8192), start + 8192);
    // What was given back comes back as zeros.
    assert_eq!((memory.slice(start, 1), memory.slice(start + 4096, 1)), (Some(&[7][..]), Some(&[0][..])));
    // Not below its start, and not into the stack.
    for end in [start - 1, STACK_TOP.into(), u32::MAX.into()] {
        assert_eq!(memory.set_heap_end(end), start + 8192);
    }
    assert_eq!(memory.set_heap_end(start), start);
}

#[test]
fn arguments_are_on_the_stack_as_on_linux() {
    let words =
        [word(Operation::Lw, A0, SP, 0, 0), word(Operation::Lw, T0, SP, 0, 8), word(Operation::Lbu, T0, T0, 0, 1)];
    let sum = word(Operation::Add, A0, A0, T0, 0);
    let file = file(&[&words[..], &[sum], &exit()[..]].concat());
    let arguments = [b"name".to_vec(), b"xA".to_vec(), vec![]];
    let mut guest = Guest::load_with(&file, &arguments, Kept::default(), 4096).unwrap();
    assert_eq!(guest.hart.register(SP.into()) % 16, 0);
    assert_eq!(guest.run(), Ending::Exited(3 + b'A'));
    drop(guest);
    let many = vec![vec![b'x'; 100]; 10_000];
    let Err(error) = Guest::load_with(&file, &many, Kept::default(), 4096) else { panic!("they fit") };
    assert!(error.to_string().starts_with("the arguments take 1050020 bytes"), "{error}");
}

fn trap(kind: Kind, pc: u32, address: Option<u64>) -> Ending {
    Ending::Trapped(Trap { kind, pc, address })
}

/// Where the second word of a program is.
const SECOND: u32 = CODE + 4;

#[test]
fn every_kind_of_trap_says_where() {
    let amo = word(Operation::AmoaddW, A0, T0, A0, 0);
    let beyond = Some(u64::from(DATA + DATA_BYTES));
    let cases = [
        (vec![addi(A0, A0, 0), 0], trap(Kind::Illegal, SECOND, None)),
        (vec![addi(A0, A0, 0), 0x0010_0073], trap(Kind::Breakpoint, SECOND, None)),
        (vec![addi(A0, A0, 0), 0x1050_0073], trap(Kind::Wait, SECOND, None)),
        (vec![addi(T0, ZERO, 2), amo], trap(Kind::Misaligned, SECOND, Some(2))),
        (vec![lui(T0, DATA + DATA_BYTES), word(Operation::Lw, A0, T0, 0, 0)], trap(Kind::Access, SECOND, beyond)),
        (vec![lui(T0, DATA + DATA_BYTES), word(Operation::Sb, 0, T0, A0, 0)], trap(Kind::Access, SECOND, beyond)),
        // Its own code cannot be written, nor can the page of null.
        (vec![lui(T0, CODE), word(Operation::Sw, 0, T0, A0, 8)], trap(Kind::Access, SECOND, Some(CODE_ADDRESS + 8))),
        (vec![addi(A0, A0, 0), word(Operation::Sw, 0, ZERO, A0, 16)], trap(Kind::Access, SECOND, Some(16))),
        // The last byte is not followed by another.
        (vec![addi(T0, ZERO, -1), word(Operation::Lh, A0, T0, 0, 0)], trap(Kind::Access, SECOND, Some(0xffff_ffff))),
        // Data is not code, and nothing is none.
        (vec![lui(T0, DATA), word(Operation::Jalr, 0, T0, 0, 0)], trap(Kind::Fetch, DATA, Some(DATA.into()))),
        (vec![word(Operation::Jalr, 0, ZERO, 0, 0)], trap(Kind::Fetch, 0, Some(0))),
        // Below the stack.
        (
            vec![lui(T0, STACK_TOP - 0x10_1000), word(Operation::Lw, A0, T0, 0, 0xff)],
            trap(Kind::Access, SECOND, Some(u64::from(STACK_TOP) - 0x10_1000 + 0xff)),
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(ending_of(&words), expected);
        let mut watch = Count::default();
        assert_eq!(guest(&file(&words)).unwrap().run_watched(&mut watch).unwrap(), expected);
        let done = words.len() as u64 - u64::from(!matches!(expected, Ending::Trapped(Trap { kind: Kind::Fetch, .. })));
        assert_eq!(watch.total(), done, "{words:x?}");
    }
}

#[test]
fn exit_codes_of_traps_are_those_of_signals() {
    assert_eq!(Kind::ALL.map(Kind::exit_code), [132, 133, 135, 139, 140, 142]);
    let trap = Trap { kind: Kind::Access, pc: 0x1_0000, address: Some(4) };
    let line = "trap 11, access to memory that is not there for it: pc 0x00010000, address 0x00000004";
    assert_eq!(trap.to_string(), line);
}

/// Adds up the numbers to 1000: 2 and 3 for each, then 2.
fn sum() -> Vec<u32> {
    let words = [
        addi(A0, ZERO, 0),
        addi(A1, ZERO, 1000),
        word(Operation::Add, A0, A0, A1, 0),
        addi(A1, A1, -1),
        word(Operation::Bne, 0, A1, ZERO, -8),
    ];
    [&words[..], &exit()[..]].concat()
}

#[test]
fn the_count_is_exact() {
    let mut count = Count::default();
    let ending = guest(&file(&sum())).unwrap().run_watched(&mut count).unwrap();
    assert_eq!((ending, count.total()), (Ending::Exited((500_500 % 256) as u8), 3004));
    let text = "3004 instructions, counted one by one as they were done; 0 of them are of 16 bits
  computing                2003
  branches                 1000, 999 taken
  system                   1";
    assert_eq!(count.to_string(), text);
}

#[test]
fn the_trace_has_a_line_for_each_instruction() {
    let mut trace = Trace(Vec::new());
    let c_li = 0x4511; // c.li a0, 4, and half of the next
    let words = [c_li | (addi(A7, ZERO, 93) << 16), addi(A7, ZERO, 93) >> 16 | ECALL << 16, ECALL >> 16];
    guest(&file(&words)).unwrap().run_watched(&mut trace).unwrap();
    let text = "\
00400000: 4511      addi a0, zero, 4             a0 = 0x00000004
00400002: 05d00893  addi a7, zero, 93            a7 = 0x0000005d
00400006: 00000073  ecall                        a0 = 0x00000004
";
    assert_eq!(String::from_utf8(trace.0).unwrap(), text);
    let mut trace = Trace(Vec::new());
    let words = [word(Operation::Jal, RA, 0, 0, 8), 0, word(Operation::Sw, 0, ZERO, RA, 0)];
    guest(&file(&words)).unwrap().run_watched(&mut trace).unwrap();
    let text = "\
00400000: 008000ef  jal ra, 0x400008             ra = 0x00400004
00400008: 00102023  sw ra, 0(zero)               (trap)
";
    assert_eq!(String::from_utf8(trace.0).unwrap(), text);
}

/// What takes so many lines, and then is full.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| io::Error::other("full"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_trace_that_cannot_be_written_ends_the_run() {
    let error = guest(&file(&sum())).unwrap().run_watched(&mut Trace(Full(3))).unwrap_err();
    assert_eq!(error.to_string(), "cannot write what it does: full");
}

#[test]
fn a_jump_to_itself_is_one_instruction() {
    for words in [
        vec![word(Operation::Jal, ZERO, 0, 0, 0)],
        vec![word(Operation::Beq, 0, ZERO, ZERO, 0)],
        vec![lui(T0, CODE), word(Operation::Jalr, ZERO, T0, 0, 4)],
    ] {
        let mut guest = guest(&file(&words)).unwrap();
        for _ in 0..100 {
            assert_eq!(guest.step(), None);
        }
        assert_eq!(guest.hart.pc(), CODE + 4 * (words.len() as u32 - 1));
    }
}

#[test]
fn a_reservation_outlives_a_step() {
    let words = [lui(T0, DATA), word(Operation::LrW, A1, T0, 0, 0), word(Operation::ScW, A0, T0, A1, 0)];
    let words = [&words[..], &exit()[..]].concat();
    assert_eq!(guest(&file(&words)).unwrap().run_watched(&mut Count::default()).unwrap(), Ending::Exited(0));
    assert_eq!(ending_of(&words), Ending::Exited(0));
}

#[test]
fn files_that_cannot_be_programs_are_refused() {
    let refusal = |file: &ElfFile| match guest(&file.to_bytes()) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error.to_string(),
    };
    assert_eq!(refusal(&ElfFile::program()), "the file is not for a 32-bit processor");
    let good = ElfFile::program_for(Machine::RiscV32);
    let huge = good.clone().with(ElfSegment::read_write(0x8000_0000, b"").sized(0x7000_0000));
    assert_eq!(refusal(&huge), "the program takes 1793 MiB of memory; at most 1024 are supported");
    let on_stack = good.with(ElfSegment::read_write(0x7fff_f000, b"").sized(1));
    let text = "segment 1 (0x1 bytes at 0x7ffff000) lies where the stack goes, 0x7feff000 to 0x80000000";
    assert_eq!(refusal(&on_stack), text);
}

#[test]
fn a_program_may_be_at_the_very_end_of_memory() {
    let start = 0xffff_f000_u32;
    let last = [0xff_u8; 4096];
    let code: Vec<u8> = [&[lui(T0, start), word(Operation::Lbu, A0, T0, 0, 0)][..], &exit()[..]]
        .concat()
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let file = ElfFile::new_for(Machine::RiscV32, CODE_ADDRESS)
        .with(ElfSegment::read_execute(CODE_ADDRESS, &code))
        .with(ElfSegment::read(start.into(), &last));
    assert_eq!(guest(&file.to_bytes()).unwrap().run(), Ending::Exited(255));
}

/// Runs it for some steps, if it can be loaded. It must end, or go on; this process does in any case.
fn try_out(file: &[u8]) {
    let Ok(mut guest) = guest(file) else { return };
    for _ in 0..200 {
        if guest.step().is_some() {
            break;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() })]

    /// Of headers, mostly: the file is short.
    #[test]
    fn a_corrupted_file_is_refused_or_runs(changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6)) {
        let mut file = file(&sum());
        let length = if changes.len() % 2 == 0 { 52 + 2 * 32 } else { file.len() };
        for (index, byte) in changes {
            file[index.index(length)] = byte;
        }
        try_out(&file);
    }

    #[test]
    fn a_file_that_is_cut_off_is_refused(cut in any::<Index>()) {
        let file = file(&sum());
        prop_assert!(guest(&file[..cut.index(file.len())]).is_err());
    }

    /// Whatever it does, all at once or step by step.
    #[test]
    fn any_code_does_the_same_in_steps(words in prop::collection::vec(any::<u32>(), 1..40)) {
        // A counter of cycles is no two times the same.
        prop_assume!(words.iter().all(|word| word & 0x7f != 0x73 || word & 0x7000 == 0));
        let file = file(&words);
        let mut stepped = guest(&file).unwrap();
        let Some(ending) = (0..500).find_map(|_| stepped.step()) else { return Ok(()) };
        let registers = |guest: &Guest<Kept>| (0..32).map(|index| guest.hart.register(index)).collect::<Vec<_>>();
        let (pc, x) = (stepped.hart.pc(), registers(&stepped));
        drop(stepped);
        let mut guest = guest(&file).unwrap();
        prop_assert_eq!(guest.run(), ending);
        prop_assert_eq!((guest.hart.pc(), registers(&guest)), (pc, x));
    }
}
