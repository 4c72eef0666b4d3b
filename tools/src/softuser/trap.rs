//! What ends a program against its will.

use std::fmt;

/// Why a program was ended. The numbers are those of the signals that end such a program on Linux, where there is one, so that the exit code
/// is the one that a shell has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// There is no such instruction.
    Illegal = 4,
    /// The instruction `ebreak`.
    Breakpoint = 5,
    /// An atomic access to an address that is not a multiple of 4.
    Misaligned = 7,
    /// An access to memory that is not there, or must not be written.
    Access = 11,
    /// Code that is not there, or must not be executed.
    Fetch = 12,
    /// The instruction `wfi`: no interrupt will ever come.
    Wait = 14,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] =
        [Kind::Illegal, Kind::Breakpoint, Kind::Misaligned, Kind::Access, Kind::Fetch, Kind::Wait];

    /// With which exit code the command ends.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        128 + self as u8
    }

    /// What it is, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Kind::Illegal => "illegal instruction",
            Kind::Breakpoint => "breakpoint",
            Kind::Misaligned => "misaligned atomic access",
            Kind::Access => "access to memory that is not there for it",
            Kind::Fetch => "code that cannot be executed",
            Kind::Wait => "waits for an interrupt, which never comes",
        }
    }
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Why.
    pub kind: Kind,
    /// The address of the instruction.
    pub pc: u32,
    /// The address that it has named, or of its part that is not there.
    pub address: Option<u64>,
}

impl fmt::Display for Trap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, pc, address } = self;
        write!(formatter, "trap {}, {}: pc {pc:#010x}", *kind as u8, kind.meaning())?;
        address.map_or(Ok(()), |address| write!(formatter, ", address {address:#010x}"))
    }
}
