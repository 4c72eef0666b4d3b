//! The pages for floating-point state: who may set one, whom it serves, and how it ends.

use flatmk_abi::{Error, Kind, Rights};
use flatmk_runtime::object::FloatingPoint;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use super::{GOOD, compute, computes, give_page, look_and_leave, note, page_slot, start_with_page};
use crate::harness::{SCRATCH, at, copy, end_thread, make};
use crate::life::never_return_entry;
use crate::threads::{OBJECT, check_log, entry, finish, let_run, log, on_stage, prepare, serve, spin, task};
use crate::vectors::Vectors;

pub(crate) const TESTS: &[Test] = tests![
    a_page_serves_one_task,
    a_page_is_set_only_while_the_task_is_stopped,
    setting_a_page_needs_the_right_and_the_kind,
    a_page_that_is_taken_away_takes_the_state_along,
    a_page_that_is_destroyed_takes_the_state_along,
    a_page_that_is_destroyed_by_its_user_takes_the_state_along,
    the_page_lives_as_long_as_its_task,
];

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
