//! A server with a table of its own, which is given capabilities by calls and gives them back.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::slots::{self, WINDOW, WINDOW_SLOTS};
use flatmk_abi::{Error, Kind, Operation, Rights, WINDOW_SHIFT, Words};
use flatmk_runtime::object::{OWN_SPACE, OWN_TABLE, Table, Task, identify};

use crate::harness::{MEMORY, SCRATCH, at, make, stack_top, thread_slot, yield_once};
use crate::registers::{call_with_window, system_call};
use crate::servers::{CALL, finish, server};

/// The thread on which it runs, the slot for its table, and its context.
const THREAD: u64 = 1;
const TABLE_SLOT: u64 = 38;
const CONTEXT: u64 = 0x90_47e4;

/// The flags for these slots of the window, one bit each.
pub(crate) const fn flags(bits: u64) -> u64 {
    bits << WINDOW_SHIFT
}

/// What the porter does with a call, in the message's words.
#[derive(Clone, Copy, Default)]
pub(crate) struct Job {
    /// The slots of its window that it empties first, one bit each.
    pub(crate) delete: u64,
    /// Those in which it makes a copy of its task.
    pub(crate) fill: u64,
    /// Those that it gives back with its answer.
    pub(crate) give: u64,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// What the porter found in its window: bits as it was told, and kinds, 8 bits each.
    pub(crate) told: u64,
    pub(crate) found: u64,
    /// The first status of its return, where that was refused.
    pub(crate) refused: Option<Error>,
    /// What the caller was told that came back.
    pub(crate) back: u64,
}

/// The status of the return that was refused.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Takes the window's bits as a third argument; returns with those that the function returns, and once more without them.
#[unsafe(naked)]
extern "C" fn porter_entry() {
    naked_asm!(
        "sub rsp, 32",
        "mov [rsp], rdx",
        "mov [rsp + 8], r10",
        "mov [rsp + 16], r8",
        "mov [rsp + 24], r9",
        "mov rdx, rsi",
        "mov rsi, rsp",
        "call {handle}",
        "shl rax, {shift}",
        "lea rsi, [rax + 1]",
        "2: mov rdx, [rsp]",
        "mov r10, [rsp + 8]",
        "mov r8, [rsp + 16]",
        "mov r9, [rsp + 24]",
        "xor edi, edi",
        "syscall",
        "mov [rip + {refused}], rax",
        "mov esi, 1",
        "jmp 2b",
        handle = sym handle,
        shift = const WINDOW_SHIFT,
        refused = sym REFUSED,
    )
}

fn window(bits: u64) -> impl Iterator<Item = u64> {
    (0..WINDOW_SLOTS).filter(move |bit| bits >> bit & 1 != 0).map(|bit| WINDOW + bit)
}

/// The kinds in the caller's own window, 8 bits each.
pub(crate) fn kinds_in_window() -> u64 {
    let kind = |slot| identify(slot).map_or(0, |(kind, _)| kind as u64);
    (0..WINDOW_SLOTS).map(|bit| kind(WINDOW + bit) << (8 * bit)).sum()
}

extern "C" fn handle(context: u64, message: &mut Words, told: u64) -> u64 {
    let [delete, fill, give, _] = *message;
    window(delete).for_each(|slot| OWN_TABLE.delete(slot).expect("there is something"));
    let found = kinds_in_window();
    window(fill).for_each(|slot| OWN_TABLE.copy(slot, slots::SELF, Rights::all()).expect("it is empty"));
    *message = [told, found, context, 0];
    give
}

/// The porter, started.
#[derive(Clone, Copy)]
pub(crate) struct Porter {
    pub(crate) table: Table,
    pub(crate) task: Task,
}

/// Starts it: its endpoint has all rights.
pub(crate) fn start_porter() -> Porter {
    let porter =
        Porter { table: Table(make(Kind::Table, TABLE_SLOT)), task: Task(make(Kind::Task, thread_slot(THREAD))) };
    porter.task.configure(porter.table, OWN_SPACE, stack_top(THREAD)).expect("a new task can be configured");
    for (slot, source) in
        [(slots::SELF, porter.task.0), (slots::TABLE, porter.table.0), (slots::CONSOLE, slots::CONSOLE)]
    {
        porter.table.copy(slot, source, Rights::all()).expect("a free slot");
    }
    porter.task.make_endpoint(porter_entry, CONTEXT, OWN_TABLE, porter.near()).expect("a free slot");
    porter.task.start(finish as *const () as u64, 0).expect("a configured task can be started");
    yield_once();
    porter
}

impl Porter {
    /// The pointer to its endpoint.
    pub(crate) fn near(self) -> u64 {
        server(THREAD).near()
    }

    /// A slot of its window, by its number from 0 on.
    pub(crate) fn in_window(self, bit: u64) -> u64 {
        slots::nested(SCRATCH.0, TABLE_SLOT) * 64 + WINDOW + bit
    }

    /// Calls it with these slots of the window.
    pub(crate) fn call(self, bits: u64, job: Job) -> Result<Report, Error> {
        self.call_through(self.near(), bits, job)
    }

    /// The same through another endpoint of it.
    pub(crate) fn call_through(self, endpoint: u64, bits: u64, job: Job) -> Result<Report, Error> {
        REFUSED.store(0, Relaxed);
        let message = [job.delete, job.fill, job.give, 0];
        let ([told, found, context, _], back) = call_with_window(endpoint, CALL | flags(bits), message)?;
        assert_eq!(context, CONTEXT);
        let refused = Error::from_status(REFUSED.load(Relaxed).cast_signed());
        Ok(Report { told, found, refused, back })
    }

    /// Destroys it. Its table holds itself, so that the copy must go first.
    pub(crate) fn end(self) {
        OWN_TABLE.delete(self.near()).expect("its endpoint is there");
        SCRATCH.revoke(thread_slot(THREAD)).expect("its task is there");
        SCRATCH.revoke(TABLE_SLOT).expect("its table is there");
    }
}

/// Puts something of these kinds, copies of what the program has, into the own window.
pub(crate) fn fill_window(bits: u64, source: u64) {
    window(bits).for_each(|slot| OWN_TABLE.copy(slot, source, Rights::all()).expect("it is empty"));
}

/// Empties these slots.
pub(crate) fn empty_window(bits: u64) {
    window(bits).for_each(|slot| OWN_TABLE.delete(slot).expect("there is something"));
}

/// Makes memory in a slot of the own window, and a table from it, at another place.
pub(crate) fn split_into_window(bit: u64) -> u64 {
    MEMORY.split(4, OWN_TABLE, WINDOW + bit).expect("enough memory");
    system_call(WINDOW + bit, Operation::Make as u64, [Kind::Table as u64, 1, SCRATCH.0, 10]).expect("a page");
    at(10)
}
