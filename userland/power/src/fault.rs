//! Why the machine is still on.

use core::fmt;

use acpi::AcpiError;
use acpi::aml::AmlError;
use flatmk_system::PowerFault;

/// Why the machine is still on.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The firmware has told nobody where its tables are.
    NoTables,
    /// A table is not in memory that can be mapped, or its length or its checksum is wrong.
    BadTable,
    /// The crate that reads the tables cannot.
    Tables(AcpiError),
    /// The tables' code has failed.
    Code(AmlError),
    /// The tables do not say which values switch the machine off.
    NoSleepType,
    /// A register is somewhere where nobody can write to it.
    BadRegister,
    /// All was done, and nothing has happened.
    NothingHappened,
}

impl Fault {
    /// What the caller is told.
    #[must_use]
    pub fn kind(&self) -> PowerFault {
        match self {
            Fault::NoTables => PowerFault::NoTables,
            Fault::BadTable => PowerFault::BadTable,
            Fault::Tables(_) => PowerFault::BadContents,
            Fault::Code(_) => PowerFault::BadCode,
            Fault::NoSleepType => PowerFault::NoSleepType,
            Fault::BadRegister => PowerFault::BadRegister,
            Fault::NothingHappened => PowerFault::NothingHappened,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Fault::Tables(error) => write!(formatter, "{kind}: {error:?}"),
            Fault::Code(error) => write!(formatter, "{kind}: {error:?}"),
            _ => write!(formatter, "{kind}"),
        }
    }
}

impl From<AcpiError> for Fault {
    fn from(error: AcpiError) -> Self {
        Fault::Tables(error)
    }
}
