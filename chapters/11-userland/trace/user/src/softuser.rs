//! RISC-V code: its calls, system calls and faults are events like others.

use flatmk_abi::EventKind::{Call, Failure, Fault, Return, Switch};
use flatmk_abi::{FaultAnswer, FaultReason, MissingCapability, Operation, Words, slots};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::{Addi, Ebreak};

use crate::calls::answer_entry;
use crate::events::{between, made, numbers, trace};
use crate::guest::{Assembler, CODE, entry_at, give_hart, guest, guest_server, make_endpoints, with_guests};
use crate::harness::at;
use crate::threads::{entry, finish, let_run, near, on_stage, prepare, serve, task};

pub(crate) const TESTS: &[Test] = tests![
    a_call_to_a_guest_and_its_answer_are_six_events,
    a_guest_calls_a_native_task,
    code_that_is_entered_is_a_call_of_the_task_to_itself,
    a_guests_system_call_that_fails_says_with_which_error,
    a_guests_fault_is_a_call_of_the_handler,
];

fn a_call_to_a_guest_and_its_answer_are_six_events() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().ret().load();
            guest_server(0, 20, 0, 0xc0);
            let (root, server) = numbers(near(0));
            let events = trace(|| assert_eq!(near(0).call([1, 2, 3, 4]), Ok([1, 2, 3, 4])));
            events.check(&[
                made(root, Operation::Call, near(0).0),
                between(Call, root, server),
                between(Switch, root, server),
                made(server, Operation::Return, slots::REPLY),
                between(Return, server, root),
                between(Switch, server, root),
            ]);
            assert_eq!(events.first(Call).second, 0xc0);
            events.check_times();
        });
    });
}

fn a_guest_calls_a_native_task() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 20, answer_entry, 0);
            Assembler::new().pass_on(near(1).0).load();
            guest_server(0, 20, 0, 0);
            let ((root, outer), (_, inner)) = (numbers(near(0)), numbers(near(1)));
            let events = trace(|| assert_eq!(near(0).call([0; 4]), Ok([1, 2, 3, 4])));
            events.check_those_of(
                &[Call, Return, Switch],
                &[
                    between(Call, root, outer),
                    between(Switch, root, outer),
                    between(Call, outer, inner),
                    between(Switch, outer, inner),
                    between(Return, inner, outer),
                    between(Switch, inner, outer),
                    between(Return, outer, root),
                    between(Switch, outer, root),
                ],
            );
        });
    });
}

extern "C" fn enter_own(thread: u64) {
    near(thread).call([7, 0, 0, 0]).expect("it has a hart");
    finish(thread);
}

fn code_that_is_entered_is_a_call_of_the_task_to_itself() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().ret().load();
            let entering = prepare(0, 20, enter_own, 0);
            give_hart(0, entering);
            make_endpoints(entering, 0, 0, 0xc0);
            let events = trace(|| {
                entering.start(entry(), 0).expect("it is configured");
                let_run(1);
            });
            let thread = events.first(Call).task;
            events.check_those_of(&[Call, Return], &[between(Call, thread, thread), between(Return, thread, thread)]);
            assert_eq!(events.first(Call).second, 0xc0);
        });
    });
}

fn a_guests_system_call_that_fails_says_with_which_error() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            // One after which another task could go on, and one after which it goes on itself.
            code.call(at(60), Operation::Signal).call(at(60), Operation::Identify).ret().load();
            guest_server(0, 20, 0, 0);
            let (_, server) = numbers(near(0));
            let events = trace(|| {
                near(0).call([0; 4]).expect("it answers");
            });
            let error = flatmk_abi::Error::InvalidCapability.status().unsigned_abs() as u32;
            events.check_those_of(&[Failure], &[(Failure, server, error, 0), (Failure, server, error, 0)]);
        });
    });
}

/// The length of the instruction that breaks.
const BREAK_LENGTH: u64 = 4;

fn skip_break(_: u64, message: &mut Words) {
    let [reason, _, _, rip] = *message;
    if reason == FaultReason::Breakpoint as u64 {
        *message = [FaultAnswer::ResumeAt as u64, rip + BREAK_LENGTH, 0, 0];
    }
}

service!(fn skip_break_entry = skip_break);

fn a_guests_fault_is_a_call_of_the_handler() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 30, skip_break_entry, 0);
            let (_, handler) = numbers(near(1));
            let mut code = Assembler::new();
            code.op(Addi, 0, 0, 0, 0).op(Ebreak, 0, 0, 0, 0).call(task(0).0, Operation::Stop).load();
            guest(0, 20).set_fault_handler(Some(near(1)), MissingCapability::IsError).expect("an endpoint");
            let events = trace(|| {
                task(0).start(entry_at(CODE), 0).expect("it has a hart");
                let_run(1);
            });
            let fault = events.first(Fault);
            assert_eq!((fault.detail, fault.second), (FaultReason::Breakpoint as u32, u64::from(CODE) + 4));
            events.check_those_of(
                &[Fault, Return],
                &[
                    (Fault, fault.task, FaultReason::Breakpoint as u32, handler.into()),
                    between(Return, handler, fault.task),
                ],
            );
        });
    });
}
