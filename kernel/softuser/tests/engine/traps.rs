//! Why a hart stops: with which reason, where exactly, and with what it has done until then.

use flatmk_softuser::engine::Stop;
use flatmk_softuser::{Format, INSTRUCTIONS, Operation};

use crate::guest::{CODE, DATA, DATA_BYTES, ECALL, Fetch, Guest, PAGE, bytes, fault_address, fill_data, run, word};
use crate::step::{Both, Outcome};

const NOP: u32 = 0x13;

fn addi(rd: u8, rs1: u8, number: i32) -> u32 {
    word(Operation::Addi, rd, rs1, 0, number)
}

/// In the middle of a block, behind one that could be the first of a pair. What follows is not done.
#[test]
fn instructions_that_stop_do_so_at_their_place() {
    let cases: &[(u32, Stop)] = &[
        (0, Stop::Illegal),
        (0xffff_ffff, Stop::Illegal),
        // A shift by 32, and a csr that nobody has.
        (0x0200_1013, Stop::Illegal),
        (0x3000_2073, Stop::Illegal),
        (ECALL, Stop::Ecall),
        (0x0010_0073, Stop::Ebreak),
        (0x9002, Stop::Ebreak),
        (0x1050_0073, Stop::Wfi),
    ];
    for &(bits, stop) in cases {
        for before in 0..4_u32 {
            let mut program = vec![addi(10, 10, 1); before as usize];
            program.extend([bits, addi(11, 0, 1), ECALL]);
            let mut guest = Guest::of(&program);
            // Again and again: it does not go on by itself.
            for _ in 0..2 {
                assert_eq!((guest.run(), guest.hart.pc()), (stop, CODE + 4 * before), "{bits:#x}");
                assert_eq!((guest.hart.register(10), guest.hart.register(11)), (before, 0));
            }
            guest.hart.set_pc(CODE + 4 * before + 4);
            assert_eq!((guest.run(), guest.hart.register(11)), (Stop::Ecall, 1));
        }
    }
}

#[test]
fn the_place_is_exact_behind_short_instructions_and_branches() {
    // c.addi x10, 1; c.addi x10, 1; beq x10, x0, +8; c.addi x10, 1; then what is no instruction.
    let mut program = bytes(&[0x0505_0505, word(Operation::Beq, 0, 10, 0, 8)]);
    program.extend([0x05, 0x05, 0, 0]);
    let mut guest = Guest::new();
    guest.load(&program);
    assert_eq!((guest.run(), guest.hart.pc(), guest.hart.register(10)), (Stop::Illegal, CODE + 10, 3));
}

#[test]
fn the_place_of_an_access_is_exact_behind_short_instructions_and_branches() {
    // c.addi x10, 1; c.addi x10, 1; beq x10, x0, +8; c.addi x10, 1; c.lw x10, 0(x10).
    let mut program = bytes(&[0x0505_0505, word(Operation::Beq, 0, 10, 0, 8)]);
    program.extend([0x05, 0x05, 0x08, 0x41]);
    let mut guest = Guest::new();
    guest.load(&program);
    assert_eq!((guest.run(), guest.hart.pc(), guest.hart.register(10)), (Stop::Access, CODE + 10, 3));
}

/// Every access, alone and as the first and the second of two, at every distance from both ends.
#[test]
fn accesses_stop_at_the_edges_of_memory_and_change_nothing() {
    let mut guest = Guest::new();
    let mut stops = 0;
    for pattern in INSTRUCTIONS {
        let is_load = pattern.format == Format::Offset && pattern.operation != Operation::Jalr;
        if !is_load && !matches!(pattern.format, Format::Store | Format::Atomic | Format::Reserve) {
            continue;
        }
        let rs2 = if is_load || pattern.format == Format::Reserve { 0 } else { 6 };
        let has_number = is_load || pattern.format == Format::Store;
        for rd in if pattern.format == Format::Store { [0].as_slice() } else { &[0, 5, 7] } {
            for number in if has_number { [0, -3].as_slice() } else { &[0] } {
                let access = word(pattern.operation, *rd, 5, rs2, *number);
                let programs = [[access, addi(11, 0, 1), ECALL, NOP], [addi(11, 11, 1), access, addi(7, 7, 1), ECALL]];
                for program in programs {
                    guest.load(&bytes(&program));
                    let edges = [
                        DATA - 6..DATA + 6,
                        DATA + PAGE - 6..DATA + PAGE + 6,
                        DATA + DATA_BYTES - 6..DATA + DATA_BYTES + 6,
                    ];
                    for address in edges.into_iter().flatten() {
                        fill_data(&[0x81, 2, 3, 0x84, 5]);
                        let mut x = [0x1234_5678; 32];
                        x[5] = address.wrapping_add_signed(-number);
                        let outcome = Both { guest: &mut guest, x, steps: 9 }.run();
                        let outcome = outcome.unwrap_or_else(|why| panic!("{} at {address:#x}: {why}", pattern.name));
                        if outcome == Outcome::Same(Stop::Access) {
                            stops += 1;
                            let fault = fault_address();
                            assert!(
                                (u64::from(address)..u64::from(address) + 4).contains(&fault),
                                "{fault:#x} for {address:#x} {}",
                                pattern.name
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(stops > 1000, "{stops}");
}

#[test]
fn a_fault_can_be_repaired_and_the_access_repeated() {
    let program = [
        word(Operation::Lui, 5, 0, 0, (DATA + DATA_BYTES).cast_signed()),
        addi(6, 0, 7),
        word(Operation::Sw, 0, 5, 6, -4),
        addi(6, 6, 1),
        word(Operation::Lw, 6, 5, 0, 0),
        ECALL,
    ];
    let mut guest = Guest::of(&program);
    assert_eq!(guest.run(), Stop::Access);
    assert_eq!((guest.hart.pc(), guest.hart.register(6)), (CODE + 16, 8));
    guest.hart.set_register(5, DATA + DATA_BYTES - 4);
    assert_eq!((guest.run(), guest.hart.register(6)), (Stop::Ecall, 7));
}

/// At the end of the code: by falling off, and by each kind of jump. The jump itself is done.
#[test]
fn code_that_cannot_be_executed_stops_the_hart_at_its_own_address() {
    let last = CODE + PAGE - 4;
    let away = DATA & !1;
    let programs = [
        (addi(10, 0, 1), last + 4, 0, 1),
        (word(Operation::Jal, 1, 0, 0, 0x1000), last + 0x1000, last + 4, 0),
        (word(Operation::Jalr, 1, 5, 0, 0), away, last + 4, 0),
        // The lowest bit does not count.
        (word(Operation::Jalr, 5, 5, 0, 1), away, 0, 0),
        (word(Operation::Beq, 0, 0, 0, 0x800), last + 0x800, 0, 0),
        (word(Operation::Bne, 0, 5, 0, 0x802), last + 0x802, 0, 0),
    ];
    for (bits, pc, ra, result) in programs {
        let mut program = vec![NOP; PAGE as usize / 4];
        program[PAGE as usize / 4 - 1] = bits;
        let mut guest = Guest::of(&program);
        guest.hart.set_register(5, away);
        guest.hart.set_pc(last - 40);
        assert_eq!((guest.run(), guest.hart.pc(), guest.hart.fetch_address()), (Stop::Fetch, pc, pc), "{bits:#x}");
        assert_eq!((guest.hart.register(1), guest.hart.register(10)), (ra, result), "{bits:#x}");
    }
}

/// Neither its first half nor its second: there is nothing to run.
#[test]
fn a_first_instruction_that_cannot_be_executed_stops_the_hart_at_once() {
    let mut guest = Guest::new();
    let mut program = vec![0; PAGE as usize];
    // The first half of addi x10, x10, ...
    program[PAGE as usize - 2..].copy_from_slice(&[0x13, 0x05]);
    guest.load(&program);
    for (pc, missing) in [(CODE + PAGE, CODE + PAGE), (CODE + PAGE - 2, CODE + PAGE), (DATA, DATA)] {
        guest.hart.set_pc(pc);
        assert_eq!((guest.run(), guest.hart.pc(), guest.hart.fetch_address()), (Stop::Fetch, pc, missing));
    }
}

/// Its first half is the last of a page, and what follows is not code. It must not run with anything in place of its second half.
#[test]
fn an_instruction_whose_second_half_cannot_be_executed_stops_the_hart() {
    for before in [0, 1, 2, 70] {
        let mut guest = Guest::new();
        let mut program = vec![0; PAGE as usize - 2];
        // c.nop
        program.chunks_exact_mut(2).for_each(|half| half.copy_from_slice(&[1, 0]));
        // addi x10, x10, ...
        program.extend([0x13, 0x05]);
        guest.load(&program);
        guest.hart.set_pc(CODE + PAGE - 2 - 2 * before);
        assert_eq!((guest.run(), guest.hart.pc()), (Stop::Fetch, CODE + PAGE - 2));
        assert_eq!(guest.hart.fetch_address(), CODE + PAGE);
        assert_eq!(guest.hart.register(10), 0);
        // With the next page it is whole.
        program.extend([0x15, 0, 0x73, 0, 0, 0]);
        guest.load(&program);
        guest.hart.set_pc(CODE + PAGE - 2);
        assert_eq!((guest.run(), guest.hart.register(10)), (Stop::Ecall, 1));
    }
}

/// The address space is a ring: the end of it is followed by its beginning.
#[test]
fn code_goes_on_at_the_beginning_behind_the_end_of_memory() {
    let guest = Guest::new();
    let program = bytes(&[addi(10, 10, 1), addi(10, 10, 1), addi(10, 10, 1), ECALL]);
    // The third instruction has a half at each end.
    let half = |pc: u32| {
        let start = pc.wrapping_sub(0xffff_fff6) as usize;
        program.get(start..start + 2).map_or(0, |half| u32::from(half[0]) | (u32::from(half[1]) << 8))
    };
    guest.hart.set_pc(0xffff_fff6);
    let stop = run(guest.hart, &mut Fetch(|pc: u32| Some(half(pc) | (half(pc.wrapping_add(2)) << 16))));
    assert_eq!((stop, guest.hart.pc(), guest.hart.register(10)), (Stop::Ecall, 2, 3));
}
