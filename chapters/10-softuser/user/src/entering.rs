//! Native code enters RISC-V code of its own task, and comes back.

use flatmk_abi::{Error, Operation as Call, slots};
use flatmk_runtime::object::{OWN_TABLE, Task};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;
use flatmk_softuser::Operation::*;

use crate::guest::*;
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![the_message_comes_and_the_answer_goes_back,];

/// Enters with a message, and notes the answer.
extern "C" fn enter(thread: u64) {
    match guest_endpoint(thread).call([1, 2 << 32, 3, u64::MAX]) {
        Ok(answer) => answer.into_iter().for_each(log),
        Err(error) => log(status(error)),
    }
    finish(thread);
}

fn the_message_comes_and_the_answer_goes_back() {
    on_stage(|| {
        with_guests(|| {
            let task = prepare(0, 20, enter, 0);
            give_hart(0, task);
            task.make_endpoint_at(entry_at(CODE), 0x1234_5678_9abc_def0, OWN_TABLE, guest_endpoint(0).0).expect("free");
            let mut code = Assembler::new();
            // The answer: the context word, the sum of two words, the stack pointer, the upper half of the last word.
            code.op(Add, S0, A2, A6, 0).op(Add, S1, A5, A7, 0).op(Addi, A2, A0, 0, 0).op(Addi, A3, A1, 0, 0);
            code.op(Addi, A4, S0, 0, 0).op(Addi, A5, S1, 0, 0).op(Addi, A6, SP, 0, 0).op(Addi, A7, 0, 0, 0);
            code.op(Addi, T3, T4, 0, 0).op(Addi, T4, 0, 0, 0).ret().load();
            task.start(entry(), 0).expect("it is configured");
            let_run(2);
            check_log(&[0x1234_5678_9abc_def0, 4 | 2 << 32, STACK.into(), 0xffff_ffff]);
        });
    });
}
