//! The processors for which there are programs.

use elf::abi::{EM_RISCV, EM_X86_64};
use elf::file::Class;

use crate::USER_END;

/// Which processor a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// The one that the kernel runs on.
    X86_64,
    /// RISC-V with 32 bits, which the kernel does the work of.
    RiscV32,
}

impl Machine {
    /// The processor of which a file seems to be: one of 32 bits is RISC-V, whatever else it may be.
    pub(crate) fn guess(file: &[u8]) -> Self {
        // EI_CLASS: 1 for 32 bits (System V gABI, "ELF Identification").
        if file.get(4) == Some(&1) { Self::RiscV32 } else { Self::X86_64 }
    }

    /// The end (exclusive) of what its programs may use. Addresses of RISC-V have 32 bits.
    #[must_use]
    pub fn end(self) -> u64 {
        match self {
            Self::X86_64 => USER_END,
            Self::RiscV32 => 1 << 32,
        }
    }

    /// The shape of its files.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::X86_64 => Class::ELF64,
            Self::RiscV32 => Class::ELF32,
        }
    }

    /// Its number, `e_machine`.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::X86_64 => EM_X86_64,
            Self::RiscV32 => EM_RISCV,
        }
    }
}
