//! The tasks and their tables: made, and destroyed.

use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Kind, MissingCapability, Rights};
use flatmk_runtime::object::{Endpoint, FloatingPoint, Memory, Notification, OWN_SPACE, OWN_TABLE, Table, Task};

use crate::tasks::{forget, handle_fault_entry, live, only_serve, serve_entry};

/// How many tasks there are.
pub(crate) const TASKS: u64 = 1000;
/// The first of them handle the faults of all others; nobody stops or destroys them.
pub(crate) const HANDLERS: u64 = 4;
pub(crate) const NOTIFICATIONS: u64 = 60;

/// All that the tasks consist of was made from this memory, which is in a slot of the root task's table.
pub(crate) const LIFE: Memory = Memory(44);
const PAGES: u64 = 4096;

/// Where the directory is: a slot of the root task's table, and one of every other task's.
pub(crate) const OF_ROOT: u64 = 45;
pub(crate) const OF_TASK: u64 = 3;

/// The directory holds tables, and these hold a capability for each task.
const PER_TABLE: u64 = 63;
const TABLES: u64 = TASKS.div_ceil(PER_TABLE);
const ENDPOINTS_FROM: u64 = 1;
const TASKS_FROM: u64 = ENDPOINTS_FROM + TABLES;
const TABLES_FROM: u64 = TASKS_FROM + TABLES;
const NOTIFICATIONS_AT: u64 = TABLES_FROM + TABLES;

/// Where a page is until it is in a table that no pointer of the root task reaches into.
const PAGE_ON_THE_WAY: u64 = 46;

/// The slots of a task's own table, beside those that every task has.
pub(crate) const KEPT_REPLY: u64 = 10;
pub(crate) const FLOATING_POINT: u64 = 11;
pub(crate) const NEAR: u64 = 20;
pub(crate) const NEAR_ENDPOINTS: u64 = 8;

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
}

/// A task's place: the table, and the slot in it.
fn place(directory: u64, from: u64, task: u64) -> (Table, u64) {
    (Table(nested(directory, from + task / PER_TABLE)), 1 + task % PER_TABLE)
}

fn pointer(directory: u64, from: u64, task: u64) -> u64 {
    let (table, slot) = place(directory, from, task);
    nested(table.0, slot)
}

/// A task, by whose directory.
pub(crate) fn task(directory: u64, task: u64) -> Task {
    Task(pointer(directory, TASKS_FROM, task))
}

/// Its endpoint.
pub(crate) fn endpoint(directory: u64, task: u64) -> Endpoint {
    Endpoint(pointer(directory, ENDPOINTS_FROM, task))
}

/// One of the notifications.
pub(crate) fn notification(directory: u64, number: u64) -> Notification {
    Notification(nested(nested(directory, NOTIFICATIONS_AT), 1 + number))
}

/// A task's own table, as the root task reaches it.
fn table_of(task: u64) -> Table {
    Table(pointer(OF_ROOT, TABLES_FROM, task))
}

/// Makes the directory.
pub(crate) fn prepare() {
    Memory(slots::MEMORY).split(PAGES, OWN_TABLE, LIFE.0).expect("enough memory");
    let directory = Table(OF_ROOT);
    LIFE.make(Kind::Table, 1, OWN_TABLE, directory.0).expect("enough memory");
    LIFE.make(Kind::Table, NOTIFICATIONS_AT, directory, ENDPOINTS_FROM).expect("enough memory");
    let notifications = Table(nested(directory.0, NOTIFICATIONS_AT));
    LIFE.make(Kind::Notification, NOTIFICATIONS, notifications, 1).expect("enough memory");
}

const STACK_SIZE: usize = 2048;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Stack([u8; STACK_SIZE]);

static mut STACKS: [Stack; TASKS as usize] = [Stack([0; STACK_SIZE]); TASKS as usize];

fn stack_top(task: u64) -> u64 {
    assert!(task < TASKS);
    (&raw const STACKS) as u64 + (task + 1) * STACK_SIZE as u64
}

/// Makes a task with a table of its own. It is not started.
pub(crate) fn make(number: u64, random: &mut Random) {
    let all = Rights::all();
    let ((tasks, slot), (tables, _)) = (place(OF_ROOT, TASKS_FROM, number), place(OF_ROOT, TABLES_FROM, number));
    LIFE.make(Kind::Task, 1, tasks, slot).expect("a page, and a slot");
    LIFE.make(Kind::Table, 1, tables, slot).expect("a page, and a slot");
    let (task, table) = (task(OF_ROOT, number), table_of(number));
    table.copy(slots::SELF, task.0, all).expect("a free slot");
    table.copy(slots::TABLE, table.0, all).expect("a free slot");
    table.copy(OF_TASK, OF_ROOT, all).expect("a free slot");
    task.configure(table, OWN_SPACE, stack_top(number)).expect("it is new");
    let (endpoints, _) = place(OF_ROOT, ENDPOINTS_FROM, number);
    if number < HANDLERS {
        task.set_priority(50).expect("the root task is the most urgent");
        task.make_endpoint(handle_fault_entry, number, endpoints, slot).expect("a free slot");
        return;
    }
    task.set_priority(1 + random.below(40) as u8).expect("the root task is the most urgent");
    task.make_endpoint(serve_entry, number, endpoints, slot).expect("a free slot");
    let handler = endpoint(OF_ROOT, number % HANDLERS);
    task.set_fault_handler(Some(handler), MissingCapability::IsError).expect("it may be called");
    if has_floating_point(number) {
        LIFE.make(Kind::FloatingPoint, 1, OWN_TABLE, PAGE_ON_THE_WAY).expect("a page, and a slot");
        task.set_floating_point(Some(FloatingPoint(PAGE_ON_THE_WAY))).expect("it is stopped");
        table.move_here(FLOATING_POINT, PAGE_ON_THE_WAY).expect("a free slot");
    }
    for near in 0..NEAR_ENDPOINTS {
        // Not all are there when the first ones are made.
        let other = HANDLERS + random.below(TASKS - HANDLERS);
        table.copy(NEAR + near, endpoint(OF_ROOT, other).0, all).unwrap_or_default();
    }
}

/// Whether a task has a page for floating-point state.
pub(crate) fn has_floating_point(task: u64) -> bool {
    task.is_multiple_of(8)
}

/// Starts a task, if it is stopped: as a server at once, or after it has lived for a while.
pub(crate) fn let_live(number: u64, random: &mut Random) {
    let entry = if number < HANDLERS || random.below(4) == 0 { only_serve() } else { live() };
    task(OF_ROOT, number).start(entry, number << 32 | random.next() >> 32).unwrap_or_default();
}

/// Destroys a task, and its table.
pub(crate) fn destroy(number: u64) {
    for from in [TASKS_FROM, TABLES_FROM] {
        let (table, slot) = place(OF_ROOT, from, number);
        table.revoke(slot).expect("it is there");
        table.delete(slot).expect("it is there");
    }
    forget(number);
}

/// Deletes the capability to return that a task has kept, if it has.
pub(crate) fn delete_kept_reply(number: u64) {
    table_of(number).delete(KEPT_REPLY).unwrap_or_default();
}
