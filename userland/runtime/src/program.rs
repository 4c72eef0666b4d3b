//! Loading programs: what the kernel does once, for the root task, programs do for each other.

use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{self, SLOTS_PER_TABLE, nested};
use flatmk_abi::{Access, Error, Kind, Rights};
use flatmk_image::{Image, Page};

use crate::object::{AddressSpace, Frame, Memory, OWN_SPACE, OWN_TABLE, Table, Task};

/// The top of a program's stack.
const STACK_TOP: u64 = 0x8000_0000;
/// How many pages its stack has.
const STACK_PAGES: u64 = 8;

/// Where the loader maps a frame of its own to fill it.
const SCRATCH_ADDRESS: u64 = 0x7000_0000;

/// How many tables hold the frames of one program.
const FRAME_TABLES: u64 = 4;

/// The slot in a program's table in which it offers its service, an endpoint, once it has started.
pub const SERVICE: u64 = 6;

/// How many slots of its own table the loader needs for one program.
pub const SLOTS_PER_PROGRAM: u64 = 4 + FRAME_TABLES;

/// A program that was loaded and not started yet, by its objects.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its capability table. The slots of the program are reached through it, too.
    pub table: Table,
    /// Its address space.
    pub space: AddressSpace,
    /// Its task.
    pub task: Task,
    entry: u64,
}

/// The objects of a program while it is loaded, and where its frames go.
struct Loader {
    memory: Memory,
    space: AddressSpace,
    scratch: u64,
    first_frame_table: u64,
    frames: u64,
}

impl Program {
    // ANCHOR: load
    /// Loads a program. Uses [`SLOTS_PER_PROGRAM`] empty slots of the caller's table from `first_slot` on. The program gets its
    /// own task, table and space; everything else is put into its table by the caller.
    ///
    /// # Errors
    ///
    /// What the kernel says: mostly [`Error::OutOfMemory`]; also [`Error::OutOfMemory`] for a program with more pages than
    /// the slots for its frames. What was made until then stays in the slots.
    pub fn load(image: &Image<'_>, memory: Memory, first_slot: u64) -> Result<Self, Error> {
        let (table, space, task) = (Table(first_slot), AddressSpace(first_slot + 1), Task(first_slot + 2));
        memory.make(Kind::Table, 1, OWN_TABLE, table.0)?;
        memory.make(Kind::AddressSpace, 1, OWN_TABLE, space.0)?;
        memory.make(Kind::Task, 1, OWN_TABLE, task.0)?;
        let mut loader =
            Loader { memory, space, scratch: first_slot + 3, first_frame_table: first_slot + 4, frames: 0 };
        for segment in image.segments() {
            for page in segment.pages() {
                loader.load_page(&page, segment.access())?;
            }
        }
        for index in 1..=STACK_PAGES {
            let frame = loader.make_frame()?;
            space.map(frame, STACK_TOP - index * PAGE_SIZE, Access::ReadWrite)?;
        }
        for (slot, source) in [(slots::SELF, task.0), (slots::TABLE, table.0), (slots::SPACE, space.0)] {
            table.copy(slot, source, Rights::all())?;
        }
        task.configure(table, space, STACK_TOP)?;
        Ok(Self { table, space, task, entry: image.entry() })
    }
    // ANCHOR_END: load

    /// Starts it, with an argument.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn start(self, argument: u64) -> Result<(), Error> {
        self.task.start(self.entry, argument)
    }

    /// The caller's pointer to a slot of the program.
    #[must_use]
    pub fn slot(self, slot: u64) -> u64 {
        nested(self.table.0, slot)
    }
}

impl Loader {
    /// Makes a frame; its capability goes into the next slot of the program's frame tables.
    fn make_frame(&mut self) -> Result<Frame, Error> {
        const USABLE: u64 = SLOTS_PER_TABLE - 1;
        let (table, slot) = (self.first_frame_table + self.frames / USABLE, 1 + self.frames % USABLE);
        if self.frames == FRAME_TABLES * USABLE {
            return Err(Error::OutOfMemory);
        }
        if slot == 1 {
            self.memory.make(Kind::Table, 1, OWN_TABLE, table)?;
        }
        self.memory.make(Kind::Frame, 1, Table(table), slot)?;
        self.frames += 1;
        Ok(Frame(nested(table, slot)))
    }

    /// A frame is mapped by one capability in one place: it is filled through a copy, then mapped by the original.
    fn load_page(&mut self, page: &Page<'_>, access: Access) -> Result<(), Error> {
        let frame = self.make_frame()?;
        OWN_TABLE.copy(self.scratch, frame.0, Rights::READ | Rights::WRITE)?;
        OWN_SPACE.map(Frame(self.scratch), SCRATCH_ADDRESS, Access::ReadWrite)?;
        // SAFETY: a writable page was just mapped there, and only this function knows of it; the plan keeps offset and length
        // within a page.
        unsafe {
            ptr::copy_nonoverlapping(
                page.bytes.as_ptr(),
                ptr::with_exposed_provenance_mut::<u8>(SCRATCH_ADDRESS as usize + page.offset),
                page.bytes.len(),
            );
        }
        OWN_TABLE.delete(self.scratch)?;
        self.space.map(frame, page.address, access)
    }
}
