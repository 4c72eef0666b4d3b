//! What is in a task's floating-point registers stays there, whatever happens to the task meanwhile.

use flatmk_abi::{Error, FaultAnswer, MissingCapability};
use flatmk_runtime::object::{Endpoint, Notification};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use super::{GOOD, echo_entry, give_page, note, start_with_page};
use crate::harness::at;
use crate::threads::{
    MS, OBJECT, check_log, entry, far, finish, let_run, near, notification, on_stage, pass_ms, prepare, serve, spin,
    task,
};
use crate::vectors::Vectors;

pub(crate) const TESTS: &[Test] = tests![
    state_survives_yields,
    state_survives_preemption,
    state_survives_calls_of_both_sides,
    state_survives_sleep_and_waiting,
    state_survives_faults_and_their_handlers,
    state_survives_being_stopped,
    a_start_keeps_the_state,
];

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
