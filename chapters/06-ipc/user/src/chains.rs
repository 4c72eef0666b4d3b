//! How many tasks may wait for each other in a row.

use flatmk_abi::{Error, Kind, MissingCapability, slots};
use flatmk_runtime::object::{Endpoint, OWN_SPACE, OWN_TABLE, Table, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{MEMORY, SCRATCH, at, end_thread, make_thread, stack_top, with_scratch, yield_once};
use crate::order::{door_entry, forget_log, set_open};
use crate::registers::system_call;
use crate::servers::{CALL, PENDING, outcome, start_client, start_server};
use crate::victims::{VICTIM, address, is_stopped, undefined};

pub(crate) const TESTS: &[Test] = tests![a_callee_that_waits_for_more_than_a_thousand_tasks_is_reported_as_busy];

/// So many links, the last of which waits for a thousand tasks: the other links and the server at the end.
const LINKS: u64 = 1000;

/// Endpoints in one table; the tables are in the first slots of the scratch table.
const PER_TABLE: u64 = slots::SLOTS_PER_TABLE - 1;

/// Calls what its argument points to, and is then ready for calls. Needs no stack.
#[unsafe(naked)]
extern "C" fn call_argument() {
    core::arch::naked_asm!("xor esi, esi", "syscall", "xor edi, edi", "mov esi, 1", "syscall",)
}

/// Returns with the message as it came.
#[unsafe(naked)]
extern "C" fn return_at_once() {
    core::arch::naked_asm!("xor edi, edi", "mov esi, 1", "syscall")
}

/// The table of a link's endpoint, by its slot, and the slot there.
fn place(link: u64) -> (u64, u64) {
    (1 + link / PER_TABLE, 1 + link % PER_TABLE)
}

fn endpoint(link: u64) -> u64 {
    let (table, slot) = place(link);
    slots::nested(at(table), slot)
}

/// Starts a link, which calls another endpoint. It lives by its own endpoint.
fn start_link(link: u64, callee: u64) {
    let ((table, slot), task) = (place(link), Task(40));
    if slot == 1 {
        MEMORY.make(Kind::Table, 1, SCRATCH, table).expect("a free slot");
    }
    MEMORY.make(Kind::Task, 1, OWN_TABLE, task.0).expect("a free slot");
    task.configure(OWN_TABLE, OWN_SPACE, stack_top(0)).expect("a new task");
    task.make_endpoint(return_at_once, 0, Table(at(table)), slot).expect("a free slot");
    task.start(address(call_argument, 0), callee).expect("a configured task");
    OWN_TABLE.delete(task.0).expect("it is there");
    yield_once();
}

fn a_callee_that_waits_for_more_than_a_thousand_tasks_is_reported_as_busy() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        start_client(1, door.near());
        yield_once();
        for link in 0..LINKS {
            start_link(link, if link == 0 { door.near() } else { endpoint(link - 1) });
        }
        let (last, one_before) = (endpoint(LINKS - 1), endpoint(LINKS - 2));
        assert_eq!(system_call(last, CALL, [0; 4]), Err(Error::Busy));
        // A fault that would wait for so many is not handled.
        for (handler, stops) in [(last, true), (one_before, false)] {
            let task = make_thread(VICTIM, stack_top(VICTIM));
            task.set_fault_handler(Some(Endpoint(handler)), MissingCapability::IsError).expect("an endpoint");
            task.start(address(undefined, 0), 0).expect("a configured task");
            yield_once();
            assert_eq!(is_stopped(task), stops);
            end_thread(VICTIM);
        }
        // One fewer is waited for.
        start_client(2, one_before);
        yield_once();
        assert_eq!(outcome(2), PENDING);
        set_open(true);
        (0..3 * LINKS).for_each(|_| yield_once());
        assert_eq!([1, 2].map(outcome), [101, 2]);
        assert_eq!(system_call(last, CALL, [1, 2, 3, 4]), Ok([1, 2, 3, 4]));
        [1, 2].into_iter().for_each(end_thread);
        door.end();
        forget_log();
    });
}
