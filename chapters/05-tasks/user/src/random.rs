//! Whatever system calls a program makes, the kernel survives, and the contract of the registers holds for each.
//!
//! A thread with a table of its own makes them, with arguments that are biased to what may hurt: slots in use, its own table, the
//! boundaries of user space. The numbers are the same in each run.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Kind, Operation, Rights};
use flatmk_runtime::object::{OWN_SPACE, OWN_TABLE, Table, Task, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{
    FIRST_FREE, MEMORY, Random, at, copy, idle, prepare_stack, thread_entry, with_scratch, yield_once,
};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] =
    tests![the_kernel_survives_a_quarter_of_a_million_random_system_calls, the_machine_still_works_after_them,];

const CALLS: u64 = 250_000;

/// How many calls a thread makes before the next one starts with everything anew.
const CALLS_A_LIFE: u64 = 250;

static DONE: AtomicU64 = AtomicU64::new(0);
static SUCCEEDED: AtomicU64 = AtomicU64::new(0);
static LIVES: AtomicU64 = AtomicU64::new(0);

/// The slot of the thread's table in the table of this program; its task is in the next.
const TABLE: u64 = FIRST_FREE;

// The slots of the thread's table, beside those that every task has.
const SPACE: u64 = 8;
const INNER: u64 = 9;
const OTHER_TASK: u64 = 10;
const FRAMES: u64 = 11;
const MEMORY_SLOT: u64 = 16;

fn pointer(random: &mut Random) -> u64 {
    match random.below(16) {
        0..=7 => random.below(20),
        8..=9 => 18 + random.below(24),
        10 => nested(INNER, random.below(8)),
        11 => nested(slots::TABLE, random.below(20)),
        12 => nested(slots::TABLE, nested(INNER, random.below(4))),
        13 => random.choose(&[63, 64, 4095, 4096, (1 << 18) - 1, 1 << 18, u64::MAX, 1 << 63]),
        _ => random.next(),
    }
}

fn address(random: &mut Random) -> u64 {
    match random.below(8) {
        0..=3 => 0x1_0000 + random.below(16) * 0x1000,
        4 => random.choose(&[0, USER_START - 1, USER_START, USER_END - 0x1000, USER_END, USER_END + 1, 1 << 47]),
        5 => random.choose(&[0xffff_8000_0000_0000, 0xffff_ffff_8000_0000, u64::MAX, u64::MAX - 0xfff]),
        6 => random.below(1 << 35) << 12,
        _ => random.next(),
    }
}

/// A pointer that names, most of the time, what was in this slot at first.
fn likely(random: &mut Random, slots: &[u64]) -> u64 {
    if random.below(8) == 0 { pointer(random) } else { random.choose(slots) }
}

fn number(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.choose(&[0, 1, 2, 63, 64, u64::MAX, 1 << 32]),
        1 => random.below(20),
        _ => 18 + random.below(24),
    }
}

fn arguments(random: &mut Random, operation: u64) -> [u64; 4] {
    let any = |random: &mut Random| match random.below(3) {
        0 => pointer(random),
        1 => address(random),
        _ => number(random),
    };
    // Most calls have arguments of the right sort, or they would all fail at the first check.
    if random.below(4) == 0 {
        return [any(random), any(random), any(random), any(random)];
    }
    let r = random;
    match Operation::from_number(operation) {
        Some(Operation::Copy | Operation::Mint | Operation::Move) => {
            [number(r), pointer(r), r.choose(&[0x3f, 0x3f, 0x08, 0x20, 0x3e, 0x40]), r.next()]
        }
        Some(Operation::Delete) => [number(r), 0, 0, 0],
        Some(Operation::Make) => {
            [r.choose(&[2, 3, 4, 4, 5, 1, 6]), r.choose(&[1, 1, 1, 2, 3]), likely(r, &[slots::TABLE, INNER]), number(r)]
        }
        Some(Operation::Map) => {
            [likely(r, &[FRAMES, FRAMES + 1, FRAMES + 2]), address(r), r.below(4), likely(r, &[MEMORY_SLOT])]
        }
        Some(Operation::Configure) => [likely(r, &[slots::TABLE, INNER]), likely(r, &[SPACE]), address(r) & !15, 0],
        Some(Operation::Start) => [address(r), r.next(), 0, 0],
        Some(Operation::MakeEndpoint) => [address(r), r.next(), likely(r, &[slots::TABLE, INNER]), number(r)],
        _ => [any(r), any(r), any(r), any(r)],
    }
}

/// A life of the thread: system calls until it is enough, then yields.
extern "C" fn misbehave(seed: u64) {
    let mut random = Random(seed);
    loop {
        let word = match random.below(8) {
            0 => random.next(),
            // What changes most comes most often.
            1..=4 => random.choose(&[17, 17, 18, 19, 20, 20, 20, 21, 21, 22, 23, 23, 24, 24, 25, 27]),
            _ => random.below(40),
        };
        // Each task that is started faults at once, and each report takes its time.
        let word = if word & 0xff == Operation::Start as u64 && random.below(4) != 0 { 16 } else { word };
        let mut target = match word & 0xff {
            17..=20 => random.choose(&[slots::TABLE, slots::TABLE, INNER]),
            21..=22 => MEMORY_SLOT,
            23 => SPACE,
            24 => random.choose(&[FRAMES, FRAMES + 1, FRAMES + 2]),
            25..=27 => random.choose(&[OTHER_TASK, 15, 17]),
            _ => pointer(&mut random),
        };
        if random.below(8) == 0 {
            target = pointer(&mut random);
        }
        // A return from here would end this life: nobody calls this thread.
        if word & 0xff == Operation::Return as u64 && target == slots::REPLY {
            target = 1;
        }
        let mut arguments = arguments(&mut random, word & 0xff);
        keep_what_is_needed(word, &mut arguments);
        let succeeded = system_call(target, word, arguments).is_ok();
        SUCCEEDED.fetch_add(u64::from(succeeded), Relaxed);
        if DONE.fetch_add(1, Relaxed) % CALLS_A_LIFE == CALLS_A_LIFE - 1 {
            idle(Task(slots::SELF));
        }
    }
}

/// The memory stays where it is: in a table that is deleted it would be lost, and this program needs it back. Without its task
/// and its table the thread could do little for the rest of its life, which is `lifetimes`' subject.
fn keep_what_is_needed(word: u64, [slot, source, ..]: &mut [u64; 4]) {
    let is_needed = |pointer| {
        let kind = identify(pointer).map(|(kind, _)| kind);
        kind == Ok(Kind::Memory) || matches!(pointer, slots::SELF | slots::TABLE)
    };
    match Operation::from_number(word & 0xff) {
        Some(Operation::Delete) if is_needed(*slot) => *slot = 18,
        Some(Operation::Move) if is_needed(*source) => *source = FRAMES,
        _ => {}
    }
}

/// Gives a new thread everything that a program may have, except what would end this one, and lets it misbehave.
fn live(seed: u64) {
    LIVES.fetch_add(1, Relaxed);
    let (table, task) = (Table(TABLE), Task(TABLE + 1));
    MEMORY.make(Kind::Table, 1, OWN_TABLE, table.0).expect("a free slot");
    MEMORY.make(Kind::Task, 1, OWN_TABLE, task.0).expect("a free slot");
    table.copy(slots::SELF, task.0, Rights::all()).expect("a free slot");
    table.copy(slots::TABLE, table.0, Rights::all()).expect("a free slot");
    table.copy(slots::CONSOLE, slots::CONSOLE, Rights::READ).expect("a free slot");
    table.copy(slots::POWER, slots::POWER, Rights::GRANT).expect("a free slot");
    for (kind, count, slot) in [
        (Kind::AddressSpace, 1, SPACE),
        (Kind::Table, 1, INNER),
        (Kind::Task, 1, OTHER_TASK),
        (Kind::Frame, 3, FRAMES),
        (Kind::Task, 1, 15),
        (Kind::Task, 1, 17),
    ] {
        MEMORY.make(kind, count, table, slot).expect("a free slot");
    }
    table.move_here(MEMORY_SLOT, slots::MEMORY).expect("a free slot");
    task.configure(table, OWN_SPACE, prepare_stack(0, misbehave, seed)).expect("a new task");
    task.start(thread_entry as *const () as u64, 0).expect("a configured task");
    let target = LIVES.load(Relaxed) * CALLS_A_LIFE;
    for _ in 0..CALLS_A_LIFE {
        if DONE.load(Relaxed) >= target {
            break;
        }
        yield_once();
    }
    OWN_TABLE.move_here(slots::MEMORY, nested(table.0, MEMORY_SLOT)).expect("the thread has left it where it was");
    assert_eq!(DONE.load(Relaxed), target, "the thread has made all its calls");
}

fn the_kernel_survives_a_quarter_of_a_million_random_system_calls() {
    for life in 0..CALLS / CALLS_A_LIFE {
        live(0x0123_4567_89ab_cdef ^ life << 20);
        OWN_TABLE.delete(TABLE + 1).expect("the thread's task");
        OWN_TABLE.delete(TABLE).expect("the thread's table");
    }
    assert!(DONE.load(Relaxed) >= CALLS);
    let succeeded = SUCCEEDED.load(Relaxed);
    assert!(succeeded > CALLS / 20, "enough of them succeed to change something: {succeeded}");
    flatmk_runtime::print!("{succeeded} of {CALLS} succeeded ");
}

fn the_machine_still_works_after_them() {
    with_scratch(|| {
        copy(1, slots::SELF, Rights::all());
        assert_eq!(identify(at(1)), Ok((Kind::Task, Rights::all())));
    });
    for group in [crate::contract::TESTS, crate::memory::TESTS, crate::scheduling::TESTS, crate::lifetimes::TESTS] {
        group.iter().for_each(|(_, test)| test());
    }
}
