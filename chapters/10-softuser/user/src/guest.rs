//! RISC-V code for tests, made of instructions, and threads that run it.

use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::nested;
use flatmk_abi::{Access, Kind, Operation as Call, SOFTUSER_ENTRY, slots};
use flatmk_runtime::object::{Endpoint, Frame, Memory, OWN_SPACE, OWN_TABLE, Softuser, Table, Task};
use flatmk_softuser::Operation::{Addi, Ecall, Jalr, Lui};
use flatmk_softuser::{Instruction, Length, Operation};

use crate::harness::{FIRST_FREE, MEMORY, SCRATCH, at};
use crate::threads::prepare;

/// Where code is, two pages, and where data is, two pages; nothing behind either of them.
pub(crate) const CODE: u32 = 0x2000_0000;
pub(crate) const DATA: u32 = 0x3000_0000;
pub(crate) const PAGES: u64 = 2;
/// The same pages of code, writable.
pub(crate) const WRITABLE_CODE: u32 = 0x2800_0000;
/// Where the stack of guests ends: the end of the data.
pub(crate) const STACK: u32 = DATA + (PAGES * PAGE_SIZE) as u32;

/// The slot of this program's table with the table for the guests' frames, and that for the pages of their harts.
const GUESTS: Table = Table(FIRST_FREE + 14);
/// Where frames are in it: of the code, of the same for writing, of the data.
const CODE_FRAMES: u64 = 1;
const WRITABLE_FRAMES: u64 = 4;
const DATA_FRAMES: u64 = 7;

/// Registers by their numbers.
pub(crate) const ZERO: u8 = 0;
pub(crate) const RA: u8 = 1;
pub(crate) const SP: u8 = 2;
pub(crate) const T0: u8 = 5;
pub(crate) const T1: u8 = 6;
pub(crate) const T2: u8 = 7;
pub(crate) const S0: u8 = 8;
pub(crate) const S1: u8 = 9;
pub(crate) const A0: u8 = 10;
pub(crate) const A1: u8 = 11;
pub(crate) const A2: u8 = 12;
pub(crate) const A3: u8 = 13;
pub(crate) const A4: u8 = 14;
pub(crate) const A5: u8 = 15;
pub(crate) const A6: u8 = 16;
pub(crate) const A7: u8 = 17;
pub(crate) const S2: u8 = 18;
pub(crate) const S3: u8 = 19;
pub(crate) const T3: u8 = 28;
pub(crate) const T4: u8 = 29;

/// An instruction's bits.
pub(crate) fn instruction(operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> u32 {
    Instruction { operation, rd, rs1, rs2, immediate, length: Length::Four }.encode()
}

/// Code while it is put together.
pub(crate) struct Assembler {
    words: [u32; 256],
    length: usize,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Self { words: [0; 256], length: 0 }
    }

    /// The address of the next instruction, if the code begins with the first page.
    pub(crate) fn here(&self) -> u32 {
        CODE + 4 * self.length as u32
    }

    /// Adds bits, whatever they are.
    pub(crate) fn word(&mut self, word: u32) -> &mut Self {
        *self.words.get_mut(self.length).expect("the code is short enough") = word;
        self.length += 1;
        self
    }

    /// Adds an instruction.
    pub(crate) fn op(&mut self, operation: Operation, rd: u8, rs1: u8, rs2: u8, immediate: i32) -> &mut Self {
        self.word(instruction(operation, rd, rs1, rs2, immediate))
    }

    /// Loads a constant.
    pub(crate) fn li(&mut self, rd: u8, value: u32) -> &mut Self {
        let upper = value.wrapping_add(0x800) & !0xfff;
        self.op(Lui, rd, 0, 0, upper.cast_signed());
        self.op(Addi, rd, rd, 0, value.wrapping_sub(upper).cast_signed())
    }

    /// Makes a system call with the arguments that are in their registers.
    pub(crate) fn call(&mut self, pointer: u64, operation: Call) -> &mut Self {
        self.call_with_flags(pointer, operation as u64)
    }

    pub(crate) fn call_with_flags(&mut self, pointer: u64, operation: u64) -> &mut Self {
        self.li(A0, pointer as u32).li(A1, operation as u32).op(Ecall, 0, 0, 0, 0)
    }

    /// Returns with what is in the registers of the message.
    pub(crate) fn ret(&mut self) -> &mut Self {
        self.call(slots::REPLY, Call::Return)
    }

    /// Jumps to the address in a register.
    pub(crate) fn jump_to(&mut self, register: u8) -> &mut Self {
        self.op(Jalr, ZERO, register, 0, 0)
    }

    /// Puts it where guests run it from the first page on.
    pub(crate) fn load(&self) {
        load_at(0, self.words.get(..self.length).expect("so many were added"));
    }
}

/// Puts instructions so many bytes into the code.
pub(crate) fn load_at(offset: usize, words: &[u32]) {
    for (index, word) in words.iter().enumerate() {
        let address = WRITABLE_CODE as usize + offset + 4 * index;
        // SAFETY: `with_guests` has mapped the page, writable.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_unaligned(*word) };
    }
}

/// A word of the data.
pub(crate) fn data(offset: u32) -> *mut u32 {
    assert!(u64::from(offset) < PAGES * PAGE_SIZE);
    ptr::with_exposed_provenance_mut((DATA + offset) as usize)
}

/// The frame capability of a page: code to run, code to write, data.
pub(crate) fn code_frame(page: u64) -> Frame {
    Frame(nested(GUESTS.0, CODE_FRAMES + page))
}
pub(crate) fn data_frame(page: u64) -> Frame {
    Frame(nested(GUESTS.0, DATA_FRAMES + page))
}

/// Runs a test with the pages of guests, all zero. They go afterwards.
pub(crate) fn with_guests(test: impl FnOnce()) {
    MEMORY.make(Kind::Table, 1, OWN_TABLE, GUESTS.0).expect("a page and a slot for the guests' table");
    MEMORY.make(Kind::Frame, PAGES, GUESTS, CODE_FRAMES).expect("frames");
    MEMORY.make(Kind::Frame, PAGES, GUESTS, DATA_FRAMES).expect("frames");
    for page in 0..PAGES {
        let writable = Frame(nested(GUESTS.0, WRITABLE_FRAMES + page));
        GUESTS.copy(WRITABLE_FRAMES + page, code_frame(page).0, flatmk_abi::Rights::all()).expect("a free slot");
        let offset = page * PAGE_SIZE;
        OWN_SPACE.map(code_frame(page), u64::from(CODE) + offset, Access::ReadExecute).expect("nothing is there");
        OWN_SPACE.map(writable, u64::from(WRITABLE_CODE) + offset, Access::ReadWrite).expect("nothing is there");
        OWN_SPACE.map(data_frame(page), u64::from(DATA) + offset, Access::ReadWrite).expect("nothing is there");
    }
    test();
    OWN_TABLE.delete(GUESTS.0).expect("the table is there");
    // Those that the test has made.
    (0..HARTS).for_each(|thread| OWN_TABLE.delete(PAGE_TABLES.0 + thread).unwrap_or_default());
}

/// The slot of the scratch table with the memory of a thread's hart, and that with the table of its pages.
const fn memory_slot(thread: u64) -> u64 {
    4 + 2 * thread
}

/// The pointer to the first page of a thread's hart.
pub(crate) fn hart_pages(thread: u64) -> Softuser {
    Softuser(nested(PAGE_TABLES.0 + thread, 1))
}

/// How many threads can have harts.
const HARTS: u64 = 4;
const PAGE_TABLES: Table = Table(FIRST_FREE + 15);

/// Makes pages for a hart in a row: memory of which nothing was handed out before. Returns the first, in a table of their own.
pub(crate) fn make_pages(thread: u64, count: u64) -> Softuser {
    assert!(thread < HARTS, "there is no room for more tables");
    let table = Table(PAGE_TABLES.0 + thread);
    MEMORY.make(Kind::Table, 1, OWN_TABLE, table.0).expect("a page and a slot for the hart's table");
    MEMORY.split(count, SCRATCH, memory_slot(thread)).expect("the memory has so many pages");
    Memory(at(memory_slot(thread))).make(Kind::Softuser, count, table, 1).expect("there are so many");
    hart_pages(thread)
}

/// How many pages harts have here.
pub(crate) const HART_PAGES: u64 = 4;

/// Gives a thread, which does not run, a hart.
pub(crate) fn give_hart(thread: u64, task: Task) {
    let pages = make_pages(thread, HART_PAGES);
    task.set_softuser(pages, HART_PAGES, STACK.into()).expect("it is configured, and stopped");
}

/// An entry address of RISC-V code.
pub(crate) fn entry_at(address: u32) -> u64 {
    u64::from(address) | SOFTUSER_ENTRY
}

/// Makes a thread with a hart. It is not started.
pub(crate) fn guest(thread: u64, priority: u8) -> Task {
    let task = prepare(thread, priority, crate::threads::spin, 0);
    give_hart(thread, task);
    task
}

/// Where the endpoint of a guest is.
pub(crate) const fn guest_endpoint(thread: u64) -> Endpoint {
    Endpoint(FIRST_FREE + 1 + thread)
}
