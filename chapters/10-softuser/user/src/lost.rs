//! What was found by reading: what a hart must not outlive, and what a fault must name.

use core::arch::asm;

use flatmk_abi::{Error, FaultAnswer, FaultReason, Kind, MissingCapability};
use flatmk_runtime::object::{AddressSpace, FloatingPoint, OWN_SPACE, OWN_TABLE, Softuser, Table};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::*;

use crate::guest::*;
use crate::harness::{SCRATCH, at, make, stack_top};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    a_hart_goes_with_the_space_it_was_made_for,
    a_pointer_that_overflows_is_none,
    the_half_of_an_instruction_that_is_missing_is_named,
    floating_point_state_of_a_task_is_not_that_of_whom_its_code_returns_to,
];

const SPACE: u64 = 30;
const TABLE: u64 = 31;

/// Takes an object from everybody, tasks too.
fn take_away(slot: u64) {
    SCRATCH.revoke(slot).expect("it is there");
    SCRATCH.delete(slot).expect("it is there");
}

fn a_hart_goes_with_the_space_it_was_made_for() {
    on_stage(|| {
        with_guests(|| {
            let task = flatmk_runtime::object::Task(make(Kind::Task, 40));
            let (space, table) = (AddressSpace(make(Kind::AddressSpace, SPACE)), Table(make(Kind::Table, TABLE)));
            task.configure(table, space, stack_top(0)).expect("a new task");
            give_hart(0, task);
            take_away(SPACE);
            // The page is taken again, for something else.
            make(Kind::Frame, SPACE);
            let pages = make_pages(1, HART_PAGES);
            assert_eq!(task.set_softuser(pages, HART_PAGES, STACK.into()), Err(Error::InvalidState));
            take_away(TABLE);
            task.configure(OWN_TABLE, OWN_SPACE, stack_top(0)).expect("it has neither table nor space");
            assert_eq!(task.start(entry_at(CODE), 0), Err(Error::InvalidState), "it has no hart any more");
        });
    });
}

fn a_pointer_that_overflows_is_none() {
    on_stage(|| {
        with_guests(|| {
            let task = prepare(0, 20, spin, 0);
            for first in [u64::MAX, u64::MAX - 1, at(63)] {
                let refused = task.set_softuser(Softuser(first), 2, STACK.into());
                assert_eq!(refused, Err(Error::InvalidCapability), "{first:#x}");
            }
        });
    });
}

/// Notes a fault, and stops the task.
fn note_fault(_: u64, message: &mut [u64; 4]) {
    message.iter().copied().for_each(log);
    *message = [FaultAnswer::Stop as u64, 0, 0, 0];
}

service!(fn note_fault_entry = note_fault);

fn the_half_of_an_instruction_that_is_missing_is_named() {
    on_stage(|| {
        with_guests(|| {
            let end = CODE + 2 * 4096;
            // The lower half of a long instruction, in the last two bytes.
            load_at(2 * 4096 - 4, &[instruction(Addi, A0, A0, 0, 1) << 16]);
            serve(1, 20, note_fault_entry, 0);
            let task = guest(0, 20);
            task.set_fault_handler(Some(near(1)), MissingCapability::IsError).expect("it may be called");
            task.start(entry_at(end - 2), 0).expect("it is configured");
            let_run(2);
            /// User mode has fetched an instruction where nothing is mapped.
            const FETCH: u64 = 1 << 4 | 1 << 2;
            check_log(&[FaultReason::Page as u64, end.into(), FETCH, (end - 2).into()]);
        });
    });
}

/// Uses the vector registers while somebody waits for this task, and then is ready to serve.
extern "C" fn compute(thread: u64) {
    task(thread).sleep(2 * MS).expect("a task may sleep");
    // SAFETY: the register is nobody else's: the compiler uses none of them.
    unsafe { asm!("movq xmm5, {}", in(reg) 0x5ec2e7_u64, options(nomem, nostack)) };
    flatmk_runtime::finish_start();
}

/// Waits for its turn to be served, and looks into the register. It has no floating-point state.
extern "C" fn look(thread: u64) {
    log(outcome(near(0).call([1, 2, 3, 4])));
    let found: u64;
    // SAFETY: as above.
    unsafe { asm!("movq {}, xmm5", out(reg) found, options(nomem, nostack)) };
    log(found);
    finish(thread);
}

fn floating_point_state_of_a_task_is_not_that_of_whom_its_code_returns_to() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().ret().load();
            serve(2, 30, note_fault_entry, 0);
            let server = prepare(0, 20, compute, 0);
            give_hart(0, server);
            server.set_floating_point(Some(FloatingPoint(make(Kind::FloatingPoint, OBJECT)))).expect("it is stopped");
            make_endpoints(server, 0, 0, 0);
            server.start(entry(), 0).expect("it is configured");
            let client = prepare(1, 20, look, 1);
            client.set_fault_handler(Some(near(2)), MissingCapability::IsError).expect("it may be called");
            client.start(entry(), 0).expect("it is configured");
            let_run(6);
            let mut seen = take_log();
            assert_eq!((seen.next(), seen.next()), (Some(1), Some(FaultReason::DeviceNotAvailable as u64)));
        });
    });
}
