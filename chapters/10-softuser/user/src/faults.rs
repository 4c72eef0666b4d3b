//! What the handler of a guest's fault is told: reason, address, error code and instruction, exactly.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, FaultReason};
use flatmk_runtime::object::Task;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;
use flatmk_softuser::Operation::{self, *};

use crate::guest::*;
use crate::handlers::*;
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    an_illegal_instruction_is_reported,
    a_breakpoint_is_reported,
    an_atomic_access_to_an_odd_address_is_reported,
    a_load_from_nothing_is_reported,
    a_store_to_nothing_is_reported,
    an_access_that_crosses_into_nothing_is_reported_with_the_page_that_is_not_there,
    an_atomic_access_to_nothing_is_reported,
    a_store_to_a_page_that_is_read_only_is_reported,
    code_outside_of_executable_pages_is_reported,
    an_instruction_that_crosses_into_nothing_is_reported_with_the_page_that_is_not_there,
    nothing_of_the_instruction_has_happened,
    the_handler_reads_and_writes_registers,
];

/// Bits of a page fault's code: it is there, a write, of user mode, an instruction.
const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const FETCH: u64 = 16;

/// The ends of the guest's pages.
const END_OF_CODE: u32 = CODE + (PAGES * PAGE_SIZE) as u32;
const END_OF_DATA: u32 = DATA + (PAGES * PAGE_SIZE) as u32;

/// Runs a test with a guest whose faults are noted and end it.
fn with_victim(test: impl FnOnce(Task)) {
    on_stage(|| {
        with_guests(|| {
            let task = guest(0, 20);
            stop_quietly();
            handle_faults_of(task);
            test(task);
        });
    });
}

/// Starts it at an address, and checks the fault.
#[track_caller]
fn check_fault_from(task: Task, start: u32, reason: FaultReason, address: u32, error: u64, at: u32) {
    forget_code();
    task.start(entry_at(start), 0).expect("it is stopped");
    let_run(1);
    check_log(&[reason as u64, address.into(), error, at.into()]);
    assert_eq!(pc(task), at.into(), "the instruction");
    assert!(is_stopped(task));
}

/// The same for an instruction with an address in a register.
#[track_caller]
fn check_access(task: Task, operation: Operation, address: u32, fault: (u32, u64)) {
    let mut code = Assembler::new();
    let at = code.li(S0, address).here();
    code.word(access(operation, A0, S0, 0)).load();
    check_fault_from(task, CODE, FaultReason::Page, fault.0, fault.1, at);
    assert_eq!(register(task, S0), address.into());
}

fn an_illegal_instruction_is_reported() {
    with_victim(|task| {
        for (index, word) in (0..).zip([0, u32::MAX, 0x0000_0073 | 1 << 7, 0x3020_0073, 0x1200_0073, 0x0000_7007]) {
            let at = CODE + 4 * index;
            load_at((4 * index) as usize, &[word]);
            check_fault_from(task, at, FaultReason::InvalidOpcode, at, 0, at);
        }
    });
}

fn a_breakpoint_is_reported() {
    with_victim(|task| {
        Assembler::new().op(Addi, 0, 0, 0, 0).op(Ebreak, 0, 0, 0, 0).load();
        check_fault_from(task, CODE, FaultReason::Breakpoint, CODE + 4, 0, CODE + 4);
        // The short one, between two short ones that do nothing.
        load_at(0, &[0x9002_0001, 0x0001_0001]);
        check_fault_from(task, CODE, FaultReason::Breakpoint, CODE + 2, 0, CODE + 2);
    });
}

fn an_atomic_access_to_an_odd_address_is_reported() {
    with_victim(|task| {
        for (operation, offset) in [(AmoaddW, 1), (AmoswapW, 2), (LrW, 3), (ScW, 1)] {
            let mut code = Assembler::new();
            let at = code.li(S0, DATA + offset).here();
            code.word(access(operation, A0, S0, 0)).load();
            check_fault_from(task, CODE, FaultReason::Alignment, at, 0, at);
        }
    });
}

/// Addresses where nothing is: at the boundaries of pages, of memory, and of numbers.
const NOWHERE: [u32; 9] = [0, 4, 0xffc, END_OF_DATA, DATA - 4, 0x7000_0000, 0x8000_0000, 0xffff_f000, 0xffff_fffc];

fn a_load_from_nothing_is_reported() {
    with_victim(|task| {
        for address in NOWHERE {
            for operation in [Lb, Lbu, Lh, Lhu, Lw, LrW] {
                check_access(task, operation, address, (address, USER));
            }
        }
    });
}

fn a_store_to_nothing_is_reported() {
    with_victim(|task| {
        for address in NOWHERE {
            for operation in [Sb, Sh, Sw] {
                check_access(task, operation, address, (address, USER | WRITE));
            }
        }
    });
}

fn an_access_that_crosses_into_nothing_is_reported_with_the_page_that_is_not_there() {
    with_victim(|task| {
        for (operation, before) in [(Lh, 1), (Lhu, 1), (Lw, 1), (Lw, 2), (Lw, 3)] {
            check_access(task, operation, END_OF_DATA - before, (END_OF_DATA, USER));
        }
        write_data((END_OF_DATA - DATA) - 4, 0x1234_5678);
        for (operation, before) in [(Sh, 1), (Sw, 1), (Sw, 2), (Sw, 3)] {
            check_access(task, operation, END_OF_DATA - before, (END_OF_DATA, USER | WRITE));
        }
        assert_eq!(read_data((END_OF_DATA - DATA) - 4), 0x1234_5678, "nothing was written");
        // From nothing into the page.
        for (operation, before) in [(Lh, 1), (Lw, 1), (Lw, 3)] {
            check_access(task, operation, DATA - before, (DATA - before, USER));
        }
    });
}

fn an_atomic_access_to_nothing_is_reported() {
    with_victim(|task| {
        for address in NOWHERE {
            for operation in [AmoaddW, AmoswapW, AmomaxuW] {
                let mut code = Assembler::new();
                let at = code.li(S0, address).here();
                code.word(access(operation, A0, S0, 0)).load();
                task.start(entry_at(CODE), 0).expect("it is stopped");
                let_run(1);
                // A processor says that it was to be written; an emulator may read first.
                let is_write = |error| [USER, USER | WRITE].contains(&error);
                let found = take_log();
                assert!(found.clone().nth(2).is_some_and(is_write), "{operation:?}");
                let others = found.zip(0..).filter(|&(_, index)| index != 2).map(|(word, _)| word);
                assert!(others.eq([FaultReason::Page as u64, address.into(), at.into()]));
            }
        }
        // One that stores nothing, as nothing is reserved, accesses nothing.
        let mut code = Assembler::new();
        let at = code.li(S0, END_OF_DATA).op(ScW, A2, S0, A1, 0).here();
        code.word(0).load();
        check_fault_from(task, CODE, FaultReason::InvalidOpcode, at, 0, at);
        assert_eq!(register(task, A2), 1);
    });
}

fn a_store_to_a_page_that_is_read_only_is_reported() {
    with_victim(|task| {
        data_frame(1).protect(Access::Read).expect("it is mapped");
        let second = DATA + PAGE_SIZE as u32;
        for operation in [Sb, Sh, Sw, AmoorW] {
            check_access(task, operation, second, (second, PRESENT | USER | WRITE));
        }
        check_access(task, Sw, second - 1, (second, PRESENT | USER | WRITE));
        // Code is not written, not even by itself.
        for operation in [Sb, Sh, Sw, AmoorW] {
            check_access(task, operation, CODE, (CODE, PRESENT | USER | WRITE));
        }
    });
}

fn code_outside_of_executable_pages_is_reported() {
    with_victim(|task| {
        // A page that is there, in which there are instructions.
        write_data(0, instruction(Ecall, 0, 0, 0, 0));
        for (address, error) in [(DATA, PRESENT | USER | FETCH), (0, USER | FETCH), (0xffff_fffe, USER | FETCH)] {
            Assembler::new().li(S0, address).jump_to(S0).load();
            check_fault_from(task, CODE, FaultReason::Page, address, error, address);
        }
        // It begins there.
        check_fault_from(task, DATA, FaultReason::Page, DATA, PRESENT | USER | FETCH, DATA);
        check_fault_from(task, 0xffff_effe, FaultReason::Page, 0xffff_effe, USER | FETCH, 0xffff_effe);
        // It comes to the end of the code.
        load_at((END_OF_CODE - CODE) as usize - 4, &[instruction(Addi, 0, 0, 0, 0)]);
        check_fault_from(task, END_OF_CODE - 4, FaultReason::Page, END_OF_CODE, USER | FETCH, END_OF_CODE);
    });
}

fn an_instruction_that_crosses_into_nothing_is_reported_with_the_page_that_is_not_there() {
    with_victim(|task| {
        // The lower half of an instruction of four bytes.
        load_at((END_OF_CODE - CODE) as usize - 4, &[0x0013_0001]);
        check_fault_from(task, END_OF_CODE - 4, FaultReason::Page, END_OF_CODE, USER | FETCH, END_OF_CODE - 2);
        // The second page is there, and not for this use.
        code_frame(1).protect(Access::Read).expect("it is mapped");
        let end = CODE + PAGE_SIZE as u32;
        load_at((end - CODE) as usize - 4, &[0x0013_0001]);
        check_fault_from(task, end - 4, FaultReason::Page, end, PRESENT | USER | FETCH, end - 2);
    });
}

fn nothing_of_the_instruction_has_happened() {
    with_victim(|task| {
        // The load would write its own address register.
        let mut code = Assembler::new();
        let at = code.li(S0, END_OF_DATA).op(Addi, S1, ZERO, 0, 5).here();
        code.op(Lw, S0, S0, 0, 0).load();
        check_fault_from(task, CODE, FaultReason::Page, END_OF_DATA, USER, at);
        assert_eq!([S0, S1].map(|index| register(task, index)), [END_OF_DATA.into(), 5]);
        // The second of two that are often done together.
        let mut code = Assembler::new();
        let at = code.li(S0, END_OF_DATA - 4).op(Addi, S0, S0, 0, 4).here();
        code.op(Sw, 0, S0, S0, 0).load();
        check_fault_from(task, CODE, FaultReason::Page, END_OF_DATA, USER | WRITE, at);
        assert_eq!(register(task, S0), END_OF_DATA.into());
        // An atomic access, to a page that is read only.
        let mut code = Assembler::new();
        let at = code.li(S0, CODE).here();
        code.word(access(AmoaddW, S0, S0, 0)).load();
        check_fault_from(task, CODE, FaultReason::Page, CODE, PRESENT | USER | WRITE, at);
        assert_eq!(register(task, S0), CODE.into());
    });
}

fn the_handler_reads_and_writes_registers() {
    with_victim(|task| {
        let mut code = Assembler::new();
        (1..32).for_each(|index| {
            code.li(index, 0x8000_0000 | u32::from(index));
        });
        code.word(0).load();
        task.start(entry_at(CODE), 0).expect("it is stopped");
        let_run(1);
        for first in 32..64 {
            let expected = [0, 1, 2, 3].map(|next| match first + next {
                33..64 => 0x8000_0000 | (first + next - 32),
                _ => 0,
            });
            assert_eq!(task.read_registers(first), Ok(expected));
        }
        use flatmk_abi::Error::{InvalidAddress, InvalidArgument};
        for number in [18, 31, 64, u64::MAX] {
            assert_eq!(task.read_registers(number), Err(InvalidArgument));
            assert_eq!(task.write_register(number, 0), Err(InvalidArgument));
        }
        assert_eq!(task.write_register(32, 1), Err(InvalidArgument), "x0 stays 0");
        assert_eq!(task.write_register(33, 1 << 32), Err(InvalidArgument), "32 bits");
        for address in [0, 1, 0xffe, u64::from(CODE) + 1, 1 << 32, u64::MAX] {
            assert_eq!(task.write_register(16, address), Err(InvalidAddress));
        }
        (33..64).for_each(|number| task.write_register(number, number * 3).expect("there is such a register"));
        let mut code = Assembler::at(1024);
        code.ret().load();
        task.write_register(16, (CODE + 1024).into()).expect("it is an address of code");
        assert_eq!(pc(task), (CODE + 1024).into());
        (33..64).for_each(|number| assert_eq!(register(task, number as u8 - 32), number * 3));
        // It is stopped, and goes on with them. There is nobody to return to, so it has nothing to do then.
        take_log().for_each(drop);
        task.resume().expect("it is stopped");
        let_run(1);
        check_log(&[]);
        assert!(!is_stopped(task));
    });
}
