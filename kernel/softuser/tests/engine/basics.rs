//! Small programs.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use flatmk_softuser::Operation;
use flatmk_softuser::engine::{Code, Stop};

use crate::guest::{CODE, ECALL, Guest, Program, run, word};

#[test]
fn numbers_are_added_up_in_a_loop() {
    let program = [
        word(Operation::Addi, 10, 0, 0, 0),
        word(Operation::Addi, 11, 0, 0, 1000),
        word(Operation::Add, 10, 10, 11, 0),
        word(Operation::Addi, 11, 11, 0, -1),
        word(Operation::Bne, 0, 11, 0, -8),
        ECALL,
    ];
    let mut guest = Guest::of(&program);
    assert_eq!(guest.run(), Stop::Ecall);
    assert_eq!((guest.hart.pc(), guest.hart.register(10)), (CODE + 20, 500_500));
}

#[test]
fn calls_and_returns_find_their_way() {
    let program = [
        word(Operation::Jal, 1, 0, 0, 12),
        word(Operation::Jal, 1, 0, 0, 8),
        ECALL,
        word(Operation::Addi, 10, 10, 0, 1),
        word(Operation::Jalr, 0, 1, 0, 0),
    ];
    let mut guest = Guest::of(&program);
    assert_eq!(guest.run(), Stop::Ecall);
    assert_eq!((guest.hart.pc(), guest.hart.register(10), guest.hart.register(1)), (CODE + 8, 2, CODE + 8));
}

/// A program that knows how often the engine was entered.
struct Counted {
    program: Program,
    entries: u32,
}

impl Code for Counted {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        self.program.fetch(pc)
    }

    fn allow_access(&mut self) {
        self.entries += 1;
    }
}

/// The engine is entered at the beginning, and behind each jump that asks for its target: the first one, the branch back to it, and the first one once
/// more, which is at the beginning of another block then.
#[test]
fn a_jump_leads_to_its_target_without_the_engine_from_the_second_time_on() {
    let program = [
        word(Operation::Addi, 11, 0, 0, 1000),
        word(Operation::Jal, 0, 0, 0, 8),
        ECALL,
        word(Operation::Addi, 11, 11, 0, -1),
        word(Operation::Bne, 0, 11, 0, -12),
        ECALL,
    ];
    let guest = Guest::of(&program);
    let mut code = Counted { program: guest.code, entries: 0 };
    assert_eq!((run(guest.hart, &mut code), guest.hart.register(11)), (Stop::Ecall, 0));
    assert_eq!(code.entries, 4);
}

/// What the watchdog is for: without it, an engine that is lost would hang the tests.
#[test]
fn an_endless_loop_is_stopped_by_another_thread() {
    let mut guest = Guest::of(&[word(Operation::Jal, 0, 0, 0, 0)]);
    let pending = AtomicPtr::new(guest.hart.pending().as_ptr());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            // SAFETY: the hart lives longer than this thread.
            unsafe { AtomicU32::from_ptr(pending.load(Relaxed)) }.store(1, Relaxed);
        });
        assert_eq!((guest.run(), guest.hart.pc()), (Stop::Pending, CODE));
    });
}
