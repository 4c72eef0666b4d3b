//! RISC-V code for tests, made of instructions, and threads that run it.

use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::nested;
use flatmk_abi::{Access, Kind, Operation as Call, SOFTUSER_ENTRY, Words, slots};
use flatmk_runtime::object::{Frame, Memory, OWN_SPACE, OWN_TABLE, Softuser, Table, Task};
use flatmk_softuser::Operation::{Addi, Beq, Ecall, Jal, Jalr, Lb, Lbu, Lh, Lhu, LrW, Lui, Lw, Sb, Sh, Srai, Sw};
use flatmk_softuser::{Instruction, Length, Operation};

use crate::harness::{FIRST_FREE, MEMORY, SCRATCH, at, make};
use crate::threads::{let_run, near, prepare, spin, start_server};

/// Where code is, two pages, and where data is, two pages; nothing behind either of them.
pub(crate) const CODE: u32 = 0x2000_0000;
pub(crate) const DATA: u32 = 0x3000_0000;
pub(crate) const PAGES: u64 = 2;
/// The same pages of code, writable.
pub(crate) const WRITABLE_CODE: u32 = 0x2800_0000;
/// Where the stack of guests ends: the end of the data.
pub(crate) const STACK: u32 = DATA + (PAGES * PAGE_SIZE) as u32;

/// The slot of this program's table with the table for the guests' frames.
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

/// The bits of an access to memory: what it loads, stores, or has beside the address.
pub(crate) fn access(operation: Operation, register: u8, base: u8, distance: i32) -> u32 {
    match operation {
        Lb | Lbu | Lh | Lhu | Lw | LrW => instruction(operation, register, base, 0, distance),
        Sb | Sh | Sw => instruction(operation, 0, base, register, distance),
        _ => instruction(operation, register, base, register, distance),
    }
}

/// Code while it is put together.
pub(crate) struct Assembler {
    words: [u32; 512],
    length: usize,
    offset: u32,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Self::at(0)
    }

    /// Code that begins so many bytes into the pages.
    pub(crate) fn at(offset: u32) -> Self {
        Self { words: [0; 512], length: 0, offset }
    }

    /// The address of the next instruction.
    pub(crate) fn here(&self) -> u32 {
        CODE + self.offset + 4 * self.length as u32
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

    /// Copies a register.
    pub(crate) fn mv(&mut self, rd: u8, rs: u8) -> &mut Self {
        self.op(Addi, rd, rs, 0, 0)
    }

    /// Adds a number to a register.
    pub(crate) fn add(&mut self, register: u8, number: i32) -> &mut Self {
        self.op(Addi, register, register, 0, number)
    }

    /// Loads a constant: two instructions.
    pub(crate) fn li(&mut self, rd: u8, value: u32) -> &mut Self {
        let upper = value.wrapping_add(0x800) & !0xfff;
        self.op(Lui, rd, 0, 0, upper.cast_signed());
        self.op(Addi, rd, rd, 0, value.wrapping_sub(upper).cast_signed())
    }

    /// Loads the four words of a message.
    pub(crate) fn message(&mut self, words: Words) -> &mut Self {
        for (register, word) in [A2, A4, A6, T3].into_iter().zip(words) {
            self.li(register, word as u32).li(register + 1, (word >> 32) as u32);
        }
        self
    }

    /// Writes a register to a word of the data. Another one is lost.
    pub(crate) fn store(&mut self, register: u8, offset: u32, lost: u8) -> &mut Self {
        self.li(lost, DATA + offset).op(Sw, 0, lost, register, 0)
    }

    /// Counts in a word of the data. Two registers are lost.
    pub(crate) fn count(&mut self, offset: u32, [place, value]: [u8; 2]) -> &mut Self {
        self.li(place, DATA + offset).op(Lw, value, place, 0, 0).add(value, 1).op(Sw, 0, place, value, 0)
    }

    /// Branches to an address.
    pub(crate) fn branch(&mut self, operation: Operation, rs1: u8, rs2: u8, target: u32) -> &mut Self {
        let distance = target.wrapping_sub(self.here()).cast_signed();
        self.op(operation, 0, rs1, rs2, distance)
    }

    /// Goes on at an address.
    pub(crate) fn jump(&mut self, target: u32) -> &mut Self {
        let distance = target.wrapping_sub(self.here()).cast_signed();
        self.op(Jal, ZERO, 0, 0, distance)
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

    /// Where a system call has failed its status becomes the first word of the message.
    pub(crate) fn status_if_failed(&mut self) -> &mut Self {
        self.op(Beq, 0, A0, ZERO, 12).mv(A2, A0).op(Srai, A3, A0, 0, 31)
    }

    /// Passes the message on to an endpoint, and answers with the answer, or with the status.
    pub(crate) fn pass_on(&mut self, endpoint: u64) -> &mut Self {
        self.call(endpoint, Call::Call).status_if_failed().ret()
    }

    /// Jumps to the address in a register.
    pub(crate) fn jump_to(&mut self, register: u8) -> &mut Self {
        self.op(Jalr, ZERO, register, 0, 0)
    }

    /// Puts it where guests run it.
    pub(crate) fn load(&self) {
        load_at(self.offset as usize, self.words());
        forget_code();
    }

    /// The instructions.
    pub(crate) fn words(&self) -> &[u32] {
        self.words.get(..self.length).expect("so many were added")
    }
}

/// Lets guests in this space see what has become of their code.
pub(crate) fn forget_code() {
    for access in [Access::Read, Access::ReadExecute] {
        code_frame(0).protect(access).unwrap_or_default();
    }
}

/// Puts instructions so many bytes into the code. Guests that have run what was there before may do so once more.
pub(crate) fn load_at(offset: usize, words: &[u32]) {
    for (index, word) in words.iter().enumerate() {
        let address = WRITABLE_CODE as usize + offset + 4 * index;
        // SAFETY: `with_guests` has mapped the page, writable.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_unaligned(*word) };
    }
}

fn data(offset: u32) -> *mut u32 {
    assert!(u64::from(offset) < PAGES * PAGE_SIZE);
    ptr::with_exposed_provenance_mut((DATA + offset) as usize)
}

/// A word of the data.
pub(crate) fn read_data(offset: u32) -> u32 {
    // SAFETY: `with_guests` has mapped the page.
    unsafe { data(offset).read_volatile() }
}

/// Sets a word of the data.
pub(crate) fn write_data(offset: u32, value: u32) {
    // SAFETY: as above, writable.
    unsafe { data(offset).write_volatile(value) }
}

/// The frame capability of a page: code to run, code to write, data.
pub(crate) fn code_frame(page: u64) -> Frame {
    Frame(nested(GUESTS.0, CODE_FRAMES + page))
}
pub(crate) fn data_frame(page: u64) -> Frame {
    Frame(nested(GUESTS.0, DATA_FRAMES + page))
}

/// Lets the others run while the kernel reports on the serial line that a task was stopped, which takes as long as that takes.
pub(crate) fn let_the_kernel_report() {
    let_run(1000);
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
}

/// The slot of the scratch table with the memory of a thread's hart, and that with the table of its pages.
const fn memory_slot(thread: u64) -> u64 {
    4 + 2 * thread
}

const fn pages_table(thread: u64) -> Table {
    Table(at(memory_slot(thread) + 1))
}

/// The pointer to the first page of a thread's hart.
pub(crate) fn hart_pages(thread: u64) -> Softuser {
    Softuser(nested(pages_table(thread).0, 1))
}

/// How many threads can have harts.
pub(crate) const HARTS: u64 = 8;

/// Makes pages for a hart in a row: memory of which nothing was handed out before. Returns the first, in a table of their own.
pub(crate) fn make_pages(thread: u64, count: u64) -> Softuser {
    assert!(thread < HARTS, "there is no room for more tables");
    make(Kind::Table, memory_slot(thread) + 1);
    MEMORY.split(count, SCRATCH, memory_slot(thread)).expect("the memory has so many pages");
    hart_memory(thread).make(Kind::Softuser, count, pages_table(thread), 1).expect("there are so many");
    hart_pages(thread)
}

/// The memory of the pages of a thread's hart.
pub(crate) fn hart_memory(thread: u64) -> Memory {
    Memory(at(memory_slot(thread)))
}

/// Takes a hart's pages away, wherever they are in use.
pub(crate) fn take_pages(thread: u64) {
    SCRATCH.delete(memory_slot(thread)).unwrap_or_default();
    SCRATCH.delete(memory_slot(thread) + 1).unwrap_or_default();
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
    let task = prepare(thread, priority, spin, 0);
    give_hart(thread, task);
    task
}

/// Makes endpoints of a thread for an entry of RISC-V code, so many bytes into the code: a near one and a far one.
pub(crate) fn make_endpoints(task: Task, thread: u64, offset: u32, context: u64) {
    let entry = entry_at(CODE + offset);
    task.make_endpoint_at(entry, context, OWN_TABLE, near(thread).0).expect("a free slot");
    task.make_endpoint_at(entry, context, SCRATCH, 20 + thread).expect("a free slot");
}

/// Makes a guest that serves with the code that begins so many bytes into the pages, and waits until it can be called.
pub(crate) fn guest_server(thread: u64, priority: u8, offset: u32, context: u64) -> Task {
    let task = guest(thread, priority);
    make_endpoints(task, thread, offset, context);
    start_server(task);
    task
}

/// Starts a guest with the code that begins so many bytes into the pages.
pub(crate) fn start_guest(thread: u64, priority: u8, offset: u32, argument: u64) -> Task {
    let task = guest(thread, priority);
    task.start(entry_at(CODE + offset), argument).expect("it has a hart");
    task
}

/// A register of a task that stands still.
pub(crate) fn register(task: Task, index: u8) -> u64 {
    let [value, ..] = task.read_registers(32 + u64::from(index)).expect("it stands still, and has a hart");
    value
}

/// Where a task that stands still goes on.
pub(crate) fn pc(task: Task) -> u64 {
    let [rip, ..] = task.read_registers(16).expect("it stands still");
    rip
}

/// Whether a task is stopped: only then its page for floating-point state can be taken away, which none has here.
pub(crate) fn is_stopped(task: Task) -> bool {
    task.set_floating_point(None).is_ok()
}
