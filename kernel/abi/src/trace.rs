//! What a trace is made of: events of 32 bytes, in a frame that its reader has given.

use crate::{Error, Operation, Words};

/// The size of an event.
pub const EVENT_BYTES: u64 = 32;

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// What has happened. In the comments *task* is that of the event, and *detail*, *first* and *second* are its other words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum EventKind {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl EventKind {
            /// Every kind of event, in the order of its number.
            pub const ALL: [EventKind; [$($number,)+].len()] = [$(EventKind::$name,)+];
        }
    };
}

// ANCHOR: events
events! {
    /// So many events before this one were overwritten before anybody has read them: first. The time is 0.
    Lost = 1,
    /// The task has made a system call, the detail: an [`Operation`]. First: the capability pointer. Second: argument 0.
    SystemCall = 2,
    /// A system call of the task has failed, with the error of the detail: its number without the sign. That is at once, or it is a call that was not
    /// answered.
    Failure = 3,
    /// The call of the task begins in its callee, first, or in RISC-V code of its own. Second: the context word.
    Call = 4,
    /// The call of the task waits: its callee, first, serves somebody else.
    Wait = 5,
    /// The task has answered the caller first, or RISC-V code the native code of its own task.
    Return = 6,
    /// The task has faulted, for the reason of the detail: its fault handler, first, is called. Second: the address.
    Fault = 7,
    /// The task has faulted, for the reason of the detail, and nobody mends that: it is stopped. Second: the address.
    Stop = 8,
    /// An interrupt of the line of the detail has come. Task: that which ran last.
    Interrupt = 9,
    /// The task begins to handle an interrupt of the line of the detail.
    Handle = 10,
    /// The processor goes on with the task. First: the one that ran before, or the same where that is not known any more.
    Switch = 11,
}
// ANCHOR_END: events

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The time stamp counter.
    pub time: u64,
    /// What has happened.
    pub kind: EventKind,
    /// 24 bits that belong to the kind.
    pub detail: u32,
    /// The task, by the number that [`Operation::Inspect`] tells; 0 for none.
    pub task: u32,
    /// A word that belongs to the kind.
    pub first: u64,
    /// Another one.
    pub second: u64,
}
impl Event {
    /// The event in four words, as it lies in the frame.
    #[must_use]
    pub fn to_words(self) -> Words {
        let Self { time, kind, detail, task, first, second } = self;
        [time, kind as u64 | u64::from(detail) << 8 | u64::from(task) << 32, first, second]
    }

    /// The event in these words; `None` where they are none: four words of 0, for example.
    #[must_use]
    pub fn from_words([time, what, first, second]: Words) -> Option<Self> {
        let kind = EventKind::ALL.into_iter().find(|&kind| kind as u64 == what & 0xff)?;
        Some(Self { time, kind, detail: (what as u32) >> 8, task: (what >> 32) as u32, first, second })
    }
}

impl Event {
    /// The operation of a [`SystemCall`](EventKind::SystemCall), if there is one with this number.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        Operation::from_number(self.detail.into()).filter(|_| self.kind == EventKind::SystemCall)
    }

    /// Why a system call has failed, for a [`Failure`](EventKind::Failure).
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        Error::from_status(-i64::from(self.detail)).filter(|_| self.kind == EventKind::Failure)
    }
}
