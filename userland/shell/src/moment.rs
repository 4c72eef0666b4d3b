//! How events of a trace are shown.

use core::fmt;

use flatmk_abi::{Event, EventKind, FaultReason};

/// An event as a line, with the names of the tasks in it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// How long after the first event, in ticks of the time stamp counter.
    pub ticks: u64,
    /// What has happened.
    pub event: Event,
    /// The task of the event.
    pub task: &'a str,
    /// The other task, where the event has one.
    pub other: &'a str,
}

impl fmt::Display for Moment<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ticks, event, task, other } = self;
        write!(formatter, "{ticks:>10} {task:<16} ")?;
        let reason = FaultReason::from_number(event.detail.into());
        match event.kind {
            EventKind::Lost => write!(formatter, "{} earlier events are lost", event.first),
            EventKind::SystemCall => match event.operation() {
                Some(operation) => write!(formatter, "{operation:?} of {:#x}", event.first),
                None => write!(formatter, "operation {}, which there is not", event.detail),
            },
            EventKind::Failure => match event.error() {
                Some(error) => write!(formatter, "fails: {error}"),
                None => write!(formatter, "fails with error {}", event.detail),
            },
            EventKind::Call => write!(formatter, "calls {other}"),
            EventKind::Wait => write!(formatter, "waits for {other}"),
            EventKind::Return => write!(formatter, "answers {other}"),
            EventKind::Fault | EventKind::Stop => {
                match reason {
                    Some(reason) => write!(formatter, "faults ({reason:?})")?,
                    None => write!(formatter, "faults ({})", event.detail)?,
                }
                write!(formatter, " at {:#x}: ", event.second)?;
                if event.kind == EventKind::Fault {
                    write!(formatter, "calls {other}")
                } else {
                    formatter.write_str("stops")
                }
            }
            EventKind::Interrupt => write!(formatter, "is interrupted by line {}", event.detail),
            EventKind::Handle => write!(formatter, "handles line {}", event.detail),
            EventKind::Switch => write!(formatter, "goes on, after {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};

    use flatmk_abi::{Error, Operation};

    use super::*;

    fn shown(kind: EventKind, detail: u32, first: u64, second: u64) -> String {
        let event = Event { time: 0, kind, detail, task: 1, first, second };
        Moment { ticks: 12, event, task: "echo", other: "shell" }.to_string()
    }

    #[test]
    fn every_event_is_a_line() {
        for kind in EventKind::ALL {
            let line = shown(kind, 3, 7, 9);
            assert!(line.starts_with("        12 echo             ") && line.len() > 30, "{line}");
        }
    }

    #[test]
    fn what_an_event_means_is_told() {
        let end = |line: String| line.get(28..).unwrap_or_default().to_string();
        assert_eq!(end(shown(EventKind::SystemCall, Operation::Sleep as u32, 7, 0)), "Sleep of 0x7");
        assert_eq!(end(shown(EventKind::SystemCall, 0xff, 7, 0)), "operation 255, which there is not");
        let error = Error::MissingRight;
        let detail = error.status().unsigned_abs() as u32;
        assert_eq!(end(shown(EventKind::Failure, detail, 0, 0)), std::format!("fails: {error}"));
        assert_eq!(end(shown(EventKind::Failure, 0xff_ffff, 0, 0)), "fails with error 16777215");
        assert_eq!(end(shown(EventKind::Fault, 14, 2, 0x10)), "faults (Page) at 0x10: calls shell");
        assert_eq!(end(shown(EventKind::Stop, 999, 0, 0x10)), "faults (999) at 0x10: stops");
        assert_eq!(end(shown(EventKind::Lost, 0, 4, 0)), "4 earlier events are lost");
    }
}
