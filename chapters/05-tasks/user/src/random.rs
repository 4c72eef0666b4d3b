//! Whatever system calls a program makes, the kernel survives, and the contract of the registers holds for each.
//!
//! A thread with a table of its own makes them. Operations, what they are meant for and the sorts of their arguments come from the list in
//! `flatmk-abi`; the values are biased to what may hurt: slots in use, its own table, the boundaries of user space. The numbers are
//! the same in each run.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::slots::{self, SLOTS_PER_TABLE, nested};
use flatmk_abi::{ArgumentSort, Kind, MAX_PRIORITY, OPERATIONS, Operation, OperationInfo, Rights};
use flatmk_runtime::object::{Memory, OWN_SPACE, OWN_TABLE, Table, Task};
use flatmk_runtime::print;

use crate::harness::{
    FIRST_FREE, MEMORY, Random, free_pages, idle, kernel_knows, prepare_stack, thread_entry, yield_once,
};
use crate::registers::system_call;

/// How many calls a thread makes before the next one starts with everything anew.
const CALLS_A_LIFE: u64 = 250;

static DONE: AtomicU64 = AtomicU64::new(0);
static SUCCEEDED: AtomicU64 = AtomicU64::new(0);
/// How often each operation has succeeded, by its number.
static SUCCEEDED_BY_OPERATION: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];
static LIVES: AtomicU64 = AtomicU64::new(0);

/// The slots of this program's table for the memory of a life, from which everything in it is made, and for the thread's table and
/// task.
const LIFE: u64 = FIRST_FREE;
const TABLE: u64 = FIRST_FREE + 1;
const TASK: u64 = FIRST_FREE + 2;

// Slots of the thread's table, which has no capability to its own space.
const DEVICE: u64 = slots::SPACE;
const INNER: u64 = 9;
const TASK_WITH_ENDPOINT: u64 = 10;
const PART: u64 = 14;
const MEMORY_SLOT: u64 = 16;
const ENDPOINT: u64 = 23;
const TRACE: u64 = 24;

/// What the thread is given, beside itself and its table: the objects that are made for it, and their slots.
const OBJECTS: [(Kind, u64); 13] = [
    (Kind::AddressSpace, 8),
    (Kind::Table, INNER),
    (Kind::Task, TASK_WITH_ENDPOINT),
    (Kind::Frame, 11),
    (Kind::Frame, 12),
    (Kind::Frame, 13),
    (Kind::Task, 15),
    (Kind::Task, 17),
    // In a row, in slots and in memory.
    (Kind::Softuser, 21),
    (Kind::Softuser, 22),
    (Kind::LargeFrame, 18),
    (Kind::Notification, 19),
    (Kind::FloatingPoint, 20),
];

/// All that it has at first.
const OTHERS: [(Kind, u64); 11] = [
    (Kind::Task, slots::SELF),
    (Kind::Table, slots::TABLE),
    (Kind::Console, slots::CONSOLE),
    (Kind::Power, slots::POWER),
    (Kind::Interrupts, slots::INTERRUPTS),
    (Kind::Ports, slots::PORTS),
    (Kind::Memory, PART),
    (Kind::Memory, MEMORY_SLOT),
    (Kind::Endpoint, ENDPOINT),
    (Kind::DeviceMemory, DEVICE),
    (Kind::Trace, TRACE),
];

/// The slots from here on are empty at first.
const FIRST_EMPTY: u64 = 25;
const EMPTY: u64 = 20;

/// No device has this interrupt line.
const UNUSED_LINE: u64 = 5;
/// No device has this I/O port.
const UNUSED_PORT: u64 = 0xffff;

/// No device has memory there: 1200 pages from 64 GiB on, which are mapped in three parts at least.
const UNUSED_PAGES: u64 = ((64 << 30) / 4096) | (1200 << 32);

/// How many pages the thread has: enough for a large frame now and then.
const PAGES: u64 = 2048;

const ALL: u64 = Rights::all().bits() as u64;

/// Any pointer.
fn pointer(random: &mut Random) -> u64 {
    match random.below(16) {
        0..=7 => random.below(FIRST_EMPTY),
        8..=9 => FIRST_EMPTY + random.below(EMPTY),
        10 => nested(INNER, random.below(8)),
        11 => nested(slots::TABLE, random.below(FIRST_EMPTY)),
        12 => nested(slots::TABLE, nested(INNER, random.below(4))),
        13 => random.choose(&[63, 64, 4095, 4096, (1 << 18) - 1, 1 << 18, u64::MAX, 1 << 63]),
        _ => random.next(),
    }
}

/// A pointer that leads, most of the time, to what was of one of these kinds at first.
fn pointer_to(random: &mut Random, kinds: &[Kind]) -> u64 {
    let fitting = || OBJECTS.iter().chain(&OTHERS).filter(|(kind, _)| kinds.contains(kind));
    let count = fitting().count() as u64;
    if count == 0 || random.below(8) == 0 {
        return pointer(random);
    }
    fitting().nth(random.below(count) as usize).map_or(0, |&(_, slot)| slot)
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

fn slot(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.choose(&[0, 1, 2, 63, 64, u64::MAX, 1 << 32]),
        1 => random.below(FIRST_EMPTY),
        _ => FIRST_EMPTY + random.below(EMPTY),
    }
}

/// One between these, a small one most of the time, or one beside them.
fn number(random: &mut Random, least: u64, most: u64) -> u64 {
    if random.below(8) == 0 {
        return random.choose(&[least.wrapping_sub(1), most, most.wrapping_add(1), u64::MAX]);
    }
    let limit = 1 << random.below(6);
    least + random.below((most - least).saturating_add(1).min(limit))
}

/// The number of a kind, or one that is none.
fn kind(random: &mut Random) -> u64 {
    let number = random.below(Kind::ALL.len() as u64 + 1);
    // A large frame takes its time, since each of its pages is zeroed.
    let is_too_long = number == Kind::LargeFrame as u64 && random.below(16) != 0;
    if is_too_long { Kind::Frame as u64 } else { number }
}

fn any(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => pointer(random),
        1 => address(random),
        2 => slot(random),
        _ => random.next(),
    }
}

fn value(random: &mut Random, sort: ArgumentSort) -> u64 {
    match sort {
        ArgumentSort::Slot => slot(random),
        ArgumentSort::Pointer(kinds) => pointer_to(random, kinds),
        ArgumentSort::Optional(_) if random.below(4) == 0 => 0,
        ArgumentSort::Optional(kinds) => pointer_to(random, kinds),
        ArgumentSort::Address => address(random),
        ArgumentSort::Rights if random.below(2) == 0 => ALL,
        ArgumentSort::Rights => random.below(ALL + 2),
        ArgumentSort::Access => random.below(4),
        ArgumentSort::Kind => kind(random),
        ArgumentSort::Priority => number(random, 0, MAX_PRIORITY.into()),
        ArgumentSort::Port => number(random, 0, u16::MAX.into()),
        ArgumentSort::MissingCapability => number(random, 0, 1),
        ArgumentSort::Number { least, most } => number(random, least, most),
        ArgumentSort::Time => random.choose(&[0, 1, 1_000_000, u64::MAX]),
        _ => any(random),
    }
}

fn arguments(random: &mut Random, information: Option<&OperationInfo>) -> [u64; 4] {
    // Most calls have arguments of the right sort, or they would all fail at the first check.
    let listed = information.filter(|_| random.below(4) != 0).map_or(&[][..], |information| information.arguments);
    core::array::from_fn(|index| value(random, listed.get(index).map_or(ArgumentSort::Any, |argument| argument.sort)))
}

/// Whether an operation names more than it is invoked on: then it changes who has what.
fn names_capabilities(information: &&OperationInfo) -> bool {
    information.arguments.iter().any(|argument| {
        matches!(argument.sort, ArgumentSort::Slot | ArgumentSort::Pointer(_) | ArgumentSort::Optional(_))
    })
}

/// An operation with flags. What changes most comes most often.
fn operation(random: &mut Random) -> u64 {
    let listed = || OPERATIONS.iter();
    let chosen = match random.below(8) {
        0 => return random.next(),
        1..=4 => {
            let count = listed().filter(names_capabilities).count() as u64;
            listed().filter(names_capabilities).nth(random.below(count) as usize)
        }
        _ => listed().nth(random.below(OPERATIONS.len() as u64) as usize),
    };
    let operation = chosen.map_or(0, |information| information.operation as u64);
    match random.below(16) {
        0 => operation | 1 << (8 + random.below(56)),
        1 => operation | chosen.map_or(0, |information| random.next() & information.operation.flags()),
        _ => operation,
    }
}

/// A life of the thread: system calls until it is enough, then yields.
extern "C" fn misbehave(seed: u64) {
    let mut random = Random(seed);
    loop {
        let word = operation(&mut random);
        let word = if may_do(&mut random, word) { word } else { Operation::Identify as u64 };
        let information = OPERATIONS.iter().find(|information| information.operation as u64 == word & 0xff);
        let mut target = pointer_to(&mut random, information.map_or(&[], |information| information.kinds));
        // A return from here would end this life: nobody calls this thread.
        if word & 0xff == Operation::Return as u64 && target == slots::REPLY {
            target = 1;
        }
        let mut arguments = arguments(&mut random, information);
        keep_what_is_needed(word, &mut arguments);
        let succeeded = system_call(target, word, arguments).is_ok();
        SUCCEEDED.fetch_add(u64::from(succeeded), Relaxed);
        if let Some(count) = SUCCEEDED_BY_OPERATION.get((word & 0xff) as usize) {
            count.fetch_add(u64::from(succeeded), Relaxed);
        }
        let done = DONE.fetch_add(1, Relaxed) + 1;
        if done.is_multiple_of(CALLS_A_LIFE) {
            idle(Task(slots::SELF));
        }
    }
}

/// Whether the thread may do this now.
fn may_do(random: &mut Random, word: u64) -> bool {
    match Operation::from_number(word & 0xff) {
        Some(operation) if would_end_it(operation) => false,
        // Each task that is started faults at once, and each report takes its time.
        Some(Operation::Start) => random.below(4) == 0,
        _ => true,
    }
}

/// On itself, or on a notification that nobody signals, the thread would do nothing more after these: stopped, asleep, or less urgent
/// than the program that waits for its end. They are for the tests of chapter 7.
fn would_end_it(operation: Operation) -> bool {
    matches!(operation, Operation::Stop | Operation::Sleep | Operation::Wait | Operation::SetPriority)
}

/// Whether an operation never succeeds here: the thread must not do it; or it has no caller and no callee that answers; or what it has
/// of the console and of the power switch lacks the right; or nothing can be minted yet.
fn cannot_succeed(operation: Operation) -> bool {
    match operation {
        Operation::Call | Operation::Return | Operation::Reply | Operation::Write | Operation::PowerOff => true,
        Operation::Mint => !kernel_knows(Operation::MakeEndpoint),
        // A task that was configured, and has stopped or was never started: too rare to count on.
        Operation::Resume => true,
        _ => would_end_it(operation),
    }
}

/// Without the capabilities to its task and its table the thread could do little for the rest of its life, which is the subject of
/// `lifetimes`; and if a pointer to nothing were a fault, the first one would end it.
fn keep_what_is_needed(word: u64, [first, second, ..]: &mut [u64; 4]) {
    let is_needed = |pointer| matches!(pointer % SLOTS_PER_TABLE, slots::SELF | slots::TABLE);
    match Operation::from_number(word & 0xff) {
        Some(Operation::Delete) if is_needed(*first) => *first = FIRST_EMPTY,
        Some(Operation::Move) if is_needed(*second) => *second = FIRST_EMPTY,
        Some(Operation::SetFaultHandler) if *second == 1 => *second = 2,
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
    for (kind, slot) in OBJECTS {
        memory.make(kind, 1, table, slot).expect("a free slot");
    }
    memory.split(200, table, PART).expect("a free slot");
    if kernel_knows(Operation::Call) {
        let task = Task(nested(table.0, TASK_WITH_ENDPOINT));
        task.make_endpoint(thread_entry, 0, table, ENDPOINT).expect("a free slot");
        table.mint(slots::INTERRUPTS, slots::INTERRUPTS, Rights::all(), 1 << UNUSED_LINE).expect("a free slot");
        let port = UNUSED_PORT | UNUSED_PORT << 16;
        table.mint(slots::PORTS, slots::PORTS, Rights::all(), port).expect("a free slot");
    }
    if kernel_knows(Operation::Describe) {
        table.mint(DEVICE, slots::DEVICES, Rights::all(), UNUSED_PAGES).expect("a free slot");
        table.copy(TRACE, slots::TRACE, Rights::all()).expect("a free slot");
    }
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

/// Checks that each operation has succeeded in all the calls up to now: the tests say little about one that has always failed.
pub(crate) fn every_operation_has_succeeded() {
    for operation in OPERATIONS.iter().map(|information| information.operation) {
        let count = SUCCEEDED_BY_OPERATION.get(operation as usize).map_or(0, |count| count.load(Relaxed));
        let may_succeed = kernel_knows(operation) && !cannot_succeed(operation);
        assert!(!may_succeed || count > 0, "{operation:?} has always failed");
    }
}
