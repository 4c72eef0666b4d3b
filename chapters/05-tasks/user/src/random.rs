//! Whatever system calls a program makes, the kernel survives, and the contract of the registers holds for each.
//!
//! A thread with a table of its own makes them, with arguments that are biased to what may hurt: slots in use, its own table, the
//! boundaries of user space. The numbers are the same in each run.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Kind, Operation, Rights};
use flatmk_runtime::object::{Memory, OWN_SPACE, OWN_TABLE, Table, Task};
use flatmk_runtime::print;

use crate::harness::{FIRST_FREE, MEMORY, Random, free_pages, idle, prepare_stack, thread_entry, yield_once};
use crate::registers::system_call;

/// How many calls a thread makes before the next one starts with everything anew.
const CALLS_A_LIFE: u64 = 250;

static DONE: AtomicU64 = AtomicU64::new(0);
static SUCCEEDED: AtomicU64 = AtomicU64::new(0);
static LIVES: AtomicU64 = AtomicU64::new(0);

/// The slots of this program's table for the memory of a life, from which everything in it is made, and for the thread's table and
/// task.
const LIFE: u64 = FIRST_FREE;
const TABLE: u64 = FIRST_FREE + 1;
const TASK: u64 = FIRST_FREE + 2;

// The slots of the thread's table, beside those that every task has.
const SPACE: u64 = 8;
const INNER: u64 = 9;
const OTHER_TASK: u64 = 10;
const FRAMES: u64 = 11;
const MEMORY_SLOT: u64 = 16;
const PART: u64 = 14;
const LARGE: u64 = 18;

const FRAMES_AND_LARGE: [u64; 4] = [FRAMES, FRAMES + 1, FRAMES + 2, LARGE];

/// How many pages the thread has: enough for a large frame now and then.
const PAGES: u64 = 2048;

/// The kinds that it asks for most; two of them cannot be made.
const KINDS: [Kind; 7] =
    [Kind::Table, Kind::AddressSpace, Kind::Frame, Kind::Frame, Kind::Task, Kind::Memory, Kind::Endpoint];

/// What changes most comes most often.
const FAVORITES: [Operation; 18] = [
    Operation::Copy,
    Operation::Copy,
    Operation::Copy,
    Operation::Mint,
    Operation::Move,
    Operation::Delete,
    Operation::Delete,
    Operation::Revoke,
    Operation::Make,
    Operation::Make,
    Operation::Split,
    Operation::Map,
    Operation::Map,
    Operation::Unmap,
    Operation::Protect,
    Operation::Configure,
    Operation::Start,
    Operation::MakeEndpoint,
];

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
        Some(Operation::Delete | Operation::Revoke) => [number(r), 0, 0, 0],
        Some(Operation::Make) => {
            let kind = r.choose(&KINDS) as u64;
            // A large frame takes its time, since each of its pages is zeroed.
            let kind = if r.below(200) == 0 { Kind::LargeFrame as u64 } else { kind };
            [kind, r.choose(&[1, 1, 1, 2, 3]), likely(r, &[slots::TABLE, INNER]), number(r)]
        }
        Some(Operation::Split) => {
            [r.choose(&[0, 1, 2, 7, 30, 1 << 20]), likely(r, &[slots::TABLE, INNER]), number(r), 0]
        }
        Some(Operation::Map) => [likely(r, &FRAMES_AND_LARGE), address(r), r.below(4), 0],
        Some(Operation::Protect) => [r.below(4), 0, 0, 0],
        Some(Operation::Configure) => [likely(r, &[slots::TABLE, INNER]), likely(r, &[SPACE]), address(r) & !15, 0],
        Some(Operation::Start) => [address(r), r.next(), 0, 0],
        Some(Operation::MakeEndpoint) => [address(r), r.next(), likely(r, &[slots::TABLE, INNER]), number(r)],
        _ => [any(r), any(r), any(r), any(r)],
    }
}

/// What the operation is most likely meant for.
fn target(random: &mut Random, operation: u64) -> u64 {
    use Operation::{
        Configure, Copy, Delete, Make, MakeEndpoint, Map, Measure, Mint, Move, Protect, Revoke, Split, Start, Unmap,
    };
    match Operation::from_number(operation) {
        Some(Copy | Mint | Move | Delete | Revoke) => random.choose(&[slots::TABLE, slots::TABLE, INNER]),
        Some(Make | Split | Measure) => random.choose(&[MEMORY_SLOT, MEMORY_SLOT, PART]),
        Some(Map) => SPACE,
        Some(Unmap | Protect) => random.choose(&FRAMES_AND_LARGE),
        Some(Configure | Start | MakeEndpoint) => random.choose(&[OTHER_TASK, 15, 17]),
        _ => pointer(random),
    }
}

/// A life of the thread: system calls until it is enough, then yields.
extern "C" fn misbehave(seed: u64) {
    let mut random = Random(seed);
    loop {
        let word = match random.below(8) {
            0 => random.next(),
            1..=4 => random.choose(&FAVORITES) as u64,
            _ => random.below(40),
        };
        // Each task that is started faults at once, and each report takes its time.
        let starts = word & 0xff == Operation::Start as u64;
        // Asleep or stopped the thread could do nothing more; that is for the tests of chapter 7.
        let rests = Operation::from_number(word & 0xff).is_some_and(|operation| operation.chapter() == 7);
        let word = if rests || starts && random.below(4) != 0 { Operation::Identify as u64 } else { word };
        let mut target = target(&mut random, word & 0xff);
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
        let done = DONE.fetch_add(1, Relaxed) + 1;
        if done.is_multiple_of(CALLS_A_LIFE) {
            idle(Task(slots::SELF));
        }
    }
}

/// Without the capabilities to its task and its table, or stopped by a fault, the thread could do little for the rest of its life, which is the subject of
/// `lifetimes`.
fn keep_what_is_needed(word: u64, [slot, source, ..]: &mut [u64; 4]) {
    let is_needed = |pointer| matches!(pointer, slots::SELF | slots::TABLE);
    match Operation::from_number(word & 0xff) {
        Some(Operation::Delete) if is_needed(*slot) => *slot = 18,
        Some(Operation::Move) if is_needed(*source) => *source = FRAMES,
        // Nobody mends its faults, so it must not ask for more of them.
        Some(Operation::SetFaultHandler) => *source = 0,
        _ => {}
    }
}

/// Gives a new thread everything that a program may have, except what would end this one, and lets it misbehave.
fn live(seed: u64) {
    LIVES.fetch_add(1, Relaxed);
    let (life, table, task) = (Memory(LIFE), Table(TABLE), Task(TASK));
    MEMORY.split(PAGES + 2, OWN_TABLE, life.0).expect("all pages of the last one are back");
    life.make(Kind::Table, 1, OWN_TABLE, table.0).expect("a free slot");
    life.make(Kind::Task, 1, OWN_TABLE, task.0).expect("a free slot");
    table.copy(slots::SELF, task.0, Rights::all()).expect("a free slot");
    table.copy(slots::TABLE, table.0, Rights::all()).expect("a free slot");
    table.copy(slots::CONSOLE, slots::CONSOLE, Rights::READ).expect("a free slot");
    table.copy(slots::POWER, slots::POWER, Rights::GRANT).expect("a free slot");
    life.split(PAGES, table, MEMORY_SLOT).expect("a free slot");
    let memory = Memory(nested(table.0, MEMORY_SLOT));
    for (kind, count, slot) in [
        (Kind::AddressSpace, 1, SPACE),
        (Kind::Table, 1, INNER),
        (Kind::LargeFrame, 1, LARGE),
        (Kind::Task, 1, OTHER_TASK),
        (Kind::Frame, 3, FRAMES),
        (Kind::Task, 1, 15),
        (Kind::Task, 1, 17),
    ] {
        memory.make(kind, count, table, slot).expect("a free slot");
    }
    memory.split(200, table, PART).expect("a free slot");
    task.configure(table, OWN_SPACE, prepare_stack(0, misbehave, seed)).expect("a new task");
    task.start(thread_entry as *const () as u64, 0).expect("a configured task");
    let target = LIVES.load(Relaxed) * CALLS_A_LIFE;
    // It yields at most as often as it calls; the ends of time slices, and its other tasks, come on top of that.
    for _ in 0..4 * CALLS_A_LIFE {
        if DONE.load(Relaxed) >= target {
            break;
        }
        yield_once();
    }
    assert_eq!(DONE.load(Relaxed), target, "the thread has made all its calls");
}

/// Lets threads live, one after the other, until they have made so many calls. All pages are back after each.
pub(crate) fn make_calls(seed: u64, calls: u64) {
    let succeeded_before = SUCCEEDED.load(Relaxed);
    for life in 0..calls / CALLS_A_LIFE {
        let before = free_pages();
        live(seed ^ life << 20);
        // All that the thread has, and the thread.
        OWN_TABLE.delete(LIFE).expect("nobody else has it");
        assert_eq!(free_pages(), before, "all pages come back, life {life}");
    }
    let succeeded = SUCCEEDED.load(Relaxed) - succeeded_before;
    assert!(succeeded > calls / 20, "enough of them succeed to change something: {succeeded}");
    print!("{succeeded} of {calls} succeeded ");
}
