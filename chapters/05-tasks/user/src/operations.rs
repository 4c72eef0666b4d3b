//! Each operation does what the interface says, and refuses with each error that the interface lists, with nothing changed.

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::{Access, Error, Kind, OPERATIONS, Operation, Rights, Words, slots};
use flatmk_runtime::object::{AddressSpace, Frame, OWN_TABLE, Table, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{MEMORY, at, copy, free_pages, kernel_has_calls, make, stack_top, with_scratch};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![
    each_error_of_the_interface_is_returned_where_it_belongs,
    a_capability_of_another_kind_is_refused_by_every_operation,
    a_capability_without_the_right_is_refused_by_every_operation,
    a_pointer_to_nothing_is_refused_by_every_operation,
    unknown_operations_are_refused,
    bits_that_mean_nothing_are_ignored,
    capabilities_are_copied_moved_and_deleted,
    a_frame_is_mapped_unmapped_and_mapped_again,
];

const ALL: u64 = Rights::all().bits() as u64;
const GRANT: u64 = Rights::GRANT.bits() as u64;

// The objects that the tests below use.
const FRAME: u64 = at(1);
const FRAME_READ_GRANT: u64 = at(2);
const FRAME_READ: u64 = at(3);
const TABLE: u64 = at(4);
const TABLE_WEAK: u64 = at(5);
const TASK: u64 = at(6);
const TASK_WEAK: u64 = at(7);
const SPACE: u64 = at(8);
const SPACE_WEAK: u64 = at(9);
const CONFIGURED: u64 = at(10);
const STARTED: u64 = at(11);
const MAPPED: u64 = at(12);
const CONSOLE_WEAK: u64 = at(13);
const POWER_WEAK: u64 = at(14);
const EMPTY: u64 = at(30);

const MAPPED_ADDRESS: u64 = 0x1_0000;

fn with_objects(test: impl FnOnce()) {
    with_scratch(|| {
        for (slot, kind) in [
            (1, Kind::Frame),
            (4, Kind::Table),
            (6, Kind::Task),
            (8, Kind::AddressSpace),
            (10, Kind::Task),
            (11, Kind::Task),
            (12, Kind::Frame),
        ] {
            make(kind, slot);
        }
        copy(2, FRAME, Rights::READ | Rights::GRANT);
        copy(3, FRAME, Rights::READ);
        copy(5, TABLE, Rights::GRANT);
        copy(7, TASK, Rights::GRANT);
        copy(9, SPACE, Rights::GRANT);
        copy(13, slots::CONSOLE, Rights::empty());
        copy(14, slots::POWER, Rights::empty());
        for task in [CONFIGURED, STARTED] {
            Task(task).configure(Table(TABLE), AddressSpace(SPACE), stack_top(0)).expect("a new task");
        }
        // It never gets its turn: the test deletes it first.
        Task(STARTED).start(USER_START, 0).expect("a configured task");
        AddressSpace(SPACE).map(Frame(MAPPED), MAPPED_ADDRESS, Access::ReadWrite, MEMORY).expect("a free address");
        test();
    });
}

/// All but `OutOfMemory`, which is in `memory`.
fn each_error_of_the_interface_is_returned_where_it_belongs() {
    use Error::{
        AlreadyMapped, InvalidAddress, InvalidArgument, InvalidCapability, InvalidState, MissingRight, NotMapped,
        SlotOccupied, WrongKind,
    };
    use Operation::{
        Configure, Copy, Delete, Make, MakeEndpoint, Map, Mint, Move, PowerOff, Start, Unmap, Write, Yield,
    };
    const MANY: u64 = u64::MAX;
    let memory = slots::MEMORY;
    let frame_kind = Kind::Frame as u64;
    let stack = stack_top(0);

    let cases: &[(Operation, u64, Words, Error)] = &[
        (Yield, TASK, [0; 4], InvalidState),
        (Copy, TABLE, [0, FRAME, ALL, 0], InvalidArgument),
        (Copy, TABLE, [64, FRAME, ALL, 0], InvalidArgument),
        (Copy, TABLE, [MANY, FRAME, ALL, 0], InvalidArgument),
        (Copy, TABLE, [1, FRAME, ALL + 1, 0], InvalidArgument),
        (Copy, TABLE, [1, FRAME, 1 << 32, 0], InvalidArgument),
        (Copy, slots::TABLE, [slots::SELF, FRAME, ALL, 0], SlotOccupied),
        (Copy, TABLE, [1, EMPTY, ALL, 0], InvalidCapability),
        (Copy, TABLE, [1, FRAME_READ, ALL, 0], MissingRight),
        (Copy, TABLE, [1, memory, ALL, 0], WrongKind),
        (Mint, TABLE, [0, FRAME, ALL, 7], InvalidArgument),
        (Mint, TABLE, [1, FRAME, 0x40, 7], InvalidArgument),
        (Mint, slots::TABLE, [slots::SELF, FRAME, ALL, 7], SlotOccupied),
        (Mint, TABLE, [1, EMPTY, ALL, 7], InvalidCapability),
        (Mint, TABLE, [1, FRAME_READ, ALL, 7], MissingRight),
        (Mint, TABLE, [1, FRAME, ALL, 7], WrongKind),
        (Mint, TABLE, [1, memory, ALL, 7], WrongKind),
        (Move, TABLE, [0, FRAME, 0, 0], InvalidArgument),
        (Move, TABLE, [64, FRAME, 0, 0], InvalidArgument),
        (Move, slots::TABLE, [slots::SELF, FRAME, 0, 0], SlotOccupied),
        (Move, TABLE, [1, EMPTY, 0, 0], InvalidCapability),
        (Move, TABLE, [1, FRAME_READ, 0, 0], MissingRight),
        (Delete, slots::TABLE, [0; 4], InvalidArgument),
        (Delete, slots::TABLE, [64, 0, 0, 0], InvalidArgument),
        (Delete, TABLE, [1, 0, 0, 0], InvalidCapability),
        (Delete, slots::TABLE, [memory, 0, 0, 0], InvalidState),
        (Make, memory, [frame_kind, 0, TABLE, 1], InvalidArgument),
        (Make, memory, [frame_kind, 64, TABLE, 1], InvalidArgument),
        (Make, memory, [frame_kind, MANY, TABLE, 2], InvalidArgument),
        (Make, memory, [frame_kind, 1, TABLE, 0], InvalidArgument),
        (Make, memory, [frame_kind, 1, TABLE, 64], InvalidArgument),
        (Make, memory, [frame_kind, 2, TABLE, MANY], InvalidArgument),
        (Make, memory, [Kind::Empty as u64, 1, TABLE, 1], InvalidArgument),
        (Make, memory, [Kind::Memory as u64, 1, TABLE, 1], InvalidArgument),
        (Make, memory, [Kind::Endpoint as u64, 1, TABLE, 1], InvalidArgument),
        (Make, memory, [MANY, 1, TABLE, 1], InvalidArgument),
        (Make, memory, [frame_kind, 1, EMPTY, 1], InvalidCapability),
        (Make, memory, [frame_kind, 1, FRAME, 1], WrongKind),
        (Make, memory, [frame_kind, 1, TABLE_WEAK, 1], MissingRight),
        (Make, memory, [frame_kind, 2, slots::TABLE, slots::SELF], SlotOccupied),
        (Map, SPACE, [EMPTY, 0x2000, 0, memory], InvalidCapability),
        (Map, SPACE, [FRAME, 0x2000, 0, EMPTY], InvalidCapability),
        (Map, SPACE, [TABLE, 0x2000, 0, memory], WrongKind),
        (Map, SPACE, [FRAME, 0x2000, 0, FRAME], WrongKind),
        (Map, SPACE, [FRAME_READ, 0x2000, Access::ReadWrite as u64, memory], MissingRight),
        (Map, SPACE, [FRAME_READ, 0x2000, Access::ReadExecute as u64, memory], MissingRight),
        (Map, SPACE, [FRAME, 0x2000, 3, memory], InvalidArgument),
        (Map, SPACE, [FRAME, 0x2000, MANY, memory], InvalidArgument),
        (Map, SPACE, [FRAME, 0x2001, 0, memory], InvalidAddress),
        (Map, SPACE, [FRAME, 0, 0, memory], InvalidAddress),
        (Map, SPACE, [FRAME, USER_END, 0, memory], InvalidAddress),
        (Map, SPACE, [FRAME, 1 << 47, 0, memory], InvalidAddress),
        (Map, SPACE, [FRAME, 0xffff_8000_0000_0000, 0, memory], InvalidAddress),
        (Map, SPACE, [FRAME, MANY - 0xfff, 0, memory], InvalidAddress),
        (Map, SPACE, [MAPPED, 0x2000, 0, memory], AlreadyMapped),
        (Map, SPACE, [FRAME, MAPPED_ADDRESS, 0, memory], AlreadyMapped),
        (Unmap, FRAME, [0; 4], NotMapped),
        (Configure, TASK, [EMPTY, SPACE, stack, 0], InvalidCapability),
        (Configure, TASK, [TABLE, EMPTY, stack, 0], InvalidCapability),
        (Configure, TASK, [SPACE, SPACE, stack, 0], WrongKind),
        (Configure, TASK, [TABLE, TABLE, stack, 0], WrongKind),
        (Configure, TASK, [TABLE_WEAK, SPACE, stack, 0], MissingRight),
        (Configure, TASK, [TABLE, SPACE_WEAK, stack, 0], MissingRight),
        (Configure, TASK, [TABLE, SPACE, stack + 8, 0], InvalidAddress),
        (Configure, TASK, [TABLE, SPACE, 0, 0], InvalidAddress),
        (Configure, TASK, [TABLE, SPACE, USER_END + 16, 0], InvalidAddress),
        (Configure, TASK, [TABLE, SPACE, MANY - 15, 0], InvalidAddress),
        (Configure, CONFIGURED, [TABLE, SPACE, stack, 0], InvalidState),
        (Configure, STARTED, [TABLE, SPACE, stack, 0], InvalidState),
        (Configure, slots::SELF, [TABLE, SPACE, stack, 0], InvalidState),
        (Start, TASK, [USER_START, 0, 0, 0], InvalidState),
        (Start, STARTED, [USER_START, 0, 0, 0], InvalidState),
        (Start, slots::SELF, [USER_START, 0, 0, 0], InvalidState),
        (Start, CONFIGURED, [0; 4], InvalidAddress),
        (Start, CONFIGURED, [USER_START - 1, 0, 0, 0], InvalidAddress),
        (Start, CONFIGURED, [USER_END, 0, 0, 0], InvalidAddress),
        // A return to one of these by `sysret` would fault in ring 0.
        (Start, CONFIGURED, [1 << 47, 0, 0, 0], InvalidAddress),
        (Start, CONFIGURED, [MANY, 0, 0, 0], InvalidAddress),
        (Write, slots::CONSOLE, [stack, 257, 0, 0], InvalidArgument),
        (Write, slots::CONSOLE, [0, 1, 0, 0], InvalidAddress),
        (PowerOff, slots::POWER, [2, 0, 0, 0], InvalidArgument),
        (PowerOff, slots::POWER, [1 << 32, 0, 0, 0], InvalidArgument),
    ];
    let of_chapter_6: &[(Operation, u64, Words, Error)] = &[
        (MakeEndpoint, TASK, [0, 7, TABLE, 1], InvalidAddress),
        (MakeEndpoint, TASK, [USER_END, 7, TABLE, 1], InvalidAddress),
        (MakeEndpoint, TASK, [1 << 47, 7, TABLE, 1], InvalidAddress),
        (MakeEndpoint, TASK, [USER_START, 7, EMPTY, 1], InvalidCapability),
        (MakeEndpoint, TASK, [USER_START, 7, SPACE, 1], WrongKind),
        (MakeEndpoint, TASK, [USER_START, 7, TABLE_WEAK, 1], MissingRight),
        (MakeEndpoint, TASK, [USER_START, 7, TABLE, 0], InvalidArgument),
        (MakeEndpoint, TASK, [USER_START, 7, TABLE, 64], InvalidArgument),
        (MakeEndpoint, TASK, [USER_START, 7, slots::TABLE, slots::SELF], SlotOccupied),
    ];
    with_objects(|| {
        let before = free_pages();
        let of_chapter_6 = of_chapter_6.iter().filter(|_| kernel_has_calls());
        for &(operation, pointer, arguments, expected) in cases.iter().chain(of_chapter_6) {
            let outcome = system_call(pointer, operation as u64, arguments);
            assert_eq!(outcome, Err(expected), "{operation:?} on {pointer:#x} with {arguments:x?}");
        }
        assert_eq!(free_pages(), before, "a refused operation takes no page");
        assert_eq!(system_call(at(31), Operation::Identify as u64, [0; 4]), Err(InvalidCapability));
    });
}

/// Operations that this kernel knows and that name a kind.
fn operations_with_kind() -> impl Iterator<Item = (Operation, Kind, Rights)> {
    let all = kernel_has_calls();
    OPERATIONS
        .iter()
        .filter(move |information| all || !matches!(information.operation, Operation::Call | Operation::MakeEndpoint))
        .filter_map(|information| Some((information.operation, information.kind?, information.rights)))
}

fn a_capability_of_another_kind_is_refused_by_every_operation() {
    with_objects(|| {
        for (operation, kind, _) in operations_with_kind() {
            for (other, pointer) in [
                (Kind::Memory, slots::MEMORY),
                (Kind::Table, TABLE),
                (Kind::AddressSpace, SPACE),
                (Kind::Frame, FRAME),
                (Kind::Task, TASK),
                (Kind::Console, slots::CONSOLE),
                (Kind::Power, slots::POWER),
            ] {
                if other != kind {
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
        for (operation, kind, rights) in operations_with_kind() {
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
            43,
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
            if operation == Operation::Return
                || (!kernel_has_calls() && matches!(operation, Operation::Call | Operation::MakeEndpoint))
            {
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

fn bits_that_mean_nothing_are_ignored() {
    let identify = Operation::Identify as u64;
    for bit in 8..64 {
        let identified = system_call(slots::CONSOLE, identify | 1 << bit, [!0; 4]);
        assert_eq!(identified, Ok([Kind::Console as u64, ALL, 0, 0]));
        assert_eq!(system_call(slots::SELF, Operation::Yield as u64 | 1 << bit, [!0; 4]), Ok([0; 4]));
    }
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
        OWN_TABLE.move_here(43, slots::MEMORY).expect("memory may be moved");
        system_call(43, Operation::Make as u64, [frame, 1, copied.0, 30]).expect("a page");
        copied.delete(30).expect("there is a capability");
        OWN_TABLE.move_here(slots::MEMORY, 43).expect("and back");
        assert_eq!(free_pages(), frame_pages + 1);
    });
}

fn a_frame_is_mapped_unmapped_and_mapped_again() {
    with_objects(|| {
        let space = AddressSpace(SPACE);
        for address in [USER_START, 0x2000, 1 << 46, USER_END - 0x1000, MAPPED_ADDRESS + 0x1000] {
            for access in [Access::Read, Access::ReadWrite, Access::ReadExecute] {
                space.map(Frame(FRAME), address, access, MEMORY).expect("a free address");
                assert_eq!(space.map(Frame(FRAME), address, access, MEMORY), Err(Error::AlreadyMapped));
                assert_eq!(space.map(Frame(FRAME_READ), address, Access::Read, MEMORY), Err(Error::AlreadyMapped));
                Frame(FRAME).unmap().expect("it is mapped");
                assert_eq!(Frame(FRAME).unmap(), Err(Error::NotMapped));
            }
        }
        // Each capability has a mapping of its own.
        space.map(Frame(FRAME), 0x2000, Access::Read, MEMORY).expect("a free address");
        space.map(Frame(FRAME_READ), 0x3000, Access::Read, MEMORY).expect("a free address");
        crate::harness::SCRATCH.delete(3).expect("there is a capability");
        assert_eq!(space.map(Frame(MAPPED), 0x3000, Access::Read, MEMORY), Err(Error::AlreadyMapped), "still mapped");
        Frame(MAPPED).unmap().expect("it is mapped");
        space.map(Frame(MAPPED), 0x3000, Access::Read, MEMORY).expect("the address is free again");
    });
}
