//! Reservations: a store succeeds only if its address was reserved and nothing came in between (Unprivileged Architecture, 13.2).

use flatmk_softuser::Operation::{Addi, LrW, ScW, Sw};
use flatmk_softuser::engine::Stop;

use crate::guest::{CODE, DATA, ECALL, Guest, data, fill_data, word};

/// What `sc.w` into x10 says, and the first word of the data.
fn run(program: &[u32]) -> (u32, u32) {
    let mut guest = Guest::of(program);
    fill_data(&[1, 0, 0, 0]);
    guest.hart.set_register(5, DATA);
    guest.hart.set_register(6, DATA + 4);
    guest.hart.set_register(7, 9);
    guest.hart.set_register(10, 7);
    let mut stop = guest.run();
    while stop == Stop::Ebreak {
        guest.hart.set_pc(guest.hart.pc() + 4);
        stop = guest.run();
    }
    assert_eq!(stop, Stop::Ecall);
    let first = data().first_chunk().copied().map_or(0, u32::from_le_bytes);
    (guest.hart.register(10), first)
}

const DONE: (u32, u32) = (0, 9);
const NOT_DONE: (u32, u32) = (1, 1);

#[test]
fn a_store_succeeds_only_behind_a_reservation_of_its_address() {
    let (reserve, other) = (word(LrW, 8, 5, 0, 0), word(LrW, 8, 6, 0, 0));
    let store = word(ScW, 10, 5, 7, 0);
    assert_eq!(run(&[reserve, store, ECALL]), DONE);
    assert_eq!(run(&[store, ECALL]), NOT_DONE);
    assert_eq!(run(&[other, store, ECALL]), NOT_DONE);
    assert_eq!(run(&[reserve, other, store, ECALL]), NOT_DONE);
    assert_eq!(run(&[other, reserve, store, ECALL]), DONE);
    // Other instructions do not end a reservation.
    assert_eq!(run(&[reserve, word(Addi, 9, 8, 0, 1), word(Sw, 0, 6, 8, 0), store, ECALL]), DONE);
}

#[test]
fn a_store_ends_the_reservation_whether_it_succeeds_or_not() {
    let reserve = word(LrW, 8, 5, 0, 0);
    let store = word(ScW, 10, 5, 7, 0);
    // The first succeeds, the second does not.
    assert_eq!(run(&[reserve, store, store, ECALL]), (1, 9));
    assert_eq!(run(&[reserve, word(ScW, 9, 6, 7, 0), store, ECALL]), NOT_DONE);
}

/// Others may have run meanwhile.
#[test]
fn a_stop_ends_the_reservation() {
    let ebreak = 0x0010_0073;
    assert_eq!(run(&[word(LrW, 8, 5, 0, 0), ebreak, word(ScW, 10, 5, 7, 0), ECALL]), NOT_DONE);
}

#[test]
fn a_store_that_is_not_done_needs_no_memory() {
    let mut guest = Guest::of(&[word(ScW, 10, 5, 7, 0), ECALL]);
    guest.hart.set_register(5, DATA - 4);
    assert_eq!((guest.run(), guest.hart.pc(), guest.hart.register(10)), (Stop::Ecall, CODE + 4, 1));
    // But an address that is a multiple of 4.
    guest.hart.set_register(5, DATA + 2);
    guest.hart.set_pc(CODE);
    assert_eq!((guest.run(), guest.hart.pc()), (Stop::Misaligned, CODE));
}
