//! What LLVM's disassembler says of the same bits: of every instruction of 16 bits, and of very many of 32.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use flatmk_softuser::{Disassembled, Format, INSTRUCTIONS, Instruction, Length, Operation, Pattern, decode};
use object::write::{Object, StandardSection};
use object::{Architecture, BinaryFormat, Endianness};

/// The disassembler of the Rust tool chain.
fn objdump() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "target-libdir"]).output().expect("the compiler is there");
    let folder = PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim());
    folder.with_file_name("bin").join("llvm-objdump")
}

/// Each word as LLVM has it, with these options: `unknown` for what it does not know. The words are at the addresses 0, 4, 8 and so on;
/// of one of two bytes the upper half is `c.nop`.
fn disassemble(words: &[u32], options: &[&str]) -> BTreeMap<u32, String> {
    let mut file = Object::new(BinaryFormat::Elf, Architecture::Riscv32, Endianness::Little);
    let text = file.section_id(StandardSection::Text);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.append_section_data(text, &bytes, 4);
    let path = std::env::temp_dir().join(format!("flatmk-softuser-{}-{}", std::process::id(), words.len()));
    std::fs::write(&path, file.write().expect("an ELF file")).expect("a file for the words");
    let output = Command::new(objdump())
        .args([
            "--disassemble",
            "--disassemble-zeroes",
            "--no-show-raw-insn",
            "--mattr=+m,+a,+c,+zicsr,+zifencei",
            "--print-imm-hex",
        ])
        .args(options)
        .arg(&path)
        .output()
        .expect("the tool chain has a disassembler");
    std::fs::remove_file(&path).expect("the file is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().filter_map(|line| line.trim().split_once(':'));
    let at = |(address, text): (&str, &str)| Some((u32::from_str_radix(address, 16).ok()?, tidy(text)));
    lines.filter_map(at).filter(|(address, _)| address % 4 == 0).collect()
}

/// Without tabs, symbols and comments.
fn tidy(text: &str) -> String {
    let text = text.split(['<', '#']).next().unwrap_or_default();
    if text.trim().is_empty() { "unknown".to_owned() } else { text.split_whitespace().collect::<Vec<_>>().join(" ") }
}

/// Every instruction of 16 bits is what LLVM says: the same as the one of 32 bits that it stands for here.
#[test]
fn short_instructions_stand_for_those_that_llvm_says() {
    const C_NOP: u32 = 1 << 16;
    let short = |bits: &u32| bits & 0b11 != 0b11;
    let (mut known, mut words, mut expanded) = (0, Vec::new(), Vec::new());
    for bits in (0..=0xffff).filter(short) {
        words.push(bits | C_NOP);
        // What is not known stays as it is, and must be unknown to LLVM.
        let instruction = decode(bits | C_NOP);
        known += usize::from(instruction.is_some());
        assert!(instruction.is_none_or(|instruction| instruction.length == Length::Two), "{bits:#x}");
        expanded.push(instruction.map_or(0, |instruction| instruction.encode()));
    }
    let (short, long) = (disassemble(&words, &[]), disassemble(&expanded, &[]));
    let mut problems = String::new();
    for ((index, &word), &meaning) in (0..).zip(&words).zip(&expanded) {
        let (short, long) = (&short[&(4 * index)], &long[&(4 * index)]);
        // All zeros, which stand for an unknown one, have a name in LLVM.
        let long = if meaning == 0 { "unknown" } else { long };
        let short = if short == "unimp" { "unknown" } else { short };
        // A hint changes nothing, and keeps its own name in LLVM.
        let is_hint = short.starts_with("c.") && decode(word).is_some_and(|instruction| changes_nothing(&instruction));
        // The manual has an addition to zero here, LLVM one of 0.
        let is_move = short.strip_prefix("mv ").map(|operands| format!("add {}", operands.replace(',', ", zero,")));
        if short != long && !is_hint && is_move.as_deref() != Some(long) {
            let _ = writeln!(problems, "{:#06x}: {short} in LLVM, here {long}", word & 0xffff);
        }
    }
    assert!(problems.is_empty(), "{problems}");
    assert!(known > 28_000, "{known} are known");
}

/// Computes, and the result is dropped, or what was there before.
fn changes_nothing(instruction: &Instruction) -> bool {
    let Instruction { operation, rd, rs1, immediate, .. } = *instruction;
    match operation {
        Operation::Addi | Operation::Slli | Operation::Srli | Operation::Srai => {
            rd == 0 || (rd == rs1 && immediate == 0)
        }
        Operation::Lui | Operation::Add => rd == 0,
        _ => false,
    }
}

/// A generator of numbers, the same ones each time (George Marsaglia, "Xorshift RNGs").
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
}

/// What LLVM knows and this does not: other control and status registers, other widths, other extensions.
fn is_left_out(text: &str) -> bool {
    let name = text.split(' ').next().unwrap_or_default();
    let system = [
        "csr", "mret", "sret", "mnret", "sfence", "hfence", "hinval", "sinval", "dret", "rd", "unimp", "c.", "sctrclr",
    ];
    system.iter().any(|start| name.starts_with(start))
}

#[test]
fn long_instructions_are_what_llvm_says() {
    let mut random = Random(0x5eed_0010);
    let mut words: Vec<u32> = (0..200_000).map(|_| random.next() | 0b11).collect();
    // Random bits are seldom one of these.
    for pattern in INSTRUCTIONS {
        words.extend((0..500).map(|_| pattern.bits | random.next() & !pattern.mask));
        // One bit off.
        words.extend((2..32).map(|bit| (pattern.bits | random.next() & !pattern.mask) ^ 1 << bit));
    }
    // Five ones at the end begin an instruction of more than 32 bits, of which there is none.
    let is_longer = |word: &u32| word & 0b1_1111 == 0b1_1111;
    assert!(words.iter().copied().filter(is_longer).all(|word| decode(word).is_none()));
    words.retain(|word| !is_longer(word));
    // Nothing may be lost: what is shorter would shift all that follows.
    words.retain(|word| word & 0b11 == 0b11);
    let said = disassemble(&words, &["-M", "no-aliases"]);
    let (mut known, mut problems) = (0, String::new());
    for (index, &word) in (0..).zip(&words) {
        let theirs = &said[&(4 * index)];
        let instruction = decode(word);
        let ours = instruction.map(|instruction| in_words_of_llvm(4 * index, instruction, word));
        let pattern = instruction.map(|instruction| instruction.operation.pattern());
        known += usize::from(ours.is_some());
        let agrees = match &ours {
            // The fields of a fence that mean nothing are to be ignored (Unprivileged Architecture, 2.7); LLVM wants zeros.
            Some(ours) if pattern.is_some_and(|pattern| pattern.format == Format::Ignored) => {
                theirs == "unknown" || theirs.split(' ').next() == Some(ours)
            }
            Some(ours) => ours == theirs,
            None => theirs == "unknown" || is_left_out(theirs),
        };
        if !agrees {
            let _ = writeln!(problems, "{word:#010x}: {theirs} in LLVM, here {}", ours.as_deref().unwrap_or("unknown"));
        }
    }
    assert!(problems.is_empty(), "{problems}");
    assert!(known > 30_000, "{known} are known");
}

/// LLVM shows numbers in hexadecimal, bits for the order of accesses, and counters as what they are read with.
fn in_words_of_llvm(pc: u32, instruction: Instruction, word: u32) -> String {
    let pattern: &Pattern = instruction.operation.pattern();
    let ours = Disassembled { pc, instruction }.to_string();
    let (name, operands) = ours.split_once(' ').unwrap_or((&ours, ""));
    let hexadecimal = |number: i32| {
        let sign = if number < 0 { "-" } else { "" };
        format!("{sign}{:#x}", number.unsigned_abs())
    };
    let number = instruction.immediate.to_string();
    match pattern.format {
        Format::Immediate | Format::Shift => {
            let start = ours.strip_suffix(&number).expect("it ends with the number");
            format!("{start}{}", hexadecimal(instruction.immediate))
        }
        Format::Offset | Format::Store => {
            ours.replacen(&format!(" {number}("), &format!(" {}(", hexadecimal(instruction.immediate)), 1)
        }
        Format::Atomic | Format::Reserve => {
            let order = [".rl", ".aq"].iter().zip([word >> 25 & 1, word >> 26 & 1]);
            let set: Vec<&str> = order.filter(|&(_, bit)| bit != 0).map(|(name, _)| *name).collect();
            let order = if set.len() == 2 { ".aqrl" } else { set.first().copied().unwrap_or_default() };
            format!("{name}{order} {operands}")
        }
        Format::Counter => {
            let counter = name.strip_prefix("rd").expect("they are called so");
            format!("csrrs {operands}, {counter}, zero")
        }
        _ => ours,
    }
}
