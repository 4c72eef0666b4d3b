//! The emulators, and what they are called.

use std::fmt;

use clap::ValueEnum;

/// The program that plays the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Emulator {
    /// QEMU: fast, forgiving, the one with UEFI.
    #[default]
    Qemu,
    /// Bochs: close to hardware, the one with process-context identifiers.
    Bochs,
}

impl Emulator {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Qemu, Self::Bochs];

    /// Its name on the command line and in the kernel's boot options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Bochs => "bochs",
        }
    }

    /// The processor of a machine for which no other was chosen, in the emulator's words: one with every feature.
    #[must_use]
    pub fn default_cpu(self) -> &'static str {
        match self {
            Self::Qemu => "max",
            Self::Bochs => "corei7_skylake_x",
        }
    }
}

/// As its makers write it.
impl fmt::Display for Emulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Qemu => "QEMU",
            Self::Bochs => "Bochs",
        })
    }
}
