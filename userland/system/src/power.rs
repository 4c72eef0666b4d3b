//! Why the machine is still on, as the power driver tells it.

use core::fmt;

use flatmk_abi::{Error, Words};

use crate::answer;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// Why the machine is still on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum PowerFault {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl PowerFault {
            /// Every one.
            pub const ALL: &[PowerFault] = &[$(PowerFault::$name,)+];

            /// In words.
            const fn text(self) -> &'static str {
                match self {
                    $(PowerFault::$name => $text,)+
                }
            }
        }
    };
}

faults! {
    /// The firmware has told nobody where its tables are.
    NoTables = 1, "the firmware has no ACPI tables";
    /// A table is not in memory that can be mapped, or its length or its checksum is wrong.
    BadTable = 2, "an ACPI table cannot be mapped, or its length or checksum is wrong";
    /// What reads the tables cannot.
    BadContents = 3, "the ACPI tables cannot be used";
    /// The tables' code has failed.
    BadCode = 4, "the code in the ACPI tables has failed";
    /// The tables' code has no end.
    EndlessCode = 5, "the ACPI tables take too long";
    /// The tables do not say which values switch the machine off.
    NoSleepType = 6, "the ACPI tables do not say how to switch off";
    /// A register is somewhere where nobody can write to it.
    BadRegister = 7, "an ACPI register is not in memory and not a port";
    /// All was done, and nothing has happened.
    NothingHappened = 8, "the machine has not obeyed";
}

impl PowerFault {
    /// The answer of the power driver.
    #[must_use]
    pub fn to_answer(self) -> Words {
        let [status, ..] = answer(Err(Error::InvalidState));
        [status, self as u64, 0, 0]
    }

    /// The fault in an answer, if it is one.
    #[must_use]
    pub fn from_answer([status, number, ..]: Words) -> Option<PowerFault> {
        let known = PowerFault::ALL.iter().copied().find(|&fault| fault as u64 == number);
        known.filter(|fault| fault.to_answer()[0] == status)
    }
}

impl fmt::Display for PowerFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome;

    #[test]
    fn a_fault_arrives_as_it_was() {
        for &fault in PowerFault::ALL {
            assert_eq!(PowerFault::from_answer(fault.to_answer()), Some(fault));
            assert_eq!(outcome(fault.to_answer()), Err(Error::InvalidState));
        }
    }

    #[test]
    fn other_answers_are_none() {
        for other in [answer(Ok([1, 0, 0])), answer(Err(Error::InvalidState)), answer(Err(Error::InvalidArgument))] {
            assert_eq!(PowerFault::from_answer(other), None);
        }
    }
}
