//! A long removal gives way where a program would, and is finished in any case.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Access, Error, Kind, MissingCapability, Operation, Words};
use flatmk_runtime::object::{Frame, Memory, OWN_SPACE, OWN_TASK, Table, Task, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests, time_stamp};

use crate::calibration::{at_least_ms, at_most_ms};
use crate::harness::{MEMORY, SCRATCH, at, free_pages, idle, make, prepare_stack, thread_slot};
use crate::registers::{RBX, RDI, RDX, RIP, RSI};
use crate::threads::{
    ALL, MS, check_log, entry, finish, let_run, log, logged, near, on_stage, outcome, prepare, serve, shared, spin,
    start, status, task, work_ms,
};

pub(crate) const TESTS: &[Test] = tests![
    a_long_removal_gives_way_to_a_more_urgent_task,
    a_long_removal_gives_way_at_the_end_of_the_time_slice,
    another_removal_first_finishes_the_one_that_gave_way,
    a_capability_that_moves_meanwhile_is_revoked_to_the_end,
    a_task_that_is_stopped_in_a_removal_has_finished_it,
    whoever_finishes_a_removal_may_go_with_it,
    what_a_task_executes_may_change_in_its_removal,
    tasks_that_have_faulted_start_while_others_are_still_told,
];

/// The slots of the scratch table for the memory whose pages are taken back, for where it moves, for what the thread deletes afterwards, and for the
/// tables of what is made from the memory.
const PART: u64 = 1;
const MOVED: u64 = 2;
const NEXT: u64 = 3;
const TABLES: core::ops::Range<u64> = 4..20;

const PER_TABLE: u64 = 63;
const PAGES: u64 = (TABLES.end - TABLES.start) * (PER_TABLE + 1) + 1;

/// In the place of an outcome: none yet.
const PENDING: u64 = 0x7070;

/// Does the long removal and a short one. That it has made the long one is not to be seen in the short one.
extern "C" fn remove(operation: u64) {
    let operation = Operation::from_number(operation).expect("there is such an operation");
    let result = flatmk_runtime::invoke(SCRATCH.0, operation, [PART, 0, 0, 0]);
    SCRATCH.delete(NEXT).expect("it is there");
    shared(0).store(outcome(result), Relaxed);
    finish(0);
}

fn is_pending() -> bool {
    shared(0).load(Relaxed) == PENDING
}

#[track_caller]
fn assert_succeeded() {
    assert_eq!(shared(0).load(Relaxed), 0, "it has succeeded");
    assert_eq!(identify(at(NEXT)), Err(Error::InvalidCapability), "and so has the next one");
}

/// Makes a thousand address spaces, each of which takes some thousand instructions to take apart, of a memory of their own.
fn make_much() -> Memory {
    let part = Memory(at(PART));
    make(Kind::Frame, NEXT);
    MEMORY.split(PAGES, SCRATCH, PART).expect("enough pages");
    fill(part);
    part
}

/// Lets a thread of little urgency revoke or delete such a memory. It has begun when this returns.
fn begin_long_removal(operation: Operation) -> Memory {
    let part = make_much();
    start_removal(operation);
    part
}

fn fill(part: Memory) {
    for slot in TABLES {
        part.make(Kind::Table, 1, SCRATCH, slot).expect("enough pages");
        part.make(Kind::AddressSpace, PER_TABLE, Table(at(slot)), 1).expect("enough pages");
    }
}

fn start_removal(operation: Operation) {
    shared(0).store(PENDING, Relaxed);
    start(0, 20, remove, operation as u64);
    let_run(1);
    assert!(is_pending(), "it takes longer than this");
}

/// Where a second thread, whose table is made from the same memory, has what it needs for a system call that finishes the removal.
const ITS_TABLE: u64 = 30;
const ITSELF: u64 = 1;
const FIRST_THREAD: u64 = 2;
const WHERE: u64 = 3;

/// Makes the system call with this number. It does not come back.
extern "C" fn finish_and_go(operation: u64) {
    let operation = Operation::from_number(operation).expect("there is such an operation");
    let pointer = match operation {
        Operation::Stop => FIRST_THREAD,
        Operation::SetFaultHandler => ITSELF,
        _ => WHERE,
    };
    let result = flatmk_runtime::invoke(pointer, operation, [NEXT, 0, 0, 0]);
    log(outcome(result));
    idle(task(1));
}

fn whoever_finishes_a_removal_may_go_with_it() {
    for operation in [Operation::Delete, Operation::Revoke, Operation::Stop, Operation::SetFaultHandler] {
        on_stage(|| {
            let (part, its_table) = (Memory(at(PART)), Table(at(ITS_TABLE)));
            make(Kind::Frame, NEXT);
            MEMORY.split(PAGES + 1, SCRATCH, PART).expect("enough pages");
            // The oldest goes last.
            part.make(Kind::Table, 1, SCRATCH, ITS_TABLE).expect("enough pages");
            let second = Task(make(Kind::Task, thread_slot(1)));
            second.configure(its_table, OWN_SPACE, prepare_stack(1, finish_and_go, operation as u64)).expect("new");
            second.set_priority(30).expect("the root task is the most urgent");
            fill(part);
            start_removal(Operation::Revoke);
            for (slot, source) in [(ITSELF, second.0), (FIRST_THREAD, task(0).0), (WHERE, SCRATCH.0)] {
                its_table.copy(slot, source, ALL).expect("it is there still");
            }
            second.start(entry(), 0).expect("it has all that it needs");
            let_run(3);
            check_log(&[]);
            assert_eq!(second.stop(), Err(Error::InvalidState), "it was stopped");
            assert_eq!(part.measure(), Ok((PAGES + 1, PAGES + 1)), "the removal is finished");
        });
    }
}

/// Somebody else finishes the removal. Then it is done, and its task does not make it again: there is nothing left to delete.
fn check_end_by(finish: fn()) {
    on_stage(|| {
        let part = begin_long_removal(Operation::Revoke);
        finish();
        assert_eq!(part.measure(), Ok((PAGES, PAGES)));
        assert!(is_pending(), "its task has not run since");
        let_run(1);
        assert_succeeded();
    });
    on_stage(|| {
        let before = free_pages();
        let part = begin_long_removal(Operation::Delete);
        finish();
        assert_eq!(part.measure(), Err(Error::InvalidCapability));
        // Those of the thread and of its next removal are left.
        assert_eq!(free_pages(), before - 2);
        assert!(is_pending(), "its task has not run since");
        let_run(1);
        assert_succeeded();
    });
}

fn a_long_removal_gives_way_to_a_more_urgent_task() {
    on_stage(|| {
        let part = begin_long_removal(Operation::Revoke);
        let mut times = 0;
        while is_pending() {
            let began = time_stamp();
            OWN_TASK.sleep(MS / 10).expect("a task may sleep");
            let steps = time_stamp() - began;
            // To the next tick, and for one step of the removal.
            assert!(steps < at_most_ms(1) + at_least_ms(1) / 4, "{steps} ticks");
            times += 1;
        }
        assert!(times >= 2, "it has given way {times} times");
        assert_succeeded();
        assert_eq!(part.measure(), Ok((PAGES, PAGES)));
    });
}

/// Uses a part of its time slice before the long removal.
extern "C" fn remove_late(milliseconds: u64) {
    work_ms(milliseconds);
    shared(1).store(1, Relaxed);
    remove(Operation::Revoke as u64);
}

/// Notes whether the removal has begun, and how many pages are free by now.
extern "C" fn look(_: u64) {
    log(shared(1).load(Relaxed));
    log(Memory(at(PART)).measure().map_or_else(status, |(free, _)| free));
    finish(1);
}

/// The first slice is shorter than others by the ticks of long work before, but the removal takes several, too.
fn a_long_removal_gives_way_at_the_end_of_the_time_slice() {
    let is_seen_in_the_middle = |milliseconds| {
        let mut is_in_the_middle = false;
        on_stage(|| {
            let part = make_much();
            shared(0).store(PENDING, Relaxed);
            shared(1).store(0, Relaxed);
            start(0, 20, remove_late, milliseconds);
            start(1, 20, look, 0);
            while is_pending() {
                let_run(1);
            }
            let_run(1);
            let [has_begun, free] = core::array::from_fn(|index| logged().nth(index).expect("the other one has run"));
            is_in_the_middle = has_begun == 1 && free < PAGES;
            assert_succeeded();
            assert_eq!(part.measure(), Ok((PAGES, PAGES)));
        });
        is_in_the_middle
    };
    assert!((0..9).any(is_seen_in_the_middle), "the other one runs before the removal or after it");
}

fn another_removal_first_finishes_the_one_that_gave_way() {
    check_end_by(|| {
        make(Kind::Frame, 30);
        SCRATCH.delete(30).expect("it is there");
    });
}

fn a_capability_that_moves_meanwhile_is_revoked_to_the_end() {
    on_stage(|| {
        begin_long_removal(Operation::Revoke);
        let moved = Memory(at(MOVED));
        SCRATCH.move_here(MOVED, at(PART)).expect("a free slot");
        // What comes into its place is left alone.
        SCRATCH.copy(PART, flatmk_abi::slots::SELF, ALL).expect("it is empty");
        while is_pending() {
            let_run(1);
        }
        assert_succeeded();
        assert_eq!(moved.measure(), Ok((PAGES, PAGES)));
        SCRATCH.delete(PART).expect("the copy is there");
    });
}

fn a_task_that_is_stopped_in_a_removal_has_finished_it() {
    check_end_by(|| {
        task(0).stop().expect("it is ready");
        task(0).resume().expect("it is stopped");
    });
}

/// Where a thread has code of its own, in reach of a page table that this program has anyway; and two frames for it.
const CODE: u64 = 0x5f_f000;
const FRAMES: [Frame; 2] = [Frame(at(31)), Frame(at(32))];

/// Fills a frame with code, which is mapped nowhere afterwards.
fn write_code(frame: Frame, code: [u8; 4]) {
    make(Kind::Frame, frame.0 % 64);
    OWN_SPACE.map(frame, CODE, Access::ReadWrite).expect("a free address");
    // SAFETY: the page was just mapped, and nothing else is there.
    unsafe { core::ptr::with_exposed_provenance_mut::<[u8; 4]>(CODE as usize).write_volatile(code) };
    frame.unmap().expect("it is mapped");
}

/// The kernel has put the task back before its system call. By the time it runs again something else is there.
fn what_a_task_executes_may_change_in_its_removal() {
    // The last instruction of all: behind it there is no address.
    const LAST: u64 = u64::MAX - 1;
    on_stage(|| {
        let [before, after] = FRAMES;
        // `syscall` and `ud2`; `jmp rbx`.
        write_code(before, [0x0f, 0x05, 0x0f, 0x0b]);
        write_code(after, [0xff, 0xe3, 0x0f, 0x0b]);
        OWN_SPACE.map(before, CODE, Access::ReadExecute).expect("a free address");
        let part = Memory(at(PART));
        MEMORY.split(PAGES, SCRATCH, PART).expect("enough pages");
        fill(part);
        let thread = prepare(0, 20, spin, 0);
        let registers = [(RIP, CODE), (RBX, LAST), (RDI, SCRATCH.0), (RSI, Operation::Revoke as u64), (RDX, PART)];
        for (register, value) in registers {
            thread.write_register(register, value).expect("it has not run");
        }
        thread.resume().expect("it is configured");
        let_run(1);
        assert_ne!(part.measure(), Ok((PAGES, PAGES)), "it takes longer than this");
        before.unmap().expect("it is mapped");
        OWN_SPACE.map(after, CODE, Access::ReadExecute).expect("a free address");
        let_run(5);
        assert_eq!(thread.read_registers(RIP).map(|[rip, ..]| rip), Ok(LAST), "it has faulted there");
        assert_eq!(part.measure(), Ok((PAGES, PAGES)), "the removal is finished");
        after.unmap().expect("it is mapped");
    });
}

/// The threads that fault, and the one that takes their handler away.
const FAULTING: core::ops::Range<u64> = 1..11;
const REMOVER: u64 = 11;

extern "C" fn fault(_: u64) {
    // SAFETY: raises an exception, after which the thread does not go on.
    unsafe { core::arch::asm!("ud2") };
}

/// Handles no fault, but sleeps.
fn sleep_long(_: u64, _: &mut Words) {
    task(0).sleep(3600 * 1000 * MS).expect("a task may sleep");
}

service!(fn sleep_long_entry = sleep_long);

/// Takes the handler's task away, some time after it has begun.
extern "C" fn remove_handler(time: u64) {
    (0..time).for_each(|_| core::hint::spin_loop());
    SCRATCH.revoke(thread_slot(0)).expect("it is there");
    SCRATCH.delete(thread_slot(0)).expect("it is there");
    shared(0).store(0, Relaxed);
    finish(REMOVER);
}

extern "C" fn log_and_finish(thread: u64) {
    log(thread);
    finish(thread);
}

/// A handler goes, and those who have waited for it are stopped and reported, which takes long: the root task is awake before all of it is done. What it starts
/// then runs, and nobody gets lost.
fn tasks_that_have_faulted_start_while_others_are_still_told() {
    const ATTEMPTS: u64 = 40;
    let is_tried = (0..ATTEMPTS).any(|attempt| {
        let mut is_meanwhile = false;
        on_stage(|| {
            serve(0, 40, sleep_long_entry, 0);
            for thread in FAULTING {
                let task = prepare(thread, 30, fault, 0);
                task.set_fault_handler(Some(near(0)), MissingCapability::IsError).expect("it may be called");
                task.start(entry(), 0).expect("it is configured");
            }
            let_run(1);
            shared(0).store(PENDING, Relaxed);
            start(REMOVER, 20, remove_handler, attempt * 10_000);
            while is_pending() && identify(at(thread_slot(0))).is_ok() {
                OWN_TASK.sleep(MS / 10).expect("a task may sleep");
            }
            is_meanwhile = is_pending();
            for thread in FAULTING {
                prepare_stack(thread, log_and_finish, thread);
                task(thread).start(entry(), 0).expect("it has faulted");
            }
            let_run(5);
            // In any order: the ticks of the long work may end the slice of the first that runs afterwards.
            assert_eq!(logged().count() as u64, FAULTING.end - FAULTING.start, "each runs once");
            for thread in FAULTING {
                assert!(logged().any(|logged| logged == thread), "{thread} got lost");
            }
        });
        is_meanwhile
    });
    assert!(is_tried, "in no attempt the root task was awake in time");
}
