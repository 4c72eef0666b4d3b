//! Kinds of capabilities, and what one allows.

use bitflags::bitflags;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// What a capability refers to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Kind {
            /// Every kind, in the order of its number.
            pub const ALL: [Kind; [$($number,)+].len()] = [$(Kind::$name,)+];

            /// What a capability of this kind refers to, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Kind::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

// ANCHOR: kinds
kinds! {
    /// Nothing: the slot is empty.
    Empty = 0,
    /// A range of pages, from which objects are made.
    Memory = 1,
    /// A capability table: one page of 64 slots.
    Table = 2,
    /// An address space: the top-level page table of the lower half.
    AddressSpace = 3,
    /// A page of memory that can be mapped.
    Frame = 4,
    /// A task: registers, an address space and a capability table.
    Task = 5,
    /// An entry into a task: code address and context word.
    Endpoint = 6,
    /// The right to return to one caller, once.
    Reply = 7,
    /// The console of the kernel: serial line and screen.
    Console = 8,
    /// The machine's power switch.
    Power = 9,
    /// 2 MiB of memory in a row that can be mapped.
    LargeFrame = 10,
    /// A word of bits that tasks set and wait for.
    Notification = 11,
    /// A page for a task's floating-point state.
    FloatingPoint = 12,
    /// Interrupt lines.
    Interrupts = 13,
    /// A range of I/O ports.
    Ports = 14,
}
// ANCHOR_END: kinds

impl Kind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Kind> {
        Kind::ALL.into_iter().find(|&kind| kind as u64 == number)
    }
}

macro_rules! rights {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal,)+) => {
        bitflags! {
            /// What the holder of a capability may do with it. A copy has at most the rights of its source.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[repr(transparent)]
            pub struct Rights: u8 {
                $($(#[doc = $doc])+ const $name = 1 << $bit;)+
            }
        }

        impl Rights {
            /// Each right, and what it is for.
            pub const MEANINGS: [(Rights, &str); [$($bit,)+].len()] = [$((Rights::$name, concat!($($doc),+).trim_ascii()),)+];
        }
    };
}

// ANCHOR: rights
rights! {
    /// Read: map a frame readable, read from the console or a port, wait for a notification.
    READ = 0,
    /// Write: map a frame writable, write to the console or a port, signal a notification.
    WRITE = 1,
    /// Execute: map a frame executable.
    EXECUTE = 2,
    /// Copy, mint or move the capability to another slot.
    GRANT = 3,
    /// Call an endpoint.
    CALL = 4,
    /// Change the object itself: a table's slots, a space's mappings, a task's state.
    MANAGE = 5,
    /// Move capabilities along with a call of an endpoint.
    TRANSFER = 6,
}
// ANCHOR_END: rights

/// How a page is mapped. There is no variant that is both writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Access {
    /// Read only.
    Read = 0,
    /// Read and write, not executable.
    ReadWrite = 1,
    /// Read and execute, not writable.
    ReadExecute = 2,
}

impl Access {
    /// The access with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Access> {
        [Access::Read, Access::ReadWrite, Access::ReadExecute].into_iter().find(|&access| access as u64 == number)
    }

    /// The rights that a frame capability needs to be mapped like this.
    #[must_use]
    pub fn needed_rights(self) -> Rights {
        match self {
            Access::Read => Rights::READ,
            Access::ReadWrite => Rights::READ.union(Rights::WRITE),
            Access::ReadExecute => Rights::READ.union(Rights::EXECUTE),
        }
    }
}
