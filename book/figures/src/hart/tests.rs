use super::*;
use crate::machine::turn;

#[test]
fn the_sum_is_in_a0() {
    let _turn = turn();
    let mut hart = Hart::new();
    hart.run();
    let view = hart.view();
    assert!(view.ended && view.says.contains("ebreak"), "{view:?}");
    assert_eq!(view.registers[10], "0xf");
    assert_eq!(view.pc, "0x10014");
}

#[test]
fn the_text_comes_to_the_console() {
    let _turn = turn();
    let mut hart = Hart::new();
    hart.begin(1);
    hart.run();
    assert_eq!(hart.view().console, "Hello from RISC-V\n");
}

#[test]
fn steps_come_to_the_same_as_a_run() {
    let _turn = turn();
    for program in 0..2 {
        let mut hart = Hart::new();
        hart.begin(program);
        hart.run();
        let run = hart.view();
        hart.begin(program);
        assert_eq!(hart.view().console, "");
        let steps = (0..1000).take_while(|_| {
            hart.step();
            // A figure looks after each step.
            !hart.view().ended
        });
        assert!((10..999).contains(&steps.count()));
        let stepped = hart.view();
        assert_eq!((stepped.registers, stepped.console, stepped.pc), (run.registers, run.console, run.pc));
    }
}

#[test]
fn the_code_is_shown_in_words() {
    let _turn = turn();
    let texts = |program| {
        let mut hart = Hart::new();
        hart.begin(program);
        hart.view().code.into_iter().map(|line| line.text).collect::<Vec<_>>().join("; ")
    };
    let sum = "addi a0, zero, 0; addi t0, zero, 5; add a0, a0, t0; addi t0, t0, -1; bne t0, zero, 0x10008; ebreak";
    assert_eq!(texts(0), sum);
    let hello = "lui s0, 0x10; addi s0, s0, 32; lbu a0, 0(s0); beq a0, zero, 0x1001c; ecall; addi s0, s0, 1; jal zero, 0x10008; ebreak";
    assert_eq!(texts(1), hello);
    let fault = "lui s0, 0x10; addi t0, zero, 7; sw t0, 64(s0); lw t1, 64(s0); add t1, t1, t0; lui s1, 0x20; sw t1, 0(s1); ebreak";
    assert_eq!(texts(2), fault);
    assert_eq!(texts(77), sum);
}

#[test]
fn operations_are_shown_slot_by_slot() {
    let _turn = turn();
    let block = Hart::new().view().block;
    let expected = [
        "head: a block that begins at 0x10000",
        "addi, and the next one: rd 10, rs1 0, rs2 0, number 0",
        "addi: rd 5, rs1 0, rs2 0, number 5",
        "add, and the next one: rd 10, rs1 10, rs2 5, number 0",
        "addi: rd 5, rs1 5, rs2 0, number -1",
        "bne: rd 32, rs1 5, rs2 0, number 16",
        "link: leads to 0x10008",
        "ebreak: rd 32, rs1 0, rs2 0, number 1",
    ];
    assert_eq!(block, expected);
}
