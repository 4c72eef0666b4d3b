//! Code that changes, and memory for translated code that is used up.

use std::ptr;

use flatmk_softuser::Operation;
use flatmk_softuser::engine::Stop;

use crate::guest::{CODE, DATA, ECALL, Guest, InData, PAGE, bytes, fill_data, run, word, write_data};
use crate::step::{Both, Outcome};

/// A loop that is run twice, and writes another number into its own first instruction.
fn changing(fence: u32) -> [u32; 9] {
    [
        word(Operation::Addi, 10, 10, 0, 1),
        word(Operation::Sw, 0, 5, 6, 0),
        fence,
        word(Operation::Addi, 7, 7, 0, -1),
        word(Operation::Bne, 0, 7, 0, -16),
        ECALL,
        0,
        0,
        0,
    ]
}

fn run_in_data(guest: &mut Guest, program: &[u32]) -> u32 {
    fill_data(&[0]);
    write_data(0, &bytes(program));
    guest.hart.set_pc(DATA);
    guest.hart.set_register(5, DATA);
    guest.hart.set_register(6, word(Operation::Addi, 10, 10, 0, 100));
    guest.hart.set_register(7, 2);
    guest.hart.set_register(10, 0);
    assert_eq!(run(guest.hart, &mut InData), Stop::Ecall);
    guest.hart.register(10)
}

#[test]
fn changed_code_is_executed_behind_the_fence() {
    assert_eq!(run_in_data(&mut Guest::new(), &changing(0x100f)), 101);
}

/// Without it the manual allows both: the engine goes on with what it has translated,
#[test]
fn without_a_fence_the_old_code_goes_on() {
    assert_eq!(run_in_data(&mut Guest::new(), &changing(0x13)), 2);
}

/// until it is told to forget it.
#[test]
fn forgotten_code_is_translated_again() {
    let mut guest = Guest::new();
    assert_eq!(run_in_data(&mut guest, &[word(Operation::Addi, 10, 0, 0, 1), ECALL]), 1);
    assert_eq!(run_in_data(&mut guest, &[word(Operation::Addi, 10, 0, 0, 2), ECALL]), 1);
    guest.hart.forget_code();
    assert_eq!(run_in_data(&mut guest, &[word(Operation::Addi, 10, 0, 0, 2), ECALL]), 2);
}

#[test]
fn the_hart_goes_on_behind_a_fence() {
    let add = word(Operation::Addi, 10, 10, 0, 1);
    let mut guest = Guest::of(&[add, 0x100f, add, 0x100f, 0x100f, add, ECALL]);
    assert_eq!((guest.run(), guest.hart.pc(), guest.hart.register(10)), (Stop::Ecall, CODE + 24, 3));
}

/// So many words, with pages before and behind them that nobody can access.
fn guarded(words: usize) -> &'static mut [u64] {
    let page = PAGE as usize;
    let inner = (8 * words).next_multiple_of(page);
    // SAFETY: new memory, which stays.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(ptr::null_mut(), inner + 2 * page, libc::PROT_NONE, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        let start = start.byte_add(page);
        assert_eq!(libc::mprotect(start, inner, libc::PROT_READ | libc::PROT_WRITE), 0);
        std::slice::from_raw_parts_mut(start.byte_add(inner - 8 * words).cast(), words)
    }
}

/// A program of many blocks, run three times over, in caches that hold few of them. The words in front of the cache stay as they are, and
/// behind it nothing is accessed.
#[test]
fn a_full_cache_is_used_again_and_never_overrun() {
    let mut program = vec![word(Operation::Addi, 12, 0, 0, 3)];
    for number in 0..120 {
        let add = word(Operation::Addi, 10, 10, 0, number);
        program.extend([add, word(Operation::Xor, 11, 11, 10, 0), word(Operation::Mul, 10, 10, 11, 0)]);
        match number % 4 {
            0 => program.extend([word(Operation::Jal, 0, 0, 0, 8), 0]),
            1 => program.push(word(Operation::Beq, 0, 10, 11, 4)),
            2 => program.extend([word(Operation::Auipc, 1, 0, 0, 0), word(Operation::Jalr, 1, 1, 0, 8)]),
            _ => {}
        }
    }
    program.extend([word(Operation::Addi, 12, 12, 0, -1), word(Operation::Beq, 0, 12, 0, 8)]);
    let back = -4 * (program.len() as i32 - 1);
    program.extend([word(Operation::Jal, 0, 0, 0, back), ECALL]);
    for words in [512, 513, 514, 515, 600, 1023, 1024, 1500, 3000, 10_000] {
        let memory = guarded(words + 2);
        let (front, cache) = memory.split_at_mut(2);
        front.fill(0x1234);
        let front = ptr::from_ref(front);
        let mut guest = Guest::with_cache(cache);
        guest.load(&bytes(&program));
        let outcome = Both { guest: &mut guest, x: [7; 32], steps: 100_000 }.run();
        assert_eq!(outcome, Ok(Outcome::Same(Stop::Ecall)), "{words} words");
        // SAFETY: the memory stays.
        assert_eq!(unsafe { &*front }, [0x1234; 2]);
    }
}

/// Blocks of every length up to the greatest, in caches of which they leave every remainder.
#[test]
fn a_long_stretch_is_cut_into_blocks() {
    let program = |length: usize, kind: usize| {
        let line = |index: usize| {
            if kind == 0 || kind == 2 && index.is_multiple_of(2) {
                word(Operation::Addi, 10, 10, 0, 1)
            } else {
                word(Operation::Bne, 0, 0, 0, 8)
            }
        };
        (0..length).map(line).chain([ECALL]).collect::<Vec<u32>>()
    };
    let (lengths, sizes) = ((50..140).map(|length| (length, 512)), (512..700).map(|words| (300, words)));
    for ((length, words), kind) in lengths.chain(sizes).flat_map(|case| [0, 1, 2].map(|kind| (case, kind))) {
        let mut guest = Guest::with_cache(guarded(words));
        guest.load(&bytes(&program(length, kind)));
        let outcome = Both { guest: &mut guest, x: [7; 32], steps: 1000 }.run();
        assert_eq!(outcome, Ok(Outcome::Same(Stop::Ecall)), "{length} instructions in {words} words");
    }
}

/// The first block's branch is taken when the cache is full: translating its target overwrites the branch itself, which must not be made to lead
/// to that target then.
#[test]
fn a_jump_that_is_forgotten_is_not_linked() {
    for count in 0..64 {
        let mut program = vec![0];
        for _ in 0..count {
            program.extend([word(Operation::Addi, 12, 12, 0, 1), word(Operation::Jal, 0, 0, 0, 4)]);
        }
        program.push(word(Operation::Addi, 10, 0, 0, 1));
        program.push(word(Operation::Jal, 0, 0, 0, -4 * program.len() as i32));
        program[0] = word(Operation::Beq, 0, 10, 11, 4 * program.len() as i32);
        program.extend((1..40).map(|number| word(Operation::Addi, 13, 13, 0, number)));
        program.push(ECALL);
        let mut guest = Guest::with_cache(guarded(512));
        guest.load(&bytes(&program));
        let mut x = [0; 32];
        x[11] = 1;
        let outcome = Both { guest: &mut guest, x, steps: 1000 }.run();
        assert_eq!(outcome, Ok(Outcome::Same(Stop::Ecall)), "{count} blocks");
    }
}

#[test]
#[should_panic = "a page at least"]
fn a_cache_smaller_than_a_page_is_refused() {
    let _ = flatmk_softuser::engine::Hart::new(vec![0; 511].leak());
}
