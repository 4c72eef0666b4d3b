//! A task is given pages for its hart, and they are taken away.

use flatmk_abi::layout::{SOFTUSER_END, USER_START};
use flatmk_abi::{Error, FaultAnswer, FaultReason, Kind, Rights};
use flatmk_runtime::object::{OWN_SPACE, OWN_TABLE, Softuser, Table, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::guest::*;
use crate::handlers::*;
use crate::harness::{SCRATCH, at, copy, free_pages, make, stack_top, thread_slot};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    a_count_that_is_out_of_range_is_refused,
    pages_that_do_not_lie_in_a_row_are_refused,
    what_is_no_page_of_this_kind_is_refused,
    pages_need_the_manage_right,
    a_page_that_serves_a_task_is_refused,
    a_stack_that_cannot_be_one_is_refused,
    a_task_that_was_not_configured_is_refused,
    a_task_that_has_pages_is_refused,
    a_task_without_pages_cannot_be_started_there,
    every_count_of_pages_serves,
    an_entry_that_cannot_be_one_is_refused,
    a_guest_that_is_stopped_loses_its_pages,
    a_guest_that_has_nothing_to_do_loses_its_pages,
    a_guest_that_waits_loses_its_pages,
    a_guest_in_a_call_loses_its_pages,
    a_guest_that_was_entered_loses_its_pages,
    a_guest_takes_its_own_pages_away,
    one_page_is_taken_and_all_are_of_no_use,
    a_hart_begins_with_nothing_of_the_one_before,
];

/// A task without pages, and pages.
fn with_pages(count: u64, test: impl FnOnce(Task, Softuser)) {
    on_stage(|| {
        with_guests(|| {
            let task = prepare(0, 20, spin, 0);
            test(task, make_pages(0, count));
        });
    });
}

fn set(task: Task, pages: Softuser, count: u64) -> Result<(), Error> {
    task.set_softuser(pages, count, STACK.into())
}

fn a_count_that_is_out_of_range_is_refused() {
    with_pages(33, |task, pages| {
        for count in [0, 1, 33, 34, 1 << 32, u64::MAX] {
            assert_eq!(set(task, pages, count), Err(Error::InvalidArgument));
        }
        assert_eq!(set(task, pages, 32), Ok(()));
    });
}

fn pages_that_do_not_lie_in_a_row_are_refused() {
    with_pages(4, |task, pages| {
        let Softuser(first) = pages;
        let table = Table(first / 64);
        // The same page twice, the wrong way round, with a gap.
        for (slot, page) in [(10, 0), (11, 0), (13, 1), (14, 0), (16, 0), (17, 2)] {
            table.copy(slot, first + page, Rights::all()).expect("a free slot");
        }
        for slot in [10, 13, 16] {
            assert_eq!(set(task, Softuser(table.0 * 64 + slot), 2), Err(Error::InvalidArgument));
        }
        assert_eq!(set(task, Softuser(first + 1), 3), Ok(()), "the others do");
    });
}

fn what_is_no_page_of_this_kind_is_refused() {
    with_pages(4, |task, Softuser(first)| {
        let missing = [first + 1, first + 3, at(63), 0, 1 << 18, 1 << 32, u64::MAX - 1, u64::MAX];
        for pointer in missing {
            assert_eq!(set(task, Softuser(pointer), 4), Err(Error::InvalidCapability), "{pointer:#x}");
        }
        for kind in [Kind::Frame, Kind::FloatingPoint, Kind::Table, Kind::Task] {
            let other = make(kind, OBJECT);
            assert_eq!(set(task, Softuser(other), 2), Err(Error::WrongKind));
            SCRATCH.delete(OBJECT).expect("it is there");
        }
        assert_eq!(set(Task(first), Softuser(first), 2), Err(Error::WrongKind), "a task");
        let weak = Task(copy(OBJECT, task.0, Rights::all().difference(Rights::MANAGE)));
        assert_eq!(set(weak, Softuser(first), 2), Err(Error::MissingRight), "a task to manage");
    });
}

fn pages_need_the_manage_right() {
    with_pages(3, |task, Softuser(first)| {
        let table = Table(first / 64);
        for page in 0..3 {
            let rights = if page == 2 { Rights::all().difference(Rights::MANAGE) } else { Rights::MANAGE };
            table.copy(10 + page, first + page, rights).expect("a free slot");
        }
        let pages = Softuser(table.0 * 64 + 10);
        assert_eq!(set(task, pages, 3), Err(Error::MissingRight));
        assert_eq!(set(task, pages, 2), Ok(()));
    });
}

fn a_page_that_serves_a_task_is_refused() {
    with_pages(6, |task, Softuser(first)| {
        let other = prepare(1, 20, spin, 0);
        assert_eq!(set(task, Softuser(first + 2), 2), Ok(()));
        for page in 1..4 {
            assert_eq!(set(other, Softuser(first + page), 2), Err(Error::InvalidState));
        }
        assert_eq!(set(other, Softuser(first), 2), Ok(()));
        SCRATCH.delete(thread_slot(0)).expect("it is there");
        let third = prepare(2, 20, spin, 0);
        assert_eq!(set(third, Softuser(first + 2), 4), Ok(()), "the pages serve nobody any more");
    });
}

fn a_stack_that_cannot_be_one_is_refused() {
    with_pages(2, |task, pages| {
        for stack in [0, USER_START - 16, 1, u64::from(STACK) + 8, SOFTUSER_END + 16, 1 << 47, u64::MAX - 15] {
            assert_eq!(task.set_softuser(pages, 2, stack), Err(Error::InvalidAddress), "{stack:#x}");
        }
        assert_eq!(task.set_softuser(pages, 2, SOFTUSER_END), Ok(()), "the very end");
        Assembler::new().word(0).load();
        task.start(entry_at(CODE), 0).expect("it has a hart");
        let_run(1);
        assert_eq!(register(task, SP), SOFTUSER_END);
    });
}

fn a_task_that_was_not_configured_is_refused() {
    with_pages(2, |_, pages| {
        let task = Task(make(Kind::Task, OBJECT));
        assert_eq!(set(task, pages, 2), Err(Error::InvalidState));
        task.configure(OWN_TABLE, OWN_SPACE, stack_top(1)).expect("it is new");
        assert_eq!(set(task, pages, 2), Ok(()));
    });
}

fn a_task_that_has_pages_is_refused() {
    with_pages(4, |task, Softuser(first)| {
        assert_eq!(set(task, Softuser(first), 2), Ok(()));
        assert_eq!(set(task, Softuser(first + 2), 2), Err(Error::InvalidState));
        // Also while it runs RISC-V code, or has done so.
        Assembler::new().jump(CODE).load();
        task.start(entry_at(CODE), 0).expect("it has a hart");
        let_run(1);
        assert_eq!(set(task, Softuser(first + 2), 2), Err(Error::InvalidState));
    });
}

fn a_task_without_pages_cannot_be_started_there() {
    with_pages(2, |task, pages| {
        assert_eq!(task.start(entry_at(CODE), 0), Err(Error::InvalidState));
        assert_eq!(task.read_registers(32), Err(Error::InvalidArgument));
        assert_eq!(task.write_register(33, 0), Err(Error::InvalidArgument));
        assert_eq!(set(task, pages, 2), Ok(()));
        assert_eq!(task.read_registers(32), Ok([0; 4]));
        Assembler::new().ret().load();
        assert_eq!(task.start(entry_at(CODE), 0), Ok(()));
    });
}

fn every_count_of_pages_serves() {
    for count in 2..=32 {
        on_stage(|| {
            with_guests(|| {
                Assembler::new().add(A2, 1).ret().load();
                let task = prepare(0, 20, spin, 0);
                assert_eq!(set(task, make_pages(0, count), count), Ok(()));
                make_endpoints(task, 0, 0, 0);
                start_server(task);
                assert_eq!(outcome(near(0).call([count, 0, 0, 0])), count + 1);
            });
        });
    }
}

fn an_entry_that_cannot_be_one_is_refused() {
    with_pages(2, |task, pages| {
        assert_eq!(set(task, pages, 2), Ok(()));
        for address in [0, 1, USER_START - 2, u64::from(CODE) + 1, SOFTUSER_END, 1 << 32, 1 << 62, (1 << 63) - 2] {
            assert_eq!(task.start(address | 1 << 63, 0), Err(Error::InvalidAddress), "{address:#x}");
            let made = task.make_endpoint_at(address | 1 << 63, 0, SCRATCH, OBJECT);
            assert_eq!(made, Err(Error::InvalidAddress), "{address:#x}");
        }
        for (slot, address) in (OBJECT..).zip([USER_START, u64::from(CODE) + 2, SOFTUSER_END - 2]) {
            assert_eq!(task.make_endpoint_at(address | 1 << 63, 0, SCRATCH, slot), Ok(()));
            let found = flatmk_runtime::object::identify(at(slot)).map(|(kind, _)| kind);
            assert_eq!(found, Ok(Kind::SoftuserEndpoint));
        }
    });
}

const INVALID: u64 = FaultReason::InvalidOpcode as u64;

/// New pages can be given, and serve.
#[track_caller]
fn check_new_pages(task: Task) {
    assert_eq!(task.read_registers(32), Err(Error::InvalidArgument), "there are none");
    // A task that ran RISC-V code when it lost them begins with native code.
    task.start(entry(), 0).expect("it is stopped");
    task.stop().expect("it was started");
    give_hart(0, task);
    Assembler::new().add(A2, 1).ret().load();
    OWN_TABLE.delete(near(0).0).unwrap_or_default();
    SCRATCH.delete(20).unwrap_or_default();
    make_endpoints(task, 0, 0, 0);
    start_server(task);
    assert_eq!(outcome(near(0).call([5, 0, 0, 0])), 6);
}

fn a_guest_that_is_stopped_loses_its_pages() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().jump(CODE).load();
            let task = start_guest(0, 20, 0, 0);
            let_run(1);
            task.stop().expect("it runs");
            let before = free_pages();
            take_pages(0);
            assert_eq!(free_pages(), before + HART_PAGES + 1);
            // It does not go on with anything else.
            task.resume().expect("it is stopped");
            let_run(1);
            assert!(is_stopped(task));
            assert_eq!(pc(task), CODE.into());
            assert_eq!(task.start(entry_at(CODE), 0), Err(Error::InvalidState));
            check_new_pages(task);
        });
    });
}

fn a_guest_that_has_nothing_to_do_loses_its_pages() {
    for endpoint in [near(0), far(0)] {
        on_stage(|| {
            with_guests(|| {
                Assembler::new().ret().load();
                let task = guest_server(0, 20, 0, 0);
                assert_eq!(endpoint.call([0; 4]), Ok([0; 4]));
                take_pages(0);
                handle_faults_of(task);
                set_answer(FaultAnswer::Stop, 0);
                assert_eq!(endpoint.call([0; 4]), Err(Error::CalleeFaulted));
                check_log(&[INVALID, CODE.into(), 0, CODE.into()]);
                assert_eq!(endpoint.call([0; 4]), Err(Error::InvalidState));
                check_new_pages(task);
            });
        });
    }
}

fn a_guest_that_waits_loses_its_pages() {
    on_stage(|| {
        with_guests(|| {
            let door = notification(OBJECT);
            crate::calls::load_door(0);
            let task = guest_server(0, 20, 0, 0);
            crate::calls::start_caller(4, 20, near(0));
            let_run(1);
            take_pages(0);
            let_run(1);
            check_log(&[]);
            door.signal(1).expect("a bit");
            let_the_kernel_report();
            check_log(&[status(Error::CalleeFaulted)]);
            check_new_pages(task);
        });
    });
}

fn a_guest_in_a_call_loses_its_pages() {
    on_stage(|| {
        with_guests(|| {
            let door = notification(OBJECT);
            crate::calls::load_door(512);
            guest_server(1, 20, 512, 0);
            Assembler::new().pass_on(near(1).0).load();
            let task = guest_server(0, 20, 0, 0);
            crate::calls::start_caller(4, 20, near(0));
            let_run(1);
            take_pages(0);
            door.signal(1).expect("a bit");
            let_the_kernel_report();
            check_log(&[status(Error::CalleeFaulted)]);
            door.signal(1).expect("a bit");
            assert_eq!(outcome(near(1).call([5, 0, 0, 0])), 105, "the callee goes on");
            check_new_pages(task);
        });
    });
}

extern "C" fn enter_and_log(thread: u64) {
    log(outcome(near(thread).call([1, 2, 3, 4])));
    finish(thread);
}

fn a_guest_that_was_entered_loses_its_pages() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().jump(CODE).load();
            let task = prepare(0, 20, enter_and_log, 0);
            give_hart(0, task);
            make_endpoints(task, 0, 0, 0);
            task.start(entry(), 0).expect("it is configured");
            let_run(1);
            handle_faults_of(task);
            set_answer(FaultAnswer::Stop, 0);
            take_pages(0);
            let_run(1);
            check_log(&[INVALID, CODE.into(), 0, CODE.into()]);
            assert!(is_stopped(task));
            crate::harness::prepare_stack(0, enter_and_log, 0);
            check_new_pages(task);
        });
    });
}

fn a_guest_takes_its_own_pages_away() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.message([4, 0, 0, 0]).call(SCRATCH.0, flatmk_abi::Operation::Delete);
            let behind = code.here();
            code.ret().load();
            let task = guest_server(0, 20, 0, 0);
            handle_faults_of(task);
            set_answer(FaultAnswer::Stop, 0);
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeFaulted));
            check_log(&[INVALID, behind.into(), 0, behind.into()]);
            SCRATCH.delete(5).expect("the table of the pages is there");
            check_new_pages(task);
        });
    });
}

fn one_page_is_taken_and_all_are_of_no_use() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().ret().load();
            let task = guest_server(0, 20, 0, 0);
            let Softuser(first) = hart_pages(0);
            let table = Table(first / 64);
            table.revoke(HART_PAGES).expect("it is there");
            assert_eq!(near(0).call([0; 4]), Err(Error::CalleeFaulted));
            // As long as it has one of them it gets no others, and nobody else gets that.
            assert_eq!(set(task, make_pages(1, 2), 2), Err(Error::InvalidState));
            let other = prepare(1, 20, spin, 0);
            assert_eq!(set(other, Softuser(first), HART_PAGES), Err(Error::InvalidState));
            (1..HART_PAGES).for_each(|slot| table.revoke(slot).expect("it is there"));
            assert_eq!(set(other, Softuser(first), HART_PAGES), Ok(()));
            take_pages(0);
            take_pages(1);
            check_new_pages(task);
        });
    });
}

fn a_hart_begins_with_nothing_of_the_one_before() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            (1..32).for_each(|index| {
                code.li(index, u32::MAX);
            });
            code.word(0).load();
            start_guest(0, 20, 0, 0);
            let_run(1);
            let Softuser(first) = hart_pages(0);
            (1..=HART_PAGES).for_each(|slot| Table(first / 64).revoke(slot).expect("it is there"));
            let other = prepare(1, 20, spin, 0);
            assert_eq!(set(other, Softuser(first), HART_PAGES), Ok(()));
            (0..32).for_each(|index| assert_eq!(register(other, index), 0));
            // Nor is there anything of its code.
            Assembler::new()
                .mv(A2, RA)
                .ret()
                .words()
                .iter()
                .zip(0..)
                .for_each(|(word, index)| load_at(4 * index, &[*word]));
            make_endpoints(other, 1, 0, 0);
            start_server(other);
            assert_eq!(outcome(near(1).call([5, 0, 0, 0])), 0);
        });
    });
}
