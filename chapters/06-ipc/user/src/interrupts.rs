//! An interrupt is a call to the task that handles its line; nobody waits for that task, and no interrupt is lost.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, Kind, Operation, Words};
use flatmk_runtime::object::Memory;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::devices::{
    CALLED, CASCADE, CLOCK, KEYBOARD, KEYBOARD_DATA, KEYBOARD_STATUS, OUTPUT_FULL, TIMER, acknowledge_clock, bind,
    forget_typed, is_masked, press, read, set_clock, times_called, typed, unbind, wait_a_little, wait_until,
};
use crate::entries::{check_entry, look_entry};
use crate::faults::{defer_entry, yield_often};
use crate::harness::{MEMORY, SCRATCH, at, end_thread, with_scratch, yield_once};
use crate::order::{check_log, door_entry, log, set_open};
use crate::patterns::{Pattern, STOP, watch};
use crate::registers::system_call;
use crate::servers::{CALL, CALL_NO_WAIT, Server, finish, outcome, server, start_client, start_server};
use crate::victims::{faults, forget_faults, handle_faults_of, is_stopped, start_skipper};

pub(crate) const TESTS: &[Test] = tests![
    an_interrupt_calls_the_handler_with_the_number_of_the_line,
    a_handler_sees_nothing_of_the_task_that_was_interrupted,
    a_task_that_is_interrupted_keeps_all_its_registers,
    a_task_that_is_interrupted_does_not_wait_for_the_handler,
    a_line_is_masked_while_its_handler_is_at_work,
    an_interrupt_that_comes_meanwhile_is_not_lost,
    an_interrupt_waits_for_a_handler_that_serves_a_call_before_other_callers,
    a_handler_serves_calls_between_interrupts,
    one_task_can_handle_several_lines,
    lines_that_interrupt_together_are_handled_one_after_the_other,
    the_timer_can_be_handled_and_is_not_masked,
    lines_of_the_second_controller_can_be_handled,
    the_processor_rests_until_an_interrupt_when_nobody_can_run,
    a_handler_that_faults_is_called_again_when_it_was_started_again,
    a_handler_of_interrupts_may_have_a_fault_handler,
];

pub(crate) const CONTEXT: u64 = 0x1_4711;
pub(crate) const HANDLER: u64 = 0;

/// Scan codes of keys (set 1): a and b, pressed and released.
pub(crate) const A: u8 = 0x1e;
pub(crate) const A_RELEASED: u8 = 0x9e;
pub(crate) const B: u8 = 0x30;

/// What the handler was told last, and what it has read.
static TOLD: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
pub(crate) static CODE: AtomicU64 = AtomicU64::new(0);

/// Takes a scan code.
pub(crate) fn take_key(context: u64, message: &mut Words) {
    for (place, word) in TOLD.iter().zip([context].iter().chain(message.iter())) {
        place.store(*word, Relaxed);
    }
    CODE.store(read(KEYBOARD_DATA).into(), Relaxed);
    CALLED.fetch_add(1, Relaxed);
}

service!(pub(crate) fn take_key_entry = take_key);

/// Starts a handler, and binds it to a line for the time of a test.
pub(crate) fn with_handler(line: u64, entry: extern "C" fn(), test: impl FnOnce(Server)) {
    forget_typed();
    with_scratch(|| {
        CALLED.store(0, Relaxed);
        let handler = start_server(HANDLER, entry, CONTEXT);
        bind(line, handler.near());
        test(handler);
        unbind(line);
        handler.end();
    });
    forget_typed();
}

pub(crate) fn wait_for_calls(count: u64) {
    assert!(wait_until(|| times_called() >= count), "the handler is called");
}

fn an_interrupt_calls_the_handler_with_the_number_of_the_line() {
    with_handler(KEYBOARD, take_key_entry, |_| {
        for (count, code) in (1..).zip([A, A_RELEASED, B, 0xe0]) {
            press(code);
            wait_for_calls(count);
            assert_eq!(CODE.load(Relaxed), code.into());
            assert_eq!(TOLD.each_ref().map(|word| word.load(Relaxed)), [CONTEXT, KEYBOARD, 0, 0, 0]);
        }
        wait_a_little();
        assert_eq!(times_called(), 4, "each calls it once");
        assert_eq!(typed(), None, "the kernel has none of it");
    });
}

fn a_handler_sees_nothing_of_the_task_that_was_interrupted() {
    with_scratch(|| {
        let pattern = Pattern::new(3);
        let looker = start_server(HANDLER, look_entry, CONTEXT);
        let stopper = start_server(1, stop_by_clock_entry, 3);
        STOP.store(0, Relaxed);
        bind(TIMER, looker.near());
        bind(CLOCK, stopper.near());
        set_clock(true);
        crate::entries::times_entered();
        watch(&pattern);
        check_entry(HANDLER, CONTEXT, [TIMER, 0, 0, 0]);
        assert_eq!(pattern.times_wrong(), 0);
        set_clock(false);
        [CLOCK, TIMER].into_iter().for_each(unbind);
        stopper.end();
        looker.end();
    });
}

/// Stops those who watch their registers when the other handler was entered often enough.
fn stop_by_clock(times: u64, _: &mut Words) {
    acknowledge_clock();
    STOP.store(u64::from(crate::entries::is_entered(times)), Relaxed);
}

service!(fn stop_by_clock_entry = stop_by_clock);

/// Lets those who watch their registers stop after as many calls as the context says.
fn count_and_stop(context: u64, _: &mut Words) {
    if CALLED.fetch_add(1, Relaxed) + 1 == context {
        STOP.store(1, Relaxed);
    }
}

service!(fn count_and_stop_entry = count_and_stop);

fn a_task_that_is_interrupted_keeps_all_its_registers() {
    with_scratch(|| {
        let pattern = Pattern::new(1);
        CALLED.store(0, Relaxed);
        STOP.store(0, Relaxed);
        let handler = start_server(HANDLER, count_and_stop_entry, 50);
        bind(TIMER, handler.near());
        watch(&pattern);
        unbind(TIMER);
        assert_eq!((pattern.times_wrong(), times_called() >= 50), (0, true));
        assert!(pattern.times_right() > 50);
        handler.end();
    });
}

/// Takes the key, and is not done before the door is open.
fn take_key_slowly(context: u64, message: &mut Words) {
    take_key(context, message);
    while !crate::order::is_open() {
        server(HANDLER).task.yield_now().expect("a thread may yield");
    }
}

service!(pub(crate) fn take_key_slowly_entry = take_key_slowly);

fn a_task_that_is_interrupted_does_not_wait_for_the_handler() {
    with_handler(KEYBOARD, take_key_slowly_entry, |handler| {
        set_open(false);
        press(A);
        wait_for_calls(1);
        // This program was interrupted, and goes on while the handler has not returned.
        assert_eq!(system_call(handler.near(), CALL_NO_WAIT, [0; 4]), Err(Error::Busy));
        set_open(true);
        yield_often();
        assert_eq!(times_called(), 1);
    });
}

fn a_line_is_masked_while_its_handler_is_at_work() {
    with_handler(KEYBOARD, take_key_slowly_entry, |_| {
        set_open(false);
        assert!(!is_masked(KEYBOARD));
        press(A);
        wait_for_calls(1);
        assert!(is_masked(KEYBOARD));
        set_open(true);
        yield_often();
        assert!(!is_masked(KEYBOARD));
    });
}

fn an_interrupt_that_comes_meanwhile_is_not_lost() {
    with_handler(KEYBOARD, take_key_slowly_entry, |_| {
        set_open(false);
        press(A);
        wait_for_calls(1);
        press(B);
        assert!(wait_until(|| read(KEYBOARD_STATUS) & OUTPUT_FULL != 0), "the controller has the next one");
        wait_a_little();
        assert_eq!((times_called(), CODE.load(Relaxed)), (1, A.into()), "it waits");
        set_open(true);
        wait_for_calls(2);
        assert_eq!(CODE.load(Relaxed), B.into());
    });
}

/// Notes the key among those who came through the door.
fn log_key(context: u64, message: &mut Words) {
    take_key(context, message);
    log(CODE.load(Relaxed));
}

service!(fn log_key_entry = log_key);

fn an_interrupt_waits_for_a_handler_that_serves_a_call_before_other_callers() {
    with_handler(KEYBOARD, log_key_entry, |handler| {
        set_open(false);
        handler.task.make_endpoint(door_entry, HANDLER, SCRATCH, 3).expect("a free slot");
        [1, 2].into_iter().for_each(|client| start_client(client, at(3)));
        yield_once();
        press(A);
        wait_a_little();
        assert_eq!(times_called(), 0, "it waits");
        assert!(is_masked(KEYBOARD));
        set_open(true);
        wait_for_calls(1);
        yield_often();
        assert_eq!([1, 2].map(outcome), [101, 102]);
        check_log(&[1, A.into(), 2]);
        [1, 2].into_iter().for_each(end_thread);
    });
}

fn a_handler_serves_calls_between_interrupts() {
    with_handler(KEYBOARD, look_or_take_entry, |handler| {
        for round in 1..4 {
            assert_eq!(handler.call([5, 6, 7, 8]), Ok([8, 7, 6, 5]));
            press(A);
            wait_for_calls(round);
        }
    });
}

/// Takes the key of an interrupt; turns the message of a call around.
fn look_or_take(context: u64, message: &mut Words) {
    if *message == [KEYBOARD, 0, 0, 0] {
        return take_key(context, message);
    }
    message.reverse();
}

service!(fn look_or_take_entry = look_or_take);

/// How often each of two lines has interrupted.
static LINES: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn count_line(_: u64, &mut [line, ..]: &mut Words) {
    if line == KEYBOARD {
        read(KEYBOARD_DATA);
    } else if line == CLOCK {
        acknowledge_clock();
    }
    LINES.get(usize::from(line == CLOCK)).expect("there are two").fetch_add(1, Relaxed);
}

service!(fn count_line_entry = count_line);

fn one_task_can_handle_several_lines() {
    with_handler(KEYBOARD, count_line_entry, |handler| {
        LINES.iter().for_each(|line| line.store(0, Relaxed));
        bind(CLOCK, handler.far());
        set_clock(true);
        for round in 1..5 {
            press(A);
            let has_come = || counts().iter().all(|&count| count >= round);
            assert!(wait_until(has_come), "both interrupt");
        }
        set_clock(false);
        unbind(CLOCK);
    });
}

fn counts() -> [u64; 2] {
    LINES.each_ref().map(|line| line.load(Relaxed))
}

/// While the kernel clears a large frame it serves interrupts, and calls nobody. The two lines do not interrupt in step, so many times both do before it is done.
fn lines_that_interrupt_together_are_handled_one_after_the_other() {
    const ROUNDS: u64 = 200;
    with_handler(TIMER, count_line_entry, |handler| {
        LINES.iter().for_each(|line| line.store(0, Relaxed));
        bind(CLOCK, handler.far());
        set_clock(true);
        // Enough for a large frame, wherever it begins, and nothing else: so all of it is there again each time.
        MEMORY.split(2 * 512, SCRATCH, 61).expect("there is much memory");
        for _ in 0..ROUNDS {
            Memory(at(61)).make(Kind::LargeFrame, 1, SCRATCH, 62).expect("aligned pages in a row");
            // What has come is dealt with at the next interrupt.
            let before = counts();
            while counts() == before {
                core::hint::spin_loop();
            }
            SCRATCH.delete(62).expect("it is there");
        }
        set_clock(false);
        unbind(CLOCK);
        let [timer, clock] = counts();
        assert!(timer.min(clock) > timer.max(clock) / 4, "each is called for each interrupt: {timer}, {clock}");
    });
}

fn count_call(_: u64, _: &mut Words) {
    CALLED.fetch_add(1, Relaxed);
}

service!(pub(crate) fn count_call_entry = count_call);

fn the_timer_can_be_handled_and_is_not_masked() {
    // Where the local APIC ticks, from chapter 12 on, its line at the controller is masked for good.
    let is_masked_always = is_masked(TIMER);
    with_handler(TIMER, count_call_entry, |_| {
        wait_for_calls(5);
        assert_eq!(is_masked(TIMER), is_masked_always);
    });
    assert_eq!(is_masked(TIMER), is_masked_always);
}

/// Counts the clock's interrupts.
fn take_clock(_: u64, _: &mut Words) {
    acknowledge_clock();
    CALLED.fetch_add(1, Relaxed);
}

service!(fn take_clock_entry = take_clock);

fn lines_of_the_second_controller_can_be_handled() {
    with_handler(CLOCK, take_clock_entry, |handler| {
        set_clock(true);
        wait_for_calls(3);
        // The line between the controllers is nobody's to take away.
        bind(CASCADE, handler.near());
        unbind(CASCADE);
        let before = times_called();
        wait_for_calls(before + 3);
        set_clock(false);
    });
    assert!(is_masked(CLOCK), "the kernel has no use for the line");
}

/// Answers the caller whose reply capability was put away, at the third tick.
fn answer_at_third_tick(_: u64, _: &mut Words) {
    if CALLED.fetch_add(1, Relaxed) + 1 == 3 {
        system_call(at(2), Operation::Reply as u64, [33, 0, 0, 0]).expect("somebody waits");
    }
}

service!(fn answer_at_third_tick_entry = answer_at_third_tick);

fn the_processor_rests_until_an_interrupt_when_nobody_can_run() {
    with_handler(TIMER, answer_at_third_tick_entry, |_| {
        let deferrer = start_server(1, defer_entry, crate::victims::CONTEXT);
        CALLED.store(0, Relaxed);
        // Nobody can run now: this program waits for an answer, and the others for a call.
        assert_eq!(system_call(deferrer.near(), CALL, [0; 4]), Ok([33, 0, 0, 0]));
        assert!(times_called() >= 3);
        deferrer.end();
    });
}

/// Takes the key, and faults at the first one.
fn take_key_and_fault(context: u64, message: &mut Words) {
    take_key(context, message);
    if times_called() == 1 {
        // SAFETY: raises an exception; where a fault handler skips it, it does nothing.
        unsafe { core::arch::asm!("ud2") };
    }
}

service!(fn take_key_and_fault_entry = take_key_and_fault);

fn a_handler_that_faults_is_called_again_when_it_was_started_again() {
    with_handler(KEYBOARD, take_key_and_fault_entry, |handler| {
        press(A);
        wait_for_calls(1);
        assert!(is_stopped(handler.task));
        press(B);
        wait_a_little();
        assert_eq!(times_called(), 1);
        handler.task.start(finish as *const () as u64, 0).expect("it is stopped");
        wait_for_calls(2);
        assert_eq!(CODE.load(Relaxed), B.into(), "the interrupt has waited");
    });
}

fn a_handler_of_interrupts_may_have_a_fault_handler() {
    with_scratch(|| {
        forget_faults();
        CALLED.store(0, Relaxed);
        let skipper = start_skipper();
        let handler = start_server(1, take_key_and_fault_entry, CONTEXT);
        handle_faults_of(handler.task, skipper);
        bind(KEYBOARD, handler.near());
        press(A);
        wait_for_calls(1);
        assert_eq!((faults(), is_stopped(handler.task)), (1, false));
        press(B);
        wait_for_calls(2);
        unbind(KEYBOARD);
        handler.end();
        skipper.end();
    });
}
