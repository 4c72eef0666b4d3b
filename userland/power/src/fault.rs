//! Why the machine is still on.

use core::fmt;

use acpi::AcpiError;
use acpi::aml::AmlError;

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

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoTables => formatter.write_str("the firmware has no ACPI tables"),
            Fault::BadTable => {
                formatter.write_str("an ACPI table cannot be mapped, or its length or checksum is wrong")
            }
            Fault::Tables(error) => write!(formatter, "the ACPI tables cannot be used: {error:?}"),
            Fault::Code(error) => write!(formatter, "the code in the ACPI tables has failed: {error:?}"),
            Fault::NoSleepType => formatter.write_str("the ACPI tables do not say how to switch off"),
            Fault::BadRegister => formatter.write_str("an ACPI register is not in memory and not a port"),
            Fault::NothingHappened => formatter.write_str("the machine has not obeyed"),
        }
    }
}

impl From<AcpiError> for Fault {
    fn from(error: AcpiError) -> Self {
        Fault::Tables(error)
    }
}
