//! What the handler of a guest's fault can answer.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Access, Error, FaultAnswer, FaultReason, MissingCapability, Operation as Call, Words, slots};
use flatmk_runtime::object::OWN_SPACE;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::*;

use crate::guest::*;
use crate::handlers::*;
use crate::harness::{SCRATCH, at};
use crate::registers::system_call;
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    a_guest_that_is_resumed_tries_the_instruction_again,
    a_guest_that_is_resumed_goes_on_with_the_registers_that_it_was_given,
    a_guest_that_is_resumed_at_an_address_goes_on_there,
    an_address_that_is_none_of_code_is_refused,
    an_instruction_goes_on_when_its_second_page_is_mapped,
    a_guest_that_is_resumed_at_a_breakpoint_comes_to_it_again,
    a_guest_that_is_stepped_executes_one_instruction,
    a_fault_in_a_step_is_reported_instead,
    steps_of_code_that_was_entered_go_on_in_native_code,
    a_guest_that_its_handler_stops_is_stopped,
    a_guest_handles_the_faults_of_another,
    a_guest_handles_the_faults_of_native_code,
    a_guest_is_not_its_own_handler,
    a_call_without_a_capability_is_made_again_when_that_is_there,
];

/// How often the handler has mended something.
static MENDED: AtomicU64 = AtomicU64::new(0);

/// Maps the second page of data.
fn map_data(_: u64, message: &mut Words) {
    message.iter().copied().for_each(log);
    if MENDED.fetch_add(1, Relaxed) == 1 {
        OWN_SPACE.map(data_frame(1), u64::from(DATA) + 4096, Access::ReadWrite).expect("nothing is there");
    }
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn map_data_entry = map_data);

fn a_guest_that_is_resumed_tries_the_instruction_again() {
    on_stage(|| {
        with_guests(|| {
            MENDED.store(0, Relaxed);
            serve(HANDLER, 30, map_data_entry, 0);
            data_frame(1).unmap().expect("it is mapped");
            let mut code = Assembler::new();
            let fault = code.li(S0, DATA + 4096).li(S1, 77).here();
            code.op(Sw, 0, S0, S1, 0).op(Lw, A2, S0, 0, 0).ret().load();
            let task = guest_server(0, 20, 0, 0);
            set_handler_of(task);
            assert_eq!(outcome(near(0).call([0; 4])), 77);
            // Twice: after the first time nothing had changed.
            let message = [FaultReason::Page as u64, (DATA + 4096).into(), 6, fault.into()];
            check_log([message; 2].as_flattened());
        });
    });
}

/// Mends the address register.
fn mend_register(_: u64, message: &mut Words) {
    task(0).write_register(32 + u64::from(S0), DATA.into()).expect("it stands still");
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn mend_register_entry = mend_register);

fn a_guest_that_is_resumed_goes_on_with_the_registers_that_it_was_given() {
    on_stage(|| {
        with_guests(|| {
            serve(HANDLER, 30, mend_register_entry, 0);
            write_data(0, 78);
            Assembler::new().li(S0, 0).op(Lw, A2, S0, 0, 0).ret().load();
            let task = guest_server(0, 20, 0, 0);
            set_handler_of(task);
            for endpoint in [near(0), far(0)] {
                assert_eq!(outcome(endpoint.call([0; 4])), 78);
            }
        });
    });
}

fn a_guest_that_is_resumed_at_an_address_goes_on_there() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.word(0).ret();
            let there = code.here();
            code.add(A2, 1).ret().load();
            let task = guest_server(0, 20, 0, 0);
            handle_faults_of(task);
            set_answer(FaultAnswer::ResumeAt, there.into());
            assert_eq!(near(0).call([1, 2, 3, 4]), Ok([2, 2, 3, 4]));
        });
    });
}

/// Tries wrong answers before the right one.
fn answer_wrongly(_: u64, message: &mut Words) {
    const AT: u64 = FaultAnswer::ResumeAt as u64;
    let [.., rip] = *message;
    let wrong = [[4, 0], [u64::MAX, 0], [AT, 0], [AT, 0xffe], [AT, rip + 1], [AT, 1 << 32], [AT, rip | 1 << 63]];
    for [answer, address] in wrong {
        log(outcome(system_call(slots::REPLY, Call::Return as u64, [answer, address, 0, 0])));
    }
    *message = [AT, rip + 4, 0, 0];
}

service!(fn answer_wrongly_entry = answer_wrongly);

fn an_address_that_is_none_of_code_is_refused() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).ret().load();
            let task = guest_server(0, 20, 0, 0);
            serve(HANDLER, 30, answer_wrongly_entry, 0);
            set_handler_of(task);
            assert_eq!(near(0).call([1, 2, 3, 4]), Ok([1, 2, 3, 4]));
            check_log(&[status(Error::InvalidArgument); 7]);
        });
    });
}

/// Maps the page of code that is missing at the address of the fault, and no other.
fn map_code(_: u64, message: &mut Words) {
    let [_, address, ..] = *message;
    log(address);
    let mapped = OWN_SPACE.map(code_frame(1), address & !0xfff, Access::ReadExecute);
    *message = [if mapped.is_ok() { FaultAnswer::Resume } else { FaultAnswer::Stop } as u64, 0, 0, 0];
}

service!(fn map_code_entry = map_code);

fn an_instruction_goes_on_when_its_second_page_is_mapped() {
    on_stage(|| {
        with_guests(|| {
            // Two bytes that do nothing, and an instruction that ends in the second page.
            let add = instruction(Addi, A2, A2, 0, 9);
            load_at(4092, &[add << 16 | 1, add >> 16 | 1 << 16]);
            let mut code = Assembler::at(4100);
            code.ret().load();
            code_frame(1).unmap().expect("it is mapped");
            let task = guest_server(0, 20, 4092, 0);
            serve(HANDLER, 30, map_code_entry, 0);
            set_handler_of(task);
            assert_eq!(near(0).call([1, 2, 3, 4]), Ok([10, 2, 3, 4]));
            check_log(&[u64::from(CODE) + 4096]);
        });
    });
}

/// Lets the guest go on where it was, twice, and stops it then.
fn resume_twice(_: u64, message: &mut Words) {
    log(message[3]);
    let is_enough = MENDED.fetch_add(1, Relaxed) == 2;
    *message = [if is_enough { FaultAnswer::Stop } else { FaultAnswer::Resume } as u64, 0, 0, 0];
}

service!(fn resume_twice_entry = resume_twice);

/// `ebreak` is where its address is, unlike `int3`.
fn a_guest_that_is_resumed_at_a_breakpoint_comes_to_it_again() {
    on_stage(|| {
        with_guests(|| {
            MENDED.store(0, Relaxed);
            Assembler::new().op(Ebreak, 0, 0, 0, 0).load();
            let task = guest_server(0, 20, 0, 0);
            serve(HANDLER, 30, resume_twice_entry, 0);
            set_handler_of(task);
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeFaulted));
            check_log(&[CODE.into(); 3]);
        });
    });
}

/// Skips an instruction that does not exist, then steps as often as it was told, and lets the task go on. Notes where it was.
fn step_through(_: u64, message: &mut Words) {
    let [reason, _, error, rip] = *message;
    let index = MENDED.fetch_add(1, Relaxed);
    log(reason << 32 | rip);
    assert_eq!(error, 0);
    if reason == FaultReason::InvalidOpcode as u64 {
        task(0).write_register(16, rip + 4).expect("it stands still");
    }
    let answer = if index < shared(0).load(Relaxed) { FaultAnswer::Step } else { FaultAnswer::Resume };
    *message = [answer as u64, 0, 0, 0];
}

service!(fn step_through_entry = step_through);

/// Guest 0 has an instruction that does not exist at its beginning, behind which it is stepped so often.
fn step_so_often(steps: u64) {
    MENDED.store(0, Relaxed);
    shared(0).store(steps, Relaxed);
    serve(HANDLER, 30, step_through_entry, 0);
    set_handler_of(task(0));
}

const ILLEGAL: u64 = (FaultReason::InvalidOpcode as u64) << 32 | CODE as u64;

/// A step that has ended so many bytes into the code.
const fn step_at(offset: u32) -> u64 {
    (FaultReason::Debug as u64) << 32 | (CODE + offset) as u64
}

fn a_guest_that_is_stepped_executes_one_instruction() {
    on_stage(|| {
        with_guests(|| {
            // Straight on, short ones, branches that are taken and not, and jumps.
            let mut code = Assembler::new();
            code.word(0).add(A2, 1).word(0x0001_0001).op(Beq, 0, A2, ZERO, 100).op(Beq, 0, ZERO, ZERO, 8).word(0);
            code.op(Jal, RA, 0, 0, 8).word(0).op(Jalr, ZERO, RA, 0, 12).word(0).add(A2, 1).ret().load();
            guest_server(0, 20, 0, 0);
            step_so_often(9);
            assert_eq!(near(0).call([5, 6, 7, 8]), Ok([7, 6, 7, 8]));
            // Behind the jump with a link is nothing, 12 bytes further the last sum.
            let offsets = [8, 10, 12, 16, 24, 32, 40, 44, 48];
            let expected = core::iter::once(ILLEGAL).chain(offsets.map(step_at));
            assert!(take_log().eq(expected));
            // Later nobody steps.
            assert_eq!(near(0).call([5, 6, 7, 8]), Ok([7, 6, 7, 8]));
            check_log(&[ILLEGAL]);
        });
    });
}

fn a_fault_in_a_step_is_reported_instead() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).add(A2, 1).word(0).add(A2, 1).ret().load();
            guest_server(0, 20, 0, 0);
            step_so_often(2);
            assert_eq!(near(0).call([5, 6, 7, 8]), Ok([7, 6, 7, 8]));
            check_log(&[ILLEGAL, step_at(8), ILLEGAL + 8]);
        });
    });
}

extern "C" fn enter_and_log(thread: u64) {
    log(outcome(near(thread).call([5, 6, 7, 8])));
    finish(thread);
}

fn steps_of_code_that_was_entered_go_on_in_native_code() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).add(A2, 1).ret().load();
            let task = prepare(0, 20, enter_and_log, 0);
            give_hart(0, task);
            make_endpoints(task, 0, 0, 0);
            // Over the return, up to the fault behind the native code's first instruction.
            step_so_often(7);
            task.start(entry(), 0).expect("it is configured");
            let_run(2);
            let found = take_log();
            let of_guest = [ILLEGAL, step_at(8), step_at(12), step_at(16), step_at(20), step_at(24)];
            assert!(found.clone().take(6).eq(of_guest));
            let natively = found.clone().nth(6).expect("there is one more");
            assert_eq!(natively >> 32, FaultReason::Debug as u64);
            assert!(!(step_at(0)..step_at(8192)).contains(&natively));
            assert_eq!(found.last(), Some(6), "the answer");
        });
    });
}

fn a_guest_that_its_handler_stops_is_stopped() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).load();
            let task = guest_server(0, 20, 0, 0);
            handle_faults_of(task);
            set_answer(FaultAnswer::Stop, 0);
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeFaulted));
            assert!(is_stopped(task));
            assert_eq!(near(0).call([0; 4]), Err(Error::InvalidState));
            // It can be started afresh.
            Assembler::new().ret().load();
            task.start(entry_at(CODE), 0).expect("it is stopped");
            let_run(1);
            assert_eq!(near(0).call([5; 4]), Ok([5; 4]));
        });
    });
}

/// A handler in RISC-V code: the task goes on so many bytes behind the instruction.
fn skipping(offset: u32, bytes: i32) -> Assembler {
    let mut code = Assembler::at(offset);
    code.store(A2, 0, S0).mv(A4, T3).mv(A5, T4).add(A4, bytes).li(A2, FaultAnswer::ResumeAt as u32).li(A3, 0);
    code.ret();
    code
}

fn a_guest_handles_the_faults_of_another() {
    on_stage(|| {
        with_guests(|| {
            skipping(1024, 4).load();
            Assembler::new().word(0).word(0).add(A2, 1).ret().load();
            guest_server(1, 30, 1024, 0);
            let task = guest_server(0, 20, 0, 0);
            task.set_fault_handler(Some(near(1)), MissingCapability::IsError).expect("it is an endpoint");
            assert_eq!(near(0).call([1, 2, 3, 4]), Ok([2, 2, 3, 4]));
            assert_eq!(read_data(0), FaultReason::InvalidOpcode as u32);
        });
    });
}

extern "C" fn fault_and_log(thread: u64) {
    // SAFETY: the handler goes on behind the instruction.
    unsafe { core::arch::asm!("ud2") };
    log(7);
    finish(thread);
}

fn a_guest_handles_the_faults_of_native_code() {
    on_stage(|| {
        with_guests(|| {
            skipping(0, 2).load();
            guest_server(1, 30, 0, 0);
            for endpoint in [near(1), far(1)] {
                let task = prepare(0, 20, fault_and_log, 0);
                task.set_fault_handler(Some(endpoint), MissingCapability::IsError).expect("it is an endpoint");
                task.start(entry(), 0).expect("it is configured");
                let_run(2);
                check_log(&[7]);
                end_guest(0);
            }
        });
    });
}

fn a_guest_is_not_its_own_handler() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).load();
            let task = guest_server(0, 20, 0, 0);
            task.set_fault_handler(Some(near(0)), MissingCapability::IsError).expect("it is an endpoint");
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeFaulted));
            assert!(is_stopped(task));
        });
    });
}

/// Puts a capability where the call has missed one.
fn bring(_: u64, message: &mut Words) {
    message.iter().copied().for_each(log);
    SCRATCH.copy(OBJECT, slots::TABLE, ALL).expect("the slot is empty");
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn bring_entry = bring);

fn a_call_without_a_capability_is_made_again_when_that_is_there() {
    // One after which the caller goes on, and one after which another task may.
    for (operation, expected) in [(Call::Identify, [0, 2]), (Call::Yield, [Error::WrongKind as i64, 0])] {
        on_stage(|| {
            with_guests(|| {
                serve(HANDLER, 30, bring_entry, 0);
                let mut code = Assembler::new();
                code.li(A2, 1).li(A3, 2).li(T3, 3).li(A0, at(OBJECT) as u32).li(A1, operation as u32);
                let call = code.here();
                code.op(Ecall, 0, 0, 0, 0).mv(A4, A0).op(Srai, A5, A0, 0, 31).ret().load();
                let task = guest_server(0, 20, 0, 0);
                task.set_fault_handler(Some(near(HANDLER)), MissingCapability::IsFault).expect("it is an endpoint");
                let [status, word] = expected;
                let expected = [word.cast_unsigned(), status.cast_unsigned()];
                let answer = near(0).call([0; 4]).map(|[word, status, ..]| [word, status]);
                assert_eq!(answer, Ok(expected));
                check_log(&[FaultReason::MissingCapability as u64, at(OBJECT), 0, call.into()]);
            });
        });
    }
}
