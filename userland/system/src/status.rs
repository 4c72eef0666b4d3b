//! What the supervisor tells of programs, in the words of an answer.

use flatmk_abi::FaultReason;

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
    /// What the kernel says of its task; 0 where it says nothing. Words 1 and 2 of `Inspect`, in 32 bits each.
    pub task: u64,
}

impl Status {
    /// The words of the answer.
    #[must_use]
    pub fn to_words(self) -> [u64; 3] {
        let Self { phase, has_service, restarts, priority, used_pages, given_pages, task } = self;
        let first =
            phase as u64 | u64::from(has_service) << 8 | u64::from(priority) << 16 | u64::from(restarts) << 32;
        [first, u64::from(used_pages) | u64::from(given_pages) << 32, task]
    }

    /// The status in an answer, if it is one.
    #[must_use]
    pub fn from_words([first, pages, task]: [u64; 3]) -> Option<Self> {
        Some(Self {
            phase: Phase::from_bits(first)?,
            has_service: first >> 8 & 1 != 0,
            priority: (first >> 16) as u8,
            restarts: (first >> 32) as u16,
            used_pages: pages as u32,
            given_pages: (pages >> 32) as u32,
            task,
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

#[cfg(test)]
mod tests {
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
                task: 5 << 32 | 3,
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
        assert_eq!(Ending::from_words(fault.to_words()).and_then(|ending| ending.fault_reason()), Some(FaultReason::Page));
        assert_eq!(Ending::plain(Cause::Done, 14).fault_reason(), None);
    }
}
