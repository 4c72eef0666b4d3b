//! RISC-V code shares the processor as native code does: in time slices, by priority, asleep or preempted.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flatmk_abi::Operation as Call;
use flatmk_runtime::testing::Test;
use flatmk_runtime::{tests, time_stamp};
use flatmk_softuser::Operation::*;

use crate::calibration::at_most_ms;
use crate::guest::*;
use crate::harness::{Random, at};
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    endless_loops_are_preempted,
    guests_and_native_code_take_turns,
    a_more_urgent_task_runs_at_once,
    a_guest_that_is_more_urgent_runs_at_once,
    a_guest_rests_until_the_next_tick,
    a_guest_is_stopped_in_its_loop_and_goes_on,
    registers_survive_preemption,
    a_called_guest_runs_at_its_callers_priority,
];

/// Loops of every kind. In each the guest does nothing else.
fn loops() -> [Assembler; 6] {
    let mut backward = Assembler::new();
    backward.jump(CODE);
    let mut branch = Assembler::new();
    branch.add(S0, 1).branch(Beq, ZERO, ZERO, CODE);
    let mut pair = Assembler::new();
    pair.add(S0, 1).add(S1, 1).branch(Bne, S0, ZERO, CODE + 4).jump(CODE);
    let mut indirect = Assembler::new();
    indirect.li(S0, CODE + 8).jump_to(S0);
    let mut call = Assembler::new();
    call.op(Jal, RA, 0, 0, 8).jump(CODE).op(Jalr, ZERO, RA, 0, 0);
    // Forwards from place to place, and at last back.
    let mut chain = Assembler::new();
    (0..200).for_each(|_| {
        chain.op(Jal, ZERO, 0, 0, 4);
    });
    chain.jump(CODE);
    [backward, branch, pair, indirect, call, chain]
}

fn endless_loops_are_preempted() {
    for code in loops() {
        on_stage(|| {
            with_guests(|| {
                code.load();
                // The root task wakes all the same, and so does a task that is as urgent as the guest.
                start_guest(0, 20, 0, 0);
                let_run(2);
                start(4, 20, log_and_finish, 4);
                let_run(25);
                check_log(&[4]);
                task(0).stop().expect("it runs");
                let end = u64::from(CODE) + 4 * code.words().len() as u64;
                assert!((CODE.into()..end).contains(&pc(task(0))));
            });
        });
    }
}

extern "C" fn log_and_finish(thread: u64) {
    log(thread);
    finish(thread);
}

/// Counts for ever.
extern "C" fn count(thread: u64) {
    loop {
        shared(thread).fetch_add(1, Relaxed);
    }
}

/// Makes guests count for ever, each in a word of the data.
fn load_counter() {
    let mut code = Assembler::new();
    let head = code.mv(S0, A0).here();
    code.op(Lw, S1, S0, 0, 0).add(S1, 1).op(Sw, 0, S0, S1, 0).jump(head).load();
}

/// How often a word has changed between two looks so many milliseconds apart, at every millisecond.
fn milliseconds_at_work(milliseconds: u64, look: impl Fn() -> [u64; 3]) -> [u64; 3] {
    let mut at_work = [0; 3];
    let mut last = look();
    for _ in 0..milliseconds {
        let_run(1);
        let now = look();
        for ((count, before), after) in at_work.iter_mut().zip(last).zip(now) {
            *count += u64::from(before != after);
        }
        last = now;
    }
    at_work
}

fn guests_and_native_code_take_turns() {
    on_stage(|| {
        with_guests(|| {
            load_counter();
            start_guest(0, 20, 0, DATA.into());
            start_guest(1, 20, 0, u64::from(DATA) + 4);
            start(4, 20, count, 4);
            let at_work =
                milliseconds_at_work(120, || [read_data(0).into(), read_data(4).into(), shared(4).load(Relaxed)]);
            // Each a third of the time, at the boundaries of a slice two of them.
            assert!(at_work.iter().all(|count| (30..=65).contains(count)), "{at_work:?}");
        });
    });
}

static WOKEN: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Wakes with each tick, and notes how long after the last time.
extern "C" fn measure(thread: u64) {
    let mut last = 0;
    loop {
        task(thread).sleep(1).unwrap_or_default();
        let now = time_stamp();
        if last != 0 {
            WOKEN[0].fetch_max(now - last, Relaxed);
            WOKEN[1].fetch_add(1, Relaxed);
        }
        last = now;
    }
}

fn a_more_urgent_task_runs_at_once() {
    for code in loops() {
        on_stage(|| {
            with_guests(|| {
                WOKEN.iter().for_each(|number| number.store(0, Relaxed));
                code.load();
                start_guest(0, 20, 0, 0);
                start(4, 30, measure, 4);
                let_run(50);
                let [longest, times] = WOKEN.each_ref().map(|number| number.load(Relaxed));
                assert!(times >= 20, "it wakes {times} times in 50 ms");
                assert!(longest < 4 * at_most_ms(1), "{} us", longest * 1000 / at_most_ms(1));
            });
        });
    }
}

fn a_guest_that_is_more_urgent_runs_at_once() {
    on_stage(|| {
        with_guests(|| {
            let bits = notification(OBJECT);
            let mut code = Assembler::new();
            let head = code.message([u64::MAX, 0, 0, 0]).here();
            code.call(at(OBJECT), Call::Wait).count(0, [S0, S1]).message([u64::MAX, 0, 0, 0]).jump(head).load();
            start_guest(0, 40, 0, 0);
            let_run(1);
            start(4, 20, signal_often, bits.0);
            let_run(5);
            check_log(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        });
    });
}

/// Signals, and notes how often the guest has counted by then.
extern "C" fn signal_often(notification: u64) {
    for _ in 0..10 {
        flatmk_runtime::object::Notification(notification).signal(1).expect("a bit");
        log(read_data(0).into());
    }
    finish(4);
}

fn a_guest_rests_until_the_next_tick() {
    on_stage(|| {
        with_guests(|| {
            let mut code = Assembler::new();
            (1..32).for_each(|index| {
                code.li(index, 0xa000_0000 | u32::from(index));
            });
            let head = code.here();
            code.op(Wfi, 0, 0, 0, 0).count(0, [S0, S1]).jump(head).load();
            start_guest(0, 20, 0, 0);
            let_run(50);
            let rests = read_data(0);
            assert!((20..=51).contains(&rests), "{rests} times in 50 ms");
            // Meanwhile others run, even if they are less urgent.
            start(4, 10, count, 4);
            shared(4).store(0, Relaxed);
            let_run(5);
            assert_ne!(shared(4).load(Relaxed), 0);
            task(0).stop().expect("it rests");
            for index in (1..32).filter(|index| ![S0, S1].contains(index)) {
                assert_eq!(register(task(0), index), 0xa000_0000 | u64::from(index));
            }
            // It goes on behind the instruction.
            let before = read_data(0);
            task(0).resume().expect("it is stopped");
            let_run(3);
            assert!(read_data(0) > before);
        });
    });
}

fn a_guest_is_stopped_in_its_loop_and_goes_on() {
    on_stage(|| {
        with_guests(|| {
            load_counter();
            let task = start_guest(0, 20, 0, DATA.into());
            let mut last = 0;
            for _ in 0..20 {
                let_run(1);
                task.stop().expect("it runs");
                let count = read_data(0);
                assert!(count > last);
                last = count;
                assert_eq!(register(task, S0), DATA.into());
                let counted = register(task, S1);
                let expected = u64::from(count);
                assert!(counted == expected || counted == expected + 1, "{counted} and {expected}");
                let_run(1);
                assert_eq!(read_data(0), count, "it is stopped");
                task.resume().expect("it is stopped");
            }
        });
    });
}

/// A program of arithmetic that runs for a while: all registers change all the time, and each change depends on those before.
fn load_arithmetic() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut code = Assembler::new();
    // Registers 5 to 29; the number of rounds is in x30.
    let head = code.here();
    for _ in 0..150 {
        let operation =
            random.choose(&[Add, Sub, Xor, Or, And, Sll, Srl, Sra, Slt, Sltu, Mul, Mulhu, Mulhsu, Div, Remu]);
        let mut register = || 5 + random.below(25) as u8;
        let [rd, rs1, rs2] = [register(), register(), register()];
        code.op(operation, rd, rs1, rs2, 0);
        code.op(Addi, rd, rd, 0, random.below(4096) as i32 - 2048);
    }
    // Some come through memory.
    code.add(30, -1);
    code.branch(Beq, 30, ZERO, code.here() + 12).op(Addi, 31, 31, 0, 1).jump(head);
    // The sum of all.
    code.load();
    let mut code = Assembler::at(4 * 304);
    (5..30).for_each(|index| {
        code.op(Mul, A0, A0, A0, 0).op(Xor, A0, A0, index, 0);
    });
    code.store(A0, 0, S0).word(0).load();
}

fn registers_survive_preemption() {
    const ROUNDS: u64 = 3000;

    on_stage(|| {
        with_guests(|| {
            load_arithmetic();
            let prepare = |thread: u64| {
                let task = guest(thread, 20);
                // It stands still with registers of its own.
                task.start(entry_at(CODE), 0).expect("it has a hart");
                task.stop().expect("it was started");
                (5..30).for_each(|index| task.write_register(32 + index, index * 0x0123_4567).expect("a register"));
                task.write_register(32 + 30, ROUNDS).expect("a register");
                task
            };
            // Alone, and undisturbed but for ticks.
            let first = prepare(0);
            first.resume().expect("it is stopped");
            while !is_stopped(first) {
                let_run(5);
            }
            let registers = |task| (1..32).map(move |index| register(task, index));
            // While others come between at every tick.
            start(4, 30, measure, 4);
            start(5, 20, count, 5);
            let others = [1, 2, 3].map(prepare);
            others.iter().for_each(|task| task.resume().expect("it is stopped"));
            while others.iter().any(|&task| !is_stopped(task)) {
                let_run(5);
            }
            assert_eq!(register(first, 30), 0);
            for other in others {
                assert!(registers(other).eq(registers(first)));
            }
        });
    });
}

fn a_called_guest_runs_at_its_callers_priority() {
    on_stage(|| {
        with_guests(|| {
            // It works for a while, and answers.
            let mut code = Assembler::new();
            let head = code.li(S0, 10_000).here();
            code.add(S0, -1).branch(Bne, S0, ZERO, head).message([7, 0, 0, 0]).ret().load();
            guest_server(0, 10, 0, 0);
            crate::calls::start_caller(4, 30, near(0));
            start(5, 20, log_and_finish, 5);
            while logged().count() < 2 {
                let_run(5);
            }
            check_log(&[7, 5]);
        });
    });
}
