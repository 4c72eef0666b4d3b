//! Capabilities move with calls from RISC-V code and to it.

use flatmk_abi::slots::{self, WINDOW};
use flatmk_abi::{Error, Kind, Operation as Call, Rights, WINDOW_SHIFT, Words};
use flatmk_runtime::object::{OWN_TABLE, identify};
use flatmk_runtime::testing::Test;
use flatmk_runtime::{service, tests};
use flatmk_softuser::Operation::*;

use crate::calls::{guest_elsewhere, start_elsewhere};
use crate::guest::*;
use crate::harness::make;
use crate::threads::*;

pub(crate) const TESTS: &[Test] = tests![
    capabilities_come_to_a_guest_and_go_back,
    capabilities_go_from_a_guest_to_native_code_and_come_back,
    a_guest_is_told_why_a_capability_does_not_move,
];

/// Puts copies of a capability into slots of the window.
fn fill(bits: u64, source: u64) {
    for index in (0..4).filter(|index| bits >> index & 1 != 0) {
        OWN_TABLE.copy(WINDOW + index, source, Rights::all()).expect("the slot is empty");
    }
}

/// Which slots of a table's window hold something.
fn filled(table: u64) -> u64 {
    (0..4).filter(|index| identify(slots::nested(table, WINDOW + index)).is_ok()).map(|index| 1 << index).sum()
}

fn own_filled() -> u64 {
    (0..4).filter(|index| identify(WINDOW + index).is_ok()).map(|index| 1 << index).sum()
}

fn empty() {
    (0..4).for_each(|index| OWN_TABLE.delete(WINDOW + index).unwrap_or_default());
}

fn capabilities_come_to_a_guest_and_go_back() {
    on_stage(|| {
        with_guests(|| {
            // It tells what has come, and gives back what the message says.
            let mut code = Assembler::new();
            code.mv(S0, A2)
                .mv(A2, T0)
                .mv(A3, ZERO)
                .op(Slli, S0, S0, 0, WINDOW_SHIFT as i32)
                .li(A0, slots::REPLY as u32);
            code.op(Addi, A1, S0, 0, Call::Return as i32).op(Ecall, 0, 0, 0, 0).mv(A2, A0).ret().load();
            let (task, table) = guest_elsewhere(0, 20, 0, 0);
            start_elsewhere(task);
            let frame = make(Kind::Frame, OBJECT);
            for endpoint in [near(0), far(0)] {
                for bits in 0..16 {
                    fill(bits, frame);
                    let keep = bits & 0b0101;
                    assert_eq!(
                        endpoint.call_with_window([bits & !keep, 0, 3, 4], bits),
                        Ok(([bits, 0, 3, 4], bits & !keep))
                    );
                    assert_eq!((own_filled(), filled(table.0)), (bits & !keep, keep));
                    // The rest comes back, too.
                    assert_eq!(endpoint.call_with_window([keep, 0, 3, 4], 0), Ok(([0, 0, 3, 4], keep)));
                    assert_eq!((own_filled(), filled(table.0)), (bits, 0));
                    empty();
                }
                // What is not there is refused, and the guest goes on.
                let refused = Error::InvalidCapability as i32;
                let answer = endpoint.call_with_window([0b0010, 0, 3, 4], 0);
                assert_eq!(answer, Ok(([refused.cast_unsigned().into(), 0, 0, 0], 0)));
            }
        });
    });
}

/// Gives back what has come, but for the first slot. Says what it holds then.
fn keep_first(_: u64, message: &mut Words) {
    let held = own_filled();
    *message = [held, 0, 0, 0];
    flatmk_runtime::object::answer_with_window(*message, held & !1);
}

service!(fn keep_first_entry = keep_first);

fn capabilities_go_from_a_guest_to_native_code_and_come_back() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 20, keep_first_entry, 0);
            let (task, table) = guest_elsewhere(0, 20, 0, 0);
            table.copy(40, near(1).0, Rights::all()).expect("a free slot");
            // It calls with the slots that the message says, and answers with what has come back, in the upper half of the first word.
            let mut code = Assembler::new();
            code.op(Slli, A1, A2, 0, WINDOW_SHIFT as i32)
                .li(A0, 40)
                .op(Ecall, 0, 0, 0, 0)
                .mv(A3, A1)
                .mv(A4, A0)
                .ret()
                .load();
            start_elsewhere(task);
            for bits in 0..16 {
                for index in (0..4).filter(|index| bits >> index & 1 != 0) {
                    table.copy(WINDOW + index, slots::CONSOLE, Rights::all()).expect("the slot is empty");
                }
                assert_eq!(near(0).call([bits, 0, 0, 0]), Ok([bits | (bits & !1) << 32, 0, 0, 0]));
                assert_eq!((own_filled(), filled(table.0)), (bits & 1, bits & !1));
                empty();
                (0..4).for_each(|index| table.delete(WINDOW + index).unwrap_or_default());
            }
        });
    });
}

fn a_guest_is_told_why_a_capability_does_not_move() {
    on_stage(|| {
        with_guests(|| {
            serve(1, 20, keep_first_entry, 0);
            let (task, table) = guest_elsewhere(0, 20, 0, 0);
            table.copy(40, near(1).0, Rights::CALL).expect("a free slot");
            table.copy(41, near(1).0, Rights::all()).expect("a free slot");
            // It calls the endpoint in the slot that the message says, with one capability.
            let mut code = Assembler::new();
            code.mv(A0, A2).li(A1, 1 << WINDOW_SHIFT).op(Ecall, 0, 0, 0, 0).status_if_failed().ret().load();
            start_elsewhere(task);
            assert_eq!(outcome(near(0).call([40, 0, 0, 0])), status(Error::MissingRight), "the endpoint");
            assert_eq!(outcome(near(0).call([41, 0, 0, 0])), status(Error::InvalidCapability));
            table.copy(WINDOW, slots::CONSOLE, Rights::WRITE).expect("the slot is empty");
            assert_eq!(outcome(near(0).call([41, 0, 0, 0])), status(Error::MissingRight), "the capability");
            table.delete(WINDOW).expect("it is there");
            table.copy(WINDOW, slots::CONSOLE, Rights::all()).expect("the slot is empty");
            fill(1, slots::CONSOLE);
            assert_eq!(outcome(near(0).call([41, 0, 0, 0])), status(Error::SlotOccupied));
            empty();
            assert_eq!(outcome(near(0).call([41, 0, 0, 0])), 1);
            empty();
        });
    });
}
