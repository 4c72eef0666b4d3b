//! Why a system call failed.

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// Why a system call failed. The status register holds the negative number; after an error nothing has changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i64)]
        pub enum Error {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Error {
            /// Every error.
            pub const ALL: &[Error] = &[$(Error::$name,)+];

            /// What the error means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Error::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

errors! {
    /// There is no operation with this number, or it does not take one of the flags. The caller is to blame.
    UnknownOperation = -1,
    /// The capability pointer names no slot, or an empty one. The caller is to blame.
    InvalidCapability = -2,
    /// The capability is of a kind that does not have this operation. The caller is to blame.
    WrongKind = -3,
    /// The capability lacks a right that the operation needs. The caller is to blame.
    MissingRight = -4,
    /// An argument is out of range. The caller is to blame.
    InvalidArgument = -5,
    /// The memory capability has too few free pages left. The caller may name another one.
    OutOfMemory = -6,
    /// The destination slot holds a capability. The caller may delete it or choose another slot.
    SlotOccupied = -7,
    /// The frame capability, or the address, is mapped. The caller may unmap it first.
    AlreadyMapped = -8,
    /// The frame capability is not mapped. The caller is to blame.
    NotMapped = -9,
    /// The address is not aligned, not in user space, or not accessible to the caller. The caller is to blame.
    InvalidAddress = -10,
    /// The callee serves another call and the caller asked not to wait. Nobody is to blame; try again.
    Busy = -11,
    /// The call would wait for a task that waits for the caller. The caller is to blame.
    WouldDeadlock = -12,
    /// The callee, or what the caller waited for, was destroyed. Whoever destroyed it is to blame.
    CalleeGone = -13,
    /// The callee faulted before it returned. The callee is to blame.
    CalleeFaulted = -14,
    /// The task, or the memory, is not in the state that the operation needs. The caller is to blame.
    InvalidState = -15,
    /// The callee was stopped before it returned. Whoever stopped it is to blame.
    CalleeStopped = -16,
    /// The caller was stopped while it waited, and resumed. Nobody is to blame; try again.
    Interrupted = -17,
    /// What was waited for did not come in time. Nobody is to blame.
    TimedOut = -18,
    /// Something else is bound there: a handler to the interrupt line, or a frame to the trace. The caller may remove it first.
    AlreadyBound = -19,
}

impl Error {
    /// The status register of this error.
    #[must_use]
    pub fn status(self) -> i64 {
        self as i64
    }

    /// The error in a status register; `None` for a status that is not an error.
    #[must_use]
    pub fn from_status(status: i64) -> Option<Error> {
        Error::ALL.iter().copied().find(|&error| error as i64 == status)
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.meaning())
    }
}

impl core::error::Error for Error {}
