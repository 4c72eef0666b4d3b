//! Loading programs: what the kernel does once, for the root task, programs do for each other.

use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{self, SLOTS_PER_TABLE, nested};
use flatmk_abi::{Access, Error, Kind, Rights, SOFTUSER_ENTRY};
use flatmk_image::{Image, Machine, Page};

use crate::object::{AddressSpace, Frame, Memory, OWN_SPACE, OWN_TABLE, Softuser, Table, Task};

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

/// What is in the table that holds everything of a program: its objects, a frame while it is filled, and the tables of its frames.
const TABLE: u64 = 1;
const SPACE: u64 = 2;
const TASK: u64 = 3;
const SCRATCH: u64 = 4;
/// The first of the tables of its frames.
pub const FIRST_FRAME_TABLE: u64 = 5;
/// Of a program for RISC-V: the memory of its softuser pages, and the table in which these are, from slot 1 on.
const SOFTUSER_MEMORY: u64 = FIRST_FRAME_TABLE + FRAME_TABLES;
const SOFTUSER_TABLE: u64 = SOFTUSER_MEMORY + 1;

/// How many softuser pages a program has: room for some thousand translated instructions.
const SOFTUSER_PAGES: u64 = 16;

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
    all: Table,
    frames: u64,
}

impl Program {
    // ANCHOR: load
    /// Loads a program. Everything of it is in a table in an empty slot of the caller's. The program gets its
    /// own task, table and space; whatever else it is to have is put into its table by the caller. [`end`](Self::end) ends it. One for RISC-V gets softuser pages, too.
    ///
    /// # Errors
    ///
    /// What the kernel says: mostly [`Error::OutOfMemory`]; also [`Error::OutOfMemory`] for a program with more pages than
    /// the slots for its frames. What was made until then stays in the slot.
    pub fn load(image: &Image<'_>, memory: Memory, slot: u64) -> Result<Self, Error> {
        let all = Table(slot);
        memory.make(Kind::Table, 1, OWN_TABLE, all.0)?;
        memory.make(Kind::Table, 1, all, TABLE)?;
        memory.make(Kind::AddressSpace, 1, all, SPACE)?;
        memory.make(Kind::Task, 1, all, TASK)?;
        let table = Table(nested(all.0, TABLE));
        let (space, task) = (AddressSpace(nested(all.0, SPACE)), Task(nested(all.0, TASK)));
        let mut loader = Loader { memory, space, all, frames: 0 };
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
        let entry = match image.machine() {
            Machine::X86_64 => image.entry(),
            Machine::RiscV32 => {
                loader.add_softuser(task)?;
                image.entry() | SOFTUSER_ENTRY
            }
        };
        Ok(Self { table, space, task, entry })
    }
    // ANCHOR_END: load

    /// Ends it: everything of it goes. Its address space may have been sent to others, for example to map something into it; what they have of it goes
    /// first, which is how they learn that the program is gone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] if it was ended before.
    pub fn end(self) -> Result<(), Error> {
        let all = self.table.0 / SLOTS_PER_TABLE;
        Table(all).revoke(SPACE)?;
        OWN_TABLE.delete(all)
    }

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
        let (table, slot) = (FIRST_FRAME_TABLE + self.frames / USABLE, 1 + self.frames % USABLE);
        if self.frames == FRAME_TABLES * USABLE {
            return Err(Error::OutOfMemory);
        }
        if slot == 1 {
            self.memory.make(Kind::Table, 1, self.all, table)?;
        }
        let table = Table(nested(self.all.0, table));
        self.memory.make(Kind::Frame, 1, table, slot)?;
        self.frames += 1;
        Ok(Frame(nested(table.0, slot)))
    }

    /// Gives the task its softuser pages. They must lie in a row, so they are made of memory that was never handed out.
    fn add_softuser(&self, task: Task) -> Result<(), Error> {
        self.memory.split(SOFTUSER_PAGES, self.all, SOFTUSER_MEMORY)?;
        self.memory.make(Kind::Table, 1, self.all, SOFTUSER_TABLE)?;
        let [memory, table] = [SOFTUSER_MEMORY, SOFTUSER_TABLE].map(|slot| nested(self.all.0, slot));
        Memory(memory).make(Kind::Softuser, SOFTUSER_PAGES, Table(table), 1)?;
        // None of its code is for this processor, so the stack is free for the other.
        task.set_softuser(Softuser(nested(table, 1)), SOFTUSER_PAGES, STACK_TOP)
    }

    /// A frame is mapped by one capability in one place: it is filled through a copy, then mapped by the original.
    fn load_page(&mut self, page: &Page<'_>, access: Access) -> Result<(), Error> {
        let frame = self.make_frame()?;
        self.all.copy(SCRATCH, frame.0, Rights::READ | Rights::WRITE)?;
        OWN_SPACE.map(Frame(nested(self.all.0, SCRATCH)), SCRATCH_ADDRESS, Access::ReadWrite)?;
        // SAFETY: a writable page was just mapped there, and only this function knows of it; the plan keeps offset and length
        // within a page.
        unsafe {
            ptr::copy_nonoverlapping(
                page.bytes.as_ptr(),
                ptr::with_exposed_provenance_mut::<u8>(SCRATCH_ADDRESS as usize + page.offset),
                page.bytes.len(),
            );
        }
        self.all.delete(SCRATCH)?;
        self.space.map(frame, page.address, access)
    }
}
