//! Every instruction of 32 bits: its name, its encoding, its operands.

/// Which fields of the word are operands (Unprivileged Architecture, 2.2 and 2.3), and how they are written in assembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `rd, rs1, rs2`.
    Register,
    /// `rd, rs1, immediate` of 12 bits, signed.
    Immediate,
    /// `rd, rs1, amount` of 5 bits.
    Shift,
    /// `rd, immediate(rs1)`: a load, or an indirect jump.
    Offset,
    /// `rs2, immediate(rs1)`: a store.
    Store,
    /// `rs1, rs2, target`: the immediate is the distance, an even number of 13 bits, signed.
    Branch,
    /// `rd, immediate`: the upper 20 bits of a word.
    Upper,
    /// `rd, target`: the immediate is the distance, an even number of 21 bits, signed.
    Jump,
    /// `rd, rs2, (rs1)`: an access to memory that nothing comes in between. Its two bits for the order of accesses mean nothing here.
    Atomic,
    /// `rd, (rs1)`: the same without an operand.
    Reserve,
    /// `rd`: the counter is part of the operation.
    Counter,
    /// No operands.
    Bare,
    /// No operands that mean anything here. Those that are there are ignored.
    Ignored,
}

/// An instruction's encoding and name.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Which it is.
    pub operation: Operation,
    /// What assembly calls it.
    pub name: &'static str,
    /// Its operands.
    pub format: Format,
    /// The bits that tell it apart,
    pub mask: u32,
    /// and what they are.
    pub bits: u32,
}

/// Opcode and the field `funct3`.
const MAJOR: u32 = 0x707f;
/// These and the field `funct7`.
const FULL: u32 = 0xfe00_707f;
/// Opcode, `funct3` and `funct5`: without the two bits for the order of accesses.
const ATOMIC: u32 = 0xf800_707f;
/// The opcode.
const OPCODE: u32 = 0x7f;
/// All but `rd`.
const ALL_BUT_RD: u32 = 0xffff_f07f;
/// As `ATOMIC`, without a second operand.
const RESERVE: u32 = 0xf9f0_707f;
/// Every bit.
const ALL: u32 = u32::MAX;

macro_rules! instructions {
    ($($(#[doc = $doc:literal])+ $operation:ident $name:literal $format:ident $mask:ident $bits:literal;)+) => {
        /// What an instruction does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Operation {
            $($(#[doc = $doc])+ $operation,)+
        }

        impl Operation {
            /// Its name, encoding and operands.
            #[must_use]
            pub const fn pattern(self) -> &'static Pattern {
                match self {
                    $(Operation::$operation => &Pattern {
                        operation: Operation::$operation,
                        name: $name,
                        format: Format::$format,
                        mask: $mask,
                        bits: $bits,
                    },)+
                }
            }
        }

        /// Every instruction of 32 bits.
        pub const INSTRUCTIONS: &[&Pattern] = &[$(Operation::$operation.pattern(),)+];
    };
}

instructions! {
    /// `rd` = immediate.
    Lui "lui" Upper OPCODE 0x37;
    /// `rd` = pc + immediate.
    Auipc "auipc" Upper OPCODE 0x17;
    /// `rd` = the next pc; pc += immediate.
    Jal "jal" Jump OPCODE 0x6f;
    /// `rd` = the next pc; pc = (`rs1` + immediate) without its lowest bit.
    Jalr "jalr" Offset MAJOR 0x67;
    /// Branches if equal.
    Beq "beq" Branch MAJOR 0x63;
    /// Branches if not equal.
    Bne "bne" Branch MAJOR 0x1063;
    /// Branches if less, signed.
    Blt "blt" Branch MAJOR 0x4063;
    /// Branches if greater or equal, signed.
    Bge "bge" Branch MAJOR 0x5063;
    /// Branches if less, unsigned.
    Bltu "bltu" Branch MAJOR 0x6063;
    /// Branches if greater or equal, unsigned.
    Bgeu "bgeu" Branch MAJOR 0x7063;
    /// Loads a byte, signed.
    Lb "lb" Offset MAJOR 0x3;
    /// Loads two bytes, signed.
    Lh "lh" Offset MAJOR 0x1003;
    /// Loads four bytes.
    Lw "lw" Offset MAJOR 0x2003;
    /// Loads a byte, unsigned.
    Lbu "lbu" Offset MAJOR 0x4003;
    /// Loads two bytes, unsigned.
    Lhu "lhu" Offset MAJOR 0x5003;
    /// Stores a byte.
    Sb "sb" Store MAJOR 0x23;
    /// Stores two bytes.
    Sh "sh" Store MAJOR 0x1023;
    /// Stores four bytes.
    Sw "sw" Store MAJOR 0x2023;
    /// `rd` = `rs1` + immediate.
    Addi "addi" Immediate MAJOR 0x13;
    /// `rd` = 1 if `rs1` is less than the immediate, signed, else 0.
    Slti "slti" Immediate MAJOR 0x2013;
    /// The same, unsigned: the immediate is extended by its sign all the same.
    Sltiu "sltiu" Immediate MAJOR 0x3013;
    /// `rd` = `rs1` xor immediate.
    Xori "xori" Immediate MAJOR 0x4013;
    /// `rd` = `rs1` or immediate.
    Ori "ori" Immediate MAJOR 0x6013;
    /// `rd` = `rs1` and immediate.
    Andi "andi" Immediate MAJOR 0x7013;
    /// `rd` = `rs1` shifted left.
    Slli "slli" Shift FULL 0x1013;
    /// `rd` = `rs1` shifted right; zeros come in.
    Srli "srli" Shift FULL 0x5013;
    /// `rd` = `rs1` shifted right; its sign comes in.
    Srai "srai" Shift FULL 0x4000_5013;
    /// `rd` = `rs1` + `rs2`.
    Add "add" Register FULL 0x33;
    /// `rd` = `rs1` - `rs2`.
    Sub "sub" Register FULL 0x4000_0033;
    /// `rd` = `rs1` shifted left by the lowest five bits of `rs2`.
    Sll "sll" Register FULL 0x1033;
    /// `rd` = 1 if `rs1` is less than `rs2`, signed, else 0.
    Slt "slt" Register FULL 0x2033;
    /// The same, unsigned.
    Sltu "sltu" Register FULL 0x3033;
    /// `rd` = `rs1` xor `rs2`.
    Xor "xor" Register FULL 0x4033;
    /// `rd` = `rs1` shifted right by the lowest five bits of `rs2`; zeros come in.
    Srl "srl" Register FULL 0x5033;
    /// The same; the sign comes in.
    Sra "sra" Register FULL 0x4000_5033;
    /// `rd` = `rs1` or `rs2`.
    Or "or" Register FULL 0x6033;
    /// `rd` = `rs1` and `rs2`.
    And "and" Register FULL 0x7033;
    /// Orders accesses to memory: nothing to do for one hart, which sees its own in order.
    Fence "fence" Ignored MAJOR 0xf;
    /// Instructions that were written before are executed from here on.
    FenceI "fence.i" Ignored MAJOR 0x100f;
    /// A system call.
    Ecall "ecall" Bare ALL 0x73;
    /// A breakpoint.
    Ebreak "ebreak" Bare ALL 0x0010_0073;
    /// Waits for an interrupt (Privileged Architecture, 3.3.3).
    Wfi "wfi" Bare ALL 0x1050_0073;
    /// `rd` = the lower half of the cycles.
    Cycle "rdcycle" Counter ALL_BUT_RD 0xc000_2073;
    /// `rd` = the lower half of the time.
    Time "rdtime" Counter ALL_BUT_RD 0xc010_2073;
    /// `rd` = the upper half of the cycles.
    Cycleh "rdcycleh" Counter ALL_BUT_RD 0xc800_2073;
    /// `rd` = the upper half of the time.
    Timeh "rdtimeh" Counter ALL_BUT_RD 0xc810_2073;
    /// `rd` = the lower half of the product.
    Mul "mul" Register FULL 0x0200_0033;
    /// `rd` = the upper half of the product, both signed.
    Mulh "mulh" Register FULL 0x0200_1033;
    /// The same with `rs1` signed and `rs2` unsigned.
    Mulhsu "mulhsu" Register FULL 0x0200_2033;
    /// The same, both unsigned.
    Mulhu "mulhu" Register FULL 0x0200_3033;
    /// `rd` = `rs1` / `rs2`, signed, rounded towards 0; -1 if `rs2` is 0.
    Div "div" Register FULL 0x0200_4033;
    /// The same, unsigned; the greatest number if `rs2` is 0.
    Divu "divu" Register FULL 0x0200_5033;
    /// `rd` = what is left of `rs1`, with its sign; `rs1` if `rs2` is 0.
    Rem "rem" Register FULL 0x0200_6033;
    /// The same, unsigned.
    Remu "remu" Register FULL 0x0200_7033;
    /// Loads four bytes, and reserves them.
    LrW "lr.w" Reserve RESERVE 0x1000_202f;
    /// Stores four bytes if they are still reserved: `rd` = 0, else 1.
    ScW "sc.w" Atomic ATOMIC 0x1800_202f;
    /// `rd` = the four bytes; they become `rs2`.
    AmoswapW "amoswap.w" Atomic ATOMIC 0x0800_202f;
    /// They become the sum with `rs2`.
    AmoaddW "amoadd.w" Atomic ATOMIC 0x202f;
    /// They become themselves xor `rs2`.
    AmoxorW "amoxor.w" Atomic ATOMIC 0x2000_202f;
    /// They become themselves and `rs2`.
    AmoandW "amoand.w" Atomic ATOMIC 0x6000_202f;
    /// They become themselves or `rs2`.
    AmoorW "amoor.w" Atomic ATOMIC 0x4000_202f;
    /// They become the lesser of themselves and `rs2`, signed.
    AmominW "amomin.w" Atomic ATOMIC 0x8000_202f;
    /// They become the greater, signed.
    AmomaxW "amomax.w" Atomic ATOMIC 0xa000_202f;
    /// They become the lesser, unsigned.
    AmominuW "amominu.w" Atomic ATOMIC 0xc000_202f;
    /// They become the greater, unsigned.
    AmomaxuW "amomaxu.w" Atomic ATOMIC 0xe000_202f;
}
