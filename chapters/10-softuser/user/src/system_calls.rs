//! `ecall` makes the same system calls as `syscall`.

use core::arch::asm;

use flatmk_abi::{Error, Kind, OPERATIONS, Operation as Call, Rights, Words, slots};
use flatmk_runtime::object::{Memory, Table, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;
use flatmk_softuser::Operation::*;

use crate::guest::*;
use crate::harness::{MEMORY, SCRATCH, at, copy, make, thread_slot};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    every_operation_fails_as_it_does_natively,
    operations_succeed_as_they_do_natively,
    rights_are_respected,
    operations_that_do_not_exist_are_refused,
    registers_that_are_no_results_are_kept,
    a_guest_gives_way_and_sleeps,
    a_guest_waits_for_a_notification,
    a_guest_removes_much_and_is_preempted,
];

/// A system call, and what comes of it: the two registers beside the words, and these.
#[derive(Clone, Copy, Debug)]
struct Request {
    pointer: u64,
    operation: u64,
    arguments: Words,
}

type Outcome = (u64, u64, Words);

/// Natively.
fn execute(request: Request) -> Outcome {
    let Request { pointer, operation, arguments: [mut a, mut b, mut c, mut d] } = request;
    let (status, second): (u64, u64);
    // SAFETY: a system call changes no memory of this program but what its capabilities say; those that are made here say nothing of that kind.
    unsafe {
        asm!(
            "syscall",
            inlateout("rdi") pointer => _,
            inlateout("rsi") operation => second,
            inlateout("rdx") a,
            inlateout("r10") b,
            inlateout("r8") c,
            inlateout("r9") d,
            lateout("rax") status,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    (status, second, [a, b, c, d])
}

/// The registers of the words, in their order.
const WORDS: [u8; 8] = [A2, A3, A4, A5, A6, A7, T3, T4];

/// Makes guest 0 one that makes the system calls that stand in the data.
fn serve_system_calls() {
    let mut code = Assembler::new();
    code.li(S0, DATA).op(Lw, A0, S0, 0, 0).op(Lw, A1, S0, 0, 4);
    for (index, register) in (2..).zip(WORDS) {
        code.op(Lw, register, S0, 0, 4 * index);
    }
    code.op(Ecall, 0, 0, 0, 0).li(S0, DATA).op(Sw, 0, S0, A0, 0).op(Sw, 0, S0, A1, 4);
    for (index, register) in (2..).zip(WORDS) {
        code.op(Sw, 0, S0, register, 4 * index);
    }
    code.ret().load();
    guest_server(0, 20, 0, 0);
}

/// By the guest.
fn execute_as_guest(request: Request) -> Outcome {
    let Request { pointer, operation, arguments } = request;
    let halves = |word: u64| [word as u32, (word >> 32) as u32];
    let words = arguments.map(halves);
    let head = [pointer as u32, operation as u32];
    for (index, word) in (0..).zip(head.iter().chain(words.as_flattened())) {
        write_data(4 * index, *word);
    }
    near(0).call([0; 4]).expect("it is ready");
    let word = |index: u32| u64::from(read_data(8 * index)) | u64::from(read_data(8 * index + 4)) << 32;
    let status = i64::from(read_data(0).cast_signed()).cast_unsigned();
    (status, read_data(4).into(), [word(1), word(2), word(3), word(4)])
}

/// Checks that it comes to the same, both times done once. Returns that.
#[track_caller]
fn compare(pointer: u64, operation: u64, arguments: Words) -> Outcome {
    let request = Request { pointer, operation, arguments };
    let natively = execute(request);
    assert_eq!(execute_as_guest(request), natively, "{request:x?}");
    natively
}

/// Arguments that no operation takes that could do harm.
const ARGUMENTS: [Words; 4] =
    [[64; 4], [u64::MAX; 4], [1 << 32, 1 << 33, 1 << 34, 1 << 35], [0x7000_0000, 0x7000_0001, 63, 64]];

fn every_operation_fails_as_it_does_natively() {
    on_stage(|| {
        with_guests(|| {
            serve_system_calls();
            let objects = [Kind::Table, Kind::AddressSpace, Kind::Frame, Kind::FloatingPoint];
            let mut pointers =
                [0, 1 << 18, 0xffff_ffff, at(63), slots::CONSOLE, slots::INTERRUPTS, slots::PORTS, 0, 0, 0, 0];
            for (place, (slot, kind)) in pointers.iter_mut().skip(7).zip((52..).zip(objects)) {
                *place = make(kind, slot);
            }
            for information in OPERATIONS {
                for pointer in pointers {
                    // The one would not come back; of the other nobody knows what it reads.
                    let is_left_out = matches!(
                        (information.operation, pointer),
                        (Call::Return, slots::REPLY) | (Call::Read, slots::CONSOLE)
                    );
                    for arguments in ARGUMENTS.into_iter().filter(|_| !is_left_out) {
                        compare(pointer, information.operation as u64, arguments);
                    }
                }
            }
            // What needs other kinds, with arguments that are refused.
            let memory = copy_of_memory();
            for operation in [Call::Make, Call::Split, Call::Identify] {
                for arguments in [[64; 4], [u64::MAX; 4], [4, 0, SCRATCH.0, 1], [4, 1, at(63), 1], [4, 1, SCRATCH.0, 0]]
                {
                    compare(memory, operation as u64, arguments);
                }
            }
            compare(slots::POWER, Call::PowerOff as u64, [2, 0, 0, 0]);
            compare(slots::SELF, Call::SetPriority as u64, [64, 0, 0, 0]);
            for operation in [Call::Start, Call::Resume, Call::Configure, Call::ReadRegisters, Call::WriteRegister] {
                compare(slots::SELF, operation as u64, [0; 4]);
            }
        });
    });
}

/// A memory capability of eight pages.
fn copy_of_memory() -> u64 {
    MEMORY.split(8, SCRATCH, 60).expect("the memory has so many pages");
    at(60)
}

fn operations_succeed_as_they_do_natively() {
    on_stage(|| {
        with_guests(|| {
            serve_system_calls();
            let memory = copy_of_memory();
            let run = |execute: &dyn Fn(Request) -> Outcome, found: &mut [Outcome; 17]| {
                let mut places = found.iter_mut();
                let mut make = |pointer, operation: Call, arguments| {
                    let request = Request { pointer, operation: operation as u64, arguments };
                    *places.next().expect("there are so many") = execute(request);
                };
                make(memory, Call::Measure, [0; 4]);
                make(memory, Call::Make, [Kind::Notification as u64, 2, SCRATCH.0, 61]);
                make(at(61), Call::Identify, [0; 4]);
                make(at(61), Call::Signal, [0x8000_0001_0000_0002, 0, 0, 0]);
                make(at(61), Call::Poll, [0; 4]);
                make(at(61), Call::Poll, [0; 4]);
                make(at(61), Call::Signal, [3, 0, 0, 0]);
                make(at(61), Call::Wait, [u64::MAX, 0, 0, 0]);
                make(at(61), Call::Wait, [1, 0, 0, 0]);
                make(memory, Call::Measure, [0; 4]);
                make(SCRATCH.0, Call::Copy, [63, at(62), Rights::READ.bits().into(), 0]);
                make(at(63), Call::Identify, [0; 4]);
                make(SCRATCH.0, Call::Delete, [61, 0, 0, 0]);
                make(SCRATCH.0, Call::Move, [61, at(62), 0, 0]);
                make(SCRATCH.0, Call::Revoke, [61, 0, 0, 0]);
                make(SCRATCH.0, Call::Delete, [61, 0, 0, 0]);
                make(memory, Call::Measure, [0; 4]);
            };
            let mut natively = [(0, 0, [0; 4]); 17];
            let mut by_guest = natively;
            run(&execute, &mut natively);
            run(&execute_as_guest, &mut by_guest);
            assert_eq!(natively, by_guest);
            assert_eq!(natively.map(|(status, ..)| status == 0).iter().filter(|is_good| **is_good).count(), 16);
            let timed_out = status(Error::TimedOut);
            assert!(natively.iter().any(|&(status, ..)| status == timed_out));
            assert_eq!(natively[4], (0, 0, [0x8000_0001_0000_0002, 0, 0, 0]));
        });
    });
}

fn rights_are_respected() {
    on_stage(|| {
        with_guests(|| {
            serve_system_calls();
            let sources = [
                slots::TABLE,
                slots::SPACE,
                slots::CONSOLE,
                slots::SELF,
                slots::POWER,
                slots::INTERRUPTS,
                slots::PORTS,
            ];
            for source in sources {
                let pointer = copy(52, source, Rights::GRANT);
                let with_rights = OPERATIONS.iter().filter(|information| !information.rights.is_empty());
                for information in with_rights.filter(|information| information.operation.chapter() <= 10) {
                    let (status, ..) = compare(pointer, information.operation as u64, [slots::TABLE; 4]);
                    let error = Error::from_status(status.cast_signed());
                    assert!(matches!(error, Some(Error::MissingRight | Error::WrongKind)), "{error:?}");
                }
                SCRATCH.delete(52).expect("it is there");
            }
        });
    });
}

fn operations_that_do_not_exist_are_refused() {
    on_stage(|| {
        with_guests(|| {
            serve_system_calls();
            for operation in (37..=0xff).chain([0x100 | Call::Identify as u64, 0xffff_ffff, 0x1000, 0x10_0000, 1 << 31])
            {
                for pointer in [slots::TABLE, at(63), 1 << 18] {
                    let (found, ..) = compare(pointer, operation, [0; 4]);
                    assert_ne!(found, 0, "{operation:#x}");
                }
            }
        });
    });
}

fn registers_that_are_no_results_are_kept() {
    on_stage(|| {
        with_guests(|| {
            let task = guest(0, 20);
            // One after which the caller goes on, one after which another task may, and one that does not exist.
            for operation in [Call::Identify as u64, Call::Yield as u64, Call::Revoke as u64, 200] {
                let mut code = Assembler::new();
                (1..32).for_each(|index| {
                    code.li(index, 0x9000_0000 | u32::from(index));
                });
                let pointer = if operation == Call::Yield as u64 { task.0 } else { SCRATCH.0 };
                let at = code.message([OBJECT, 0, 0, 0]).call_with_flags(pointer, operation).here();
                code.word(0).load();
                task.start(entry_at(CODE), 0).expect("it is stopped");
                let_run(2);
                assert_eq!(pc(task), at.into());
                for index in (1..32).filter(|index| !WORDS.contains(index) && ![A0, A1].contains(index)) {
                    assert_eq!(register(task, index), 0x9000_0000 | u64::from(index), "x{index} after {operation}");
                }
            }
        });
    });
}

fn a_guest_gives_way_and_sleeps() {
    on_stage(|| {
        with_guests(|| {
            for thread in 0..2 {
                let offset = 1024 * thread as u32;
                // Ten turns, noted one after the other.
                let mut code = Assembler::at(offset);
                let start = code.li(S2, 10).here();
                code.li(S0, DATA).op(Lw, S1, S0, 0, 0).add(S1, 4).op(Sw, 0, S0, S1, 0).op(Add, S1, S0, S1, 0);
                code.li(T0, thread as u32).op(Sw, 0, S1, T0, 0).call(task(thread).0, Call::Yield).add(S2, -1);
                code.branch(Bne, S2, ZERO, start).message([3 * MS, 0, 0, 0]).call(task(thread).0, Call::Sleep);
                code.count(2048, [S0, S1]).call(task(thread).0, Call::Stop).load();
            }
            [0, 1].into_iter().for_each(|thread| {
                start_guest(thread, 20, 1024 * thread as u32, 0);
            });
            let_run(2);
            let turns = (1..=20).map(|index| read_data(4 * index));
            assert!(turns.eq((0..20).map(|index| index % 2)), "they take turns");
            assert_eq!(read_data(2048), 0, "they sleep");
            let_run(5);
            assert_eq!(read_data(2048), 2);
        });
    });
}

fn a_guest_waits_for_a_notification() {
    on_stage(|| {
        with_guests(|| {
            let bits = notification(OBJECT);
            let mut code = Assembler::new();
            let start = code.here();
            code.message([u64::MAX, 0, 0, 0]).call(at(OBJECT), Call::Wait);
            code.store(A2, 0, S0).store(A3, 4, S0).store(A0, 8, S0).count(12, [S0, S1]).jump(start).load();
            start_guest(0, 20, 0, 0);
            let_run(1);
            for (count, word) in (1..).zip([1, 1 << 63, u64::MAX, 0x1_0000_0001]) {
                bits.signal(word).expect("a bit");
                let_run(1);
                assert_eq!([0, 4].map(read_data), [word as u32, (word >> 32) as u32]);
                assert_eq!([8, 12].map(read_data), [0, count]);
            }
            // It is destroyed while the guest waits.
            SCRATCH.delete(OBJECT).expect("it is there");
            let_run(1);
            task(0).stop().expect("it runs");
            assert!([Error::CalleeGone as i32, Error::InvalidCapability as i32].contains(&read_data(8).cast_signed()));
        });
    });
}

/// Counts in a word of the data, whenever it wakes.
extern "C" fn tick(thread: u64) {
    loop {
        task(thread).sleep(1).unwrap_or_default();
        write_data(4, read_data(4) + 1);
    }
}

fn a_guest_removes_much_and_is_preempted() {
    const TABLES: u64 = 40;

    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            code.message([60, 0, 0, 0]).call(SCRATCH.0, Call::Revoke).store(A0, 0, S0).count(8, [S0, S1]);
            code.call(task(0).0, Call::Stop).load();
            let guest = guest(0, 20);
            start(4, 30, tick, 4);
            MEMORY.split(TABLES * 64, SCRATCH, 60).expect("the memory has so many pages");
            let memory = Memory(at(60));
            // Until it was preempted at least once.
            for round in 1..=20 {
                memory.make(Kind::Table, 1, SCRATCH, 61).expect("a free slot");
                memory.make(Kind::Table, TABLES, Table(at(61)), 1).expect("free slots");
                for table in 1..=TABLES {
                    memory.make(Kind::Frame, 60, Table(slots::nested(at(61), table)), 1).expect("free slots");
                }
                write_data(0, 1);
                guest.start(entry_at(CODE), 0).expect("it is stopped");
                let before = read_data(4);
                while !is_stopped(guest) {
                    let_run(1);
                }
                assert_eq!([0, 8].map(read_data), [0, round]);
                assert_eq!(memory.measure(), Ok((TABLES * 64, TABLES * 64)));
                assert_eq!(identify(at(61)), Err(Error::InvalidCapability));
                if read_data(4) > before + 2 {
                    break;
                }
            }
            SCRATCH.delete(thread_slot(4)).expect("it is there");
        });
    });
}
