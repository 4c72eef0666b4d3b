//! The engine, with guest memory in the lowest 4 GiB of this process.

use std::cell::Cell;
use std::ptr;
use std::sync::{Mutex, Once, PoisonError};

use flatmk_softuser::engine::{Code, Hart, Stop, recover};
use flatmk_softuser::{Instruction, Length, Operation};

/// Where the guest's code is, and how long.
const CODE: u32 = 0x1000_0000;
const CODE_BYTES: u32 = 0x10_0000;
/// Its data: two pages, and nothing behind them.
const DATA: u32 = 0x2000_0000;
const DATA_BYTES: u32 = 0x2000;

thread_local! {
    /// The hart that runs.
    static RUNNING: Cell<*mut Hart> = const { Cell::new(ptr::null_mut()) };
}

extern "C" fn on_fault(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel has put it there.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let (rip, rdi) = (registers[libc::REG_RIP as usize] as u64, registers[libc::REG_RDI as usize] as u64);
    // SAFETY: the hart lives as long as it runs.
    let hart = unsafe { RUNNING.get().as_mut() };
    let recovery = hart.and_then(|hart| recover(hart, rip, rdi)).unwrap_or_else(|| std::process::abort());
    registers[libc::REG_RIP as usize] = recovery.rip as i64;
    registers[libc::REG_RSP as usize] = recovery.rsp as i64;
    registers[libc::REG_RAX as usize] = recovery.rax as i64;
}

fn map(address: u32, bytes: u32) {
    // SAFETY: nothing is there: it would be refused.
    let at = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        libc::mmap(ptr::without_provenance_mut(address as usize), bytes as usize, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
    };
    assert_eq!(at as usize, address as usize, "guest memory");
}

/// There is one guest at a time.
static GUEST: Mutex<()> = Mutex::new(());

/// Reads the guest's code where it is.
struct Memory;

impl Code for Memory {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        let inside = (CODE..CODE + CODE_BYTES - 2).contains(&pc);
        // SAFETY: the code is mapped.
        inside.then(|| unsafe { ptr::with_exposed_provenance::<u32>(pc as usize).read_unaligned() })
    }
}

fn with_guest<R>(words: &[u32], test: impl FnOnce(&mut Hart) -> R) -> R {
    static ONCE: Once = Once::new();
    let _guest = GUEST.lock().unwrap_or_else(PoisonError::into_inner);
    ONCE.call_once(|| {
        map(CODE, CODE_BYTES);
        map(DATA, DATA_BYTES);
        // SAFETY: the handler does what one may do.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            assert_eq!(libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()), 0);
        }
    });
    write_code(CODE, words);
    let mut hart = Hart::new(vec![0; 4096].leak());
    hart.set_pc(CODE);
    test(&mut hart)
}

fn write_code(at: u32, words: &[u32]) {
    for (index, word) in words.iter().enumerate() {
        // SAFETY: guest memory.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(at as usize + 4 * index).write_unaligned(*word) };
    }
}

fn run(hart: &mut Hart) -> Stop {
    RUNNING.set(hart);
    // SAFETY: what the guest can reach is its own memory; the handler recovers.
    unsafe { hart.run(&mut Memory) }
}

fn word(operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> u32 {
    Instruction { operation, rd, rs1, rs2, immediate, length: Length::Four }.encode()
}

const ECALL: u32 = 0x73;

#[test]
fn numbers_are_added_up_in_a_loop() {
    let program = [
        word(Operation::Addi, 10, 0, 0, 0),
        word(Operation::Addi, 11, 0, 0, 1000),
        word(Operation::Add, 10, 10, 11, 0),
        word(Operation::Addi, 11, 11, 0, -1),
        word(Operation::Bne, 0, 11, 0, -8),
        ECALL,
    ];
    with_guest(&program, |hart| {
        assert_eq!(run(hart), Stop::Ecall);
        assert_eq!((hart.pc(), hart.register(10)), (CODE + 20, 500_500));
    });
}

#[test]
fn a_fault_leaves_everything_as_it_was_before_the_instruction() {
    let program = [
        word(Operation::Lui, 5, 0, 0, (DATA + DATA_BYTES).cast_signed()),
        word(Operation::Addi, 6, 0, 0, 7),
        word(Operation::Sw, 0, 5, 6, -4),
        word(Operation::Addi, 6, 6, 0, 1),
        word(Operation::Lw, 6, 5, 0, 0),
        ECALL,
    ];
    with_guest(&program, |hart| {
        assert_eq!(run(hart), Stop::Access);
        assert_eq!((hart.pc(), hart.register(6)), (CODE + 16, 8));
        hart.set_register(5, DATA + DATA_BYTES - 4);
        assert_eq!(run(hart), Stop::Ecall);
        assert_eq!(hart.register(6), 7);
    });
}

#[test]
fn calls_and_returns_find_their_way() {
    let program = [
        word(Operation::Jal, 1, 0, 0, 12),
        word(Operation::Jal, 1, 0, 0, 8),
        ECALL,
        word(Operation::Addi, 10, 10, 0, 1),
        word(Operation::Jalr, 0, 1, 0, 0),
    ];
    with_guest(&program, |hart| {
        assert_eq!(run(hart), Stop::Ecall);
        assert_eq!((hart.pc(), hart.register(10), hart.register(1)), (CODE + 8, 2, CODE + 8));
    });
}

mod reference;

use flatmk_softuser::{Format, INSTRUCTIONS, decode};
use proptest::prelude::*;
use reference::{Reference, Trap};

/// The guest's data as it is.
fn data() -> Vec<u8> {
    // SAFETY: guest memory.
    unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(DATA as usize), DATA_BYTES as usize) }.to_vec()
}

/// Numbers at the edges, and others.
fn number() -> impl Strategy<Value = u32> {
    const EDGES: [u32; 12] =
        [0, 1, 2, 31, 32, 0x7f, 0xff, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff];
    prop_oneof![prop::sample::select(EDGES.to_vec()), any::<u32>(), (DATA..DATA + DATA_BYTES)]
}

/// Random instructions, most of which access the data by x8 and x9, and branch or jump within the program.
fn program() -> impl Strategy<Value = Vec<u32>> {
    const LENGTH: usize = 40;
    let patterns: Vec<usize> = (0..INSTRUCTIONS.len())
        .filter(|&index| {
            use Operation::*;
            !matches!(INSTRUCTIONS[index].operation, Cycle | Time | Cycleh | Timeh | Wfi | FenceI | Ecall | Ebreak | Jalr)
        })
        .collect();
    let instruction = (prop::sample::select(patterns), any::<u32>(), 0..4_u8, -6..7_i32, prop::bool::weighted(0.95));
    prop::collection::vec(instruction, LENGTH).prop_map(|instructions| {
        let word = |(index, bits, base, distance, tame): (usize, u32, u8, i32, bool)| {
            let pattern = INSTRUCTIONS[index];
            let mut instruction = decode(pattern.bits | bits & !pattern.mask).expect("it is known");
            match pattern.format {
                Format::Offset | Format::Store | Format::Atomic | Format::Reserve if tame => instruction.rs1 = 8 + base % 2,
                Format::Branch | Format::Jump => instruction.immediate = 4 * distance,
                _ => {}
            }
            // The bases stay what they are.
            if tame && matches!(instruction.rd, 8 | 9) {
                instruction.rd = 10;
            }
            instruction.encode()
        };
        instructions.into_iter().map(word).chain([ECALL; 8]).collect()
    })
}

const STEPS: usize = 300;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]

    /// Registers, memory, the reason and the place, whatever the program does. An endless one is asked to stop, at the same place.
    #[test]
    fn random_programs_do_what_the_manual_says(program in program(), x in prop::collection::vec(number(), 32), bytes in any::<[u8; 16]>()) {
        with_guest(&program, |hart| {
            let mut expected = Reference { x: [0; 32], pc: CODE, base: DATA, memory: Vec::new(), reserved: None };
            expected.x[1..].copy_from_slice(&x[1..]);
            expected.x[8] = DATA + DATA_BYTES / 2;
            expected.x[9] = DATA + DATA_BYTES - 16;
            for index in 0..DATA_BYTES {
                // SAFETY: guest memory.
                unsafe { ptr::with_exposed_provenance_mut::<u8>((DATA + index) as usize).write(bytes[index as usize % 16]) };
            }
            expected.memory = data();
            (1..32).for_each(|index| hart.set_register(index, expected.x[index]));
            let mut trap = None;
            for _ in 0..STEPS {
                let word = program.get((expected.pc.wrapping_sub(CODE) / 4) as usize).copied();
                let Some(instruction) = word.and_then(decode) else { break };
                if let Err(found) = expected.step(&instruction) {
                    trap = Some(found);
                    break;
                }
            }
            // One that does not end in so many steps, or leaves the program, is not compared.
            let Some(trap) = trap else { return Ok(()) };
            let stop = run(hart);
            let found: [u32; 32] = std::array::from_fn(|index| hart.register(index));
            let meant = match trap {
                Trap::Ecall => Stop::Ecall,
                Trap::Ebreak => Stop::Ebreak,
                Trap::Access => Stop::Access,
                Trap::Misaligned => Stop::Misaligned,
                Trap::Other => Stop::Illegal,
            };
            prop_assert_eq!((stop, hart.pc()), (meant, expected.pc));
            prop_assert_eq!(found, expected.x);
            prop_assert_eq!(data(), expected.memory);
            Ok(())
        })?;
    }
}
