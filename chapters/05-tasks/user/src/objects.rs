//! One object of each kind, in each state that makes a difference, for the tests of operations.

use flatmk_abi::layout::USER_START;
use flatmk_abi::{Access, Kind, Operation, Rights, slots};
use flatmk_runtime::object::{AddressSpace, FloatingPoint, Frame, Memory, Table, Task};

use crate::harness::{MEMORY, SCRATCH, at, copy, kernel_knows, make, stack_top, with_scratch};

pub(crate) const FRAME: u64 = at(1);
pub(crate) const FRAME_READ_GRANT: u64 = at(2);
pub(crate) const FRAME_READ: u64 = at(3);
pub(crate) const TABLE: u64 = at(4);
pub(crate) const TABLE_WEAK: u64 = at(5);
pub(crate) const TASK: u64 = at(6);
pub(crate) const TASK_WEAK: u64 = at(7);
pub(crate) const SPACE: u64 = at(8);
pub(crate) const SPACE_WEAK: u64 = at(9);
pub(crate) const CONFIGURED: u64 = at(10);
pub(crate) const STARTED: u64 = at(11);
pub(crate) const MAPPED: u64 = at(12);
pub(crate) const CONSOLE_WEAK: u64 = at(13);
pub(crate) const POWER_WEAK: u64 = at(14);
/// Memory, and a table that was made from it.
pub(crate) const PART: u64 = at(15);
pub(crate) const INNER: u64 = at(16);
pub(crate) const LARGE: u64 = at(17);
pub(crate) const LARGE_READ: u64 = at(18);
pub(crate) const LARGE_MAPPED: u64 = at(19);
pub(crate) const MAPPED_TOO: u64 = at(20);
/// A page for floating-point state that serves nobody, and one that serves a task.
pub(crate) const FLOATING: u64 = at(22);
pub(crate) const FLOATING_WEAK: u64 = at(23);
pub(crate) const FLOATING_USED: u64 = at(24);
pub(crate) const EMPTY: u64 = at(30);

pub(crate) const MAPPED_ADDRESS: u64 = 0x1_0000;
/// A frame that is mapped alone in its 2 MiB.
pub(crate) const MAPPED_HIGH: u64 = 0x8000_5000;
pub(crate) const LARGE_ADDRESS: u64 = 0x4000_0000;
pub(crate) const PART_PAGES: u64 = 8;
/// Enough for a large frame, wherever the memory begins.
const LARGE_PART_PAGES: u64 = 1023;

pub(crate) fn with_objects(test: impl FnOnce()) {
    with_scratch(|| {
        for (slot, kind) in [
            (1, Kind::Frame),
            (4, Kind::Table),
            (6, Kind::Task),
            (8, Kind::AddressSpace),
            (10, Kind::Task),
            (11, Kind::Task),
            (12, Kind::Frame),
            (22, Kind::FloatingPoint),
            (24, Kind::FloatingPoint),
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
        copy(23, FLOATING, Rights::GRANT);
        Task(CONFIGURED).set_floating_point(Some(FloatingPoint(FLOATING_USED))).expect("it is stopped");
        for task in [CONFIGURED, STARTED] {
            Task(task).configure(Table(TABLE), AddressSpace(SPACE), stack_top(0)).expect("a new task");
        }
        // It never gets its turn: the test deletes it first, and is more urgent where that counts.
        if kernel_knows(Operation::SetPriority) {
            Task(STARTED).set_priority(0).expect("the root task is the most urgent");
        }
        Task(STARTED).start(USER_START, 0).expect("a configured task");
        AddressSpace(SPACE).map(Frame(MAPPED), MAPPED_ADDRESS, Access::ReadWrite).expect("a free address");
        SCRATCH.copy(20, MAPPED, Rights::READ | Rights::GRANT).expect("a free slot");
        AddressSpace(SPACE).map(Frame(MAPPED_TOO), MAPPED_HIGH, Access::Read).expect("a free address");
        MEMORY.split(LARGE_PART_PAGES, SCRATCH, 21).expect("enough pages");
        MEMORY.split(PART_PAGES, SCRATCH, 15).expect("enough pages");
        Memory(PART).make(Kind::Table, 1, SCRATCH, 16).expect("a page");
        Memory(at(21)).make(Kind::LargeFrame, 1, SCRATCH, 17).expect("aligned pages in a row");
        copy(18, LARGE, Rights::READ);
        copy(19, LARGE, Rights::all());
        AddressSpace(SPACE).map(Frame(LARGE_MAPPED), LARGE_ADDRESS, Access::ReadWrite).expect("a free address");
        test();
    });
}
