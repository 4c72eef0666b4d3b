//! Faults, mended and not.

use core::arch::naked_asm;

use flatmk_abi::EventKind::{Fault, Return, Stop, Switch};
use flatmk_abi::{FaultAnswer, FaultReason, MissingCapability, Operation, Words};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::events::{between, made, numbers, trace};
use crate::harness::at;
use crate::threads::{entry, finish, let_run, near, on_stage, prepare, serve, task};

pub(crate) const TESTS: &[Test] = tests![
    a_fault_that_is_mended_is_a_call_of_the_handler,
    a_fault_that_nobody_mends_is_the_end_of_the_task,
    a_missing_capability_is_a_fault_like_others,
];

/// An address at which nothing is.
const NOWHERE: u64 = 0x1234_5678_9000;

/// Reads there, and comes back behind that if it may.
#[unsafe(naked)]
extern "C" fn read_nowhere() {
    naked_asm!("movabs rax, {nowhere}", "mov al, [rax]", "ret", nowhere = const NOWHERE);
}

/// The length of the instruction that reads.
const READ_LENGTH: u64 = 2;

extern "C" fn read_and_finish(thread: u64) {
    read_nowhere();
    finish(thread);
}

fn skip(_: u64, message: &mut Words) {
    let [reason, _, _, rip] = *message;
    // A call that is none of a fault has an answer, too.
    if reason == FaultReason::Page as u64 {
        *message = [FaultAnswer::ResumeAt as u64, rip + READ_LENGTH, 0, 0];
    }
}

service!(fn skip_entry = skip);

fn a_fault_that_is_mended_is_a_call_of_the_handler() {
    on_stage(|| {
        serve(0, 30, skip_entry, 0);
        let (root, handler) = numbers(near(0));
        prepare(1, 20, read_and_finish, 1)
            .set_fault_handler(Some(near(0)), MissingCapability::IsError)
            .expect("an endpoint");
        let events = trace(|| {
            task(1).start(entry(), 0).expect("it is configured");
            let_run(1);
        });
        let fault = events.first(Fault);
        let thread = fault.task;
        assert_eq!((fault.detail, fault.second), (FaultReason::Page as u32, NOWHERE));
        events.check_those_of(
            &[Fault, Return, Switch],
            &[
                between(Switch, root, thread),
                (Fault, thread, FaultReason::Page as u32, handler.into()),
                between(Switch, thread, handler),
                between(Return, handler, thread),
                between(Switch, handler, thread),
                // The thread has stopped itself: who ran before is not known any more.
                between(Switch, root, root),
            ],
        );
        events.check_times();
    });
}

fn a_fault_that_nobody_mends_is_the_end_of_the_task() {
    on_stage(|| {
        prepare(1, 20, read_and_finish, 1);
        let events = trace(|| {
            task(1).start(entry(), 0).expect("it is configured");
            let_run(1);
        });
        let stop = events.first(Stop);
        assert_eq!((stop.detail, stop.second), (FaultReason::Page as u32, NOWHERE));
        assert_eq!(events.count(Fault), 0);
        // As above.
        let last = events.iter().rfind(|event| event.kind == Switch).expect("somebody goes on");
        assert_eq!(u64::from(last.task), last.first);
        assert_ne!(last.task, stop.task);
    });
}

extern "C" fn name_nothing(thread: u64) {
    flatmk_runtime::object::Endpoint(at(60)).call([0; 4]).expect_err("nothing is there");
    finish(thread);
}

fn a_missing_capability_is_a_fault_like_others() {
    on_stage(|| {
        serve(0, 30, skip_system_call_entry, 0);
        let (_, handler) = numbers(near(0));
        prepare(1, 20, name_nothing, 1)
            .set_fault_handler(Some(near(0)), MissingCapability::IsFault)
            .expect("an endpoint");
        let events = trace(|| {
            task(1).start(entry(), 0).expect("it is configured");
            let_run(1);
        });
        let fault = events.first(Fault);
        assert_eq!((fault.detail, fault.second), (FaultReason::MissingCapability as u32, at(60)));
        events.check_those_of(
            &[Fault, Return],
            &[
                (Fault, fault.task, FaultReason::MissingCapability as u32, handler.into()),
                between(Return, handler, fault.task),
            ],
        );
        let before = events.iter().take_while(|event| event.kind != Fault).last().expect("the system call");
        assert_eq!((before.kind, before.task, before.detail, before.first), made(fault.task, Operation::Call, at(60)));
    });
}

/// The length of the instruction `syscall`, behind which the thread goes on, with an error.
const SYSTEM_CALL_LENGTH: u64 = 2;

fn skip_system_call(_: u64, message: &mut Words) {
    let [reason, _, _, rip] = *message;
    if reason == FaultReason::MissingCapability as u64 {
        task(1)
            .write_register(0, flatmk_abi::Error::InvalidCapability.status().cast_unsigned())
            .expect("it has faulted");
        *message = [FaultAnswer::ResumeAt as u64, rip + SYSTEM_CALL_LENGTH, 0, 0];
    }
}

service!(fn skip_system_call_entry = skip_system_call);
