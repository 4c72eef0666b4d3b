//! Calls of tasks that are stopped, and handlers that never return: what chapter 7 adds to those of chapter 6.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FaultAnswer, Operation};
use flatmk_runtime::object::{OWN_TASK, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::answers::{CONTEXT, mix_entry};
use crate::devices::{CALLED, KEYBOARD, TIMER, press, times_called, unbind};
use crate::faults::{defer_entry, yield_often};
use crate::handlers::dawdle_entry;
use crate::harness::{at, end_thread, start_thread, with_scratch, yield_once};
use crate::interrupts::{count_call_entry, take_key, take_key_entry, wait_for_calls, with_handler};
use crate::order::{door_entry, forget_log, set_open};
use crate::patterns::{Pattern, STOP, watch};
use crate::registers::system_call;
use crate::servers::{CALL, PENDING, outcome, server, start_client, start_server, status};
use crate::victims::{
    HANDLER, VICTIM, address, faults, forget_faults, is_stopped, set_answer, start_handler, start_victim, times_done,
    undefined,
};

pub(crate) const TESTS: &[Test] = tests![
    a_callee_that_is_stopped_is_reported_to_all,
    a_task_that_is_stopped_is_not_called,
    a_caller_that_is_stopped_leaves_the_queue,
    a_caller_that_is_stopped_gets_no_answer,
    a_reply_capability_goes_when_its_caller_is_stopped,
    a_task_that_is_stopped_while_it_is_handled_faults_again,
    a_task_whose_handler_is_stopped_while_it_handles_is_stopped,
    a_handler_of_interrupts_that_is_stopped_gives_its_line_back,
    a_handler_that_never_returns_starves_nobody_who_is_as_urgent,
    the_kernels_ticks_go_on_while_the_timer_is_handled,
    a_task_whose_time_slice_is_over_keeps_all_its_registers,
];

fn a_callee_that_is_stopped_is_reported_to_all() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        (1..=3).for_each(|client| start_client(client, door.near()));
        yield_often();
        door.task.stop().expect("it is at work");
        yield_often();
        assert_eq!([1, 2, 3].map(outcome), [status(Error::CalleeStopped); 3]);
        // When it goes on, it answers nobody, and is ready.
        set_open(true);
        door.task.resume().expect("it is stopped");
        yield_often();
        assert_eq!(door.call([50; 4]), Ok([150, 50, 50, 50]));
        (1..=3).for_each(end_thread);
        door.end();
        forget_log();
    });
}

fn a_task_that_is_stopped_is_not_called() {
    with_scratch(|| {
        let mixer = start_server(0, mix_entry, CONTEXT);
        mixer.task.stop().expect("it is ready");
        assert_eq!(mixer.call([0; 4]), Err(Error::InvalidState));
        mixer.task.start(crate::servers::finish as *const () as u64, 0).expect("it is stopped");
        yield_once();
        assert_eq!(mixer.call([0; 4]), Ok([CONTEXT, 0, 0, !0]));
        mixer.end();
    });
}

fn a_caller_that_is_stopped_leaves_the_queue() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        (1..=3).for_each(|client| start_client(client, door.near()));
        yield_often();
        server(2).task.stop().expect("it waits");
        set_open(true);
        yield_often();
        assert_eq!([1, 2, 3].map(outcome), [101, PENDING, 103]);
        server(2).task.resume().expect("it is stopped");
        yield_often();
        assert_eq!(outcome(2), status(Error::Interrupted));
        (1..=3).for_each(end_thread);
        door.end();
        forget_log();
    });
}

fn a_caller_that_is_stopped_gets_no_answer() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(0, door_entry, 0);
        [1, 2].into_iter().for_each(|client| start_client(client, door.near()));
        yield_often();
        server(1).task.stop().expect("it waits for its answer");
        set_open(true);
        yield_often();
        assert_eq!([1, 2].map(outcome), [PENDING, 102], "the callee goes on");
        server(1).task.resume().expect("it is stopped");
        yield_often();
        assert_eq!(outcome(1), status(Error::Interrupted));
        [1, 2].into_iter().for_each(end_thread);
        door.end();
        forget_log();
    });
}

fn a_reply_capability_goes_when_its_caller_is_stopped() {
    with_scratch(|| {
        let deferrer = start_server(0, defer_entry, crate::victims::CONTEXT);
        start_client(1, deferrer.near());
        yield_once();
        assert!(identify(at(2)).is_ok());
        server(1).task.stop().expect("it waits for its answer");
        assert_eq!(identify(at(2)), Err(Error::InvalidCapability));
        server(1).task.resume().expect("it is stopped");
        yield_once();
        assert_eq!(outcome(1), status(Error::Interrupted));
        end_thread(1);
        deferrer.end();
    });
}

fn a_task_that_is_stopped_while_it_is_handled_faults_again() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, defer_entry, crate::victims::CONTEXT);
        let task = start_victim(undefined, 0, handler);
        task.stop().expect("it waits for its handler");
        assert_eq!(identify(at(2)), Err(Error::InvalidCapability));
        assert_eq!(task.read_registers(16).map(|[rip, ..]| rip), Ok(address(undefined, 0)));
        task.resume().expect("it is stopped");
        yield_once();
        assert_eq!((faults(), is_stopped(task)), (2, false));
        let answer = [FaultAnswer::ResumeAt as u64, address(undefined, 2), 0, 0];
        assert_eq!(system_call(at(2), Operation::Reply as u64, answer), Ok([0; 4]));
        yield_once();
        assert_eq!(times_done(), 1);
        end_thread(VICTIM);
        handler.end();
    });
}

fn a_task_whose_handler_is_stopped_while_it_handles_is_stopped() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, dawdle_entry, crate::victims::CONTEXT);
        let task = start_victim(undefined, 0, handler);
        assert_eq!((faults(), is_stopped(task)), (1, false));
        handler.task.stop().expect("it is at work");
        assert!(is_stopped(task));
        // And so is one that faults when its handler is stopped already.
        task.resume().expect("it is stopped");
        yield_once();
        assert_eq!((faults(), is_stopped(task)), (1, true));
        end_thread(VICTIM);
        handler.end();
    });
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Stop, 0);
        handler.task.stop().expect("it is ready");
        let task = start_victim(undefined, 0, handler);
        assert_eq!((faults(), is_stopped(task)), (0, true));
        end_thread(VICTIM);
        handler.end();
    });
}

static SPINS: AtomicU64 = AtomicU64::new(0);

/// Takes the key, and never returns.
fn take_key_for_ever(context: u64, message: &mut [u64; 4]) {
    take_key(context, message);
    loop {
        SPINS.fetch_add(1, Relaxed);
    }
}

service!(fn take_key_for_ever_entry = take_key_for_ever);

fn a_handler_of_interrupts_that_is_stopped_gives_its_line_back() {
    with_handler(KEYBOARD, take_key_for_ever_entry, |handler| {
        press(0x1e);
        wait_for_calls(1);
        assert!(crate::devices::is_masked(KEYBOARD));
        handler.task.stop().expect("it is at work");
        assert!(!crate::devices::is_masked(KEYBOARD));
        // What comes now waits for it to be started again, or for another handler.
        press(0x30);
        crate::devices::wait_a_little();
        assert_eq!(times_called(), 1);
        unbind(KEYBOARD);
        let second = start_server(1, take_key_entry, 0);
        crate::devices::bind(KEYBOARD, second.near());
        press(0x1e);
        wait_for_calls(2);
        second.end();
    });
}

static WITNESS: AtomicU64 = AtomicU64::new(0);

extern "C" fn witness(_: u64) {
    loop {
        WITNESS.fetch_add(1, Relaxed);
    }
}

fn a_handler_that_never_returns_starves_nobody_who_is_as_urgent() {
    with_handler(KEYBOARD, take_key_for_ever_entry, |_| {
        WITNESS.store(0, Relaxed);
        start_thread(1, witness, 0);
        press(0x1e);
        wait_for_calls(1);
        let before = WITNESS.load(Relaxed);
        // Neither yields: the timer alone lets this program go on, and the witness.
        for _ in 0..5 {
            yield_once();
        }
        assert!(WITNESS.load(Relaxed) > before + 1000);
        end_thread(1);
    });
}

fn the_kernels_ticks_go_on_while_the_timer_is_handled() {
    with_handler(TIMER, count_call_entry, |_| {
        // A sleep ends by the kernel's own count of ticks. Each tick calls the handler once.
        let [short, long] = [100, 300].map(|milliseconds| {
            CALLED.store(0, Relaxed);
            OWN_TASK.sleep(milliseconds * 1_000_000).expect("a task may sleep");
            times_called()
        });
        assert!(short >= 10 && long.abs_diff(3 * short) <= 6, "{short} and {long} calls");
    });
}

extern "C" fn watch_thread(pattern: u64) {
    // SAFETY: the pattern outlives the thread, and is made of atomic words.
    watch(unsafe { &*core::ptr::with_exposed_provenance::<Pattern>(pattern as usize) });
    loop {
        WITNESS.fetch_add(1, Relaxed);
    }
}

fn a_task_whose_time_slice_is_over_keeps_all_its_registers() {
    with_scratch(|| {
        STOP.store(0, Relaxed);
        let patterns = [1, 2, 3].map(Pattern::new);
        for (thread, pattern) in (1..).zip(&patterns) {
            start_thread(thread, watch_thread, core::ptr::from_ref(pattern).expose_provenance() as u64);
        }
        (0..5).for_each(|_| yield_once());
        STOP.store(1, Relaxed);
        (0..5).for_each(|_| yield_once());
        for pattern in &patterns {
            assert_eq!(pattern.times_wrong(), 0);
            assert!(pattern.times_right() > 1000);
        }
        (1..=3).for_each(end_thread);
        assert_eq!(system_call(40, CALL, [0; 4]), Err(Error::InvalidCapability));
    });
}
