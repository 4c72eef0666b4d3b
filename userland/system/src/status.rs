//! What the supervisor tells of programs, in the words of an answer.

use core::fmt;

use flatmk_abi::{Error, FaultReason};

macro_rules! numbered {
    ($($(#[doc = $type_doc:literal])+ $type:ident { $($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+ })+) => {$(
        $(#[doc = $type_doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $type { $($(#[doc = $doc])+ $name = $number,)+ }

        impl $type {
            /// Every one, in the order of the numbers.
            pub const ALL: &[$type] = &[$($type::$name,)+];

            fn from_bits(bits: u64) -> Option<$type> {
                $type::ALL.iter().copied().find(|&known| known as u64 == bits & 0xff)
            }
        }
    )+};
}

numbered! {
    /// In which part of its life a program is.
    Phase {
        /// It was loaded, and has not ended.
        Alive = 0,
        /// It has ended, and nobody has asked how.
        Ended = 1,
        /// A service that failed again and again: it is not started any more, unless it is killed by hand.
        GivenUp = 2,
    }

    /// Why a program has ended.
    Cause {
        /// By itself.
        Done = 0,
        /// Somebody has killed it.
        Killed = 1,
        /// It has faulted.
        Faulted = 2,
        /// It could not be loaded or started.
        NotStarted = 3,
        /// The program that it was loaded for has ended.
        LeaderEnded = 4,
    }
}

/// Two numbers in a word.
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// How a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// In which part of its life.
    pub phase: Phase,
    /// Whether it offers a service.
    pub has_service: bool,
    /// How often it was started anew.
    pub restarts: u16,
    /// The priority that the supervisor has given it.
    pub priority: u8,
    /// How many pages it uses, of those it was given.
    pub used_pages: u32,
    /// How many pages it was given.
    pub given_pages: u32,
    /// What its task is doing: word 0 of the operation `Inspect`.
    pub task_state: u8,
    /// The number of its task.
    pub task: u32,
    /// The number of the task or notification that it waits for; 0 for none.
    pub waits_for: u32,
}

impl Status {
    /// The words of the answer.
    #[must_use]
    pub fn to_words(self) -> [u64; 3] {
        let Self { phase, has_service, restarts, priority, used_pages, given_pages, task_state, task, waits_for } =
            self;
        let first = phase as u64
            | u64::from(has_service) << 8
            | u64::from(priority) << 16
            | u64::from(task_state) << 24
            | u64::from(restarts) << 32;
        [first, pair(used_pages, given_pages), pair(task, waits_for)]
    }

    /// The status in an answer, if it is one.
    #[must_use]
    pub fn from_words([first, pages, tasks]: [u64; 3]) -> Option<Self> {
        Some(Self {
            phase: Phase::from_bits(first)?,
            has_service: first >> 8 & 1 != 0,
            priority: (first >> 16) as u8,
            restarts: (first >> 32) as u16,
            used_pages: pages as u32,
            given_pages: (pages >> 32) as u32,
            task_state: (first >> 24) as u8,
            task: tasks as u32,
            waits_for: (tasks >> 32) as u32,
        })
    }
}

/// How a program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which program, by its number.
    pub number: u8,
    /// Why.
    pub cause: Cause,
    /// Its exit code; of a fault the number of the [`FaultReason`]; of a program that could not be started the status.
    pub code: u16,
    /// Of a fault, the processor's error code.
    pub error_code: u32,
    /// Of a fault, the address; see [`flatmk_abi`].
    pub address: u64,
    /// Of a fault, where the program was.
    pub rip: u64,
}

impl Ending {
    /// A program that has not faulted.
    #[must_use]
    pub const fn plain(cause: Cause, code: u16) -> Self {
        Self { number: 0, cause, code, error_code: 0, address: 0, rip: 0 }
    }

    /// A fault, by the message to the fault handler.
    #[must_use]
    pub const fn fault([reason, address, error_code, rip]: [u64; 4]) -> Self {
        Self { number: 0, cause: Cause::Faulted, code: reason as u16, error_code: error_code as u32, address, rip }
    }

    /// Which fault it was, if it was one.
    #[must_use]
    pub fn fault_reason(&self) -> Option<FaultReason> {
        (self.cause == Cause::Faulted).then(|| FaultReason::from_number(self.code.into())).flatten()
    }

    /// The words of the answer.
    #[must_use]
    pub fn to_words(self) -> [u64; 3] {
        let Self { number, cause, code, error_code, address, rip } = self;
        [cause as u64 | u64::from(number) << 8 | u64::from(code) << 16 | u64::from(error_code) << 32, address, rip]
    }

    /// The ending in an answer, if it is one.
    #[must_use]
    pub fn from_words([first, address, rip]: [u64; 3]) -> Option<Self> {
        Some(Self {
            number: (first >> 8) as u8,
            cause: Cause::from_bits(first)?,
            code: (first >> 16) as u16,
            error_code: (first >> 32) as u32,
            address,
            rip,
        })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Done if self.code == 0 => formatter.write_str("done"),
            Cause::Done => write!(formatter, "ended with exit code {}", self.code),
            Cause::Killed => formatter.write_str("killed"),
            Cause::Faulted => self.write_fault(formatter),
            Cause::NotStarted => match Error::from_status(-i64::from(self.code)) {
                Some(error) => write!(formatter, "could not be started: {error}"),
                None => formatter.write_str("could not be started"),
            },
            Cause::LeaderEnded => formatter.write_str("ended with the program that it was loaded for"),
        }
    }
}

impl Ending {
    /// The fault in words. The bits of the error code are those of a page fault (Intel SDM vol. 3A, figure 4-12).
    fn write_fault(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PROTECTION: u32 = 1 << 0;
        const WRITE: u32 = 1 << 1;
        const FETCH: u32 = 1 << 4;
        let Self { code, error_code, address, rip, .. } = *self;
        let has = |bit| error_code & bit != 0;
        match self.fault_reason() {
            Some(FaultReason::Page) => {
                let access = if has(FETCH) {
                    "execution of"
                } else if has(WRITE) {
                    "write to"
                } else {
                    "read from"
                };
                let cause = if has(PROTECTION) { "which is not allowed" } else { "where nothing is mapped" };
                write!(formatter, "page fault: {access} {address:#x}, {cause}, at {rip:#x}")
            }
            // The first sentence, without its full stop.
            Some(reason) => write!(formatter, "{} ({reason:?}), at {rip:#x}", reason.meaning().trim_end_matches('.')),
            None => write!(formatter, "fault {code}, at {rip:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn a_status_arrives_as_it_was() {
        for &phase in Phase::ALL {
            let status = Status {
                phase,
                has_service: true,
                restarts: u16::MAX,
                priority: 63,
                used_pages: 17,
                given_pages: u32::MAX,
                task_state: 7,
                task: 5,
                waits_for: 1 << 31,
            };
            assert_eq!(Status::from_words(status.to_words()), Some(status));
        }
        assert_eq!(Status::from_words([3, 0, 0]), None);
    }

    #[test]
    fn an_ending_arrives_as_it_was() {
        for &cause in Cause::ALL {
            let ending = Ending { number: 62, cause, code: u16::MAX, error_code: 6, address: u64::MAX, rip: 1 };
            assert_eq!(Ending::from_words(ending.to_words()), Some(ending));
        }
        assert_eq!(Ending::from_words([5, 0, 0]), None);
        let fault = Ending::fault([FaultReason::Page as u64, 8, 6, 0x40_1000]);
        assert_eq!(
            Ending::from_words(fault.to_words()).and_then(|ending| ending.fault_reason()),
            Some(FaultReason::Page)
        );
        assert_eq!(Ending::plain(Cause::Done, 14).fault_reason(), None);
    }
    #[test]
    fn endings_are_told_in_words() {
        let page = |error_code| Ending::fault([14, 0x10, error_code, 0x40_1000]).to_string();
        assert_eq!(page(0b110), "page fault: write to 0x10, where nothing is mapped, at 0x401000");
        assert_eq!(page(0b101), "page fault: read from 0x10, which is not allowed, at 0x401000");
        assert_eq!(page(0b1_0101), "page fault: execution of 0x10, which is not allowed, at 0x401000");
        let divide = Ending::fault([0, 0, 0, 0x40_1000]).to_string();
        assert_eq!(divide, "Division by zero, or a quotient that does not fit (Divide), at 0x401000");
        assert_eq!(Ending::fault([999, 0, 0, 1]).to_string(), "fault 999, at 0x1");
        assert_eq!(Ending::plain(Cause::Done, 0).to_string(), "done");
        assert_eq!(Ending::plain(Cause::Done, 3).to_string(), "ended with exit code 3");
        let refused = Ending::plain(Cause::NotStarted, 6).to_string();
        assert!(refused.starts_with("could not be started: The memory capability has too few"), "{refused}");
    }
}
