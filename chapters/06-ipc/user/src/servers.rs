//! Tasks that serve, and tasks that call and note what came back.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::ROOT_RAMDISK;
use flatmk_abi::{Access, Error, FLAG_NO_WAIT, Kind, Operation, Rights, Words};
use flatmk_image::Image;
use flatmk_runtime::object::{Frame, Memory, OWN_SPACE, OWN_TABLE, Task};
use flatmk_runtime::program::Program;
use tar_no_std::TarArchiveRef;

use crate::harness::{
    FIRST_FREE, MEMORY, SCRATCH, at, end_thread, idle, make_thread, prepare_stack, stack_top, start_thread,
    thread_entry, thread_slot, yield_once,
};
use crate::registers::system_call;

/// The operation of a call, and of one that does not wait.
pub(crate) const CALL: u64 = Operation::Call as u64;
pub(crate) const CALL_NO_WAIT: u64 = CALL | FLAG_NO_WAIT;

/// A thread that serves, by its two capabilities.
#[derive(Clone, Copy)]
pub(crate) struct Server {
    thread: u64,
    pub(crate) task: Task,
}

impl Server {
    /// A pointer to its endpoint that goes through one table: what the fast path takes.
    pub(crate) const fn near(self) -> u64 {
        FIRST_FREE + 1 + self.thread
    }

    /// A pointer to its endpoint that goes through two tables.
    pub(crate) const fn far(self) -> u64 {
        at(20 + self.thread)
    }

    /// Calls it in every way that there is; all have the same outcome, which is returned.
    pub(crate) fn call(self, message: Words) -> Result<Words, Error> {
        let outcome = system_call(self.near(), CALL, message);
        assert_eq!(system_call(self.far(), CALL, message), outcome, "through two tables");
        assert_eq!(system_call(self.near(), CALL_NO_WAIT, message), outcome, "without waiting");
        assert_eq!(system_call(self.far(), CALL_NO_WAIT, message), outcome, "without waiting, through two tables");
        outcome
    }

    /// Destroys it: deletes all capabilities to its task.
    pub(crate) fn end(self) {
        OWN_TABLE.delete(self.near()).expect("its endpoint is there");
        SCRATCH.delete(20 + self.thread).expect("its endpoint is there");
        end_thread(self.thread);
    }
}

/// The end of a thread's start.
#[unsafe(naked)]
pub(crate) extern "C" fn finish() {
    naked_asm!("call {finish}", finish = sym flatmk_runtime::finish_start)
}

/// The server on a thread. It need not exist.
pub(crate) fn server(thread: u64) -> Server {
    Server { thread, task: Task(at(thread_slot(thread))) }
}

/// Makes a server that has not run yet; it is configured, not started.
pub(crate) fn make_server(thread: u64, entry: extern "C" fn(), context: u64) -> Server {
    let server = server(thread);
    let task = make_thread(thread, stack_top(thread));
    task.make_endpoint(entry, context, OWN_TABLE, server.near()).expect("a free slot");
    task.make_endpoint(entry, context, SCRATCH, 20 + thread).expect("a free slot");
    server
}

/// Starts a server, and lets it come to the point where it can be called.
pub(crate) fn start_server(thread: u64, entry: extern "C" fn(), context: u64) -> Server {
    let server = make_server(thread, entry, context);
    server.task.start(finish as *const () as u64, 0).expect("a configured task can be started");
    yield_once();
    server
}

/// What a client's call came back with.
static OUTCOMES: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// In the place of an outcome: none yet.
pub(crate) const PENDING: u64 = 0x7070;

/// Word 0 of the answer, or the status.
pub(crate) fn outcome(thread: u64) -> u64 {
    OUTCOMES.get(thread as usize).expect("there are as many as threads").load(Relaxed)
}

fn set_outcome(thread: u64, outcome: u64) {
    OUTCOMES.get(thread as usize).expect("there are as many as threads").store(outcome, Relaxed);
}

pub(crate) fn status(error: Error) -> u64 {
    error.status().cast_unsigned()
}

extern "C" fn call_and_note(argument: u64) {
    let (thread, pointer) = (argument >> 32, argument & 0xffff_ffff);
    let outcome = system_call(pointer, CALL, [thread, 0, 0, 0]);
    set_outcome(thread, outcome.map_or_else(status, |[word, ..]| word));
    idle(Task(at(thread_slot(thread))))
}

/// Starts a client: it calls the endpoint with its own number, and notes what came back.
pub(crate) fn start_client(thread: u64, endpoint: u64) {
    set_outcome(thread, PENDING);
    start_thread(thread, call_and_note, thread << 32 | endpoint);
}

/// Makes a client that was not started yet.
pub(crate) fn make_client(thread: u64, endpoint: u64) -> Task {
    set_outcome(thread, PENDING);
    make_thread(thread, prepare_stack(thread, call_and_note, thread << 32 | endpoint))
}

/// The address at which a thread begins.
pub(crate) fn thread_address() -> u64 {
    thread_entry as *const () as u64
}

static RAMDISK_LENGTH: AtomicU64 = AtomicU64::new(0);

/// Lets the kernel make the page tables that stay.
pub(crate) fn prepare(ramdisk_bytes: u64) {
    RAMDISK_LENGTH.store(ramdisk_bytes, Relaxed);
    MEMORY.make(Kind::Frame, 1, OWN_TABLE, 40).expect("a free slot");
    // Where the loader of programs maps its frames.
    OWN_SPACE.map(Frame(40), 0x7000_0000, Access::Read).expect("a free address");
    OWN_TABLE.delete(40).expect("the frame is there");
}

/// Loads a program from the ramdisk.
pub(crate) fn load(name: &str, first_slot: u64) -> Program {
    load_from(name, MEMORY, first_slot)
}

/// The same, with all its pages from this memory.
pub(crate) fn load_from(name: &str, memory: Memory, first_slot: u64) -> Program {
    let length = RAMDISK_LENGTH.load(Relaxed) as usize;
    // SAFETY: the kernel has mapped so many bytes there, read-only, for as long as this task lives.
    let ramdisk =
        unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance::<u8>(ROOT_RAMDISK as usize), length) };
    let archive = TarArchiveRef::new(ramdisk).expect("the kernel has found this program there");
    let file = archive.entries().find(|entry| entry.filename().as_str() == Ok(name)).expect("the program");
    let image = Image::parse(file.data()).expect("it can be loaded");
    let program = Program::load(&image, memory, first_slot).expect("enough memory");
    program.table.copy(flatmk_abi::slots::CONSOLE, flatmk_abi::slots::CONSOLE, Rights::WRITE).expect("a free slot");
    program
}
