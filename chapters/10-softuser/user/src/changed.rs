//! Code that changes: what was run of it before is not run any more.

use flatmk_abi::{Access, Error, FaultAnswer, FaultReason};
use flatmk_runtime::object::{OWN_SPACE, OWN_TABLE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;
use flatmk_softuser::Operation::*;

use crate::guest::*;
use crate::handlers::*;
use crate::harness::Random;
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    code_that_is_mapped_in_the_place_of_other_code_runs,
    code_that_is_unmapped_does_not_run,
    code_that_may_not_be_executed_any_more_does_not_run,
    a_guest_changes_its_code_and_says_so,
    code_that_is_written_elsewhere_is_seen_after_a_fence,
    two_guests_run_one_code,
    the_second_page_of_an_instruction_changes,
    more_code_runs_than_there_is_room_for,
    a_guest_unmaps_its_own_code,
];

fn answer(thread: u64) -> u64 {
    outcome(near(thread).call([0; 4]))
}

fn code_that_is_mapped_in_the_place_of_other_code_runs() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().li(A2, 1).ret().load();
            Assembler::at(4096).li(A2, 2).ret().load();
            guest_server(0, 20, 0, 0);
            for expected in [1, 2, 1, 2, 1] {
                (0..3).for_each(|_| assert_eq!(answer(0), expected));
                let (out, back) = if expected == 1 { (0, 1) } else { (1, 0) };
                code_frame(out).unmap().expect("it is mapped");
                if back == 1 {
                    code_frame(back).unmap().expect("it is mapped");
                }
                OWN_SPACE.map(code_frame(back), CODE.into(), Access::ReadExecute).expect("nothing is there");
                if back == 0 {
                    OWN_SPACE
                        .map(code_frame(1), u64::from(CODE) + 4096, Access::ReadExecute)
                        .expect("nothing is there");
                }
            }
        });
    });
}

fn code_that_is_unmapped_does_not_run() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().ret().load();
            let task = guest_server(0, 20, 0, 0);
            handle_faults_of(task);
            set_answer(FaultAnswer::Stop, 0);
            assert_eq!(answer(0), 0);
            code_frame(0).unmap().expect("it is mapped");
            assert_eq!(answer(0), status(Error::CalleeFaulted));
            check_log(&[FaultReason::Page as u64, CODE.into(), 0x14, CODE.into()]);
        });
    });
}

fn code_that_may_not_be_executed_any_more_does_not_run() {
    for access in [Access::Read, Access::ReadWrite] {
        on_stage(|| {
            with_guests(|| {
                Assembler::new().ret().load();
                let task = guest_server(0, 20, 0, 0);
                handle_faults_of(task);
                set_answer(FaultAnswer::Stop, 0);
                assert_eq!(answer(0), 0);
                code_frame(0).protect(access).expect("it is mapped");
                assert_eq!(answer(0), status(Error::CalleeFaulted));
                check_log(&[FaultReason::Page as u64, CODE.into(), 0x15, CODE.into()]);
            });
        });
    }
}

/// Code that writes an instruction over another, elsewhere in its own code, and comes there.
fn load_changing(fence: u32) {
    let mut code = Assembler::new();
    let place = CODE + 512;
    code.li(S0, WRITABLE_CODE + 512).op(Sw, 0, S0, A2, 0).word(fence).li(S0, place).jump_to(S0).load();
    Assembler::at(512).op(Addi, A2, ZERO, 0, 99).li(A3, 0).ret().load();
}

fn a_guest_changes_its_code_and_says_so() {
    on_stage(|| {
        with_guests(|| {
            load_changing(instruction(FenceI, 0, 0, 0, 0));
            guest_server(0, 20, 0, 0);
            for number in 0..20 {
                let word = instruction(Addi, A2, ZERO, 0, number);
                assert_eq!(outcome(near(0).call([word.into(), 0, 0, 0])), number as u64);
            }
        });
    });
}

fn code_that_is_written_elsewhere_is_seen_after_a_fence() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.op(Beq, 0, A2, ZERO, 8).op(FenceI, 0, 0, 0, 0).li(A2, 1).ret().load();
            guest_server(0, 20, 0, 0);
            assert_eq!(answer(0), 1);
            // Without a fence it may see the one or the other.
            load_at(8, &[instruction(Lui, A2, 0, 0, 0), instruction(Addi, A2, ZERO, 0, 2)]);
            assert!([1, 2].contains(&answer(0)));
            assert_eq!(outcome(near(0).call([1, 0, 0, 0])), 2);
            assert_eq!(answer(0), 2);
        });
    });
}

fn two_guests_run_one_code() {
    on_stage(|| {
        with_guests(|| {
            Assembler::new().op(Add, A2, A2, A0, 0).add(S0, 1).mv(A4, S0).ret().load();
            guest_server(0, 20, 0, 10);
            guest_server(1, 20, 0, 20);
            for round in 1..50 {
                assert_eq!(near(0).call([1, 0, 0, 0]), Ok([11, round, 0, 0]));
                assert_eq!(near(1).call([2, 0, 0, 0]), Ok([22, round, 0, 0]));
            }
            Assembler::new().li(A2, 7).add(S0, 1).mv(A4, S0).ret().load();
            assert_eq!([answer(0), answer(1)], [7, 7]);
            code_frame(0).unmap().expect("it is mapped");
            assert_eq!([answer(0), answer(1)], [status(Error::CalleeFaulted); 2]);
        });
    });
}

fn the_second_page_of_an_instruction_changes() {
    on_stage(|| {
        with_guests(|| {
            // The upper half of the number is in the second page.
            let add = |number| instruction(Addi, A2, ZERO, 0, number);
            load_at(4092, &[add(1) << 16 | 1]);
            Assembler::at(4100).ret().load();
            load_at(4096, &[add(1) >> 16 | 1 << 16]);
            guest_server(0, 20, 4092, 0);
            assert_eq!(answer(0), 1);
            load_at(4096, &[add(2) >> 16 | 1 << 16]);
            for access in [Access::Read, Access::ReadExecute] {
                code_frame(1).protect(access).expect("it is mapped");
            }
            assert_eq!(answer(0), 2);
        });
    });
}

fn more_code_runs_than_there_is_room_for() {
    on_stage(|| {
        with_guests(|| {
            // All of both pages, in short blocks: each adds its number and goes on with the next. 2 pages for the hart have room for a third.
            let blocks = 900;
            for index in 0..blocks {
                let add = instruction(Addi, A2, A2, 0, index % 64);
                load_at(8 * index as usize, &[add, instruction(Jal, ZERO, 0, 0, 4)]);
            }
            Assembler::at(8 * blocks as u32).ret().load();
            let task = prepare(0, 20, spin, 0);
            task.set_softuser(make_pages(0, 2), 2, STACK.into()).expect("it is configured");
            make_endpoints(task, 0, 0, 0);
            start_server(task);
            let sum = (0..blocks).map(|index| u64::from((index % 64).cast_unsigned())).sum();
            (0..20).for_each(|_| assert_eq!(answer(0), sum));
            // From everywhere, back and forth.
            let mut random = Random(99);
            for _ in 0..300 {
                let first = random.below(blocks as u64) as i32;
                let sum = (first..blocks).map(|index| u64::from((index % 64).cast_unsigned())).sum::<u64>();
                OWN_TABLE.delete(near(0).0).expect("it is there");
                let entry = entry_at(CODE + 8 * first as u32);
                task.make_endpoint_at(entry, 0, OWN_TABLE, near(0).0).expect("a free slot");
                assert_eq!(answer(0), sum);
            }
        });
    });
}

fn a_guest_unmaps_its_own_code() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.call(code_frame(0).0, flatmk_abi::Operation::Unmap);
            let behind = code.here();
            code.ret().load();
            let task = guest_server(0, 20, 0, 0);
            handle_faults_of(task);
            set_answer(FaultAnswer::Stop, 0);
            assert_eq!(answer(0), status(Error::CalleeFaulted));
            check_log(&[FaultReason::Page as u64, behind.into(), 0x14, behind.into()]);
        });
    });
}
