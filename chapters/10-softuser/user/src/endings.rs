//! Nobody waits for the dead: a callee that faults, is stopped or is destroyed is reported, whichever side runs RISC-V code.

use flatmk_abi::{Error, FaultAnswer, Operation as Call};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::calls::{load_door, start_caller};
use crate::guest::*;
use crate::handlers::*;
use crate::harness::{SCRATCH, at, thread_slot};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    a_guest_that_faults_is_reported_to_all_who_wait,
    a_guest_that_is_stopped_is_reported_to_all_who_wait,
    a_guest_that_is_destroyed_is_reported_to_all_who_wait,
    a_guest_that_ends_itself_is_reported_to_its_caller,
    a_guest_is_told_of_native_code_that_ends,
    a_guest_that_calls_is_stopped_and_goes_on_with_an_error,
    a_caller_that_ends_does_not_disturb_a_guest,
    the_callers_of_a_guest_that_is_mended_wait,
];

/// Threads 4 and 5 call guest 0 themselves, threads 6 and 7 through guests 1 and 2.
fn call_from_all_sides() {
    for (guest, endpoint) in [(1, near(0)), (2, far(0))] {
        Assembler::at(512 * guest).pass_on(endpoint.0).load();
        guest_server(guest.into(), 20, 512 * guest, 0);
    }
    for (thread, endpoint) in [(4, near(0)), (5, far(0)), (6, near(1)), (7, near(2))] {
        start_caller(thread, 20, endpoint);
    }
    let_run(2);
    check_log(&[]);
}

fn a_guest_that_faults_is_reported_to_all_who_wait() {
    on_stage(|| {
        with_guests(|| {
            let door = notification(OBJECT);
            Assembler::new().message([u64::MAX, 0, 0, 0]).call(at(OBJECT), Call::Wait).word(0).load();
            let task = guest_server(0, 20, 0, 0);
            call_from_all_sides();
            door.signal(1).expect("a bit");
            let_the_kernel_report();
            check_log(&[status(Error::CalleeFaulted); 4]);
            assert!(is_stopped(task));
            assert_eq!(near(0).call([0; 4]), Err(Error::InvalidState));
            assert_eq!(outcome(near(1).call([0; 4])), status(Error::InvalidState));
        });
    });
}

fn a_guest_that_is_stopped_is_reported_to_all_who_wait() {
    on_stage(|| {
        with_guests(|| {
            let door = notification(OBJECT);
            load_door(0);
            let task = guest_server(0, 20, 0, 0);
            call_from_all_sides();
            task.stop().expect("it waits");
            let_run(2);
            check_log(&[status(Error::CalleeStopped); 4]);
            // Resumed, it is told that its waiting was interrupted, goes on and has nobody to answer.
            task.resume().expect("it is stopped");
            let_run(2);
            start_caller(8, 20, near(0));
            door.signal(1).expect("a bit");
            let_run(2);
            check_log(&[108]);
        });
    });
}

fn a_guest_that_is_destroyed_is_reported_to_all_who_wait() {
    on_stage(|| {
        with_guests(|| {
            notification(OBJECT);
            load_door(0);
            guest_server(0, 20, 0, 0);
            call_from_all_sides();
            end_guest(0);
            let_run(2);
            check_log(&[status(Error::CalleeGone); 4]);
            assert_eq!(outcome(near(1).call([0; 4])), status(Error::InvalidCapability));
        });
    });
}

fn a_guest_that_ends_itself_is_reported_to_its_caller() {
    on_stage(|| {
        with_guests(|| {
            // It stops itself.
            Assembler::new().call(task(0).0, Call::Stop).ret().load();
            let task = guest_server(0, 20, 0, 0);
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeStopped));
            task.resume().expect("it is stopped");
            let_run(1);
            Assembler::at(1024).pass_on(near(0).0).load();
            guest_server(1, 20, 1024, 0);
            assert_eq!(outcome(near(1).call([0; 4])), status(Error::CalleeStopped));
            end_guest(0);
            // It takes all capabilities to itself away.
            let mut code = Assembler::new();
            code.message([thread_slot(0), 0, 0, 0]).call(SCRATCH.0, Call::Revoke);
            code.message([thread_slot(0), 0, 0, 0]).call(SCRATCH.0, Call::Delete).word(0).load();
            guest_server(0, 20, 0, 0);
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeGone));
            take_pages(0);
            guest_server(0, 20, 0, 0);
            assert_eq!(outcome(near(1).call([0; 4])), status(Error::CalleeGone));
        });
    });
}

/// Ends in different ways, by the message.
fn end_as_told(_: u64, message: &mut flatmk_abi::Words) {
    match *message {
        // SAFETY: raises an exception, and does nothing else.
        [0, ..] => unsafe { core::arch::asm!("ud2", options(noreturn)) },
        [1, ..] => task(3).stop().expect("a task may stop itself"),
        _ => end_guest(3),
    }
}

flatmk_runtime::service!(fn end_as_told_entry = end_as_told);

fn a_guest_is_told_of_native_code_that_ends() {
    let ways = [Error::CalleeFaulted, Error::CalleeStopped, Error::CalleeGone];
    for (way, error) in (0..).zip(ways) {
        for endpoint in [near(3), far(3)] {
            on_stage(|| {
                with_guests(|| {
                    Assembler::new().pass_on(endpoint.0).load();
                    guest_server(0, 20, 0, 0);
                    serve(3, 20, end_as_told_entry, 0);
                    assert_eq!(outcome(near(0).call([way, 0, 0, 0])), status(error));
                });
            });
        }
    }
}

fn a_guest_that_calls_is_stopped_and_goes_on_with_an_error() {
    on_stage(|| {
        with_guests(|| {
            let door = notification(OBJECT);
            load_door(0);
            guest_server(0, 20, 0, 0);
            // The first waits for its answer, the second for its turn.
            for thread in [1, 2] {
                let offset = 512 * thread as u32;
                let mut code = Assembler::at(offset);
                code.call(near(0).0, Call::Call).store(A0, 4 * thread as u32, S0).ret().load();
                start_guest(thread, 20, offset, 0);
            }
            let_run(2);
            for thread in [2, 1] {
                task(thread).stop().expect("it waits");
                assert_eq!(register(task(thread), A0) as i32, Error::Interrupted as i32);
                task(thread).resume().expect("it is stopped");
                let_run(1);
                assert_eq!(read_data(4 * thread as u32).cast_signed(), Error::Interrupted as i32);
            }
            door.signal(1).expect("a bit");
            let_run(1);
            door.signal(1).expect("a bit");
            assert_eq!(outcome(near(0).call([3, 0, 0, 0])), 103);
        });
    });
}

fn a_caller_that_ends_does_not_disturb_a_guest() {
    on_stage(|| {
        with_guests(|| {
            let door = notification(OBJECT);
            load_door(0);
            guest_server(0, 20, 0, 0);
            for is_stopped in [false, true] {
                [4, 5].into_iter().for_each(|thread| start_caller(thread, 20, near(0)));
                let_run(2);
                if is_stopped {
                    task(4).stop().expect("it waits");
                }
                SCRATCH.delete(thread_slot(4)).expect("it is there");
                door.signal(1).expect("a bit");
                let_run(2);
                door.signal(1).expect("a bit");
                let_run(2);
                check_log(&[105]);
                SCRATCH.delete(thread_slot(5)).expect("it is there");
            }
        });
    });
}

fn the_callers_of_a_guest_that_is_mended_wait() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().word(0).add(A2, 1).ret().load();
            let task = guest_server(0, 20, 0, 0);
            handle_faults_of(task);
            set_answer(FaultAnswer::ResumeAt, (CODE + 4).into());
            Assembler::at(512).pass_on(near(0).0).load();
            guest_server(1, 20, 512, 0);
            for endpoint in [near(0), far(0), near(1)] {
                assert_eq!(endpoint.call([1, 2, 3, 4]), Ok([2, 2, 3, 4]));
            }
            assert_eq!(task.stop(), Ok(()));
        });
    });
}
