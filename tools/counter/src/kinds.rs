//! Which instructions are counted under which name. One can have several.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// A name, and which instructions count.
type Kind = (&'static str, fn(&Instruction) -> bool);

/// How many kinds there are.
pub const KIND_COUNT: usize = KINDS.len();

/// All kinds. The first is every instruction.
pub const KINDS: [Kind; 10] = [
    ("instructions", |_| true),
    ("cr_accesses", |instruction| accesses_cr0_implicitly(instruction) || accesses(instruction, Register::is_cr)),
    ("cr0_cr4_accesses", |instruction| {
        accesses_cr0_implicitly(instruction)
            || accesses(instruction, |register| matches!(register, Register::CR0 | Register::CR4))
    }),
    ("cr3_writes", writes_cr3),
    ("msr_accesses", |instruction| matches!(instruction.mnemonic(), Mnemonic::Rdmsr | Mnemonic::Wrmsr)),
    ("segment_base_writes", writes_segment_base),
    ("locked", is_locked),
    ("iretq", |instruction| matches!(instruction.mnemonic(), Mnemonic::Iretq | Mnemonic::Iretd | Mnemonic::Iret)),
    ("tlb_flushes", |instruction| {
        writes_cr3(instruction) || matches!(instruction.mnemonic(), Mnemonic::Invlpg | Mnemonic::Invpcid)
    }),
    ("port_accesses", |instruction| {
        use Mnemonic::{In, Insb, Insd, Insw, Out, Outsb, Outsd, Outsw};
        matches!(instruction.mnemonic(), In | Insb | Insd | Insw | Out | Outsb | Outsd | Outsw)
    }),
];

/// The instruction that these bytes begin with, in 64-bit mode. What is run in other modes is not looked at.
#[must_use]
pub fn decode(bytes: &[u8]) -> Instruction {
    Decoder::new(64, bytes, DecoderOptions::NONE).decode()
}

/// The indices of its kinds in [`KINDS`].
pub fn kinds_of(instruction: &Instruction) -> impl Iterator<Item = usize> {
    KINDS.iter().enumerate().filter(|(_, (_, counts))| counts(instruction)).map(|(index, _)| index)
}

fn registers(instruction: &Instruction) -> impl Iterator<Item = Register> {
    let operands = 0..instruction.op_count();
    operands
        .filter(|&operand| instruction.op_kind(operand) == OpKind::Register)
        .map(|operand| instruction.op_register(operand))
}

/// Whether an operand is such a register.
fn accesses(instruction: &Instruction, is_one: impl Fn(Register) -> bool) -> bool {
    registers(instruction).any(is_one)
}

/// Without an operand that says so.
fn accesses_cr0_implicitly(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Clts | Mnemonic::Lmsw | Mnemonic::Smsw)
}

fn writes_cr3(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Mov && instruction.op0_register() == Register::CR3
}

/// Loads of segment registers and of the descriptor tables' registers. Those that are part of SYSCALL, SYSRET, IRETQ and of an
/// interrupt are left out.
fn writes_segment_base(instruction: &Instruction) -> bool {
    use Mnemonic::{Lfs, Lgdt, Lgs, Lidt, Lldt, Lss, Ltr, Mov, Pop, Swapgs, Wrfsbase, Wrgsbase};
    match instruction.mnemonic() {
        Lfs | Lgs | Lss | Lgdt | Lidt | Lldt | Ltr | Swapgs | Wrfsbase | Wrgsbase => true,
        Mov | Pop => instruction.op0_register().is_segment_register(),
        _ => false,
    }
}

/// With the prefix, or with the one instruction that needs none (Intel SDM vol. 3A, 8.1.2.2).
fn is_locked(instruction: &Instruction) -> bool {
    let is_exchange = instruction.mnemonic() == Mnemonic::Xchg
        && [instruction.op0_kind(), instruction.op1_kind()].contains(&OpKind::Memory);
    instruction.has_lock_prefix() || is_exchange
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names beside `instructions`.
    fn names(bytes: &[u8]) -> Vec<&'static str> {
        let instruction = decode(bytes);
        assert!(!instruction.is_invalid() && instruction.len() == bytes.len(), "{bytes:02x?} is {instruction}");
        let mut kinds = kinds_of(&instruction);
        assert_eq!(kinds.next(), Some(0));
        kinds.filter_map(|kind| KINDS.get(kind)).map(|(name, _)| *name).collect()
    }

    #[test]
    fn control_registers() {
        assert_eq!(names(&[0x0f, 0x20, 0xc0]), ["cr_accesses", "cr0_cr4_accesses"], "mov rax, cr0");
        assert_eq!(names(&[0x0f, 0x22, 0xe0]), ["cr_accesses", "cr0_cr4_accesses"], "mov cr4, rax");
        assert_eq!(names(&[0x0f, 0x06]), ["cr_accesses", "cr0_cr4_accesses"], "clts");
        assert_eq!(names(&[0x0f, 0x20, 0xd0]), ["cr_accesses"], "mov rax, cr2");
        assert_eq!(names(&[0x0f, 0x20, 0xd8]), ["cr_accesses"], "mov rax, cr3");
        assert_eq!(names(&[0x0f, 0x22, 0xd8]), ["cr_accesses", "cr3_writes", "tlb_flushes"], "mov cr3, rax");
    }

    #[test]
    fn model_specific_registers() {
        assert_eq!(names(&[0x0f, 0x32]), ["msr_accesses"], "rdmsr");
        assert_eq!(names(&[0x0f, 0x30]), ["msr_accesses"], "wrmsr");
    }

    #[test]
    fn segments() {
        for (bytes, text) in [
            (&[0x8e, 0xd8][..], "mov ds, eax"),
            (&[0x0f, 0xa1], "pop fs"),
            (&[0x0f, 0x01, 0xf8], "swapgs"),
            (&[0xf3, 0x48, 0x0f, 0xae, 0xd0], "wrfsbase rax"),
            (&[0xf3, 0x48, 0x0f, 0xae, 0xd8], "wrgsbase rax"),
            (&[0x0f, 0x01, 0x10], "lgdt [rax]"),
            (&[0x0f, 0x01, 0x18], "lidt [rax]"),
            (&[0x0f, 0x00, 0xd8], "ltr ax"),
        ] {
            assert_eq!(names(bytes), ["segment_base_writes"], "{text}");
        }
    }

    #[test]
    fn locked_ones() {
        assert_eq!(names(&[0xf0, 0x48, 0xff, 0x00]), ["locked"], "lock inc qword ptr [rax]");
        assert_eq!(names(&[0x48, 0x87, 0x08]), ["locked"], "xchg [rax], rcx");
    }

    #[test]
    fn the_rest() {
        assert_eq!(names(&[0x48, 0xcf]), ["iretq"], "iretq");
        assert_eq!(names(&[0x0f, 0x01, 0x38]), ["tlb_flushes"], "invlpg [rax]");
        assert_eq!(names(&[0x66, 0x0f, 0x38, 0x82, 0x08]), ["tlb_flushes"], "invpcid rcx, [rax]");
        assert_eq!(names(&[0xe4, 0x60]), ["port_accesses"], "in al, 0x60");
        assert_eq!(names(&[0xee]), ["port_accesses"], "out dx, al");
        assert_eq!(names(&[0x6e]), ["port_accesses"], "outsb");
    }

    #[test]
    fn cheap_ones_have_no_kind() {
        for (bytes, text) in [
            (&[0x48, 0x89, 0x08][..], "mov [rax], rcx"),
            (&[0x8c, 0xd8], "mov eax, ds"),
            (&[0x48, 0x87, 0xc8], "xchg rax, rcx"),
            (&[0x58], "pop rax"),
            (&[0x0f, 0x05], "syscall"),
            (&[0x48, 0x0f, 0x07], "sysretq"),
            (&[0x0f, 0x31], "rdtsc"),
            (&[0xf3, 0x48, 0x0f, 0xae, 0xc0], "rdfsbase rax"),
        ] {
            assert_eq!(names(bytes), [""; 0], "{text}");
        }
    }
}
