//! What fault handlers are for: a pager and a debugger, in user mode.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::{Access, Error, FaultAnswer, FaultReason, Kind, Operation, Words};
use flatmk_runtime::object::{Frame, OWN_SPACE, OWN_TASK, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::faults::{defer_entry, yield_often};
use crate::harness::{
    MEMORY, SCRATCH, at, end_thread, make_thread, prepare_stack, stack_top, with_scratch, yield_once,
};
use crate::order::{door_entry, forget_log, set_open};
use crate::registers::system_call;
use crate::servers::{start_client, start_server, thread_address};
use crate::victims::{
    CONTEXT, HANDLER, VICTIM, VICTIM_TASK, address, fault, faults, forget_faults, handle_faults_of, note, set_answer,
    start_handler, start_victim, times_done, undefined, victims,
};

pub(crate) const TESTS: &[Test] = tests![
    a_pager_backs_a_region_on_demand,
    a_debugger_walks_a_task_through_its_instructions,
    registers_are_those_of_the_fault,
    registers_that_are_written_are_those_it_goes_on_with,
    registers_of_a_task_that_runs_or_waits_are_out_of_reach,
    an_answer_ends_a_single_step,
];

/// The region that is backed: in the same 2 MiB as what the loader of programs maps, so that its page tables are there.
const REGION: u64 = 0x7001_0000;
const REGION_PAGES: u64 = 8;
const PAGE: u64 = 0x1000;

/// Maps a frame where one is missed, and lets the task try again. What is outside of the region is no business of the pager.
fn page_in(context: u64, message: &mut Words) {
    note(context, message);
    let [reason, accessed, ..] = *message;
    let page = accessed.wrapping_sub(REGION) / PAGE;
    if FaultReason::from_number(reason) != Some(FaultReason::Page) || page >= REGION_PAGES {
        *message = [FaultAnswer::Stop as u64, 0, 0, 0];
        return;
    }
    MEMORY.make(Kind::Frame, 1, SCRATCH, 1 + page).expect("memory for the region");
    OWN_SPACE.map(Frame(at(1 + page)), REGION + page * PAGE, Access::ReadWrite).expect("nothing is mapped there");
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn page_in_entry = page_in);

static SUM: AtomicU64 = AtomicU64::new(0);

/// Fills the region, backwards, and adds it up; then goes beyond.
extern "C" fn use_region(_: u64) {
    let words = REGION_PAGES * PAGE / 8;
    let place = |index| core::ptr::with_exposed_provenance_mut::<u64>((REGION + index * 8) as usize);
    for index in (0..words).rev() {
        // SAFETY: the pager backs the region before the access is done.
        unsafe { place(index).write_volatile(index) };
    }
    // SAFETY: as above.
    let sum = (0..words).map(|index| unsafe { place(index).read_volatile() }).sum();
    SUM.store(sum, Relaxed);
    // SAFETY: none: nothing is mapped there, and the thread ends here.
    unsafe { place(words).write_volatile(0) };
    SUM.store(0, Relaxed);
}

fn a_pager_backs_a_region_on_demand() {
    with_scratch(|| {
        forget_faults();
        let pager = start_server(HANDLER, page_in_entry, CONTEXT);
        let task = make_thread(VICTIM, prepare_stack(VICTIM, use_region, 0));
        handle_faults_of(task, pager);
        task.start(thread_address(), 0).expect("a configured task");
        yield_often();
        let words = REGION_PAGES * PAGE / 8;
        assert_eq!(SUM.load(Relaxed), words * (words - 1) / 2);
        assert_eq!(faults(), REGION_PAGES + 1, "one for each page, and the one beyond");
        for index in 0..REGION_PAGES {
            let [reason, accessed, code, _] = fault(index);
            let last_word = REGION + (REGION_PAGES - index) * PAGE - 8;
            assert_eq!([reason, accessed, code], [FaultReason::Page as u64, last_word, 6]);
        }
        end_thread(VICTIM);
        pager.end();
    });
}

victims! {
    /// A known sequence of instructions: the debugger knows each address and each value.
    computation: "ud2", "mov eax, 5", "lea rbx, [rax + rax]", "add rax, rbx", "xchg rax, rbx", "neg rax", "nop";
}

/// Where each step leads, from the beginning, and rax and rbx there.
const WALK: [(u64, u64, u64); 6] = [
    (7, 5, 0),
    (11, 5, 10),
    (14, 15, 10),
    (16, 10, 15),
    (19, 10u64.wrapping_neg(), 15),
    (20, 10u64.wrapping_neg(), 15),
];

static WRONG: AtomicU64 = AtomicU64::new(0);

/// Walks the task step by step, and compares its registers with what they must be.
fn debug(context: u64, message: &mut Words) {
    note(context, message);
    let task = Task(VICTIM_TASK);
    let [reason, _, _, rip] = *message;
    *message = [FaultAnswer::Step as u64, 0, 0, 0];
    if reason == FaultReason::InvalidOpcode as u64 {
        return task.write_register(16, rip + 2).expect("it stands still");
    }
    let Some(&(offset, rax, rbx)) = WALK.get(faults() as usize - 2) else {
        *message = [FaultAnswer::Resume as u64, 0, 0, 0];
        return;
    };
    let seen = task.read_registers(0).map(|[rax, rbx, ..]| (rax, rbx));
    let expected = (FaultReason::Debug as u64, address(computation, offset), Ok((rax, rbx)));
    WRONG.fetch_add(u64::from((reason, rip, seen) != expected), Relaxed);
}

service!(fn debug_entry = debug);

fn a_debugger_walks_a_task_through_its_instructions() {
    with_scratch(|| {
        forget_faults();
        let debugger = start_server(HANDLER, debug_entry, CONTEXT);
        start_victim(computation, 0, debugger);
        assert_eq!(WRONG.swap(0, Relaxed), 0);
        // One more step leads behind the instruction that counts; from there it goes on freely.
        assert_eq!((faults(), times_done()), (8, 1));
        end_thread(VICTIM);
        debugger.end();
    });
}

victims! {
    /// Gives each register a number of its own, and faults.
    numbered: "mov rax, 0x100", "mov rbx, 0x101", "mov rcx, 0x102", "mov rdx, 0x103", "mov rsi, 0x104",
        "mov rdi, 0x105", "mov rbp, 0x106", "mov r8, 0x108", "mov r9, 0x109", "mov r10, 0x10a", "mov r11, 0x10b",
        "mov r12, 0x10c", "mov r13, 0x10d", "mov r14, 0x10e", "mov r15, 0x10f", "stc", "int3";
}

/// All 18 registers.
fn registers_of(task: Task) -> [u64; 20] {
    let mut all = [0; 20];
    for (first, four) in (0..).step_by(4).zip(all.chunks_exact_mut(4)) {
        four.copy_from_slice(&task.read_registers(first).expect("it stands still"));
    }
    all
}

fn registers_are_those_of_the_fault() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, defer_entry, CONTEXT);
        let task = start_victim(numbered, 0, handler);
        let [_, _, _, rip] = fault(0);
        let mut expected: [u64; 20] = core::array::from_fn(|index| 0x100 + index as u64);
        // Flags: interrupts, carry, and the one that is always set.
        [expected[7], expected[16], expected[17], expected[18], expected[19]] = [stack_top(VICTIM), rip, 0x203, 0, 0];
        assert_eq!(registers_of(task), expected);
        end_thread(VICTIM);
        handler.end();
    });
}

/// The registers that a task found, in the order of their numbers, without rsp; then the flags.
static FOUND: [AtomicU64; 17] = [const { AtomicU64::new(0) }; 17];

/// Stores all registers and ends.
#[unsafe(naked)]
extern "C" fn store_registers() {
    core::arch::naked_asm!(
        "mov [rip + {found}], rax",
        "mov [rip + {found} + 8], rbx",
        "mov [rip + {found} + 16], rcx",
        "mov [rip + {found} + 24], rdx",
        "mov [rip + {found} + 32], rsi",
        "mov [rip + {found} + 40], rdi",
        "mov [rip + {found} + 48], rbp",
        "mov [rip + {found} + 56], rsp",
        "mov [rip + {found} + 64], r8",
        "mov [rip + {found} + 72], r9",
        "mov [rip + {found} + 80], r10",
        "mov [rip + {found} + 88], r11",
        "mov [rip + {found} + 96], r12",
        "mov [rip + {found} + 104], r13",
        "mov [rip + {found} + 112], r14",
        "mov [rip + {found} + 120], r15",
        "pushfq",
        "pop qword ptr [rip + {found} + 128]",
        "push 2",
        "popfq",
        "int3",
        found = sym FOUND,
    )
}

fn registers_that_are_written_are_those_it_goes_on_with() {
    with_scratch(|| {
        forget_faults();
        let handler = start_server(HANDLER, defer_entry, CONTEXT);
        let task = start_victim(undefined, 0, handler);
        for register in 0..16 {
            let value = if register == 7 { stack_top(VICTIM) - 64 } else { u64::MAX - register };
            task.write_register(register, value).expect("it stands still");
        }
        task.write_register(16, address(store_registers, 0)).expect("an address in user space");
        // Of the flags, those count that user mode may change; the trap flag goes with the answer.
        task.write_register(17, u64::MAX).expect("whatever it is");
        assert_eq!(task.read_registers(17), Ok([0x24_0fd7, 0, 0, 0]));
        let wrong =
            |register, value| system_call(task.0, Operation::WriteRegister as u64, [register, value, 0, 0]).map(|_| ());
        assert_eq!(wrong(18, 0), Err(Error::InvalidArgument));
        assert_eq!([0, 1 << 47, u64::MAX].map(|rip| wrong(16, rip)), [Err(Error::InvalidAddress); 3]);
        assert_eq!(system_call(task.0, Operation::ReadRegisters as u64, [18, 0, 0, 0]), Err(Error::InvalidArgument));
        let answer = [FaultAnswer::Resume as u64, 0, 0, 0];
        system_call(at(2), Operation::Reply as u64, answer).expect("the reply capability is there");
        yield_once();
        for (register, found) in (0..16).zip(&FOUND) {
            let value = if register == 7 { stack_top(VICTIM) - 64 } else { u64::MAX - register };
            assert_eq!(found.load(Relaxed), value, "register {register}");
        }
        assert_eq!(FOUND[16].load(Relaxed), 0x24_0ed7);
        assert_eq!(faults(), 2);
        end_thread(VICTIM);
        handler.end();
    });
}

fn registers_of_a_task_that_runs_or_waits_are_out_of_reach() {
    with_scratch(|| {
        set_open(false);
        let door = start_server(HANDLER, door_entry, 0);
        let refused = |task: Task| {
            let read = system_call(task.0, Operation::ReadRegisters as u64, [0; 4]);
            let written = system_call(task.0, Operation::WriteRegister as u64, [0; 4]);
            assert_eq!([read, written], [Err(Error::InvalidState); 2]);
        };
        // Itself; one that has nothing to do; one that waits for its turn, one that is served, and the one that serves it.
        refused(OWN_TASK);
        refused(door.task);
        [1, 2].into_iter().for_each(|client| start_client(client, door.near()));
        yield_often();
        [0, 1, 2].into_iter().for_each(|thread| refused(crate::servers::server(thread).task));
        [1, 2].into_iter().for_each(end_thread);
        door.end();
        forget_log();
    });
}

victims! {
    /// Lets itself be stepped, by its own flag.
    steps_itself: "pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop", "nop", "nop";
}

fn an_answer_ends_a_single_step() {
    with_scratch(|| {
        let handler = start_handler();
        set_answer(FaultAnswer::Resume, 0);
        start_victim(steps_itself, 0, handler);
        assert_eq!((faults(), times_done()), (1, 1));
        end_thread(VICTIM);
        handler.end();
    });
}
