//! Floating-point state: none without a page, and nobody else's with one.

pub(crate) mod pages;
pub(crate) mod survival;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FaultAnswer, FaultReason, Kind, MissingCapability};
use flatmk_runtime::object::{FloatingPoint, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{print, service, tests, time_stamp};

use crate::harness::{at, make};
use crate::threads::{
    OBJECT, check_log, entry, finish, let_run, log, near, on_stage, prepare, serve, shared, status, task,
};
use crate::vectors::{Vectors, Width};

pub(crate) const TESTS: &[Test] = tests![
    all_vector_registers_of_the_processor_are_tested,
    without_a_page_the_first_instruction_is_a_fault,
    a_handler_can_give_no_page_to_a_task_that_has_not_stopped,
    a_task_that_was_given_a_page_after_its_fault_goes_on,
    state_begins_fresh,
    state_begins_fresh_on_a_page_that_was_used,
    a_floating_point_error_is_a_fault,
    tasks_without_state_pay_nothing_for_those_with_it,
];

fn all_vector_registers_of_the_processor_are_tested() {
    let width = Width::of_processor();
    print!("{width:?} ");
    // Both emulators have at least these.
    assert_ne!(width, Width::Xmm);
}

/// The page of a thread.
const fn page_slot(thread: u64) -> u64 {
    8 + thread
}

/// Gives a thread a page.
fn give_page(thread: u64) {
    let page = make(Kind::FloatingPoint, page_slot(thread));
    task(thread).set_floating_point(Some(FloatingPoint(page))).expect("it is stopped");
}

/// Starts a thread that has a page.
fn start_with_page(thread: u64, priority: u8, body: extern "C" fn(u64), argument: u64) -> Task {
    let task = prepare(thread, priority, body, argument);
    give_page(thread);
    task.start(entry(), 0).expect("it is configured");
    task
}

/// What a thread notes when its state is as it should be.
const GOOD: u64 = 1000;

fn note(is_good: bool, thread: u64) {
    log(if is_good { GOOD + thread } else { thread });
}

extern "C" fn use_it(thread: u64) {
    Vectors::of_seed(thread).load();
    log(thread);
    finish(thread);
}

/// Notes reason and address of a fault, and stops the task.
fn note_fault(_: u64, message: &mut [u64; 4]) {
    let [reason, address, error, rip] = *message;
    log(reason);
    log(error);
    log(u64::from(address == rip));
    *message = [FaultAnswer::Stop as u64, 0, 0, 0];
}

service!(fn note_fault_entry = note_fault);

fn without_a_page_the_first_instruction_is_a_fault() {
    on_stage(|| {
        prepare(0, 20, use_it, 0).start(entry(), 0).expect("it is configured");
        let_run(2);
        check_log(&[]);
        assert_eq!(task(0).stop(), Err(Error::InvalidState), "it was stopped");
        serve(1, 20, note_fault_entry, 0);
        let faulting = prepare(2, 20, use_it, 2);
        faulting.set_fault_handler(Some(near(1)), MissingCapability::IsError).expect("it may be called");
        faulting.start(entry(), 0).expect("it is configured");
        let_run(2);
        check_log(&[FaultReason::DeviceNotAvailable as u64, 0, 1]);
    });
}

/// Gives a page to thread 2, if that is possible.
fn give_in_vain(_: u64, message: &mut [u64; 4]) {
    log(task(2).set_floating_point(Some(FloatingPoint(at(OBJECT)))).map_or_else(status, |()| 1));
    *message = [FaultAnswer::Stop as u64, 0, 0, 0];
}

service!(fn give_in_vain_entry = give_in_vain);

fn a_handler_can_give_no_page_to_a_task_that_has_not_stopped() {
    on_stage(|| {
        make(Kind::FloatingPoint, OBJECT);
        serve(1, 20, give_in_vain_entry, 0);
        let faulting = prepare(2, 20, use_it, 2);
        faulting.set_fault_handler(Some(near(1)), MissingCapability::IsError).expect("it may be called");
        faulting.start(entry(), 0).expect("it is configured");
        let_run(2);
        check_log(&[status(Error::InvalidState)]);
    });
}

fn a_task_that_was_given_a_page_after_its_fault_goes_on() {
    on_stage(|| {
        let task = prepare(0, 20, use_it, 0);
        task.start(entry(), 0).expect("it is configured");
        let_run(2);
        give_page(0);
        task.resume().expect("it was stopped");
        let_run(2);
        check_log(&[0]);
    });
}

/// Notes whether it begins with fresh state, then leaves something in every register.
extern "C" fn look_and_leave(thread: u64) {
    note(Vectors::read().is_fresh(), thread);
    Vectors::of_seed(0xdead + thread).load();
    finish(thread);
}

fn state_begins_fresh() {
    on_stage(|| {
        (0..6).for_each(|thread| {
            start_with_page(thread, 20, look_and_leave, thread);
        });
        let_run(3);
        check_log(&[0, 1, 2, 3, 4, 5].map(|thread| GOOD + thread));
    });
}

fn state_begins_fresh_on_a_page_that_was_used() {
    on_stage(|| {
        start_with_page(0, 20, look_and_leave, 0);
        let_run(2);
        // Another task gets the very page, then the first one has it again.
        task(0).set_floating_point(None).expect("it has stopped");
        for thread in [1, 0] {
            let next = if thread == 0 { task(0) } else { prepare(thread, 20, look_and_leave, thread) };
            crate::harness::prepare_stack(thread, look_and_leave, thread);
            next.set_floating_point(Some(FloatingPoint(at(page_slot(0))))).expect("nobody has it");
            next.start(entry(), 0).expect("it is configured");
            let_run(2);
            next.set_floating_point(None).expect("it has stopped");
        }
        check_log(&[GOOD, GOOD + 1, GOOD]);
    });
}
/// Counts as long as its floating-point instructions work.
extern "C" fn compute(_: u64) {
    Vectors::of_seed(1).load();
    loop {
        Vectors::read();
        shared(7).fetch_add(1, Relaxed);
    }
}

/// Whether `compute` goes on.
fn computes() -> bool {
    // What it had begun does not count.
    let_run(1);
    let before = shared(7).load(Relaxed);
    let_run(2);
    shared(7).load(Relaxed) != before
}
/// Divides by zero with that exception unmasked. It is raised by the next instruction that waits.
extern "C" fn divide_by_zero(thread: u64) {
    let control: u16 = 0x037b;
    // SAFETY: the compiler uses no floating-point registers.
    unsafe { core::arch::asm!("fninit", "fldcw [{}]", "fld1", "fldz", "fdivp", "fwait", in(reg) &raw const control) };
    log(thread);
    finish(thread);
}

fn a_floating_point_error_is_a_fault() {
    on_stage(|| {
        serve(1, 20, note_fault_entry, 0);
        let task = prepare(0, 20, divide_by_zero, 77);
        give_page(0);
        task.set_fault_handler(Some(near(1)), MissingCapability::IsError).expect("it may be called");
        task.start(entry(), 0).expect("it is configured");
        let_run(2);
        check_log(&[FaultReason::FloatingPoint as u64, 0, 1]);
    });
}

fn echo(_: u64, _: &mut [u64; 4]) {}

service!(fn echo_entry = echo);

/// The least that this many calls of server 3 take.
fn cost_of_calls() -> u64 {
    const CALLS: u64 = 100;
    let measure = || {
        let started = time_stamp();
        (0..CALLS).for_each(|_| {
            near(3).call([1, 2, 3, 4]).expect("the server is ready");
        });
        time_stamp() - started
    };
    (0..20).map(|_| measure()).min().unwrap_or_default()
}

static COSTS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

extern "C" fn measure(thread: u64) {
    for cost in &COSTS {
        cost.store(cost_of_calls(), Relaxed);
        finish(thread);
    }
}

fn tasks_without_state_pay_nothing_for_those_with_it() {
    on_stage(|| {
        serve(3, 20, echo_entry, 0);
        let measuring = prepare(0, 20, measure, 0);
        measuring.start(entry(), 0).expect("it is configured");
        let_run(20);
        // Now with one whose state is in the registers whenever the other begins, at every switch between them.
        start_with_page(1, 20, compute, 1);
        assert!(computes());
        measuring.resume().expect("it has stopped itself");
        let_run(100);
        let [alone, beside] = COSTS.each_ref().map(|cost| cost.load(Relaxed));
        print!("{alone} ticks for 100 calls alone, {beside} beside floating point ");
        assert_ne!(alone, 0);
        // Over a hundred calls the read of the time itself may differ by a tick.
        assert!(alone.abs_diff(beside) < 10, "{alone} and {beside}");
    });
}
