//! What a task is doing can be seen from outside, and for whom it waits.

use flatmk_abi::{Error, Kind, MissingCapability, Rights, slots};
use flatmk_runtime::object::{Endpoint, Notification, OWN_TASK, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::{at, copy, end_thread, idle, make, start_thread, thread_slot, with_scratch, yield_once};
use crate::servers::{Server, start_client, start_server};

pub(crate) const TESTS: &[Test] = tests![
    a_task_that_was_not_started_is_stopped,
    the_task_that_asks_runs,
    a_task_that_could_run_is_ready,
    a_task_that_waits_for_a_notification_names_it,
    a_task_that_sleeps_rests,
    callers_name_their_callee,
    a_task_that_has_faulted_names_its_handler,
    a_priority_that_is_lent_is_told,
    inspection_needs_the_task,
];

const STOPPED: u64 = 0;
const READY: u64 = 1;
const RUNNING: u64 = 2;
const READY_FOR_CALLS: u64 = 3;
const CALLING: u64 = 4;
const WAITING_FOR_ITS_TURN: u64 = 5;
const WAITING_FOR_ITS_HANDLER: u64 = 6;
const WAITING_FOR_A_NOTIFICATION: u64 = 7;
const RESTING: u64 = 8;

/// A task's state, and the number of what it waits for.
fn state(task: Task) -> (u64, u64) {
    let [state, _, _, awaited] = task.inspect().expect("it is there");
    (state, awaited)
}

fn number(task: Task) -> u64 {
    task.inspect().expect("it is there")[2]
}

fn thread(number: u64) -> Task {
    Task(at(thread_slot(number)))
}

fn a_task_that_was_not_started_is_stopped() {
    with_scratch(|| {
        let [one, other] = [1, 2].map(|slot| Task(make(Kind::Task, slot)));
        assert_eq!(state(one), (STOPPED, 0));
        assert_ne!(number(one), number(other));
        assert_eq!(number(Task(copy(3, one.0, Rights::all()))), number(one), "it is the task's, not the capability's");
    });
}

fn the_task_that_asks_runs() {
    assert_eq!(state(OWN_TASK), (RUNNING, 0));
}

extern "C" fn yield_for_ever(_: u64) {
    idle(OWN_TASK_OF_THREAD_0);
}

/// A thread has the table of this program, where `SELF` is the program's first task.
const OWN_TASK_OF_THREAD_0: Task = Task(at(thread_slot(0)));

fn a_task_that_could_run_is_ready() {
    with_scratch(|| {
        let task = start_thread(0, yield_for_ever, 0);
        assert_eq!(state(task), (READY, 0));
        yield_once();
        assert_eq!(state(task), (READY, 0));
        end_thread(0);
    });
}

extern "C" fn wait(pointer: u64) {
    Notification(pointer).wait().expect("it is there");
    idle(OWN_TASK_OF_THREAD_0);
}

fn a_task_that_waits_for_a_notification_names_it() {
    with_scratch(|| {
        let [one, other] = [1, 2].map(|slot| Notification(make(Kind::Notification, slot)));
        let mut seen = [0; 2];
        for (seen, notification) in seen.iter_mut().zip([one, other]) {
            let task = start_thread(0, wait, notification.0);
            yield_once();
            let (state_then, awaited) = state(task);
            assert_eq!(state_then, WAITING_FOR_A_NOTIFICATION);
            *seen = awaited;
            notification.signal(1).expect("somebody waits");
            assert_eq!(state(task), (READY, 0));
            end_thread(0);
        }
        assert!(seen[0] != seen[1] && !seen.contains(&0));
    });
}

extern "C" fn rest(_: u64) {
    OWN_TASK_OF_THREAD_0.sleep(1_000_000_000).expect("it may rest");
}

fn a_task_that_sleeps_rests() {
    with_scratch(|| {
        let task = start_thread(0, rest, 0);
        yield_once();
        assert_eq!(state(task), (RESTING, 0));
        end_thread(0);
    });
}

/// Serves its caller for a second.
fn serve_slowly(thread: u64, _: &mut [u64; 4]) {
    Task(at(thread_slot(thread))).sleep(1_000_000_000).expect("it may rest");
}

service!(fn slow_entry = serve_slowly);

fn slow_server(thread: u64) -> Server {
    let server = start_server(thread, slow_entry, thread);
    assert_eq!(state(server.task), (READY_FOR_CALLS, 0));
    server
}

fn callers_name_their_callee() {
    with_scratch(|| {
        let server = slow_server(0);
        for client in [1, 2] {
            start_client(client, server.near());
            yield_once();
        }
        assert_eq!(state(server.task), (RESTING, 0));
        assert_eq!(state(thread(1)), (CALLING, number(server.task)));
        assert_eq!(state(thread(2)), (WAITING_FOR_ITS_TURN, number(server.task)));
        [1, 2].into_iter().for_each(end_thread);
        server.end();
    });
}

extern "C" fn fault(_: u64) {
    // SAFETY: nothing is mapped in the first page: this is a fault, which the test expects.
    unsafe { core::ptr::with_exposed_provenance::<u8>(8).read_volatile() };
}

fn a_task_that_has_faulted_names_its_handler() {
    with_scratch(|| {
        let server = slow_server(0);
        for faulting in [1, 2] {
            let task = start_thread(faulting, fault, 0);
            task.set_fault_handler(Some(Endpoint(server.near())), MissingCapability::IsError)
                .expect("it is an endpoint");
            yield_once();
            assert_eq!(state(task), (WAITING_FOR_ITS_HANDLER, number(server.task)), "the {faulting}. to fault");
        }
        [1, 2].into_iter().for_each(end_thread);
        server.end();
    });
}

fn a_priority_that_is_lent_is_told() {
    const LOW: u8 = 5;
    with_scratch(|| {
        let priorities = |task: Task| task.inspect().expect("it is there")[1];
        let own = priorities(OWN_TASK) & 0xff;
        assert_eq!(priorities(OWN_TASK), own | own << 8);
        let server = slow_server(0);
        server.task.set_priority(LOW).expect("it is lower");
        assert_eq!(priorities(server.task), u64::from(LOW) | u64::from(LOW) << 8);
        start_client(1, server.near());
        yield_once();
        assert_eq!(priorities(server.task), u64::from(LOW) | own << 8, "it serves a more urgent one");
        end_thread(1);
        server.end();
    });
}

fn inspection_needs_the_task() {
    with_scratch(|| {
        assert_eq!(Task(copy(1, slots::SELF, Rights::all() - Rights::MANAGE)).inspect(), Err(Error::MissingRight));
        assert_eq!(Task(slots::CONSOLE).inspect(), Err(Error::WrongKind));
        assert_eq!(Task(at(9)).inspect(), Err(Error::InvalidCapability));
    });
}
