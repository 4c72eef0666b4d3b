//! Floating-point state: none without a page, and nobody else's with one.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Error, FaultAnswer, FaultReason, Kind, MissingCapability, Rights};
use flatmk_runtime::object::{Endpoint, FloatingPoint, Notification, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{print, service, tests, time_stamp};

use crate::harness::{SCRATCH, at, copy, end_thread, make};
use crate::life::never_return_entry;
use crate::threads::{
    MS, OBJECT, check_log, entry, far, finish, let_run, log, near, notification, on_stage, pass_ms, prepare, serve,
    shared, spin, status, task,
};
use crate::vectors::{Vectors, Width};

pub(crate) const TESTS: &[Test] = tests![
    all_vector_registers_of_the_processor_are_tested,
    without_a_page_the_first_instruction_is_a_fault,
    a_handler_can_give_no_page_to_a_task_that_has_not_stopped,
    a_task_that_was_given_a_page_after_its_fault_goes_on,
    state_begins_fresh,
    state_begins_fresh_on_a_page_that_was_used,
    state_survives_yields,
    state_survives_preemption,
    state_survives_calls_of_both_sides,
    state_survives_sleep_and_waiting,
    state_survives_faults_and_their_handlers,
    state_survives_being_stopped,
    a_start_keeps_the_state,
    a_page_serves_one_task,
    a_page_is_set_only_while_the_task_is_stopped,
    setting_a_page_needs_the_right_and_the_kind,
    a_page_that_is_taken_away_takes_the_state_along,
    a_page_that_is_destroyed_takes_the_state_along,
    a_page_that_is_destroyed_by_its_user_takes_the_state_along,
    the_page_lives_as_long_as_its_task,
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

/// Fills the registers, does something, and looks at them again, some times over.
fn keep_while(thread: u64, turns: u64, action: impl Fn()) {
    for turn in 0..turns {
        let vectors = Vectors::of_seed(thread << 8 | turn);
        vectors.load();
        action();
        note(Vectors::read().is_like(&vectors), thread);
    }
}

/// Checks that so many threads, from 0 on, have found everything in order so many times.
#[track_caller]
fn check_good(threads: u64, turns: usize) {
    for thread in 0..threads {
        let found = crate::threads::logged().filter(|&event| event == GOOD + thread).count();
        assert_eq!(found, turns, "thread {thread}");
    }
    assert_eq!(crate::threads::take_log().count(), turns * threads as usize, "nothing else is in the log");
}

extern "C" fn keep_while_yielding(thread: u64) {
    keep_while(thread, 20, || task(thread).yield_now().expect("a thread may yield"));
    finish(thread);
}

fn state_survives_yields() {
    on_stage(|| {
        (0..5).for_each(|thread| {
            start_with_page(thread, 20, keep_while_yielding, thread);
        });
        let_run(100);
        check_good(5, 20);
    });
}

extern "C" fn keep_while_preempted(thread: u64) {
    keep_while(thread, 3, || pass_ms(15));
    finish(thread);
}

/// Fills the registers with other numbers all the time.
extern "C" fn overwrite(thread: u64) {
    for seed in 0.. {
        Vectors::of_seed(thread << 32 | seed).load();
    }
}

fn state_survives_preemption() {
    on_stage(|| {
        (0..3).for_each(|thread| {
            start_with_page(thread, 20, keep_while_preempted, thread);
        });
        start_with_page(3, 20, overwrite, 3);
        prepare(4, 20, spin, 0).start(entry(), 0).expect("it is configured");
        let_run(300);
        check_good(3, 3);
    });
}

/// Thread 2 or 3 serves with state of its own: what it left at the last call is there at the next.
fn serve_with_state(thread: u64, message: &mut [u64; 4]) {
    let [turn, ..] = message;
    let before = Vectors::read();
    let is_good = if *turn == 0 { before.is_fresh() } else { before.is_like(&Vectors::of_seed(thread << 16 | *turn)) };
    *turn += 1;
    Vectors::of_seed(thread << 16 | *turn).load();
    note(is_good, thread);
}

service!(fn serve_with_state_entry = serve_with_state);

/// Calls servers 2, with state, and 3, without.
extern "C" fn keep_while_calling(argument: u64) {
    let (thread, is_near) = (argument & 0xff, argument >> 8 == 0);
    for turn in 0..10 {
        let vectors = Vectors::of_seed(thread << 8 | turn);
        vectors.load();
        let way = |server| if is_near { near(server) } else { far(server) };
        let answer: Result<[u64; 4], Error> = Endpoint::call(way(2), [turn, 0, 0, 0]);
        assert_eq!(answer, Ok([turn + 1, 0, 0, 0]));
        assert_eq!(way(3).call([0; 4]), Ok([0; 4]));
        note(Vectors::read().is_like(&vectors), thread);
    }
    finish(thread);
}

fn echo(_: u64, _: &mut [u64; 4]) {}

service!(fn echo_entry = echo);

fn state_survives_calls_of_both_sides() {
    for is_far in [0, 1] {
        on_stage(|| {
            crate::threads::make_server(2, 20, serve_with_state_entry, 2);
            give_page(2);
            crate::threads::start_server(task(2));
            serve(3, 20, echo_entry, 0);
            start_with_page(0, 20, keep_while_calling, is_far << 8);
            let_run(50);
            let expected: [u64; 20] = core::array::from_fn(|index| GOOD + if index % 2 == 0 { 2 } else { 0 });
            check_log(&expected);
        });
    }
}

extern "C" fn keep_while_asleep(thread: u64) {
    keep_while(thread, 5, || task(thread).sleep(MS).expect("nobody stops it"));
    keep_while(thread, 5, || {
        assert_eq!(Notification(at(OBJECT)).wait_for(MS), Err(Error::TimedOut));
    });
    finish(thread);
}

fn state_survives_sleep_and_waiting() {
    on_stage(|| {
        notification(OBJECT);
        (0..4).for_each(|thread| {
            start_with_page(thread, 20, keep_while_asleep, thread);
        });
        start_with_page(4, 10, overwrite, 4);
        let_run(100);
        check_good(4, 10);
    });
}

/// Goes on behind the invalid instruction, and leaves something in the registers itself.
fn skip(_: u64, message: &mut [u64; 4]) {
    let [_, _, _, rip] = *message;
    Vectors::of_seed(rip).load();
    *message = [FaultAnswer::ResumeAt as u64, rip + 2, 0, 0];
}

service!(fn skip_entry = skip);

extern "C" fn keep_while_faulting(thread: u64) {
    keep_while(thread, 10, || {
        // SAFETY: the handler goes on behind it.
        unsafe { core::arch::asm!("ud2") };
    });
    finish(thread);
}

fn state_survives_faults_and_their_handlers() {
    on_stage(|| {
        crate::threads::make_server(5, 20, skip_entry, 0);
        give_page(5);
        crate::threads::start_server(task(5));
        (0..3).for_each(|thread| {
            let task = prepare(thread, 20, keep_while_faulting, thread);
            give_page(thread);
            task.set_fault_handler(Some(far(5)), MissingCapability::IsError).expect("it may be called");
            task.start(entry(), 0).expect("it is configured");
        });
        let_run(100);
        check_good(3, 10);
    });
}

fn state_survives_being_stopped() {
    on_stage(|| {
        start_with_page(0, 20, keep_while_preempted, 0);
        start_with_page(1, 10, overwrite, 1);
        for _ in 0..40 {
            let_run(2);
            // It may be at its end.
            if task(0).stop().is_ok() {
                let_run(1);
                task(0).resume().expect("it is stopped");
            }
        }
        check_good(1, 3);
    });
}

extern "C" fn look_for_seed_7(thread: u64) {
    note(Vectors::read().is_like(&Vectors::of_seed(7)), thread);
    finish(thread);
}

extern "C" fn load_seed_7(thread: u64) {
    Vectors::of_seed(7).load();
    finish(thread);
}

fn a_start_keeps_the_state() {
    on_stage(|| {
        let task = start_with_page(0, 20, load_seed_7, 0);
        let_run(2);
        crate::harness::prepare_stack(0, look_for_seed_7, 0);
        task.start(entry(), 0).expect("it has stopped");
        let_run(2);
        check_log(&[GOOD]);
    });
}

fn a_page_serves_one_task() {
    on_stage(|| {
        [0, 1].into_iter().for_each(|thread| {
            prepare(thread, 20, spin, 0);
        });
        give_page(0);
        let page = at(page_slot(0));
        let other = copy(OBJECT, page, Rights::all());
        for pointer in [page, other] {
            assert_eq!(task(1).set_floating_point(Some(FloatingPoint(pointer))), Err(Error::InvalidState));
            assert_eq!(
                task(0).set_floating_point(Some(FloatingPoint(pointer))),
                Err(Error::InvalidState),
                "not even once more"
            );
        }
        task(0).set_floating_point(None).expect("it is stopped");
        assert_eq!(task(1).set_floating_point(Some(FloatingPoint(page))), Ok(()));
        // The end of a task frees its page, too.
        end_thread(1);
        assert_eq!(task(0).set_floating_point(Some(FloatingPoint(other))), Ok(()));
        // In place of a page that it has.
        let second = make(Kind::FloatingPoint, OBJECT + 1);
        assert_eq!(task(0).set_floating_point(Some(FloatingPoint(second))), Ok(()));
        assert_eq!(task(0).set_floating_point(Some(FloatingPoint(page))), Ok(()), "the first is free again");
    });
}

fn a_page_is_set_only_while_the_task_is_stopped() {
    on_stage(|| {
        let page = make(Kind::FloatingPoint, OBJECT);
        let idle = serve(0, 20, never_return_entry, 0);
        let ready = prepare(1, 20, spin, 0);
        ready.start(entry(), 0).expect("it is configured");
        for task in [idle, ready, flatmk_runtime::object::OWN_TASK] {
            assert_eq!(task.set_floating_point(Some(FloatingPoint(page))), Err(Error::InvalidState));
            assert_eq!(task.set_floating_point(None), Err(Error::InvalidState));
        }
    });
}

fn setting_a_page_needs_the_right_and_the_kind() {
    on_stage(|| {
        let task = prepare(0, 20, spin, 0);
        let page = make(Kind::FloatingPoint, OBJECT);
        let weak = copy(OBJECT + 1, page, Rights::all().difference(Rights::MANAGE));
        assert_eq!(task.set_floating_point(Some(FloatingPoint(weak))), Err(Error::MissingRight));
        assert_eq!(task.set_floating_point(Some(FloatingPoint(at(OBJECT + 2)))), Err(Error::InvalidCapability));
        assert_eq!(task.set_floating_point(Some(FloatingPoint(make(Kind::Frame, OBJECT + 3)))), Err(Error::WrongKind));
        assert_eq!(task.set_floating_point(Some(FloatingPoint(page))), Ok(()));
        // A task without a page may be told so once more.
        assert_eq!(task.set_floating_point(None), Ok(()));
        assert_eq!(task.set_floating_point(None), Ok(()));
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

fn a_page_that_is_taken_away_takes_the_state_along() {
    on_stage(|| {
        let task = start_with_page(0, 20, compute, 0);
        assert!(computes());
        task.stop().expect("it runs");
        task.set_floating_point(None).expect("it is stopped");
        task.resume().expect("it is stopped");
        assert!(!computes());
        assert_eq!(task.stop(), Err(Error::InvalidState), "it has faulted");
        // With a page it goes on, and has lost what was in its registers.
        task.set_floating_point(Some(FloatingPoint(at(page_slot(0))))).expect("it is stopped");
        task.resume().expect("it is stopped");
        assert!(computes());
    });
}

fn a_page_that_is_destroyed_takes_the_state_along() {
    on_stage(|| {
        let part = flatmk_runtime::object::Memory(at(OBJECT));
        crate::harness::MEMORY.split(2, SCRATCH, OBJECT).expect("enough memory");
        part.make(Kind::FloatingPoint, 1, SCRATCH, page_slot(0)).expect("enough memory");
        let task = prepare(0, 20, compute, 0);
        task.set_floating_point(Some(FloatingPoint(at(page_slot(0))))).expect("it is stopped");
        task.start(entry(), 0).expect("it is configured");
        start_with_page(1, 10, look_and_leave, 1);
        assert!(computes());
        SCRATCH.delete(OBJECT).expect("it is there");
        assert!(!computes());
        assert_eq!(task.stop(), Err(Error::InvalidState), "it has faulted");
        check_log(&[GOOD + 1]);
    });
}

/// Destroys its own page while its state is in the registers, and tells what it finds.
extern "C" fn destroy_own_page(thread: u64) {
    Vectors::of_seed(3).load();
    SCRATCH.delete(page_slot(0)).expect("it is there");
    log(1);
    // The capability that was deleted is not the last: the task has one.
    note(Vectors::read().is_like(&Vectors::of_seed(3)), thread);
    SCRATCH.delete(OBJECT).expect("the memory is there");
    log(2);
    note(Vectors::read().is_fresh(), thread);
    finish(thread);
}

fn a_page_that_is_destroyed_by_its_user_takes_the_state_along() {
    on_stage(|| {
        let part = flatmk_runtime::object::Memory(at(OBJECT));
        crate::harness::MEMORY.split(2, SCRATCH, OBJECT).expect("enough memory");
        part.make(Kind::FloatingPoint, 1, SCRATCH, page_slot(0)).expect("enough memory");
        let task = prepare(0, 20, destroy_own_page, 0);
        task.set_floating_point(Some(FloatingPoint(at(page_slot(0))))).expect("it is stopped");
        task.start(entry(), 0).expect("it is configured");
        let_run(3);
        // At the next instruction it has faulted; nothing of its registers is left to the next.
        check_log(&[1, GOOD, 2]);
        assert_eq!(task.stop(), Err(Error::InvalidState));
        start_with_page(1, 20, look_and_leave, 1);
        let_run(3);
        check_log(&[GOOD + 1]);
    });
}

fn the_page_lives_as_long_as_its_task() {
    on_stage(|| {
        let before = crate::harness::free_pages();
        start_with_page(0, 20, compute, 0);
        SCRATCH.delete(page_slot(0)).expect("it is there");
        assert!(computes(), "the task has a capability of its own");
        end_thread(0);
        assert_eq!(crate::harness::free_pages(), before);
    });
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
