//! What was given away can be taken back, all of it, even if the one who takes it back stands on it.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{self, nested};
use flatmk_abi::{Access, Error, Kind, Operation, Rights};
use flatmk_runtime::object::{AddressSpace, Frame, Memory, Table, Task, identify};
use flatmk_runtime::program::{FIRST_FRAME_TABLE, Program};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{print, tests, time_stamp};

use crate::harness::{MEMORY, SCRATCH, at, free_pages, make, with_scratch, yield_once};
use crate::lifetimes::{CHILD, Child, clean_up, entry_of_this_program, load_child_from};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![
    copies_are_taken_back_wherever_they_are,
    memory_is_taken_back_with_all_that_was_made_from_it,
    a_task_takes_back_what_it_stands_on,
    a_long_revocation_is_a_system_call_like_any_other,
    a_task_takes_back_its_code_in_spite_of_interrupts,
];

/// How many slots of a table can be filled.
const USABLE: u64 = slots::SLOTS_PER_TABLE - 1;

fn copies_are_taken_back_wherever_they_are() {
    with_scratch(|| {
        let (frame, space) = (Frame(make(Kind::Frame, 1)), AddressSpace(make(Kind::AddressSpace, 2)));
        let (table, inner) = (Table(make(Kind::Table, 3)), Table(nested(at(3), 1)));
        MEMORY.make(Kind::Table, 1, table, 1).expect("a free slot");
        let all = Rights::all();
        SCRATCH.copy(4, frame.0, all).expect("a free slot");
        table.copy(5, at(4), all).expect("a free slot");
        space.map(frame, PAGE_SIZE, Access::Read).expect("a free address");
        space.map(Frame(nested(at(3), 5)), 2 * PAGE_SIZE, Access::Read).expect("a free address");
        // Copies of copies, in a table of a table: too deep for a pointer, so they are looked at through a copy of it.
        SCRATCH.copy(6, inner.0, all).expect("a free slot");
        Table(at(6)).copy(7, nested(at(3), 5), Rights::READ | Rights::GRANT).expect("a free slot");
        SCRATCH.copy(8, nested(at(6), 7), Rights::READ).expect("a free slot");
        SCRATCH.revoke(4).expect("it is there");
        for pointer in [nested(at(3), 5), nested(at(6), 7), at(8)] {
            assert_eq!(identify(pointer), Err(Error::InvalidCapability));
        }
        assert_eq!(identify(at(4)), Ok((Kind::Frame, all)));
        frame.unmap().expect("only the copy was unmapped");
        space.map(frame, 2 * PAGE_SIZE, Access::Read).expect("the address is free again");
        SCRATCH.revoke(4).expect("there is nothing to take back, and that is no error");
    });
}

fn memory_is_taken_back_with_all_that_was_made_from_it() {
    const PAGES: u64 = 1100;
    with_scratch(|| {
        MEMORY.split(PAGES, SCRATCH, 10).expect("enough pages");
        let part = Memory(at(10));
        for round in 0..3 {
            part.split(20, SCRATCH, 11).expect("enough pages");
            Memory(at(11)).make(Kind::Table, 1, SCRATCH, 12).expect("a page");
            Memory(at(11)).make(Kind::Frame, 10, Table(at(12)), 1).expect("pages");
            for (slot, kind) in [(13, Kind::AddressSpace), (14, Kind::Frame), (15, Kind::Task), (16, Kind::LargeFrame)]
            {
                part.make(kind, 1, SCRATCH, slot).expect("pages");
            }
            let space = AddressSpace(at(13));
            space.map(Frame(at(14)), 1 << 40, Access::Read).expect("a free address");
            space.map(Frame(nested(at(12), 3)), PAGE_SIZE, Access::Read).expect("a free address");
            Task(at(15)).configure(Table(at(12)), space, PAGE_SIZE).expect("a new task");
            if round > 0 {
                Task(at(15)).start(PAGE_SIZE, 0).expect("a configured task");
            }
            SCRATCH.revoke(10).expect("it is there");
            assert_eq!(part.measure(), Ok((PAGES, PAGES)));
            assert!((11..=16).all(|slot| identify(at(slot)) == Err(Error::InvalidCapability)));
            // The task that was started is nowhere in the queue.
            yield_once();
        }
    });
}

/// The slots of the scratch table that a child needs: memory, something to delete afterwards, table and task.
const PART: u64 = 10;
const MARK: u64 = 11;
const TABLE: u64 = 12;
const TASK: u64 = 13;
const PART_PAGES: u64 = 500;

/// Where the child finds the scratch table.
const SCRATCH_OF_CHILD: u64 = 8;

/// Loads a child program; makes another task in its space, with another table, which is to remove the part of the memory.
fn load_remover(program: Memory, table: Memory, task: Memory) -> Program {
    table.make(Kind::Table, 1, SCRATCH, TABLE).expect("a page");
    task.make(Kind::Task, 1, SCRATCH, TASK).expect("a page");
    let child = load_child_from(program);
    let (table, task) = (Table(at(TABLE)), Task(at(TASK)));
    table.copy(slots::SELF, task.0, Rights::all()).expect("a free slot");
    table.copy(SCRATCH_OF_CHILD, SCRATCH.0, Rights::all()).expect("a free slot");
    SCRATCH.copy(MARK, slots::SELF, Rights::all()).expect("a free slot");
    task.configure(table, child.space, CHILD_STACK).expect("a new task");
    child
}

/// Lets it begin.
fn start_remover(operation: Operation) {
    let argument = Child::Remove([operation as u64, SCRATCH_OF_CHILD, PART, MARK]).to_argument();
    Task(at(TASK)).start(entry_of_this_program(), argument).expect("a configured task");
}

/// Deletes what is left of the task. It and its table hold each other, so they are revoked first.
fn end_remover() {
    for slot in MARK..=TASK {
        SCRATCH.revoke(slot).unwrap_or_default();
        SCRATCH.delete(slot).unwrap_or_default();
    }
}

/// The top of the stack of a program that was loaded.
const CHILD_STACK: u64 = 0x8000_0000;

/// Program (space and code), table and task: each of them, or none, is from the memory that the task removes.
fn a_task_takes_back_what_it_stands_on() {
    for operation in [Operation::Revoke, Operation::Delete] {
        for combination in 0..8 {
            with_scratch(|| {
                let before = free_pages();
                MEMORY.split(PART_PAGES, SCRATCH, PART).expect("enough pages");
                let part = Memory(at(PART));
                let from = |bit: u64| if combination >> bit & 1 == 0 { MEMORY } else { part };
                let child = load_remover(from(0), from(1), from(2));
                start_remover(operation);
                yield_once();
                yield_once();
                if operation == Operation::Revoke {
                    assert_eq!(part.measure(), Ok((PART_PAGES, PART_PAGES)), "{combination}");
                    SCRATCH.delete(PART).expect("it is there");
                }
                let goes_on = identify(at(MARK)) == Err(Error::InvalidCapability);
                assert_eq!(goes_on, combination == 0, "{combination}");
                clean_up(child);
                end_remover();
                assert_eq!(free_pages(), before, "{combination}");
            });
        }
    }
}

/// Fills tables of tables, in slots of the scratch table, with copies of a capability.
fn copy_often(source: u64, slots: core::ops::Range<u64>) {
    for slot in slots {
        let outer = Table(make(Kind::Table, slot));
        MEMORY.make(Kind::Table, USABLE, outer, 1).expect("pages");
        for index in 1..=USABLE {
            // Three steps are as deep as a pointer goes, and this is the third.
            SCRATCH.move_here(1, nested(outer.0, index)).expect("it may be moved");
            (1..=USABLE).for_each(|copy| Table(at(1)).copy(copy, source, Rights::READ).expect("a free slot"));
            outer.move_here(index, at(1)).expect("and back");
        }
    }
}

/// The code of the task goes early, its space late: should an interrupt come meanwhile, the task cannot do anything for itself any more.
fn a_task_takes_back_its_code_in_spite_of_interrupts() {
    with_scratch(|| {
        MEMORY.split(PART_PAGES, SCRATCH, PART).expect("enough pages");
        let part = Memory(at(PART));
        let child = load_remover(part, MEMORY, MEMORY);
        // The first frame of the program is the last to go, and its copies go before it.
        copy_often(nested(nested(CHILD, FIRST_FRAME_TABLE), 1), 20..50);
        start_remover(Operation::Revoke);
        yield_once();
        yield_once();
        assert_eq!(part.measure(), Ok((PART_PAGES, PART_PAGES)));
        end_remover();
        clean_up(child);
    });
}

/// However long it takes and however often interrupts cut it short, the registers say nothing of it.
fn a_long_revocation_is_a_system_call_like_any_other() {
    const ENOUGH_TICKS: u64 = 60_000_000;
    const MOST_ROUNDS: u64 = 60;
    let (mut ticks, mut rounds) = (0, 0);
    while ticks < ENOUGH_TICKS && rounds < MOST_ROUNDS {
        with_scratch(|| {
            let frame = make(Kind::Frame, 2);
            copy_often(frame, 20..26);
            let started = time_stamp();
            assert_eq!(system_call(SCRATCH.0, Operation::Revoke as u64, [2, 0, 0, 0]), Ok([0; 4]));
            ticks += time_stamp() - started;
            assert_eq!(identify(nested(at(20), 1)), Ok((Kind::Table, Rights::all())));
            for outer in 20..26 {
                SCRATCH.move_here(1, nested(at(outer), USABLE)).expect("the tables are still there");
                assert!((1..=USABLE).all(|slot| identify(nested(at(1), slot)) == Err(Error::InvalidCapability)));
                SCRATCH.delete(1).expect("it is there");
            }
            assert_eq!(identify(frame), Ok((Kind::Frame, Rights::all())));
        });
        rounds += 1;
    }
    print!("{ticks} ticks in {rounds} revocations ");
}
