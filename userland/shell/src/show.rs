//! How programs, capabilities and times are shown.

use core::fmt;

use flatmk_abi::{Kind, Rights};
use flatmk_system::{Phase, Status};

/// What a task is doing, in a word or two: word 0 of the operation `Inspect`.
#[must_use]
pub fn state(number: u8) -> &'static str {
    match number {
        0 => "stopped",
        1 => "ready",
        2 => "running",
        3 => "waits for calls",
        4 => "in a call of",
        5 => "queues for",
        6 => "faulted",
        7 => "waits for a signal",
        8 => "rests",
        _ => "unknown",
    }
}

/// A line of the list of programs.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: &'a str,
    /// How it is.
    pub status: Status,
    /// Whom it waits for, where that is a program.
    pub waits_for: Option<&'a str>,
}

impl Row<'_> {
    /// What stands above the rows.
    pub const HEADING: &'static str = " nr name                     priority  pages  of  restarts state";
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, name, status, waits_for } = *self;
        let Status { priority, used_pages, given_pages, restarts, .. } = status;
        write!(formatter, "{number:>3} {name:<24} {priority:>8} {used_pages:>6} {given_pages:>4} {restarts:>8} ")?;
        match (status.phase, waits_for) {
            (Phase::Alive, Some(other)) => write!(formatter, "{} {other}", state(status.task_state)),
            (Phase::Alive, None) if matches!(status.task_state, 4 | 5) => {
                write!(formatter, "{} something", state(status.task_state))
            }
            (Phase::Alive, None) => formatter.write_str(state(status.task_state)),
            (Phase::Ended, _) => formatter.write_str("ended"),
            (Phase::GivenUp, _) => formatter.write_str("given up: it has failed too often"),
        }
    }
}

/// A line of the tree of capabilities.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// The program's pointer.
    pub pointer: u64,
    /// How many tables it is below the program's own.
    pub depth: usize,
    /// Word 2 of the supervisor's answer.
    pub kind_and_rights: u64,
    /// Word 3.
    pub details: u64,
}

impl Capability {
    /// Its kind, if that has a name.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind_and_rights & 0xff)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = 2 * self.depth;
        write!(formatter, "{:indent$}{:>4} ", "", self.pointer)?;
        match self.kind() {
            Some(kind) => write!(formatter, "{kind:?}")?,
            None => write!(formatter, "kind {}", self.kind_and_rights & 0xff)?,
        }
        if self.kind() == Some(Kind::Memory) {
            write!(formatter, ", {} of {} pages free", self.details & 0xffff_ffff, self.details >> 32)?;
        }
        let rights = Rights::from_bits_truncate((self.kind_and_rights >> 8) as u8);
        for (index, (name, _)) in rights.iter_names().enumerate() {
            formatter.write_str(if index == 0 { ": " } else { " " })?;
            name.chars().try_for_each(|letter| write!(formatter, "{}", letter.to_ascii_lowercase()))?;
        }
        Ok(())
    }
}

/// A time that has passed, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Age(pub u64);

impl fmt::Display for Age {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0 / 1_000_000;
        let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match seconds {
            0..60 => write!(formatter, "{seconds}.{rest:03} s"),
            60..86_400 => write!(formatter, "{hours}:{minutes:02}:{:02}", seconds % 60),
            _ => write!(formatter, "{days} d {hours}:{minutes:02}:{:02}", seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    const STATUS: Status = Status {
        phase: Phase::Alive,
        has_service: true,
        restarts: 2,
        priority: 48,
        used_pages: 61,
        given_pages: 128,
        task_state: 3,
        task: 1,
        waits_for: 0,
    };

    #[test]
    fn programs_stand_in_columns() {
        let row = Row { number: 4, name: "keyboard", status: STATUS, waits_for: None }.to_string();
        assert_eq!(row, "  4 keyboard                       48     61  128        2 waits for calls");
        let (column, _) = Row::HEADING.split_once("restarts").expect("it is there");
        assert_eq!(row.get(column.len()..column.len() + 8), Some("       2"));
        let in_call = Status { task_state: 4, ..STATUS };
        let row = Row { number: 4, name: "x", status: in_call, waits_for: Some("terminal") }.to_string();
        assert!(row.ends_with("in a call of terminal"), "{row}");
        let given_up = Status { phase: Phase::GivenUp, ..STATUS };
        let row = Row { number: 4, name: "x", status: given_up, waits_for: None }.to_string();
        assert!(row.ends_with("given up: it has failed too often"), "{row}");
    }

    #[test]
    fn capabilities_are_a_tree() {
        let kind_and_rights = Kind::Endpoint as u64 | u64::from((Rights::CALL | Rights::TRANSFER).bits()) << 8;
        let top = Capability { pointer: 9, depth: 0, kind_and_rights, details: 0 };
        assert_eq!(top.to_string(), "   9 Endpoint: call transfer");
        let memory = Capability { pointer: 130, depth: 1, kind_and_rights: 1, details: 3 | 16 << 32 };
        assert_eq!(memory.to_string(), "   130 Memory, 3 of 16 pages free");
        let unknown = Capability { pointer: 1, depth: 0, kind_and_rights: 200, details: 0 };
        assert_eq!(unknown.to_string(), "   1 kind 200");
    }

    #[test]
    fn times_are_short() {
        const SECOND: u64 = 1_000_000_000;
        assert_eq!(Age(23_400_000).to_string(), "0.023 s");
        assert_eq!(Age(59 * SECOND).to_string(), "59.000 s");
        assert_eq!(Age(3_723 * SECOND).to_string(), "1:02:03");
        assert_eq!(Age(90_061 * SECOND).to_string(), "1 d 1:01:01");
    }
}
