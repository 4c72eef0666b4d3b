//! A fault is a call to the task's fault handler: what it is told, what it can answer, and when it is called.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FaultAnswer, FaultReason, Operation, Words, slots};
use flatmk_runtime::object::Task;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::entries::{check_entry, look_entry, times_entered};
use crate::harness::{SCRATCH, at, end_thread, stack_top, with_scratch, yield_once};
use crate::registers::system_call;
use crate::servers::start_server;
use crate::victims::{
    CONTEXT, VICTIM, address, fault, faults, forget_faults, handle_faults_of, is_stopped, last_reason, note, reads,
    set_answer, start_handler, start_skipper, start_victim, times_done, undefined, victims,
};

pub(crate) const TESTS: &[Test] = tests![
    a_fault_calls_the_handler_with_reason_address_code_and_instruction,
    a_fault_handler_sees_nothing_of_the_task_but_the_message,
    a_task_that_is_resumed_tries_the_instruction_again,
    a_task_that_is_resumed_at_an_address_goes_on_there,
    a_task_that_is_stepped_executes_one_instruction,
    a_task_that_its_handler_stops_is_stopped,
    an_answer_that_is_none_of_the_four_is_refused,
    the_caller_of_a_task_that_faults_waits_until_it_goes_on,
    a_fault_handler_may_answer_later,
    a_fault_handler_may_answer_its_caller_while_it_owes_an_answer,
];

pub(crate) fn yield_often() {
    (0..20).for_each(|_| yield_once());
}

victims! {
    divides: "xor ecx, ecx", "div ecx";
    steps: "pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop";
    breaks: "int3";
    halts: "hlt";
    selects: "mov eax, 0xfff3", "mov fs, eax";
    computes: "fninit";
    reads_nothing: "movabs rax, 0x123456789000", "mov rax, [rax]";
    writes_nothing: "movabs rax, 0x123456789008", "mov [rax], rax";
    jumps_nowhere: "movabs rax, 0x12345678900f", "jmp rax";
    writes_code: "lea rax, [rip]", "mov [rax], rax";
}

fn a_fault_calls_the_handler_with_reason_address_code_and_instruction() {
    /// Bits of a page fault's code: it is there, a write, of user mode, an instruction.
    const PRESENT: u64 = 1;
    const WRITE: u64 = 2;
    const USER: u64 = 4;
    const FETCH: u64 = 16;
    let at_instruction = |entry, offset, reason: FaultReason, code| {
        (entry, [reason as u64, address(entry, offset), code, address(entry, offset)])
    };
    let of_page = |entry, page, code, offset| (entry, [FaultReason::Page as u64, page, code, address(entry, offset)]);
    let nowhere = 0x1234_5678_900f;
    let cases = [
        at_instruction(divides, 2, FaultReason::Divide, 0),
        at_instruction(steps, 10, FaultReason::Debug, 0),
        at_instruction(breaks, 1, FaultReason::Breakpoint, 0),
        at_instruction(undefined, 0, FaultReason::InvalidOpcode, 0),
        at_instruction(computes, 0, FaultReason::DeviceNotAvailable, 0),
        at_instruction(halts, 0, FaultReason::GeneralProtection, 0),
        at_instruction(selects, 5, FaultReason::GeneralProtection, 0xfff0),
        of_page(reads_nothing, 0x1234_5678_9000, USER, 10),
        of_page(writes_nothing, 0x1234_5678_9008, USER | WRITE, 10),
        of_page(writes_code, address(writes_code, 7), PRESENT | WRITE | USER, 7),
        (jumps_nowhere, [FaultReason::Page as u64, nowhere, USER | FETCH, nowhere]),
    ];
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Stop, 0);
        for (index, (entry, message)) in (0..).zip(cases) {
            start_victim(entry, 0, handler);
            assert_eq!(fault(index), message);
            assert_eq!((faults(), times_done()), (index + 1, 0));
            end_thread(VICTIM);
        }
        handler.end();
    });
}

fn a_fault_handler_sees_nothing_of_the_task_but_the_message() {
    with_scratch(|| {
        let looker = start_server(0, look_entry, CONTEXT);
        let task = start_victim(spoil_and_break, 0, looker);
        let rip = address(spoil_and_break, 10 * 7 + 1);
        check_entry(0, CONTEXT, [FaultReason::Breakpoint as u64, rip, 0, rip]);
        assert_eq!(times_entered(), 1);
        // The reason came back as the answer, and has the number of `Stop`.
        assert!(is_stopped(task));
        end_thread(VICTIM);
        looker.end();
    });
}

victims! {
    /// Ten instructions of seven bytes, and one of one.
    spoil_and_break: "mov rax, -1", "mov rbx, -1", "mov rbp, -1", "mov rsi, -1", "mov r11, -1", "mov rcx, -1", "mov r12, -1",
        "mov r13, -1", "mov r14, -1", "mov r15, -1", "int3";
}

/// Lets the task go on where it was, and makes it succeed at the third time.
fn mend_at_last(context: u64, message: &mut Words) {
    note(context, message);
    if faults() == 3 {
        Task(crate::victims::VICTIM_TASK).write_register(5, stack_top(VICTIM) - 8).expect("the task stands still");
    }
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn mend_at_last_entry = mend_at_last);

fn a_task_that_is_resumed_tries_the_instruction_again() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, mend_at_last_entry, CONTEXT);
        start_victim(reads, 0x5000, handler);
        assert_eq!((faults(), times_done()), (3, 1));
        let message = [FaultReason::Page as u64, 0x5000, 4, address(reads, 0)];
        assert_eq!([0, 1, 2].map(fault), [message; 3]);
        end_thread(VICTIM);
        // After a breakpoint it goes on behind it.
        set_answer(FaultAnswer::Resume, 0);
        handler.end();
        let handler = start_handler();
        start_victim(breaks, 0, handler);
        assert_eq!((faults(), times_done()), (1, 1));
        end_thread(VICTIM);
        handler.end();
    });
}

fn a_task_that_is_resumed_at_an_address_goes_on_there() {
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::ResumeAt, address(undefined, 2));
        start_victim(undefined, 0, handler);
        assert_eq!((faults(), times_done()), (1, 1));
        end_thread(VICTIM);
        handler.end();
    });
}

victims! {
    /// Two bytes, then instructions of one byte each.
    walks: "ud2", "nop", "cld", "nop", "nop", "nop";
}

/// Skips the instruction that does not exist, then lets the task go on step by step, and at last freely.
fn step_through(context: u64, message: &mut Words) {
    note(context, message);
    let [reason, _, _, rip] = *message;
    *message = match (faults(), FaultReason::from_number(reason)) {
        (1, _) => {
            Task(crate::victims::VICTIM_TASK).write_register(16, rip + 2).expect("the task stands still");
            [FaultAnswer::Step as u64, 0, 0, 0]
        }
        (2 | 3, Some(FaultReason::Debug)) => [FaultAnswer::Step as u64, 0, 0, 0],
        _ => [FaultAnswer::Resume as u64, 0, 0, 0],
    };
}

service!(fn step_through_entry = step_through);

fn a_task_that_is_stepped_executes_one_instruction() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, step_through_entry, CONTEXT);
        start_victim(walks, 0, handler);
        assert_eq!((faults(), times_done()), (4, 1));
        for step in 1..4 {
            let rip = address(walks, 2 + step);
            assert_eq!(fault(step), [FaultReason::Debug as u64, rip, 0, rip]);
        }
        end_thread(VICTIM);
        handler.end();
    });
}

fn a_task_that_its_handler_stops_is_stopped() {
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Stop, 0);
        let task = start_victim(undefined, 0, handler);
        assert!(is_stopped(task));
        assert_eq!(task.read_registers(16).map(|[rip, ..]| rip), Ok(address(undefined, 0)));
        // It can be started afresh.
        set_answer(FaultAnswer::ResumeAt, address(undefined, 2));
        task.start(address(undefined, 0), 0).expect("it is stopped");
        yield_once();
        assert_eq!((faults(), times_done()), (2, 1));
        end_thread(VICTIM);
        handler.end();
    });
}

/// How many wrong answers were refused.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Tries wrong answers before the right one.
fn answer_wrongly(context: u64, message: &mut Words) {
    note(context, message);
    let at = FaultAnswer::ResumeAt as u64;
    let wrong =
        [[4, 0, 0, 0], [u64::MAX; 4], [1 << 32, 0, 0, 0], [at, 0, 0, 0], [at, 1 << 47, 0, 0], [at, u64::MAX, 0, 0]];
    for answer in wrong {
        let refused = system_call(slots::REPLY, Operation::Return as u64, answer) == Err(Error::InvalidArgument);
        REFUSED.fetch_add(refused.into(), Relaxed);
    }
    let [.., rip] = *message;
    *message = [at, rip + 2, 0, 0];
}

service!(fn answer_wrongly_entry = answer_wrongly);

fn an_answer_that_is_none_of_the_four_is_refused() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, answer_wrongly_entry, CONTEXT);
        start_victim(undefined, 0, handler);
        assert_eq!((REFUSED.swap(0, Relaxed), faults(), times_done()), (6, 1, 1));
        end_thread(VICTIM);
        handler.end();
    });
}

/// Faults, and answers when it goes on.
fn fault_and_answer(_: u64, message: &mut Words) {
    // SAFETY: the fault handler skips the instruction, which does nothing.
    unsafe { core::arch::asm!("ud2") };
    message.reverse();
}

service!(pub(crate) fn fault_and_answer_entry = fault_and_answer);

fn the_caller_of_a_task_that_faults_waits_until_it_goes_on() {
    with_scratch(|| {
        let handler = start_skipper();
        let callee = start_server(1, fault_and_answer_entry, 0);
        handle_faults_of(callee.task, handler);
        assert_eq!(callee.call([1, 2, 3, 4]), Ok([4, 3, 2, 1]));
        assert_eq!((faults(), last_reason()), (4, Some(FaultReason::InvalidOpcode)));
        callee.end();
        handler.end();
    });
}

/// Where the handler that answers later keeps the capability to do so.
const DEFERRED: u64 = 2;

fn defer(context: u64, message: &mut Words) {
    note(context, message);
    SCRATCH.move_here(DEFERRED, slots::REPLY).expect("a free slot");
}

service!(pub(crate) fn defer_entry = defer);

fn a_fault_handler_may_answer_later() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, defer_entry, CONTEXT);
        start_victim(undefined, 0, handler);
        yield_often();
        assert_eq!((faults(), times_done()), (1, 0), "it waits");
        let reply = |answer| system_call(at(DEFERRED), Operation::Reply as u64, answer);
        assert_eq!(reply([4, 0, 0, 0]), Err(Error::InvalidArgument));
        assert_eq!(reply([FaultAnswer::ResumeAt as u64, address(undefined, 2), 0, 0]), Ok([0; 4]));
        assert_eq!(reply([0; 4]), Err(Error::InvalidCapability), "once");
        yield_once();
        assert_eq!((faults(), times_done()), (1, 1));
        end_thread(VICTIM);
        handler.end();
    });
}

/// Serves calls as well as faults: a call with a message of zeros, else a fault, which is answered later.
fn defer_or_serve(context: u64, message: &mut Words) {
    if *message != [0; 4] {
        defer(context, message);
    }
    *message = [7; 4];
}

service!(fn defer_or_serve_entry = defer_or_serve);

fn a_fault_handler_may_answer_its_caller_while_it_owes_an_answer() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(0, defer_or_serve_entry, CONTEXT);
        start_victim(undefined, 0, handler);
        assert_eq!(faults(), 1);
        assert_eq!(handler.call([0; 4]), Ok([7; 4]), "it serves others");
        let answer = [FaultAnswer::ResumeAt as u64, address(undefined, 2), 0, 0];
        assert_eq!(system_call(at(DEFERRED), Operation::Reply as u64, answer), Ok([0; 4]));
        yield_once();
        assert_eq!(times_done(), 1);
        end_thread(VICTIM);
        handler.end();
    });
}
