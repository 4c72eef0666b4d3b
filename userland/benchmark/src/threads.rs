//! Threads of the benchmark program: tasks with its own address space and table.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use flatmk_abi::{Error, FaultAnswer, Kind, Operation, marks};
use flatmk_runtime::object::{Done, Endpoint, Notification, OWN_SPACE, OWN_TABLE, OWN_TASK, Task};

use crate::capabilities::MEMORY;

/// The stack of a thread.
#[repr(C, align(4096))]
struct Stack([u8; 4096]);

const THREADS: usize = 6;

static mut STACKS: [Stack; THREADS] = [const { Stack([0; 4096]) }; THREADS];

/// A thread, by the number of its stack. Its task and its endpoint have slots of their own.
#[derive(Clone, Copy)]
struct Thread(u64);

const ECHO: Thread = Thread(0);
const YIELDER: Thread = Thread(1);
const PONG: Thread = Thread(2);
const PAGER: Thread = Thread(3);
const HANDLER: Thread = Thread(4);
const STEPPER: Thread = Thread(5);

/// The slots of the notifications, of the threads' tasks, and of their endpoints.
const PING_SLOT: u64 = 20;
const FIRST_TASK: u64 = 22;
const FIRST_ENDPOINT: u64 = 30;

pub(crate) const PING: Notification = Notification(PING_SLOT);
pub(crate) const PONG_ANSWER: Notification = Notification(PING_SLOT + 1);

impl Thread {
    fn task(self) -> Task {
        Task(FIRST_TASK + self.0)
    }

    fn make(self) -> Done {
        MEMORY.make(Kind::Task, 1, OWN_TABLE, self.task().0)?;
        let stack_top = (&raw const STACKS) as u64 + (self.0 + 1) * size_of::<Stack>() as u64;
        self.task().configure(OWN_TABLE, OWN_SPACE, stack_top)
    }

    fn start(self, entry: extern "C" fn()) -> Done {
        self.make()?;
        self.task().start(entry as usize as u64, 0)
    }

    /// Starts a thread that does nothing but wait for calls at this entry.
    fn serve(self, entry: extern "C" fn()) -> Result<Endpoint, Error> {
        self.start(finish_entry)?;
        self.task().make_endpoint(entry, 0, OWN_TABLE, FIRST_ENDPOINT + self.0)?;
        // It runs until it is ready to be called.
        OWN_TASK.yield_now()?;
        Ok(Endpoint(FIRST_ENDPOINT + self.0))
    }
}

/// Starts a thread that returns each message, and gives its endpoint.
pub(crate) fn start_echo() -> Result<Endpoint, Error> {
    ECHO.serve(echo_entry)
}

/// Starts a thread that yields for ever.
pub(crate) fn start_yielder() -> Done {
    YIELDER.start(yield_entry)
}

pub(crate) fn stop_yielder() -> Done {
    OWN_TABLE.delete(YIELDER.task().0)
}

/// Starts a thread that answers each signal with one.
pub(crate) fn start_pong() -> Done {
    MEMORY.make(Kind::Notification, 2, OWN_TABLE, PING_SLOT)?;
    // A kernel of chapter 6 makes them, and can do nothing with them.
    PING.poll()?;
    PONG.start(pong_entry)
}

/// Starts a thread that mends the faults of this task, which it does by passing over the instruction.
pub(crate) fn start_pager() -> Result<Endpoint, Error> {
    PAGER.serve(pager_entry)
}

/// Starts a thread that takes the time at which it is called.
pub(crate) fn start_handler() -> Result<Endpoint, Error> {
    HANDLER.serve(handler_entry)
}

/// Starts a thread that mends faults at this entry, a service.
pub(crate) fn start_stepper(entry: extern "C" fn()) -> Result<Endpoint, Error> {
    STEPPER.serve(entry)
}

/// The least that a callee can do: the message is in the registers of the answer already.
#[unsafe(naked)]
extern "C" fn echo_entry() {
    naked_asm!("xor edi, edi", "mov esi, {ret}", "syscall", ret = const Operation::Return as u64)
}

#[unsafe(naked)]
extern "C" fn finish_entry() {
    naked_asm!("call {finish}", finish = sym flatmk_runtime::finish_start)
}

#[unsafe(naked)]
extern "C" fn yield_entry() {
    naked_asm!("call {run}", run = sym yield_for_ever)
}

extern "C" fn yield_for_ever() -> ! {
    loop {
        // Refused only if the capability is not this thread's own.
        YIELDER.task().yield_now().expect("a thread may yield");
    }
}

#[unsafe(naked)]
extern "C" fn pong_entry() {
    naked_asm!("call {run}", run = sym answer_signals)
}

extern "C" fn answer_signals() -> ! {
    loop {
        // Refused only if the notifications are gone.
        PING.wait().and_then(|bits| PONG_ANSWER.signal(bits)).expect("the notifications are there");
    }
}

// ANCHOR: fault
/// Reads from an address where nothing is mapped, which the pager passes over.
#[inline(always)]
pub(crate) fn fault() {
    // SAFETY: the pager goes on behind the instruction; the register is not used for anything else.
    unsafe { core::arch::asm!("mov al, byte ptr [rax]", inout("rax") 8_u64 => _, options(nostack, readonly)) }
}

/// The length of that instruction.
const FAULT_LENGTH: u64 = 2;

/// `r9` is where the task has faulted.
#[unsafe(naked)]
extern "C" fn pager_entry() {
    naked_asm!(
        "lea r10, [r9 + {length}]",
        "mov edx, {resume_at}",
        "xor edi, edi",
        "mov esi, {ret}",
        "syscall",
        length = const FAULT_LENGTH,
        resume_at = const FaultAnswer::ResumeAt as u64,
        ret = const Operation::Return as u64,
    )
}
// ANCHOR_END: fault

/// When the handler began; 0 as long as it has not.
static BEGUN: AtomicU64 = AtomicU64::new(0);

// ANCHOR: interrupt
/// Looks at the clock over and over until an interrupt comes. Returns the ticks from the last look before it to the handler's first.
#[inline(never)]
pub(crate) fn wait_for_interrupt() -> u64 {
    // The lower halves of the last looks. With the last one the program may have gone on.
    let (before, last): (u32, u32);
    // SAFETY: changes the stamp, which is atomic, and the registers that are named.
    unsafe {
        core::arch::asm!(
            "rdtsc",
            "mov qword ptr [rip + {begun}], 0",
            "2: mov ecx, eax",
            "rdtsc",
            "cmp qword ptr [rip + {begun}], 0",
            "je 2b",
            begun = sym BEGUN,
            out("ecx") before,
            out("eax") last,
            out("edx") _,
            options(nostack),
        );
    }
    let begun = BEGUN.load(Ordering::Relaxed) as u32;
    // From a look after the interrupt it is nearly once around.
    begun.wrapping_sub(last).min(begun.wrapping_sub(before)).into()
}

/// The end for whoever counts, too.
#[unsafe(naked)]
extern "C" fn handler_entry() {
    naked_asm!(
        "rdtsc",
        "nop dword ptr [rax + {end}]",
        "shl rdx, 32",
        "or rax, rdx",
        "mov [rip + {begun}], rax",
        "xor edi, edi",
        "mov esi, {ret}",
        "syscall",
        end = const marks::END,
        begun = sym BEGUN,
        ret = const Operation::Return as u64,
    )
}
// ANCHOR_END: interrupt
