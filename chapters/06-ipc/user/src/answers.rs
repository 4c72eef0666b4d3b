//! A call carries context and words to the callee and brings its answer back, and nothing else.

use flatmk_abi::{Error, FLAG_NO_WAIT, FLAGS_WINDOW, Kind, MissingCapability, Operation, Rights, slots};
use flatmk_runtime::object::{Endpoint, OWN_TABLE, Task, identify};
use flatmk_runtime::program::{Program, SERVICE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::entries::{check_entry, look_entry, times_entered};
use crate::harness::{
    FIRST_FREE, MEMORY, PLAIN_FLAGS, SCRATCH, at, end_thread, make, make_thread, stack_top, with_scratch, yield_once,
};
use crate::registers::{FREE_FLAGS, system_call, system_call_with_flags};
use crate::servers::{CALL, load, make_server, server, start_server};
use crate::victims::{VICTIM, address, is_stopped, undefined};

pub(crate) const TESTS: &[Test] = tests![
    a_call_carries_the_context_and_four_words,
    a_call_reaches_another_space,
    a_program_in_c_is_called_like_any_other,
    a_program_in_c_is_no_fault_handler,
    a_callee_sees_nothing_of_its_caller_but_the_message,
    a_task_that_is_started_sees_nothing_but_its_argument,
    calls_nest_as_deep_as_there_are_tasks,
    a_minted_endpoint_has_a_context_of_its_own,
    an_endpoint_without_the_right_is_not_called,
    a_task_that_never_started_is_not_called,
    a_return_through_anything_but_the_reply_slot_is_refused,
    a_callee_may_let_others_run_before_it_returns,
];

pub(crate) const CONTEXT: u64 = 0xc0_ffee;

fn mix(context: u64, message: &mut [u64; 4]) {
    let [a, b, c, d] = *message;
    *message = [a ^ context, b.wrapping_add(a), c.rotate_left(8), !d];
}

service!(pub(crate) fn mix_entry = mix);

fn a_call_carries_the_context_and_four_words() {
    with_scratch(|| {
        let mixer = start_server(0, mix_entry, CONTEXT);
        for message in [[0; 4], [1, 2, 3, 4], [u64::MAX; 4], [1 << 63, 0, u64::MAX, 7]] {
            let mut expected = message;
            mix(CONTEXT, &mut expected);
            assert_eq!(mixer.call(message), Ok(expected));
        }
        // Each flag of the caller comes back with it.
        for bit in (0..64).map(|bit| 1 << bit).filter(|bit| bit & FREE_FLAGS != 0) {
            for pointer in [mixer.near(), mixer.far()] {
                system_call_with_flags(PLAIN_FLAGS | bit, pointer, CALL, [0; 4]).expect("the server is ready");
            }
        }
        mixer.end();
    });
}

fn a_call_reaches_another_space() {
    with_scratch(|| {
        let first = FIRST_FREE + 1;
        let echo = load("echo", first);
        echo.start(0).expect("a loaded program can be started");
        yield_once();
        OWN_TABLE.copy(40, echo.slot(SERVICE), Rights::CALL).expect("it offers its service");
        for message in [[1, 2, 3, 4], [u64::MAX; 4], [0; 4]] {
            assert_eq!(system_call(40, CALL, message), Ok(message));
            assert_eq!(system_call(echo.slot(SERVICE), CALL, message), Ok(message));
        }
        OWN_TABLE.delete(40).expect("the copy is there");
        end_program(echo, first);
    });
}

/// Destroys a program that was loaded into the slots from `first` on.
fn end_program(program: Program, first: u64) {
    [SERVICE, slots::SELF, slots::TABLE, slots::SPACE].into_iter().for_each(|slot| {
        program.table.delete(slot).expect("the program has it");
    });
    OWN_TABLE.delete(first).expect("the program is there");
}

/// Runs a test with the program in C, which serves.
fn with_program_in_c(test: impl FnOnce(Program)) {
    with_scratch(|| {
        let first = FIRST_FREE + 1;
        let hello = load("hello-c", first);
        MEMORY.split(4, hello.table, slots::MEMORY).expect("a free slot");
        hello.start(0).expect("a loaded program can be started");
        // What it prints takes longer than a time slice.
        while identify(hello.slot(SERVICE)).is_err() {
            yield_once();
        }
        test(hello);
        end_program(hello, first);
    });
}

fn a_program_in_c_is_called_like_any_other() {
    with_program_in_c(|hello| {
        for message in [[1, 2, 3, 5], [u64::MAX, 1, 0, 0], [1 << 63, 1 << 62, 1 << 1, 1 << 0], [0; 4]] {
            let sum = message.iter().fold(0, |sum: u64, &word| sum.wrapping_add(word));
            let weighted_sum =
                (1..).zip(message).fold(0, |sum: u64, (weight, word)| sum.wrapping_add(word.wrapping_mul(weight)));
            let [answer @ .., passed, checks] =
                system_call(hello.slot(SERVICE), CALL, message).expect("it offers its service");
            assert_eq!(answer, [sum, weighted_sum]);
            assert!(passed == checks && checks > 10, "{passed} of {checks} checks");
        }
    });
}

/// Its answer to a fault is refused, as it is none.
fn a_program_in_c_is_no_fault_handler() {
    with_program_in_c(|hello| {
        let task = make_thread(VICTIM, stack_top(VICTIM));
        task.set_fault_handler(Some(Endpoint(hello.slot(SERVICE))), MissingCapability::IsError).expect("an endpoint");
        for _ in 0..2 {
            task.start(address(undefined, 0), 0).expect("it is stopped");
            yield_once();
            assert!(is_stopped(task));
        }
        let answer = system_call(hello.slot(SERVICE), CALL, [1, 2, 3, 5]);
        assert!(matches!(answer, Ok([11, 34, ..])), "it serves: {answer:?}");
        end_thread(VICTIM);
    });
}

fn a_callee_sees_nothing_of_its_caller_but_the_message() {
    with_scratch(|| {
        let looker = start_server(0, look_entry, CONTEXT);
        for (pointer, flags) in [looker.near(), looker.far()].into_iter().flat_map(|p| [(p, 0), (p, FREE_FLAGS)]) {
            let answer = system_call_with_flags(PLAIN_FLAGS | flags, pointer, CALL, [11, 12, 13, 14]);
            assert_eq!(answer, Ok([11, 12, 13, 14]));
            check_entry(0, CONTEXT, [11, 12, 13, 14]);
            assert_eq!(times_entered(), 1);
        }
        looker.end();
    });
}

fn a_task_that_is_started_sees_nothing_but_its_argument() {
    with_scratch(|| {
        let task = make_thread(0, stack_top(0));
        for argument in [0, CONTEXT, u64::MAX] {
            times_entered();
            task.start(look_entry as *const () as u64, argument).expect("it is stopped");
            system_call(slots::SELF, Operation::Yield as u64, [!0; 4]).expect("a task may yield");
            check_entry(0, argument, [0; 4]);
            assert_eq!(times_entered(), 1);
            end_thread(0);
            make_thread(0, stack_top(0));
        }
        end_thread(0);
    });
}

const DEPTH: u64 = 10;

/// Calls the next server, adds one.
fn descend(context: u64, message: &mut [u64; 4]) {
    if context + 1 < DEPTH {
        let next = server(context + 1);
        let [way, ..] = *message;
        let pointer = if way >> context & 1 == 0 { next.near() } else { next.far() };
        *message = system_call(pointer, CALL, *message).expect("the next server is ready");
    }
    let [.., depth] = message;
    *depth += 1;
}

service!(fn descend_entry = descend);

fn calls_nest_as_deep_as_there_are_tasks() {
    with_scratch(|| {
        let servers: [_; DEPTH as usize] =
            core::array::from_fn(|index| start_server(index as u64, descend_entry, index as u64));
        // Each bit chooses the fast path or the slow one.
        for way in [0, u64::MAX, 0x155, 0x2aa, 0x0f0] {
            assert_eq!(server(0).call([way, 5, 6, 0]), Ok([way, 5, 6, DEPTH]));
        }
        servers.into_iter().for_each(crate::servers::Server::end);
    });
}

fn a_minted_endpoint_has_a_context_of_its_own() {
    with_scratch(|| {
        let mixer = start_server(0, mix_entry, CONTEXT);
        OWN_TABLE.mint(40, mixer.near(), Rights::CALL, 0xabc).expect("a free slot");
        SCRATCH.copy(1, 40, Rights::CALL).expect_err("no grant right");
        SCRATCH.mint(1, mixer.far(), Rights::CALL | Rights::GRANT, 0xdef).expect("a free slot");
        SCRATCH.copy(2, at(1), Rights::CALL | Rights::GRANT).expect("a free slot");
        assert_eq!(SCRATCH.mint(3, at(1), Rights::CALL, 0), Err(Error::MissingRight), "no manage right");
        SCRATCH.move_here(3, at(2)).expect("a free slot");
        for (pointer, context) in [(40, 0xabc), (at(1), 0xdef), (at(3), 0xdef), (mixer.near(), CONTEXT)] {
            assert_eq!(system_call(pointer, CALL, [0; 4]), Ok([context, 0, 0, !0]));
        }
        // The last capability to a task may be an endpoint.
        mixer.end();
        assert_eq!(system_call(40, CALL, [0; 4]), Ok([0xabc, 0, 0, !0]));
        OWN_TABLE.delete(40).expect("it is there");
    });
}

fn an_endpoint_without_the_right_is_not_called() {
    with_scratch(|| {
        let mixer = start_server(0, mix_entry, CONTEXT);
        for rights in [Rights::empty(), Rights::all().difference(Rights::CALL)] {
            SCRATCH.copy(1, mixer.near(), rights).expect("a free slot");
            OWN_TABLE.copy(40, mixer.near(), rights).expect("a free slot");
            assert_eq!([at(1), 40].map(|pointer| system_call(pointer, CALL, [0; 4])), [Err(Error::MissingRight); 2]);
            OWN_TABLE.delete(40).expect("it is there");
            SCRATCH.delete(1).expect("it is there");
        }
        assert_eq!(system_call(40, CALL, [0; 4]), Err(Error::InvalidCapability));
        for pointer in [slots::SELF, slots::TABLE, slots::SPACE, slots::MEMORY, slots::CONSOLE, mixer.task.0] {
            assert_eq!(system_call(pointer, CALL, [0; 4]), Err(Error::WrongKind));
        }
        for pointer in [0, 64, 1 << 18, 1 << 32, (1 << 32) + mixer.near(), u64::MAX] {
            assert_eq!(system_call(pointer, CALL, [0; 4]), Err(Error::InvalidCapability), "{pointer:#x}");
        }
        mixer.end();
    });
}

fn a_task_that_never_started_is_not_called() {
    with_scratch(|| {
        // Made, and not configured.
        let task = Task(make(Kind::Task, 1));
        task.make_endpoint(mix_entry, 0, OWN_TABLE, 40).expect("a free slot");
        assert_eq!(system_call(40, CALL, [0; 4]), Err(Error::InvalidState));
        OWN_TABLE.delete(40).expect("it is there");
        // Configured, and not started.
        let mixer = make_server(0, mix_entry, CONTEXT);
        assert_eq!(mixer.call([0; 4]), Err(Error::InvalidState));
        mixer.end();
    });
}

const RETURN: u64 = Operation::Return as u64;

/// Tries wrong returns, by the pointer or by the flags, then answers how many of each were refused.
fn return_wrongly(_: u64, message: &mut [u64; 4]) {
    let wrong = [slots::SELF, slots::TABLE, slots::CONSOLE, at(1), 63, 64, u64::MAX];
    let refused = wrong
        .into_iter()
        .flat_map(|pointer| [(pointer, RETURN), (pointer, RETURN | FLAGS_WINDOW)])
        .filter(|&(pointer, word)| system_call(pointer, word, [9; 4]) == Err(Error::InvalidCapability))
        .count();
    let refused_flags = [FLAG_NO_WAIT, FLAG_NO_WAIT | FLAGS_WINDOW, 1 << 63]
        .into_iter()
        .filter(|flags| system_call(slots::REPLY, RETURN | flags, [9; 4]) == Err(Error::UnknownOperation))
        .count();
    *message = [refused as u64, refused_flags as u64, 2, 3];
}

service!(fn return_wrongly_entry = return_wrongly);

fn a_return_through_anything_but_the_reply_slot_is_refused() {
    with_scratch(|| {
        let server = start_server(0, return_wrongly_entry, 0);
        assert_eq!(server.call([0; 4]), Ok([14, 3, 2, 3]));
        server.end();
    });
}

fn yield_twice(thread: u64, message: &mut [u64; 4]) {
    for _ in 0..2 {
        let task = server(thread).task;
        assert_eq!(system_call(task.0, Operation::Yield as u64, [5; 4]), Ok([0; 4]));
    }
    message.reverse();
}

service!(pub(crate) fn yield_twice_entry = yield_twice);

fn a_callee_may_let_others_run_before_it_returns() {
    with_scratch(|| {
        let server = start_server(3, yield_twice_entry, 3);
        assert_eq!(server.call([1, 2, 3, 4]), Ok([4, 3, 2, 1]));
        server.end();
    });
}
