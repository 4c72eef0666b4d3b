//! Each operation refuses with each error that the interface lists for it, where it belongs, and nothing has changed.

use flatmk_abi::layout::{LARGE_FRAME_SIZE, USER_END, USER_START};
use flatmk_abi::{Access, Error, Kind, OPERATIONS, Operation, Rights, Words, slots};
use flatmk_runtime::object::{Endpoint, Interrupts, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::harness::{SCRATCH, at, copy, free_pages, kernel_knows, stack_top};
use crate::objects::{
    CONFIGURED, EMPTY, FLOATING, FLOATING_USED, FLOATING_WEAK, FRAME, FRAME_READ, INNER, LARGE, LARGE_ADDRESS,
    LARGE_MAPPED, LARGE_READ, MAPPED, MAPPED_ADDRESS, MAPPED_HIGH, PART, PART_PAGES, SPACE, SPACE_WEAK, STARTED, TABLE,
    TABLE_WEAK, TASK, with_objects,
};
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![each_error_of_the_interface_is_returned_where_it_belongs,];

const ALL: u64 = Rights::all().bits() as u64;

/// Whether all errors of an operation have their cases here. Those of calls and returns, and of what comes later, are in the tests of their chapters.
fn is_listed_here(operation: Operation) -> bool {
    let is_of_calls = matches!(operation, Operation::Call | Operation::Return | Operation::Reply);
    operation.chapter() <= 6 && kernel_knows(operation) && !is_of_calls
}

/// An endpoint of a task that never runs, and one that cannot be called; of chapter 6.
const ENDPOINT: u64 = at(25);
const ENDPOINT_WEAK: u64 = at(26);

/// Lines of printers, which nobody has: one that is bound for the test, and one that is not.
const BOUND_LINE: u64 = 5;
const UNUSED_LINE: u64 = 10;

/// What takes more than one call, and the module that does it.
const ELSEWHERE: &[(Operation, Error)] = &[
    // `memory`
    (Operation::Map, Error::OutOfMemory),
    (Operation::Split, Error::InvalidState),
];

fn each_error_of_the_interface_is_returned_where_it_belongs() {
    use Error::{
        AlreadyBound, AlreadyMapped, InvalidAddress, InvalidArgument, InvalidCapability, InvalidState, MissingRight,
        NotMapped, OutOfMemory, SlotOccupied, WrongKind,
    };
    use Operation::{
        Bind, Configure, Copy, Delete, Make, MakeEndpoint, Map, Mint, Move, PowerOff, Protect, ReadPort, ReadRegisters,
        Revoke, SetFaultHandler, SetFloatingPoint, Split, Start, Unmap, Write, WritePort, WriteRegister, Yield,
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
        (Mint, TABLE, [1, FRAME, 0x80, 7], InvalidArgument),
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
        // The memory that the machine began with has nowhere to go back to.
        (Delete, slots::TABLE, [memory, 0, 0, 0], InvalidState),
        (Revoke, slots::TABLE, [0; 4], InvalidArgument),
        (Revoke, slots::TABLE, [64, 0, 0, 0], InvalidArgument),
        (Revoke, TABLE, [MANY, 0, 0, 0], InvalidArgument),
        (Revoke, TABLE, [1, 0, 0, 0], InvalidCapability),
        (Move, INNER, [2, PART, 0, 0], InvalidState),
        (Move, INNER, [2, memory, 0, 0], InvalidState),
        (Split, PART, [1, EMPTY, 1, 0], InvalidCapability),
        (Split, PART, [1, FRAME, 1, 0], WrongKind),
        (Split, PART, [1, TABLE_WEAK, 1, 0], MissingRight),
        (Split, PART, [0, TABLE, 1, 0], InvalidArgument),
        (Split, PART, [1 << 32, TABLE, 1, 0], InvalidArgument),
        (Split, PART, [MANY, TABLE, 1, 0], InvalidArgument),
        (Split, PART, [1, TABLE, 0, 0], InvalidArgument),
        (Split, PART, [1, TABLE, 64, 0], InvalidArgument),
        (Split, PART, [1, slots::TABLE, slots::SELF, 0], SlotOccupied),
        (Split, PART, [PART_PAGES, TABLE, 1, 0], OutOfMemory),
        (Split, PART, [(1 << 32) - 1, TABLE, 1, 0], OutOfMemory),
        (Make, PART, [Kind::LargeFrame as u64, 1, TABLE, 1], OutOfMemory),
        (Make, PART, [frame_kind, PART_PAGES, TABLE, 1], OutOfMemory),
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
        (Map, SPACE, [EMPTY, 0x2000, 0, 0], InvalidCapability),
        (Map, SPACE, [TABLE, 0x2000, 0, 0], WrongKind),
        (Map, SPACE, [memory, 0x2000, 0, 0], WrongKind),
        (Map, SPACE, [FRAME_READ, 0x2000, Access::ReadWrite as u64, 0], MissingRight),
        (Map, SPACE, [FRAME_READ, 0x2000, Access::ReadExecute as u64, 0], MissingRight),
        (Map, SPACE, [FRAME, 0x2000, 3, 0], InvalidArgument),
        (Map, SPACE, [FRAME, 0x2000, MANY, 0], InvalidArgument),
        (Map, SPACE, [FRAME, 0x2001, 0, 0], InvalidAddress),
        (Map, SPACE, [FRAME, 0, 0, 0], InvalidAddress),
        (Map, SPACE, [FRAME, USER_END, 0, 0], InvalidAddress),
        (Map, SPACE, [FRAME, 1 << 47, 0, 0], InvalidAddress),
        (Map, SPACE, [FRAME, 0xffff_8000_0000_0000, 0, 0], InvalidAddress),
        (Map, SPACE, [FRAME, MANY - 0xfff, 0, 0], InvalidAddress),
        (Map, SPACE, [MAPPED, 0x2000, 0, 0], AlreadyMapped),
        (Map, SPACE, [FRAME, MAPPED_ADDRESS, 0, 0], AlreadyMapped),
        (Map, SPACE, [LARGE_READ, LARGE_FRAME_SIZE, Access::ReadWrite as u64, 0], MissingRight),
        (Map, SPACE, [LARGE, LARGE_FRAME_SIZE, 3, 0], InvalidArgument),
        (Map, SPACE, [LARGE, USER_START, 0, 0], InvalidAddress),
        (Map, SPACE, [LARGE, LARGE_FRAME_SIZE + 0x1000, 0, 0], InvalidAddress),
        (Map, SPACE, [LARGE, (1 << 47) - LARGE_FRAME_SIZE, 0, 0], InvalidAddress),
        (Map, SPACE, [LARGE, MANY - LARGE_FRAME_SIZE + 1, 0, 0], InvalidAddress),
        (Map, SPACE, [LARGE, 0, 0, 0], InvalidAddress),
        (Map, SPACE, [FRAME, LARGE_ADDRESS, 0, 0], AlreadyMapped),
        (Map, SPACE, [FRAME, LARGE_ADDRESS + LARGE_FRAME_SIZE - 0x1000, 0, 0], AlreadyMapped),
        (Map, SPACE, [LARGE, LARGE_ADDRESS, 0, 0], AlreadyMapped),
        (Map, SPACE, [LARGE_MAPPED, LARGE_FRAME_SIZE, 0, 0], AlreadyMapped),
        // A small frame is mapped within the range.
        (Map, SPACE, [LARGE, MAPPED_HIGH & !(LARGE_FRAME_SIZE - 1), 0, 0], AlreadyMapped),
        (Unmap, FRAME, [0; 4], NotMapped),
        (Unmap, LARGE, [0; 4], NotMapped),
        (Protect, FRAME, [0; 4], NotMapped),
        (Protect, LARGE, [0; 4], NotMapped),
        (Protect, MAPPED, [3, 0, 0, 0], InvalidArgument),
        (Protect, MAPPED, [MANY, 0, 0, 0], InvalidArgument),
        (Protect, LARGE_MAPPED, [3, 0, 0, 0], InvalidArgument),
        (Protect, FRAME_READ, [Access::ReadWrite as u64, 0, 0, 0], MissingRight),
        (Protect, LARGE_READ, [Access::ReadExecute as u64, 0, 0, 0], MissingRight),
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
        (ReadRegisters, TASK, [18, 0, 0, 0], InvalidArgument),
        (ReadRegisters, TASK, [MANY, 0, 0, 0], InvalidArgument),
        (ReadRegisters, STARTED, [0; 4], InvalidState),
        (ReadRegisters, slots::SELF, [0; 4], InvalidState),
        (WriteRegister, TASK, [18, 0, 0, 0], InvalidArgument),
        (WriteRegister, TASK, [MANY, 0, 0, 0], InvalidArgument),
        (WriteRegister, TASK, [16, 0, 0, 0], InvalidAddress),
        (WriteRegister, TASK, [16, USER_END, 0, 0], InvalidAddress),
        (WriteRegister, TASK, [16, 1 << 47, 0, 0], InvalidAddress),
        (WriteRegister, TASK, [16, MANY, 0, 0], InvalidAddress),
        (WriteRegister, STARTED, [0; 4], InvalidState),
        (WriteRegister, slots::SELF, [0; 4], InvalidState),
        (SetFloatingPoint, TASK, [EMPTY, 0, 0, 0], InvalidCapability),
        (SetFloatingPoint, TASK, [FRAME, 0, 0, 0], WrongKind),
        (SetFloatingPoint, TASK, [FLOATING_WEAK, 0, 0, 0], MissingRight),
        // It serves another task; then, the task is not stopped.
        (SetFloatingPoint, TASK, [FLOATING_USED, 0, 0, 0], InvalidState),
        (SetFloatingPoint, STARTED, [FLOATING, 0, 0, 0], InvalidState),
        (SetFloatingPoint, slots::SELF, [0; 4], InvalidState),
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
        (SetFaultHandler, TASK, [EMPTY, 0, 0, 0], InvalidCapability),
        (SetFaultHandler, TASK, [TASK, 0, 0, 0], WrongKind),
        (SetFaultHandler, TASK, [ENDPOINT_WEAK, 0, 0, 0], MissingRight),
        (SetFaultHandler, TASK, [ENDPOINT, 2, 0, 0], InvalidArgument),
        (SetFaultHandler, TASK, [ENDPOINT, MANY, 0, 0], InvalidArgument),
        (SetFaultHandler, TASK, [0, 1, 0, 0], InvalidArgument),
        (Bind, slots::INTERRUPTS, [16, ENDPOINT, 0, 0], InvalidArgument),
        (Bind, slots::INTERRUPTS, [MANY, ENDPOINT, 0, 0], InvalidArgument),
        (Bind, slots::INTERRUPTS, [UNUSED_LINE, EMPTY, 0, 0], InvalidCapability),
        (Bind, slots::INTERRUPTS, [UNUSED_LINE, TASK, 0, 0], WrongKind),
        (Bind, slots::INTERRUPTS, [UNUSED_LINE, ENDPOINT_WEAK, 0, 0], MissingRight),
        (Bind, slots::INTERRUPTS, [BOUND_LINE, ENDPOINT, 0, 0], AlreadyBound),
        (ReadPort, slots::PORTS, [0x80, 3, 0, 0], InvalidArgument),
        (ReadPort, slots::PORTS, [1 << 16, 1, 0, 0], InvalidArgument),
        (WritePort, slots::PORTS, [0x80, 0, 0, 0], InvalidArgument),
        (WritePort, slots::PORTS, [0x80, 1, 0x100, 0], InvalidArgument),
        (WritePort, slots::PORTS, [0xffff, 2, 0, 0], InvalidArgument),
    ];
    with_objects(|| {
        let of_chapter_6 = if kernel_knows(MakeEndpoint) { of_chapter_6 } else { &[] };
        if kernel_knows(MakeEndpoint) {
            Task(TASK).make_endpoint(crate::harness::thread_entry, 7, SCRATCH, 25).expect("a free slot");
            copy(26, ENDPOINT, Rights::GRANT);
            Interrupts(slots::INTERRUPTS).bind(BOUND_LINE, Some(Endpoint(ENDPOINT))).expect("nothing is bound to it");
        }
        let before = free_pages();
        for &(operation, pointer, arguments, expected) in cases.iter().chain(of_chapter_6) {
            let outcome = system_call(pointer, operation as u64, arguments);
            assert_eq!(outcome, Err(expected), "{operation:?} on {pointer:#x} with {arguments:x?}");
        }
        assert_eq!(free_pages(), before, "a refused operation takes no page");
        if kernel_knows(MakeEndpoint) {
            Interrupts(slots::INTERRUPTS).bind(BOUND_LINE, None).expect("the root task has all lines");
        }
        let is_there = |operation: Operation, error| {
            let cases = cases.iter().chain(of_chapter_6).map(|&(operation, _, _, error)| (operation, error));
            cases.chain(ELSEWHERE.iter().copied()).any(|case| case == (operation, error))
        };
        for information in OPERATIONS.iter().filter(|information| is_listed_here(information.operation)) {
            for &(error, cause) in information.errors {
                assert!(is_there(information.operation, error), "{} with {error:?}: {cause}", information.name);
            }
        }
        assert_eq!(system_call(at(31), Operation::Identify as u64, [0; 4]), Err(InvalidCapability));
    });
}
