//! The registers of a task that stands still, read and written by another.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::layout::{USER_END, USER_START};
use flatmk_abi::{Error, FaultAnswer, MissingCapability};
use flatmk_runtime::object::Task;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};

use crate::harness::stack_top;
use crate::life::{count, counts, in_each_state, sleep_long};
use crate::threads::{far, finish, let_run, on_stage, prepare, serve, shared, spin, start, task};

pub(crate) const TESTS: &[Test] = tests![
    registers_are_read_and_written_only_while_a_task_stands_still,
    each_register_has_its_number,
    registers_beyond_the_last_read_zero,
    a_resumed_task_has_the_registers_that_were_written,
    what_follows_a_system_call_is_in_rcx_and_r11,
    rip_must_be_in_user_space,
    of_rflags_only_what_user_mode_may_change_is_written,
    a_task_can_be_given_registers_instead_of_a_start,
    a_fault_handler_reads_and_writes_registers,
];

const RAX: u64 = 0;
const RCX: u64 = 2;
pub(crate) const RBX: u64 = 1;
pub(crate) const RDX: u64 = 3;
pub(crate) const RSI: u64 = 4;
pub(crate) const RDI: u64 = 5;
const RSP: u64 = 7;
pub(crate) const RIP: u64 = 16;
const RFLAGS: u64 = 17;

fn read(task: Task, register: u64) -> u64 {
    let [value, ..] = task.read_registers(register).expect("it stands still");
    value
}

fn read_all(task: Task) -> [u64; 18] {
    core::array::from_fn(|register| read(task, register as u64))
}

fn registers_are_read_and_written_only_while_a_task_stands_still() {
    on_stage(|| {
        for (task, name) in in_each_state() {
            assert_eq!(task.read_registers(0), Err(Error::InvalidState), "{name}");
            assert_eq!(task.write_register(0, 0), Err(Error::InvalidState), "{name}");
            task.stop().expect("it is not stopped");
            assert!(task.read_registers(0).is_ok(), "{name}, and was stopped");
            assert_eq!(task.write_register(0, 0), Ok(()), "{name}, and was stopped");
        }
        assert_eq!(flatmk_runtime::object::OWN_TASK.read_registers(0), Err(Error::InvalidState), "runs");
    });
}

/// Fills each register with a number of its own, and stays where it is.
#[unsafe(naked)]
extern "C" fn fill_registers() {
    naked_asm!(
        "push 0x8d5", // carry, parity, adjust, zero, sign, overflow
        "popfq",
        "mov rax, 0x100",
        "mov rbx, 0x101",
        "mov rcx, 0x102",
        "mov rdx, 0x103",
        "mov rsi, 0x104",
        "mov rdi, 0x105",
        "mov rbp, 0x106",
        "mov r8, 0x108",
        "mov r9, 0x109",
        "mov r10, 0x10a",
        "mov r11, 0x10b",
        "mov r12, 0x10c",
        "mov r13, 0x10d",
        "mov r14, 0x10e",
        "mov r15, 0x10f",
        "2: jmp 2b",
    )
}

fn each_register_has_its_number() {
    on_stage(|| {
        let task = prepare(0, 20, spin, 0);
        task.start(fill_registers as *const () as u64, 0).expect("it is configured");
        let_run(1);
        task.stop().expect("it runs");
        let registers = read_all(task);
        for (number, &value) in (0..).zip(&registers) {
            match number {
                RSP => assert_eq!(value, stack_top(0) - 16),
                RIP => assert!((fill_registers as *const () as u64..).contains(&value)),
                // And interrupts on.
                RFLAGS => assert_eq!(value, 0xad7),
                _ => assert_eq!(value, 0x100 + number),
            }
        }
        // Four at a time, from any register on.
        for (first, four) in (0..).zip(registers.windows(4)) {
            assert_eq!(task.read_registers(first).expect("it is stopped"), *four);
        }
    });
}

fn registers_beyond_the_last_read_zero() {
    on_stage(|| {
        let task = start(0, 20, count, 0);
        task.stop().expect("it is ready");
        let [rip, rflags] = [RIP, RFLAGS].map(|register| read(task, register));
        assert_eq!(task.read_registers(RIP), Ok([rip, rflags, 0, 0]));
        assert_eq!(task.read_registers(RFLAGS), Ok([rflags, 0, 0, 0]));
        for beyond in [18, 64, u64::MAX] {
            assert_eq!(task.read_registers(beyond), Err(Error::InvalidArgument));
            assert_eq!(task.write_register(beyond, 0), Err(Error::InvalidArgument));
        }
    });
}

/// rax rbx rcx rdx rsi rdi rbp rsp r8 to r15, rip (of the first instruction), rflags.
static SEEN: [AtomicU64; 18] = [const { AtomicU64::new(0) }; 18];

/// Stores what it finds in its registers.
#[unsafe(naked)]
extern "C" fn store_registers() {
    naked_asm!(
        "mov [rip + {seen}], rax",
        "mov [rip + {seen} + 8], rbx",
        "mov [rip + {seen} + 16], rcx",
        "mov [rip + {seen} + 24], rdx",
        "mov [rip + {seen} + 32], rsi",
        "mov [rip + {seen} + 40], rdi",
        "mov [rip + {seen} + 48], rbp",
        "mov [rip + {seen} + 56], rsp",
        "mov [rip + {seen} + 64], r8",
        "mov [rip + {seen} + 72], r9",
        "mov [rip + {seen} + 80], r10",
        "mov [rip + {seen} + 88], r11",
        "mov [rip + {seen} + 96], r12",
        "mov [rip + {seen} + 104], r13",
        "mov [rip + {seen} + 112], r14",
        "mov [rip + {seen} + 120], r15",
        "mov rsp, {stack}",
        "pushfq",
        "pop qword ptr [rip + {seen} + 136]",
        "push 2",
        "popfq",
        "2: jmp 2b",
        seen = sym SEEN,
        stack = const flatmk_abi::layout::ROOT_STACK_TOP - flatmk_abi::layout::ROOT_STACK_PAGES * 4096 + 64,
    )
}

/// What user mode may change: carry, parity, adjust, zero, sign, direction, overflow, alignment check, identification; and interrupts are on.
const FLAGS: u64 = 0x24_0ed7;

fn a_resumed_task_has_the_registers_that_were_written() {
    on_stage(|| {
        // Stopped by the timer, in a system call, and never started: the ways back to user mode differ.
        let tasks = [start(0, 20, count, 0), start(1, 20, sleep_long, 1), prepare(2, 20, spin, 2)];
        let_run(2);
        for (index, task) in tasks.into_iter().enumerate() {
            task.stop().unwrap_or_default();
            for register in 0..18 {
                let value = match register {
                    RIP => store_registers as *const () as u64,
                    RFLAGS => FLAGS,
                    // It is not used before it is replaced; not even a canonical address.
                    RSP => 0x8000_1234_5678_9abc,
                    _ => 0xfeed_0000_0000_0000 + register * 0x1_0001 + index as u64,
                };
                task.write_register(register, value).expect("it is stopped");
            }
            let written = read_all(task);
            SEEN.iter().for_each(|register| register.store(0, Relaxed));
            task.resume().expect("it is stopped");
            let_run(1);
            task.stop().expect("it runs");
            for (number, (seen, &written)) in (0..).zip(SEEN.iter().zip(&written)) {
                match number {
                    RIP => {}
                    _ => assert_eq!(seen.load(Relaxed), written, "register {number} of task {index}"),
                }
            }
            assert_eq!(written.get(RFLAGS as usize), Some(&FLAGS));
        }
    });
}

fn what_follows_a_system_call_is_in_rcx_and_r11() {
    on_stage(|| {
        let task = start(0, 20, sleep_long, 0);
        let_run(1);
        task.stop().expect("it sleeps");
        let [rcx, rip, rflags] = [RCX, RIP, RFLAGS].map(|register| read(task, register));
        assert_eq!(rcx, rip);
        assert_eq!(read(task, 11), rflags);
        assert_eq!(read(task, RAX), Error::Interrupted.status().cast_unsigned());
        assert_eq!([RDI, RSI, 3, 10, 8, 9].map(|register| read(task, register)), [0; 6], "an error has no results");
    });
}

fn rip_must_be_in_user_space() {
    on_stage(|| {
        let task = start(0, 20, count, 0);
        task.stop().expect("it is ready");
        let before = read(task, RIP);
        for address in [0, USER_START - 1, USER_END, 1 << 47, 0xffff_8000_0000_0000, 0xffff_ffff_8000_0000, u64::MAX] {
            assert_eq!(task.write_register(RIP, address), Err(Error::InvalidAddress), "{address:#x}");
        }
        assert_eq!(read(task, RIP), before);
        for address in [USER_START, USER_END - 1, before] {
            assert_eq!(task.write_register(RIP, address), Ok(()), "{address:#x}");
        }
        task.resume().expect("it is stopped");
        assert!(counts());
    });
}

fn of_rflags_only_what_user_mode_may_change_is_written() {
    on_stage(|| {
        let task = start(0, 20, count, 0);
        task.stop().expect("it is ready");
        for (written, read_back) in [
            (0, 0x202),
            (u64::MAX, 0x24_0fd7),
            // Interrupts, privilege of ports, nested task, resume, virtual-8086 mode, virtual interrupts.
            (1 << 9, 0x202),
            (3 << 12, 0x202),
            (1 << 14, 0x202),
            (0x1b_0000, 0x202),
            (1 << 18, 0x4_0202),
            (1 << 21, 0x20_0202),
            (1 << 8, 0x302),
        ] {
            task.write_register(RFLAGS, written).expect("it is stopped");
            assert_eq!(read(task, RFLAGS), read_back, "{written:#x}");
        }
        task.write_register(RFLAGS, 0).expect("it is stopped");
        task.resume().expect("it is stopped");
        assert!(counts(), "the timer interrupts it: otherwise nobody would come here");
    });
}

/// Nothing but its registers says what it does, and interrupts are on.
fn a_task_can_be_given_registers_instead_of_a_start() {
    on_stage(|| {
        let task = prepare(0, 20, spin, 0);
        assert_eq!(task.resume(), Err(Error::InvalidAddress));
        assert_eq!(read(task, RFLAGS), 0x202);
        task.write_register(RIP, count as *const () as u64).expect("it is stopped");
        task.write_register(RSP, stack_top(0) - 8).expect("it is stopped");
        task.resume().expect("it is stopped");
        assert!(counts());
    });
}

/// Divides 6 by the number in rcx, which is 0.
#[unsafe(naked)]
extern "C" fn divide(_: u64) {
    naked_asm!(
        "mov eax, 6",
        "xor edx, edx",
        "xor ecx, ecx",
        "div rcx",
        "mov [rip + {number} + 32], rax",
        "mov rdi, 1",
        "call {finish}",
        number = sym crate::threads::SHARED,
        finish = sym finish_thread,
    )
}

extern "C" fn finish_thread(thread: u64) {
    finish(thread);
}

/// Sets the divisor of thread 1 to 3, and lets it try again.
fn mend(_: u64, message: &mut [u64; 4]) {
    let faulted = task(1);
    assert_eq!(read(faulted, RCX), 0);
    assert_eq!(read(faulted, RAX), 6);
    assert_eq!(faulted.write_register(RIP, u64::MAX), Err(Error::InvalidAddress));
    faulted.write_register(RCX, 3).expect("it waits for this handler");
    assert_eq!(faulted.resume(), Err(Error::InvalidState), "it is not stopped");
    *message = [FaultAnswer::Resume as u64, 0, 0, 0];
}

service!(fn mend_entry = mend);

fn a_fault_handler_reads_and_writes_registers() {
    on_stage(|| {
        shared(4).store(0, Relaxed);
        serve(0, 20, mend_entry, 0);
        let task = prepare(1, 20, divide, 0);
        task.set_fault_handler(Some(far(0)), MissingCapability::IsError).expect("it may be called");
        task.start(crate::threads::entry(), 0).expect("it is configured");
        let_run(1);
        assert_eq!(shared(4).load(Relaxed), 2, "6 by 3");
    });
}
