//! A second task of this program, which ends what takes too long: the tables' code may run for ever.

use core::arch::naked_asm;

use flatmk_abi::Kind;
use flatmk_runtime::object::{Done, Memory, OWN_SPACE, OWN_TABLE, OWN_TASK, Task};
use flatmk_system::{PowerFault, slots};

/// The slot of its task.
const WATCHDOG: Task = Task(15);

/// How long reading the tables and going off may take.
const PATIENCE_NS: u64 = 10_000_000_000;

#[repr(C, align(4096))]
struct Stack([u8; 4096]);

static mut STACK: Stack = Stack([0; 4096]);

/// Starts it.
pub(crate) fn start() -> Done {
    Memory(slots::MEMORY).make(Kind::Task, 1, OWN_TABLE, WATCHDOG.0)?;
    WATCHDOG.configure(OWN_TABLE, OWN_SPACE, (&raw const STACK) as u64 + size_of::<Stack>() as u64)?;
    // What it watches runs at the priority that the caller lends it, and must not keep it waiting.
    let [_, priorities, ..] = OWN_TASK.inspect()?;
    let [own, lent, ..] = priorities.to_le_bytes();
    WATCHDOG.set_priority(own.max(lent)).or_else(|_| WATCHDOG.set_priority(own))?;
    WATCHDOG.start(entry as *const () as u64, 0)
}

/// Ends it: what it watched has come to an end.
pub(crate) fn stop() {
    OWN_TABLE.delete(WATCHDOG.0).unwrap_or_default();
}

#[unsafe(naked)]
extern "C" fn entry() {
    naked_asm!("call {watch}", watch = sym watch)
}

extern "C" fn watch() -> ! {
    WATCHDOG.sleep(PATIENCE_NS).unwrap_or_default();
    crate::give_up_tables(PowerFault::EndlessCode, PowerFault::EndlessCode)
}
