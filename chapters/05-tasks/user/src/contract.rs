//! No register carries anything from the kernel, or from another task, into user mode.

use flatmk_abi::{Error, Kind, OPERATIONS, Operation, Rights, slots};
use flatmk_runtime::object::Task;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{PLAIN_FLAGS, at, end_thread, make, start_thread, thread_slot, with_scratch};
use crate::registers::{FREE_FLAGS, system_call, system_call_with_flags};

pub(crate) const TESTS: &[Test] = tests![
    no_operation_leaves_kernel_data_in_a_register,
    a_switch_of_tasks_leaves_no_data_in_a_register,
    every_flag_that_a_program_may_set_survives_a_system_call,
];

/// `Return` would end this program, `Stop` and `Sleep` would take the processor from it, and success of `PowerOff` would end the run.
fn is_harmless(operation: Operation) -> bool {
    !matches!(operation, Operation::Return | Operation::Stop | Operation::PowerOff)
}

/// `system_call` checks all registers; here each operation fails and succeeds, on each kind of capability.
fn no_operation_leaves_kernel_data_in_a_register() {
    with_scratch(|| {
        for (slot, kind) in [(1, Kind::Table), (2, Kind::AddressSpace), (3, Kind::Frame), (4, Kind::Task)] {
            make(kind, slot);
        }
        let pointers = [0, slots::SELF, slots::TABLE, slots::SPACE, slots::MEMORY, slots::CONSOLE, u64::MAX];
        for operation in OPERATIONS.iter().map(|information| information.operation).filter(|&o| is_harmless(o)) {
            for pointer in pointers.into_iter().chain((1..=4).map(at)) {
                // Any outcome will do. Slot 40 is empty before; a copy of this program's task is in it afterwards.
                system_call(pointer, operation as u64, [40, 1, 2, 3]).map(|_| ()).unwrap_or_default();
            }
        }
        for operation in [Operation::Revoke, Operation::Delete] {
            system_call(slots::TABLE, operation as u64, [40, 0, 0, 0]).expect("a copy is there");
        }
        system_call(slots::POWER, Operation::PowerOff as u64, [2, 0, 0, 0]).expect_err("2 is no result");
    });
}

extern "C" fn fill_registers(_: u64) {
    let task = Task(at(thread_slot(0)));
    loop {
        system_call(task.0, Operation::Yield as u64, [!0, !1, !2, !3]).expect("a thread may yield");
    }
}

fn a_switch_of_tasks_leaves_no_data_in_a_register() {
    with_scratch(|| {
        start_thread(0, fill_registers, 0);
        for _ in 0..8 {
            system_call(slots::SELF, Operation::Yield as u64, [9, 9, 9, 9]).expect("a task may yield");
            system_call(slots::TABLE, Operation::Yield as u64, [9, 9, 9, 9]).expect_err("not a task");
        }
        end_thread(0);
    });
}

fn every_flag_that_a_program_may_set_survives_a_system_call() {
    with_scratch(|| {
        start_thread(0, fill_registers, 0);
        let bits = (0..64).map(|bit| 1 << bit).filter(|bit| bit & FREE_FLAGS != 0);
        for flags in bits.chain([0, FREE_FLAGS]) {
            let flags = flags | PLAIN_FLAGS;
            let identified = system_call_with_flags(flags, slots::SELF, Operation::Identify as u64, [0; 4]);
            assert_eq!(identified, Ok([Kind::Task as u64, u64::from(Rights::all().bits()), 0, 0]));
            for operation in [Operation::Yield as u64, Operation::Write as u64, 254, 255] {
                let done = system_call_with_flags(flags, slots::SELF, operation, [0; 4]).map(|_| ());
                let expected = match Operation::from_number(operation) {
                    Some(Operation::Yield) => Ok(()),
                    Some(Operation::Write) => Err(Error::WrongKind),
                    _ => Err(Error::UnknownOperation),
                };
                assert_eq!(done, expected);
            }
        }
        end_thread(0);
    });
}
