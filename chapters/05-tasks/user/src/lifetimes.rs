//! Objects live as long as somebody holds them, and not longer; a task may delete what it stands on.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{PAGE_SIZE, ROOT_RAMDISK};
use flatmk_abi::slots::{self, SLOTS_PER_TABLE};
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_image::Image;
use flatmk_runtime::object::{AddressSpace, Frame, Memory, OWN_SPACE, OWN_TABLE, OWN_TASK, Table};
use flatmk_runtime::program::Program;
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;
use tar_no_std::TarArchiveRef;

use crate::harness::{FIRST_FREE, MEMORY, SCRATCH, at, make, with_scratch, yield_once};
use crate::memory::WINDOW;
use crate::registers::system_call;

pub(crate) const TESTS: &[Test] = tests![
    a_second_program_runs_in_a_space_of_its_own,
    a_program_that_is_deleted_never_runs,
    a_task_deletes_itself_its_table_and_its_space_in_every_order,
    a_task_takes_all_that_it_alone_holds_with_it,
    a_long_chain_of_tables_is_deleted_at_once,
    objects_go_in_any_order,
    a_frame_outlives_the_space_in_which_it_was_mapped,
    a_copy_of_a_mapped_frame_is_not_mapped,
];

static RAMDISK_LENGTH: AtomicU64 = AtomicU64::new(0);

pub(crate) fn set_ramdisk_length(length: u64) {
    RAMDISK_LENGTH.store(length, Relaxed);
}

/// The slots of a child program in this program's table.
pub(crate) const CHILD: u64 = FIRST_FREE + 1;

/// Where a child may have a second capability to its table.
const SECOND_TABLE: u64 = 7;

/// Where a child finds a frame that it shares with this program.
const SHARED: u64 = 0x5000_0000;
/// What it writes there.
const GREETING: u64 = 0x6f6c_6c65_6821;

/// What this program is told to do when it is the child of another.
#[derive(Clone, Copy)]
pub(crate) enum Child {
    /// Write the greeting to the shared frame.
    Greet,
    /// Delete these slots of its own table, in this order, through the capability in the first.
    Delete([u64; 4]),
    /// Delete or revoke a slot, then delete another, all in the table in the first: the operation's number, and the three slots.
    Remove([u64; 4]),
}

const IS_CHILD: u64 = 1 << 63;
const GREETS: u64 = 1 << 62;
const REMOVES: u64 = 1 << 61;

impl Child {
    /// What the argument of a program says; `None` for the root task, whose argument is the length of the ramdisk.
    pub(crate) fn from_argument(argument: u64) -> Option<Self> {
        if argument & IS_CHILD == 0 {
            return None;
        }
        let slot = |index: u32| argument >> (8 * index) & 0xff;
        let slots = [0, 1, 2, 3].map(slot);
        Some(match argument & (GREETS | REMOVES) {
            0 => Child::Delete(slots),
            REMOVES => Child::Remove(slots),
            _ => Child::Greet,
        })
    }

    pub(crate) fn to_argument(self) -> u64 {
        let pack = |slots: [u64; 4]| slots.into_iter().rev().fold(0, |argument, slot| argument << 8 | slot);
        match self {
            Child::Greet => IS_CHILD | GREETS,
            Child::Delete(slots) => pack(slots) | IS_CHILD,
            Child::Remove(slots) => pack(slots) | IS_CHILD | REMOVES,
        }
    }

    pub(crate) fn run(self) -> ! {
        match self {
            Child::Greet => {
                let shared = core::ptr::with_exposed_provenance_mut::<u64>(SHARED as usize);
                // SAFETY: whoever started this program with this argument has mapped a frame there.
                unsafe { shared.write_volatile(GREETING) };
            }
            Child::Delete([through, deleted @ ..]) => {
                // What is refused, because the way to it is gone already, is the parent's to find.
                deleted.into_iter().for_each(|slot| Table(through).delete(slot).unwrap_or_default());
            }
            Child::Remove([operation, through, removed, afterwards]) => {
                system_call(through, operation, [removed, 0, 0, 0]).expect("the parent has put it there");
                Table(through).delete(afterwards).expect("the parent has put it there");
            }
        }
        // It may have deleted the capability that it needs to yield.
        while OWN_TASK.yield_now().is_ok() {}
        // SAFETY: raises an exception, and does nothing else.
        unsafe { core::arch::asm!("ud2", options(noreturn)) }
    }
}

/// Loads this program a second time, as a child.
fn load_child() -> Program {
    load_child_from(MEMORY)
}

/// The same, with all its pages from this memory.
pub(crate) fn load_child_from(memory: Memory) -> Program {
    let length = RAMDISK_LENGTH.load(Relaxed) as usize;
    // SAFETY: the kernel has mapped so many bytes there, read-only, for as long as this task lives.
    let ramdisk =
        unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance::<u8>(ROOT_RAMDISK as usize), length) };
    let archive = TarArchiveRef::new(ramdisk).expect("the kernel has found this program there");
    let file = archive.entries().find(|entry| entry.filename().as_str() == Ok("root-task")).expect("this program");
    let image = Image::parse(file.data()).expect("the kernel has loaded it");
    Program::load(&image, memory, CHILD).expect("enough memory")
}

/// Deletes what is left of a child: its task and space, what it may have kept of itself, and its frames.
pub(crate) fn clean_up(child: Program) {
    for slot in [slots::SELF, slots::TABLE, slots::SPACE, SECOND_TABLE] {
        child.table.delete(slot).unwrap_or_default();
    }
    OWN_TABLE.delete(CHILD).unwrap_or_default();
}

fn a_second_program_runs_in_a_space_of_its_own() {
    with_scratch(|| {
        let child = load_child();
        let frame = Frame(make(Kind::Frame, 1));
        SCRATCH.copy(2, frame.0, Rights::READ | Rights::WRITE | Rights::GRANT).expect("the copy is allowed");
        OWN_SPACE.map(frame, WINDOW, Access::ReadWrite).expect("a free address");
        child.space.map(Frame(at(2)), SHARED, Access::ReadWrite).expect("a free address");
        child.start(Child::Greet.to_argument()).expect("a loaded program can be started");
        let shared = core::ptr::with_exposed_provenance::<u64>(WINDOW as usize);
        // SAFETY: the frame was just mapped there.
        assert_eq!(unsafe { shared.read_volatile() }, 0, "it has not run yet");
        yield_once();
        // SAFETY: as above.
        assert_eq!(unsafe { shared.read_volatile() }, GREETING);
        clean_up(child);
    });
}

fn a_program_that_is_deleted_never_runs() {
    with_scratch(|| {
        let child = load_child();
        clean_up(child);
        yield_once();
        let child = load_child();
        // It would fault: nothing is mapped at the address where it shall write.
        child.start(Child::Greet.to_argument()).expect("a loaded program can be started");
        clean_up(child);
        yield_once();
    });
}

fn a_task_deletes_itself_its_table_and_its_space_in_every_order() {
    const ORDERS: [[u64; 3]; 6] = {
        const A: u64 = slots::SELF;
        const B: u64 = slots::TABLE;
        const C: u64 = slots::SPACE;
        [[A, B, C], [A, C, B], [B, A, C], [B, C, A], [C, A, B], [C, B, A]]
    };
    for [first, second, third] in ORDERS {
        // Through a second capability to the table, or through the one that it deletes.
        for through in [SECOND_TABLE, slots::TABLE] {
            with_scratch(|| {
                let child = load_child();
                child.table.copy(SECOND_TABLE, child.table.0, Rights::all()).expect("a free slot");
                // The child alone holds its task and its space now.
                Table(CHILD).delete(child.task.0 % SLOTS_PER_TABLE).expect("the task is there");
                Table(CHILD).delete(child.space.0 % SLOTS_PER_TABLE).expect("the space is there");
                let task = child.slot(slots::SELF);
                let argument = Child::Delete([through, first, second, third]).to_argument();
                flatmk_runtime::object::Task(task).start(entry_of_this_program(), argument).expect("not started yet");
                yield_once();
                yield_once();
                clean_up(child);
            });
        }
    }
}

/// When the task deletes the last capability to itself, its table, its space and the table in which that capability was go
/// with it, all in that one system call. (A table that holds itself would stay: nothing else leads to it any more.)
fn a_task_takes_all_that_it_alone_holds_with_it() {
    with_scratch(|| {
        let child = load_child();
        let other = Table(make(Kind::Table, 1));
        other.copy(1, child.task.0, Rights::all()).expect("a free slot");
        child.table.copy(SECOND_TABLE, other.0, Rights::all()).expect("a free slot");
        SCRATCH.delete(1).expect("the table is there");
        [slots::SELF, slots::TABLE, slots::SPACE].into_iter().for_each(|slot| {
            child.table.delete(slot).expect("the loader has put it there");
        });
        child.start(Child::Delete([SECOND_TABLE, 60, 1, 61]).to_argument()).expect("a loaded program can be started");
        for object in [child.task.0, child.space.0, child.table.0] {
            Table(CHILD).delete(object % SLOTS_PER_TABLE).expect("the object is there");
        }
        yield_once();
        yield_once();
        OWN_TABLE.delete(CHILD).expect("the frames are there");
    });
}

/// The first instruction of this program.
pub(crate) fn entry_of_this_program() -> u64 {
    unsafe extern "C" {
        fn _start() -> !;
    }
    _start as *const () as u64
}

/// Each table is held by the one before alone: the kernel's stack must not grow with the chain.
fn a_long_chain_of_tables_is_deleted_at_once() {
    const LENGTH: u64 = 5000;
    with_scratch(|| {
        // Slots 1 and 2 take turns: the new table gets the old one, and replaces it.
        let (mut old, mut new) = (1, 2);
        make(Kind::Table, old);
        for _ in 0..LENGTH {
            let table = Table(make(Kind::Table, new));
            table.move_here(1, at(old)).expect("the old one may be moved");
            (old, new) = (new, old);
        }
    });
}

/// Objects that hold each other go in whatever order their capabilities go.
fn objects_go_in_any_order() {
    const OBJECTS: [u64; 5] = [1, 2, 3, 4, 5];
    let mut random = crate::harness::Random(0x5eed_0005);
    for _ in 0..200 {
        with_scratch(|| {
            let kinds = [Kind::Table, Kind::AddressSpace, Kind::Task, Kind::Frame, Kind::Table];
            for (slot, kind) in OBJECTS.into_iter().zip(kinds) {
                make(kind, slot);
            }
            let (table, space, task, frame) =
                (Table(at(1)), AddressSpace(at(2)), flatmk_runtime::object::Task(at(3)), Frame(at(4)));
            task.configure(table, space, PAGE_SIZE).expect("a new task");
            space.map(frame, PAGE_SIZE * random.below(4).max(1), Access::Read).expect("a free address");
            Table(at(5)).move_here(1, at(1)).expect("a free slot");
            if random.below(2) == 0 {
                task.start(PAGE_SIZE, 0).expect("a configured task");
            }
            let mut order = [2, 3, 4, 5];
            for index in 0..order.len() {
                order.swap(index, random.below(4) as usize);
            }
            for slot in order {
                SCRATCH.delete(slot).expect("it is there");
            }
            assert_eq!(SCRATCH.delete(2), Err(Error::InvalidCapability));
        });
    }
}

/// The capability forgets the mapping: else it would later change a page that is something else by then.
fn a_frame_outlives_the_space_in_which_it_was_mapped() {
    with_scratch(|| {
        let frame = Frame(make(Kind::Frame, 1));
        for _ in 0..3 {
            let space = AddressSpace(make(Kind::AddressSpace, 2));
            space.map(frame, PAGE_SIZE, Access::Read).expect("a free address");
            SCRATCH.delete(2).expect("the space is there");
            assert_eq!(frame.unmap(), Err(Error::NotMapped));
        }
        OWN_SPACE.map(frame, WINDOW, Access::Read).expect("it is mapped nowhere");
    });
}

fn a_copy_of_a_mapped_frame_is_not_mapped() {
    with_scratch(|| {
        let frame = Frame(make(Kind::Frame, 1));
        OWN_SPACE.map(frame, WINDOW, Access::ReadWrite).expect("a free address");
        SCRATCH.copy(2, frame.0, Rights::READ).expect("the copy is allowed");
        assert_eq!(Frame(at(2)).unmap(), Err(Error::NotMapped));
        SCRATCH.delete(2).expect("the copy is there");
        let mapped = core::ptr::with_exposed_provenance_mut::<u64>(WINDOW as usize);
        // SAFETY: the frame was mapped there, writable, and still is, or this test fails by a fault.
        unsafe { mapped.write_volatile(1) };
        // A mapping moves with its capability.
        SCRATCH.move_here(2, frame.0).expect("it may be moved");
        Frame(at(2)).unmap().expect("it is mapped");
    });
}
