//! RISC-V code in the kernel: what it costs to get there and back.

use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Error, Kind, Operation as Call, Rights, SOFTUSER_ENTRY, slots};
use flatmk_runtime::object::{
    AddressSpace, Done, Endpoint, Frame, Memory, OWN_SPACE, OWN_TABLE, OWN_TASK, Softuser, Table, Task,
};
use flatmk_softuser::{Instruction, Length, Operation};

use crate::capabilities::MEMORY;

/// Where the code is, in both spaces, and where it is written.
const CODE: u64 = 0x3000_0000;
const WRITABLE: u64 = 0x3100_0000;
/// The stack, which is not used.
const STACK: u64 = 0x3000_0000;

/// Slots: the objects, the tasks' endpoints, and the memory and the table of each hart's pages.
const FRAME: Frame = Frame(40);
const COPY: Frame = Frame(41);
const SPACE: AddressSpace = AddressSpace(42);
const SAME_TASK: Task = Task(43);
const OTHER_TASK: Task = Task(44);
const OWN_ENDPOINT: Endpoint = Endpoint(45);
const SAME_ENDPOINT: Endpoint = Endpoint(46);
const OTHER_ENDPOINT: Endpoint = Endpoint(47);
const FIRST_HART: u64 = 48;

const HART_PAGES: u64 = 4;

/// The endpoints to call: of this task, of another in the same space, and of one in another space.
pub(crate) struct Endpoints {
    pub(crate) own: Endpoint,
    pub(crate) same: Endpoint,
    pub(crate) other: Endpoint,
}

/// The least that RISC-V code can do: return the message. At the entry `a0` is the context word: the reply slot.
fn echo() -> [u32; 2] {
    let word = |operation, rd, immediate| {
        Instruction { operation, rd, rs1: 0, rs2: 0, immediate, length: Length::Four }.encode()
    };
    const A1: u8 = 11;
    [word(Operation::Addi, A1, Call::Return as i32), word(Operation::Ecall, 0, 0)]
}

/// Gives a task pages for RISC-V code. They lie in a row in memory of which nothing was handed out.
fn give_hart(task: Task, index: u64) -> Done {
    let (memory, table) = (Memory(FIRST_HART + 2 * index), Table(FIRST_HART + 2 * index + 1));
    MEMORY.split(HART_PAGES, OWN_TABLE, memory.0)?;
    MEMORY.make(Kind::Table, 1, OWN_TABLE, table.0)?;
    memory.make(Kind::Softuser, HART_PAGES, table, 1)?;
    task.set_softuser(Softuser(slots::nested(table.0, 1)), HART_PAGES, STACK)
}

/// Makes a task that answers from RISC-V code, and an endpoint of it.
fn serve(task: Task, space: AddressSpace, index: u64, endpoint: Endpoint) -> Done {
    MEMORY.make(Kind::Task, 1, OWN_TABLE, task.0)?;
    task.configure(OWN_TABLE, space, STACK)?;
    give_hart(task, index)?;
    task.make_endpoint_at(CODE | SOFTUSER_ENTRY, slots::REPLY, OWN_TABLE, endpoint.0)?;
    // It runs until it is ready to be called.
    task.start(CODE | SOFTUSER_ENTRY, slots::REPLY)?;
    OWN_TASK.yield_now()
}

/// Makes everything.
///
/// # Errors
///
/// What the kernel says; [`Error::UnknownOperation`] before chapter 10.
pub(crate) fn prepare() -> Result<Endpoints, Error> {
    MEMORY.make(Kind::Frame, 1, OWN_TABLE, FRAME.0)?;
    OWN_SPACE.map(FRAME, WRITABLE, Access::ReadWrite)?;
    // SAFETY: the page was just mapped there, writable.
    unsafe { ptr::with_exposed_provenance_mut::<[u32; 2]>(WRITABLE as usize).write(echo()) };
    FRAME.unmap()?;
    OWN_SPACE.map(FRAME, CODE, Access::ReadExecute)?;
    serve(SAME_TASK, OWN_SPACE, 0, SAME_ENDPOINT)?;
    MEMORY.make(Kind::AddressSpace, 1, OWN_TABLE, SPACE.0)?;
    OWN_TABLE.copy(COPY.0, FRAME.0, Rights::all())?;
    SPACE.map(COPY, CODE, Access::ReadExecute)?;
    serve(OTHER_TASK, SPACE, 1, OTHER_ENDPOINT)?;
    give_hart(OWN_TASK, 2)?;
    OWN_TASK.make_endpoint_at(CODE | SOFTUSER_ENTRY, slots::REPLY, OWN_TABLE, OWN_ENDPOINT.0)?;
    Ok(Endpoints { own: OWN_ENDPOINT, same: SAME_ENDPOINT, other: OTHER_ENDPOINT })
}

const _: () = assert!(PAGE_SIZE == 4096);
