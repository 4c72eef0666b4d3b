//! A hart that is asked to stop does so soon, at a place from which it can go on as if nothing had been.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use flatmk_softuser::Operation;
use flatmk_softuser::engine::Stop;

use crate::guest::{CODE, DATA, ECALL, Fetch, Guest, Program, bytes, run, word};

/// The number that makes a hart stop, for another thread or for the guest itself.
fn pending(guest: &Guest) -> &'static AtomicU32 {
    // SAFETY: the harts of all guests are at one place, which stays.
    unsafe { AtomicU32::from_ptr(guest.hart.pending().as_ptr()) }
}

#[test]
fn a_hart_that_is_asked_beforehand_does_nothing() {
    let mut guest = Guest::of(&[word(Operation::Addi, 10, 0, 0, 1), ECALL]);
    pending(&guest).store(1, Relaxed);
    for _ in 0..2 {
        let stop = run(guest.hart, &mut Fetch(|_| panic!("it is not even translated")));
        assert_eq!((stop, guest.hart.pc(), guest.hart.register(10)), (Stop::Pending, CODE, 0));
    }
    pending(&guest).store(0, Relaxed);
    assert_eq!((guest.run(), guest.hart.register(10)), (Stop::Ecall, 1));
}

/// What there is at an address: words, of which a pair says the first address.
fn at(places: &[(u32, &[u32])], pc: u32) -> Option<u32> {
    let half = |pc: u32| {
        places.iter().find_map(|(start, words)| {
            let offset = pc.wrapping_sub(*start) as usize;
            let bits = words.get(offset / 4)? >> (8 * (offset % 4));
            Some(bits & 0xffff)
        })
    };
    Some(half(pc)? | (half(pc.wrapping_add(2)).unwrap_or(0) << 16))
}

/// Whatever a loop is made of. Each runs for a while, so that all its jumps lead to their targets directly.
#[test]
fn every_endless_loop_can_be_stopped() {
    use Operation::{Addi, Auipc, Beq, Bgeu, Jal, Jalr};
    const NOP: u32 = 0x13;
    let nops = [NOP; 200];
    let jump = |distance| word(Jal, 0, 0, 0, distance);
    let call = |distance| word(Jal, 1, 0, 0, distance);
    let long: Vec<u32> = nops.iter().copied().chain([jump(-800)]).collect();
    let loops: &[&[(u32, &[u32])]] = &[
        &[(CODE, &[jump(0)])],
        &[(CODE, &[call(0)])],
        &[(CODE, &[word(Beq, 0, 0, 0, 0)])],
        &[(CODE, &[NOP, jump(-4)])],
        &[(CODE, &[NOP, word(Bgeu, 0, 0, 0, -4)])],
        &[(CODE, &[word(Addi, 5, 5, 0, 1), word(Bgeu, 0, 5, 0, -4)])],
        // A branch forward and a jump back; two blocks that call each other.
        &[(CODE, &[word(Beq, 0, 0, 0, 8), 0, jump(-8)])],
        &[(CODE, &[call(8), 0, call(-8)])],
        // Indirect, to itself, forwards and back.
        &[(CODE, &[word(Auipc, 5, 0, 0, 0), word(Jalr, 0, 5, 0, 0)])],
        &[(CODE, &[word(Auipc, 5, 0, 0, 0), word(Jalr, 1, 5, 0, 12), 0, word(Jalr, 0, 5, 0, 0)])],
        // Longer than a block.
        &[(CODE, &long)],
        // Forgetting code each time.
        &[(CODE, &[0x100f, jump(-4)])],
        // Around the end of memory: back there by a jump forwards, and on at the beginning by one;
        &[(0xffff_fff0, &[NOP, jump(12)]), (0, &[jump(-16)])],
        &[(0xffff_fff0, &[NOP, word(Beq, 0, 0, 0, 12)]), (0, &[word(Beq, 0, 0, 0, -16)])],
        // or without any, in one block and in two.
        &[(0xffff_fff0, &[NOP; 4]), (0, &[NOP, jump(-20)])],
        &[(0xffff_fff0, &[NOP; 4]), (0, &[call(-16)])],
        &[(0xffff_fe00, &nops[..128]), (0, &[NOP, jump(-0x204)])],
    ];
    for (index, places) in loops.iter().enumerate() {
        let guest = Guest::new();
        let pending = pending(&guest);
        let start = places[0].0;
        guest.hart.set_pc(start);
        for _ in 0..3 {
            let stop = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(5));
                    pending.store(1, Relaxed);
                });
                run(guest.hart, &mut Fetch(|pc| at(places, pc)))
            });
            assert_eq!(stop, Stop::Pending, "loop {index}");
            let pc = guest.hart.pc();
            assert!(at(places, pc).is_some(), "loop {index} was stopped at {pc:#x}");
            pending.store(0, Relaxed);
        }
    }
}

/// Works out a number by branches, calls and indirect jumps, in each direction; pairs, too. `request` stands at so many places.
const PLACES: usize = 14;

fn program(request: impl Fn(usize) -> u32) -> Vec<u32> {
    use Operation::{Add, Addi, Bltu, Bne, Jal, Jalr, Lw, Mul, Sub, Sw, Xor};
    vec![
        word(Addi, 10, 0, 0, 5), // 0
        request(0),
        word(Addi, 12, 12, 0, 7), // 2, the loop
        request(1),
        word(Jal, 1, 0, 0, 4 * 18), // 4, to the function at 22
        request(2),
        word(Add, 12, 12, 11, 0), // 6
        request(3),
        word(Sw, 0, 5, 12, 0), // 8
        word(Lw, 13, 5, 0, 0),
        request(4),
        word(Bltu, 0, 12, 13, 8), // never
        request(5),
        word(Addi, 10, 10, 0, -1), // 13
        request(6),
        word(Bne, 0, 10, 0, -4 * 13), // 15
        request(7),
        word(Addi, 10, 0, 0, 3),    // 17
        word(Jal, 0, 0, 0, 4 * 12), // 18, to 30
        0,
        0,
        0,
        request(8), // 22, the function
        word(Addi, 11, 10, 0, 3),
        word(Mul, 11, 11, 12, 0), // 24
        request(9),
        word(Xor, 12, 11, 12, 0), // 26
        request(10),
        word(Jalr, 0, 1, 0, 0), // 28
        0,
        word(Sub, 12, 12, 10, 0), // 30, a loop whose branch is the second of a pair
        request(11),
        word(Addi, 10, 10, 0, -1), // 32
        word(Bne, 0, 10, 0, -4 * 3),
        request(12),
        word(Jal, 1, 0, 0, -4 * 13), // 35, to the function
        request(13),
        ECALL,
    ]
}

/// Runs it to its end, and says how often it was stopped before.
fn finish(guest: &mut Guest, before_each: impl Fn(&mut Guest)) -> (usize, [u32; 32]) {
    let mut stops = 0;
    guest.hart.set_pc(CODE);
    for register in [1, 10, 11, 12, 13] {
        guest.hart.set_register(register, 0);
    }
    guest.hart.set_register(5, DATA);
    loop {
        before_each(guest);
        match guest.run() {
            Stop::Pending => {
                stops += 1;
                assert!(stops < 1_000_000, "it does not get on");
            }
            stop => {
                assert_eq!(stop, Stop::Ecall);
                return (stops, guest.registers());
            }
        }
    }
}

/// The guest asks for it itself, by a store; once or each time it comes there.
#[test]
fn a_stop_asked_for_at_any_instruction_changes_no_result() {
    const NOP: u32 = 0x13;
    let mut guest = Guest::of(&program(|_| NOP));
    let request = word(Operation::Sw, 0, 31, 30, 0);
    let pending = pending(&guest);
    guest.hart.set_register(30, 1);
    guest.hart.set_register(31, pending.as_ptr() as u32);
    let (stops, expected) = finish(&mut guest, |_| ());
    assert_eq!(stops, 0);
    for places in 1..1 << PLACES {
        guest.load(&bytes(&program(|place| if places >> place & 1 == 1 { request } else { NOP })));
        let (stops, found) = finish(&mut guest, |_| pending.store(0, Relaxed));
        assert_eq!(found, expected, "{places:#b}");
        // Behind the last one nothing jumps.
        assert!(stops > 0 || places & 0b1111_1011_1111_1111 == 0 || places == 1 << 13, "{places:#b}");
    }
}

/// Between jumps that are not linked yet there are stops, too.
#[test]
fn each_translation_asks_for_a_stop_and_the_result_is_the_same() {
    let mut guest = Guest::of(&program(|_| 0x13));
    let (_, expected) = finish(&mut guest, |_| ());
    let pending = pending(&guest);
    let mut code = Program::default();
    code.load(&bytes(&program(|_| 0x13)));
    let mut stops = 0;
    guest.hart.forget_code();
    guest.hart.set_pc(CODE);
    [1, 10, 11, 12, 13].into_iter().for_each(|register| guest.hart.set_register(register, 0));
    loop {
        pending.store(0, Relaxed);
        let fetch = Fetch(|pc| {
            pending.store(1, Relaxed);
            code.instruction(pc)
        });
        let stop = run(guest.hart, &mut { fetch });
        if stop != Stop::Pending {
            assert_eq!(stop, Stop::Ecall);
            break;
        }
        stops += 1;
        assert!(stops < 1000, "it does not get on");
    }
    assert!(stops > 5, "{stops}");
    assert_eq!(guest.registers(), expected);
}

#[test]
fn another_thread_that_asks_all_the_time_changes_no_result() {
    let mut guest = Guest::of(&program(|_| 0x13));
    let (_, expected) = finish(&mut guest, |_| ());
    let (pending, is_over) = (pending(&guest), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                pending.store(1, Relaxed);
            }
        });
        let mut stops = 0;
        while stops < 1000 {
            let (more, found) = finish(&mut guest, |_| pending.store(0, Relaxed));
            assert_eq!(found, expected);
            stops += more;
        }
        is_over.store(true, Relaxed);
    });
}
