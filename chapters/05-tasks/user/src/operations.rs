//! Each operation does what the interface says.

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::{Access, Error, Kind, OPERATIONS, Operation, Rights, slots};
use flatmk_runtime::object::{AddressSpace, Frame, OWN_TABLE};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{PLAIN_FLAGS, at, free_pages, kernel_knows, make, make_thread, stack_top, with_scratch};
use crate::objects::{
    CONSOLE_WEAK, EMPTY, FRAME, FRAME_READ, FRAME_READ_GRANT, LARGE, MAPPED, MAPPED_ADDRESS, POWER_WEAK, SPACE,
    SPACE_WEAK, TABLE, TABLE_WEAK, TASK, TASK_WEAK, with_objects,
};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![
    a_capability_of_another_kind_is_refused_by_every_operation,
    a_capability_without_the_right_is_refused_by_every_operation,
    a_pointer_to_nothing_is_refused_by_every_operation,
    unknown_operations_are_refused,
    flags_that_an_operation_does_not_take_are_refused,
    capabilities_are_copied_moved_and_deleted,
    a_frame_is_mapped_unmapped_and_mapped_again,
    the_registers_of_a_task_that_stands_still_are_read_and_written,
];

const ALL: u64 = Rights::all().bits() as u64;
const GRANT: u64 = Rights::GRANT.bits() as u64;

/// Operations that this kernel knows and that name a kind.
fn operations_with_kind() -> impl Iterator<Item = (Operation, &'static [Kind], Rights)> {
    OPERATIONS
        .iter()
        .filter(|information| kernel_knows(information.operation))
        .filter(|information| !information.kinds.is_empty())
        .map(|information| (information.operation, information.kinds, information.rights))
}

fn a_capability_of_another_kind_is_refused_by_every_operation() {
    with_objects(|| {
        for (operation, kinds, _) in operations_with_kind() {
            for (other, pointer) in [
                (Kind::Memory, slots::MEMORY),
                (Kind::Table, TABLE),
                (Kind::AddressSpace, SPACE),
                (Kind::Frame, FRAME),
                (Kind::LargeFrame, LARGE),
                (Kind::Task, TASK),
                (Kind::Console, slots::CONSOLE),
                (Kind::Power, slots::POWER),
            ] {
                if !kinds.contains(&other) {
                    // The other arguments are in order for most operations; the kind is what is looked at first.
                    let outcome = system_call(pointer, operation as u64, [1, FRAME, TABLE, 1]);
                    assert_eq!(outcome, Err(Error::WrongKind), "{operation:?} on a capability of kind {other:?}");
                }
            }
        }
    });
}

fn a_capability_without_the_right_is_refused_by_every_operation() {
    with_objects(|| {
        for (operation, kind, rights) in operations_with_kind()
            .flat_map(|(operation, kinds, rights)| kinds.iter().map(move |&kind| (operation, kind, rights)))
        {
            let weak = match kind {
                Kind::Table => TABLE_WEAK,
                Kind::AddressSpace => SPACE_WEAK,
                Kind::Task => TASK_WEAK,
                Kind::Console => CONSOLE_WEAK,
                Kind::Power => POWER_WEAK,
                // A memory capability cannot be copied, so it never has fewer rights; endpoints are in chapter 6.
                _ => continue,
            };
            if !rights.is_empty() {
                let outcome = system_call(weak, operation as u64, [1, FRAME, TABLE, 1]);
                assert_eq!(outcome, Err(Error::MissingRight), "{operation:?}");
            }
        }
    });
}

fn a_pointer_to_nothing_is_refused_by_every_operation() {
    with_objects(|| {
        let pointers = [
            0,
            40,
            EMPTY,
            at(0),
            64,
            FRAME * 64,
            TABLE * 64 + 1,
            4095,
            4096,
            (1 << 18) - 1,
            1 << 18,
            1 << 63,
            u64::MAX,
        ];
        for operation in OPERATIONS.iter().map(|information| information.operation) {
            if operation == Operation::Return || !kernel_knows(operation) {
                continue;
            }
            for pointer in pointers {
                let outcome = system_call(pointer, operation as u64, [1, FRAME, TABLE, 1]);
                assert_eq!(outcome, Err(Error::InvalidCapability), "{operation:?} on {pointer:#x}");
            }
        }
    });
}

fn unknown_operations_are_refused() {
    for number in (0..=255).filter(|&number| Operation::from_number(number).is_none()) {
        for pointer in [0, slots::SELF, slots::TABLE, u64::MAX] {
            for garbage in [0, 0x100, 0xffff_ffff_ffff_ff00] {
                assert_eq!(system_call(pointer, number | garbage, [!0; 4]), Err(Error::UnknownOperation), "{number}");
            }
        }
    }
}

/// Whatever the capability: on some of these the operation would succeed, on others it would fail otherwise.
fn flags_that_an_operation_does_not_take_are_refused() {
    with_objects(|| {
        for operation in OPERATIONS.iter().map(|information| information.operation) {
            for flag in (8..64).map(|bit| 1 << bit).filter(|flag| operation.flags() & flag == 0) {
                for flags in [flag, flag | operation.flags()] {
                    for pointer in [slots::REPLY, slots::SELF, slots::CONSOLE, TABLE, FRAME, u64::MAX] {
                        let outcome = system_call(pointer, operation as u64 | flags, [1, FRAME, TABLE, 1]);
                        assert_eq!(outcome, Err(Error::UnknownOperation), "{operation:?} with {flags:#x}");
                    }
                }
            }
        }
    });
}

fn capabilities_are_copied_moved_and_deleted() {
    with_objects(|| {
        let frame_pages = free_pages();
        let identify =
            |pointer| system_call(pointer, Operation::Identify as u64, [0; 4]).map(|[kind, rights, ..]| (kind, rights));
        let frame = Kind::Frame as u64;
        // A copy has at most the rights of its source.
        system_call(TABLE, Operation::Copy as u64, [1, FRAME_READ_GRANT, ALL, 0]).expect("it may be copied");
        let copied = crate::harness::SCRATCH;
        assert_eq!(identify(TABLE * 64 + 1), Ok((frame, GRANT | 1)));
        system_call(copied.0, Operation::Move as u64, [30, TABLE * 64 + 1, 0, 0]).expect("it may be moved");
        assert_eq!(identify(EMPTY), Ok((frame, GRANT | 1)));
        assert_eq!(identify(TABLE * 64 + 1), Err(Error::InvalidCapability));
        // The page goes with the last of four capabilities.
        for slot in [1, 30, 2] {
            copied.delete(slot).expect("there is a capability");
            assert_eq!(free_pages(), frame_pages);
        }
        copied.delete(3).expect("there is a capability");
        assert_eq!(free_pages(), frame_pages + 1);
        // Memory moves with its region, and still hands out pages and takes them back.
        OWN_TABLE.move_here(40, slots::MEMORY).expect("memory may be moved");
        system_call(40, Operation::Make as u64, [frame, 1, copied.0, 30]).expect("a page");
        copied.delete(30).expect("there is a capability");
        OWN_TABLE.move_here(slots::MEMORY, 40).expect("and back");
        assert_eq!(free_pages(), frame_pages + 1);
    });
}

fn a_frame_is_mapped_unmapped_and_mapped_again() {
    with_objects(|| {
        let space = AddressSpace(SPACE);
        for address in [USER_START, 0x2000, 1 << 46, USER_END - 0x1000, MAPPED_ADDRESS + 0x1000] {
            for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
                space.map(Frame(FRAME), address, access).expect("a free address");
                assert_eq!(space.map(Frame(FRAME), address, access), Err(Error::AlreadyMapped));
                assert_eq!(space.map(Frame(FRAME_READ), address, Access::Read), Err(Error::AlreadyMapped));
                Frame(FRAME).unmap().expect("it is mapped");
                assert_eq!(Frame(FRAME).unmap(), Err(Error::NotMapped));
            }
        }
        // Each capability has a mapping of its own.
        space.map(Frame(FRAME), 0x2000, Access::Read).expect("a free address");
        space.map(Frame(FRAME_READ), 0x3000, Access::Read).expect("a free address");
        crate::harness::SCRATCH.delete(3).expect("there is a capability");
        assert_eq!(space.map(Frame(MAPPED), 0x3000, Access::Read), Err(Error::AlreadyMapped), "still mapped");
        Frame(MAPPED).unmap().expect("it is mapped");
        space.map(Frame(MAPPED), 0x3000, Access::Read).expect("the address is free again");
    });
}

/// As a system call leaves them: `rip` is in `rcx`, and the flags are in `r11`. What is written then stays.
fn the_registers_of_a_task_that_stands_still_are_read_and_written() {
    const RCX: u64 = 2;
    const RSP: u64 = 7;
    const R11: u64 = 11;
    const RIP: u64 = 16;
    with_scratch(|| {
        let task = make_thread(0, stack_top(0)).0;
        let read =
            |number| system_call(task, Operation::ReadRegisters as u64, [number, 0, 0, 0]).map(|[word, ..]| word);
        let write = |number, value| {
            system_call(task, Operation::WriteRegister as u64, [number, value, 0, 0]).expect("it stands still")
        };
        assert_eq!([RCX, R11].map(read), [Ok(0), Ok(PLAIN_FLAGS)]);
        for (number, value) in [(RIP, USER_START), (RCX, 7), (R11, u64::MAX), (RSP, 3)] {
            write(number, value);
            assert_eq!(read(number), Ok(value), "register {number}");
        }
        assert_eq!([RIP, RCX, R11].map(read), [Ok(USER_START), Ok(7), Ok(u64::MAX)]);
        let own = system_call(slots::SELF, Operation::ReadRegisters as u64, [0; 4]);
        assert_eq!(own, Err(Error::InvalidState), "this task runs");
        let fresh = make(Kind::Task, 1);
        assert_eq!(system_call(fresh, Operation::ReadRegisters as u64, [RIP, 0, 0, 0]), Ok([0; 4]));
    });
}
