//! Kinds of capabilities, and what one allows.

use bitflags::bitflags;

// ANCHOR: kinds
/// What a capability refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing: the slot is empty.
    Empty = 0,
    /// A range of free pages, from which objects are made.
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
}
// ANCHOR_END: kinds

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Kind; 10] = [
        Kind::Empty,
        Kind::Memory,
        Kind::Table,
        Kind::AddressSpace,
        Kind::Frame,
        Kind::Task,
        Kind::Endpoint,
        Kind::Reply,
        Kind::Console,
        Kind::Power,
    ];

    /// The kind with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Kind> {
        Kind::ALL.into_iter().find(|&kind| kind as u64 == number)
    }
}

// ANCHOR: rights
bitflags! {
    /// What the holder of a capability may do with it. A copy has at most the rights of its source.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(transparent)]
    pub struct Rights: u8 {
        /// Read: map a frame readable, read from the console.
        const READ = 1 << 0;
        /// Write: map a frame writable, write to the console.
        const WRITE = 1 << 1;
        /// Execute: map a frame executable.
        const EXECUTE = 1 << 2;
        /// Copy, mint or move the capability to another slot.
        const GRANT = 1 << 3;
        /// Call an endpoint.
        const CALL = 1 << 4;
        /// Change the object itself: a table's slots, a space's mappings, a task's state.
        const MANAGE = 1 << 5;
    }
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
