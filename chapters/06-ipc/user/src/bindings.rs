//! Whose an interrupt line is: its handler's while an endpoint is bound to it, else the kernel's.

use core::sync::atomic::Ordering::Relaxed;

use flatmk_abi::{Error, Kind, Operation, Rights, slots};
use flatmk_runtime::object::{OWN_TABLE, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::devices::{
    CALLED, KEYBOARD, bind, forget_typed, is_masked, press, times_called, typed, unbind, wait_a_little, wait_until,
};
use crate::faults::yield_often;
use crate::harness::{SCRATCH, at, thread_slot, with_scratch};
use crate::interrupts::{
    A, A_RELEASED, B, CODE, CONTEXT, HANDLER, count_call_entry, take_key_entry, take_key_slowly_entry, wait_for_calls,
    with_handler,
};
use crate::order::set_open;
use crate::registers::system_call;
use crate::servers::{Server, start_server};

pub(crate) const TESTS: &[Test] = tests![
    a_line_that_is_unbound_is_the_kernels_again,
    a_line_whose_endpoint_is_revoked_is_the_kernels_again,
    a_binding_outlives_the_endpoint_it_was_made_with,
    a_line_that_is_unbound_while_it_is_handled_is_the_kernels_again,
    a_line_has_one_handler,
    a_binding_is_checked,
    lines_are_minted_from_those_of_the_source,
];

/// The kernel itself takes what is typed: the letter a.
fn check_console() {
    forget_typed();
    press(A);
    assert!(wait_until(|| typed() == Some(b'a')), "the console has the letter");
    press(A_RELEASED);
    wait_a_little();
    assert!(!is_masked(KEYBOARD));
}

fn a_line_that_is_unbound_is_the_kernels_again() {
    with_handler(KEYBOARD, take_key_entry, |handler| {
        press(A);
        wait_for_calls(1);
        unbind(KEYBOARD);
        check_console();
        assert_eq!(times_called(), 1);
        // And back.
        bind(KEYBOARD, handler.near());
        press(B);
        wait_for_calls(2);
        assert_eq!(typed(), None);
    });
}

fn a_line_whose_endpoint_is_revoked_is_the_kernels_again() {
    with_handler(KEYBOARD, take_key_entry, |handler| {
        OWN_TABLE.revoke(handler.near()).expect("it is there");
        check_console();
        // So it is with the task from which the endpoint was made.
        bind(KEYBOARD, handler.far());
        press(B);
        wait_for_calls(1);
        SCRATCH.revoke(thread_slot(HANDLER)).expect("it is there");
        check_console();
        assert_eq!(times_called(), 1);
        start_again(handler);
    });
}

/// Endpoints like those that were revoked.
fn start_again(handler: Server) {
    handler.task.make_endpoint(take_key_entry, 0, OWN_TABLE, handler.near()).expect("a free slot");
    handler.task.make_endpoint(take_key_entry, 0, SCRATCH, 20 + HANDLER).expect("a free slot");
}

fn a_binding_outlives_the_endpoint_it_was_made_with() {
    with_handler(KEYBOARD, take_key_entry, |handler| {
        OWN_TABLE.delete(handler.near()).expect("it is there");
        SCRATCH.delete(20 + HANDLER).expect("it is there");
        press(A);
        wait_for_calls(1);
        start_again(handler);
    });
}

fn a_line_that_is_unbound_while_it_is_handled_is_the_kernels_again() {
    with_handler(KEYBOARD, take_key_slowly_entry, |handler| {
        set_open(false);
        press(A);
        wait_for_calls(1);
        unbind(KEYBOARD);
        check_console();
        // The handler is at work still. Another binding waits for it.
        bind(KEYBOARD, handler.near());
        press(B);
        wait_a_little();
        assert_eq!(times_called(), 1);
        set_open(true);
        wait_for_calls(2);
        assert_eq!(CODE.load(Relaxed), B.into());
        yield_often();
    });
}

fn a_line_has_one_handler() {
    with_handler(KEYBOARD, take_key_entry, |handler| {
        let second = start_server(1, count_call_entry, 0);
        let bind =
            |endpoint| system_call(slots::INTERRUPTS, Operation::Bind as u64, [KEYBOARD, endpoint, 0, 0]).map(|_| ());
        assert_eq!([bind(second.near()), bind(handler.near())], [Err(Error::AlreadyBound); 2]);
        press(A);
        wait_for_calls(1);
        assert_eq!(CODE.load(Relaxed), A.into(), "the first one was called");
        assert_eq!([bind(0), bind(0), bind(second.near())], [Ok(()); 3]);
        press(B);
        wait_for_calls(2);
        assert_eq!(CODE.load(Relaxed), A.into(), "the second one was called");
        second.end();
        // Its last endpoint is the binding itself.
        unbind(KEYBOARD);
    });
}

fn a_binding_is_checked() {
    with_scratch(|| {
        let handler = start_server(HANDLER, take_key_entry, CONTEXT);
        SCRATCH.copy(1, handler.near(), Rights::GRANT).expect("a free slot");
        SCRATCH.copy(2, slots::INTERRUPTS, Rights::GRANT).expect("a free slot");
        let bind =
            |pointer, line, endpoint| system_call(pointer, Operation::Bind as u64, [line, endpoint, 0, 0]).map(|_| ());
        for line in [16, 64, 1 << 32, u64::MAX] {
            assert_eq!(bind(slots::INTERRUPTS, line, handler.near()), Err(Error::InvalidArgument));
        }
        assert_eq!(bind(slots::INTERRUPTS, KEYBOARD, 40), Err(Error::InvalidCapability));
        assert_eq!(bind(slots::INTERRUPTS, KEYBOARD, slots::SELF), Err(Error::WrongKind));
        assert_eq!(bind(slots::INTERRUPTS, KEYBOARD, at(1)), Err(Error::MissingRight));
        assert_eq!(bind(at(2), KEYBOARD, handler.near()), Err(Error::MissingRight));
        assert_eq!(bind(slots::PORTS, KEYBOARD, handler.near()), Err(Error::WrongKind));
        // Nothing was bound.
        check_console();
        handler.end();
    });
}

fn lines_are_minted_from_those_of_the_source() {
    with_scratch(|| {
        let handler = start_server(HANDLER, take_key_entry, CONTEXT);
        CALLED.store(0, Relaxed);
        let mint = |slot, source, rights: Rights, lines| {
            let arguments = [slot, source, rights.bits().into(), lines];
            system_call(SCRATCH.0, Operation::Mint as u64, arguments).map(|_| ())
        };
        let all = Rights::all();
        assert_eq!(mint(1, slots::INTERRUPTS, all, 0b1010), Ok(()));
        assert_eq!(mint(2, at(1), Rights::MANAGE, 0b0010), Ok(()));
        assert_eq!(identify(at(2)), Ok((Kind::Interrupts, Rights::MANAGE)));
        for lines in [0, 0b0001, 0b1110, 1 << 16, u64::MAX] {
            assert_eq!(mint(3, at(1), all, lines), Err(Error::InvalidArgument), "{lines:#b}");
        }
        assert_eq!(mint(3, at(2), all, 0b0010), Err(Error::MissingRight), "no grant right");
        let bind =
            |pointer, line, endpoint| system_call(pointer, Operation::Bind as u64, [line, endpoint, 0, 0]).map(|_| ());
        assert_eq!([0, 2, 3].map(|line| bind(at(2), line, handler.near())), [Err(Error::InvalidArgument); 3]);
        assert_eq!(bind(at(2), KEYBOARD, handler.near()), Ok(()));
        press(A);
        wait_for_calls(1);
        assert_eq!(bind(at(2), KEYBOARD, 0), Ok(()));
        handler.end();
    });
}
