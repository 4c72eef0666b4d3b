//! Threads of the benchmark program: tasks with its own address space and table.

use flatmk_abi::Error;
use flatmk_runtime::object::{Endpoint, OWN_SPACE, OWN_TABLE, Task};

use crate::THREADS;

/// The stack of a thread.
#[repr(C, align(4096))]
struct Stack([u8; 4096]);

static mut STACKS: [Stack; 2] = [const { Stack([0; 4096]) }; 2];

const ECHO_TASK: Task = Task(THREADS);
const YIELD_TASK: Task = Task(THREADS + 1);
const ECHO_ENDPOINT: u64 = THREADS + 2;

/// The top of a thread's stack.
fn stack_top(index: u64) -> u64 {
    (&raw const STACKS) as u64 + (index + 1) * size_of::<Stack>() as u64
}

/// Starts a thread that returns each message, and gives its endpoint.
pub(crate) fn start_echo() -> Result<Endpoint, Error> {
    ECHO_TASK.configure(OWN_TABLE, OWN_SPACE, stack_top(0))?;
    ECHO_TASK.make_endpoint(echo_entry, 0, OWN_TABLE, ECHO_ENDPOINT)?;
    ECHO_TASK.start(finish_entry as *const () as u64, 0)?;
    // It runs until it is ready to be called.
    flatmk_runtime::object::OWN_TASK.yield_now()?;
    Ok(Endpoint(ECHO_ENDPOINT))
}

/// Starts a thread that yields for ever.
pub(crate) fn start_yielder() -> Result<(), Error> {
    YIELD_TASK.configure(OWN_TABLE, OWN_SPACE, stack_top(1))?;
    YIELD_TASK.start(yield_entry as *const () as u64, 0)
}

/// The least that a callee can do: the message is in the registers of the answer already.
#[unsafe(naked)]
extern "C" fn echo_entry() {
    core::arch::naked_asm!("xor edi, edi", "mov esi, 1", "syscall")
}

#[unsafe(naked)]
extern "C" fn finish_entry() {
    core::arch::naked_asm!("call {finish}", finish = sym flatmk_runtime::finish_start)
}

#[unsafe(naked)]
extern "C" fn yield_entry() {
    core::arch::naked_asm!("call {run}", run = sym yield_for_ever)
}

extern "C" fn yield_for_ever() -> ! {
    loop {
        // Refused only if the capability is not this thread's own.
        YIELD_TASK.yield_now().expect("a thread may yield");
    }
}
