//! What the tests share: a table of objects that leaves nothing behind, and threads.

use core::arch::naked_asm;

use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Error, Kind, Operation, Rights};
use flatmk_runtime::invoke;
use flatmk_runtime::object::{Memory, OWN_SPACE, OWN_TABLE, OWN_TASK, Table, Task};

/// The largest memory.
pub(crate) const MEMORY: Memory = Memory(slots::MEMORY);

/// The first slot that the tests use; the kernel's memory capabilities end before it.
pub(crate) const FIRST_FREE: u64 = 44;

/// The table for the objects of a test.
pub(crate) const SCRATCH: Table = Table(FIRST_FREE);

/// The pointer to a slot of the scratch table.
pub(crate) const fn at(slot: u64) -> u64 {
    nested(SCRATCH.0, slot)
}

/// Free pages of the largest memory.
pub(crate) fn free_pages() -> u64 {
    MEMORY.measure().expect("the root task has memory").0
}

/// Runs a test with an empty scratch table, and checks that deleting it gives every page back.
pub(crate) fn with_scratch(test: impl FnOnce()) {
    let before = free_pages();
    MEMORY.make(Kind::Table, 1, OWN_TABLE, SCRATCH.0).expect("a page and a slot for the scratch table");
    test();
    OWN_TABLE.delete(SCRATCH.0).expect("the scratch table is there");
    assert_eq!(free_pages(), before, "all pages come back");
}

/// Makes an object in a slot of the scratch table.
pub(crate) fn make(kind: Kind, slot: u64) -> u64 {
    MEMORY.make(kind, 1, SCRATCH, slot).expect("a free page and a free slot");
    at(slot)
}

/// Copies a capability to a slot of the scratch table, with these rights.
pub(crate) fn copy(slot: u64, source: u64, rights: Rights) -> u64 {
    SCRATCH.copy(slot, source, rights).expect("the copy is allowed");
    at(slot)
}

/// The flags of ordinary code: interrupts on, and the bit that is always set.
pub(crate) const PLAIN_FLAGS: u64 = 0x202;

/// How many threads there can be at a time.
pub(crate) const THREADS: u64 = 12;

const STACK_SIZE: usize = 32 * 1024;

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Stack([u8; STACK_SIZE]);

static mut STACKS: [Stack; THREADS as usize] = [Stack([0; STACK_SIZE]); THREADS as usize];

/// The top of the stack of a thread.
pub(crate) fn stack_top(thread: u64) -> u64 {
    assert!(thread < THREADS);
    (&raw const STACKS) as u64 + (thread + 1) * STACK_SIZE as u64
}

/// Takes function and argument from the stack.
#[unsafe(naked)]
pub(crate) extern "C" fn thread_entry() {
    naked_asm!("pop rax", "pop rdi", "call rax", "ud2")
}

/// Writes function and argument where `thread_entry` finds them. Returns the stack pointer to begin with.
pub(crate) fn prepare_stack(thread: u64, body: extern "C" fn(u64), argument: u64) -> u64 {
    let stack = stack_top(thread) - 16;
    let words = core::ptr::with_exposed_provenance_mut::<[u64; 2]>(stack as usize);
    // SAFETY: the two words are the top of the thread's stack, and the thread does not run yet.
    unsafe { words.write([body as usize as u64, argument]) };
    stack
}

/// The slot of the scratch table for the task of a thread.
pub(crate) const fn thread_slot(thread: u64) -> u64 {
    40 + thread
}

/// Makes the task of a thread in this program's space, with this program's table. It is configured, not started.
pub(crate) fn make_thread(thread: u64, stack: u64) -> Task {
    let task = Task(make(Kind::Task, thread_slot(thread)));
    task.configure(OWN_TABLE, OWN_SPACE, stack).expect("a new task can be configured");
    task
}

/// Starts a thread that runs `body(argument)`.
pub(crate) fn start_thread(thread: u64, body: extern "C" fn(u64), argument: u64) -> Task {
    let task = make_thread(thread, prepare_stack(thread, body, argument));
    task.start(thread_entry as *const () as u64, 0).expect("a configured task can be started");
    task
}

/// Ends a thread, whatever it does, and gives its page back.
pub(crate) fn end_thread(thread: u64) {
    SCRATCH.delete(thread_slot(thread)).expect("the thread has a task");
}

/// Lets all other ready tasks run once.
pub(crate) fn yield_once() {
    OWN_TASK.yield_now().expect("a task may yield");
}

/// What a thread does that has nothing more to do: it lets the others run, for ever.
pub(crate) fn idle(task: Task) -> ! {
    loop {
        task.yield_now().expect("a thread may yield");
    }
}

/// Whether this kernel knows an operation: it may be of an earlier chapter.
pub(crate) fn kernel_knows(operation: Operation) -> bool {
    let knows_chapter_of = |operation| invoke(slots::CONSOLE, operation, [0; 4]) != Err(Error::UnknownOperation);
    match operation.chapter() {
        6 => knows_chapter_of(Operation::Call),
        7 => knows_chapter_of(Operation::Signal),
        10 => knows_chapter_of(Operation::SetSoftuser),
        11 => knows_chapter_of(Operation::ReadClock),
        _ => true,
    }
}

/// Numbers that look random, and are the same in each run (xorshift64*, Vigna 2016).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// One of these.
    pub(crate) fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len() as u64) as usize;
        *choices.get(index).expect("the index is below the length")
    }
}
