//! Every operation: its number, the kind of capability it is invoked on, arguments, results and errors.

use crate::{Error, Kind, Rights};

/// One line of the list of operations.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo {
    /// The operation.
    pub operation: Operation,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// The kind of the capability in `rdi`; `None` where every kind will do.
    pub kind: Option<Kind>,
    /// The rights that this capability must have.
    pub rights: Rights,
    /// Meaning of arguments 0 to 3.
    pub arguments: &'static [&'static str],
    /// Meaning of results 0 to 3.
    pub results: &'static [&'static str],
    /// Each error it can return, and when.
    pub errors: &'static [(Error, &'static str)],
}

macro_rules! operations {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $number:literal on $kind:expr, $rights:expr;
        takes $arguments:expr; gives $results:expr;
        fails { $($error:ident: $cause:literal,)* }
    )+) => {
        /// What a system call is asked to do; bits 0 to 7 of `rsi`. Operations below 16 may give the processor to another task.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Operation {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        /// The whole list, in the order of the numbers. Every operation can also fail with
        /// [`Error::InvalidCapability`], [`Error::WrongKind`] and [`Error::MissingRight`] for the capability in `rdi`.
        pub const OPERATIONS: &[OperationInfo] = &[$(OperationInfo {
            operation: Operation::$name,
            name: stringify!($name),
            description: concat!($($doc, "\n"),+),
            kind: $kind,
            rights: $rights,
            arguments: &$arguments,
            results: &$results,
            errors: &[$((Error::$error, $cause),)*],
        },)+];

        impl Operation {
            /// The operation with this number, if there is one.
            #[must_use]
            #[inline]
            pub fn from_number(number: u64) -> Option<Operation> {
                match number {
                    $($number => Some(Operation::$name),)+
                    _ => None,
                }
            }
        }
    };
}

// ANCHOR: operations
operations! {
    /// Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the endpoint's
    /// context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as results.
    Call = 0 on Some(Kind::Endpoint), Rights::CALL;
    takes ["message word 0", "message word 1", "message word 2", "message word 3"];
    gives ["answer word 0", "answer word 1", "answer word 2", "answer word 3"];
    fails {
        Busy: "the callee serves another call, and the flag NO_WAIT is set",
        WouldDeadlock: "the callee waits, directly or through others, for the caller",
        CalleeGone: "the callee was destroyed before it returned",
        CalleeFaulted: "the callee faulted before it returned",
        InvalidState: "the callee was never configured and started, or has stopped",
    }
    /// Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is ready for the
    /// next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's own start) it just becomes ready for calls.
    Return = 1 on None, Rights::empty();
    takes ["answer word 0", "answer word 1", "answer word 2", "answer word 3"];
    gives [];
    fails {
        InvalidCapability: "the capability pointer is not the reply slot",
    }
    /// Lets the other ready tasks run, each once, before the caller goes on.
    Yield = 2 on Some(Kind::Task), Rights::MANAGE;
    takes []; gives [];
    fails {
        InvalidState: "the capability names a task other than the caller",
    }
    /// Tells what a capability is; changes nothing.
    Identify = 16 on None, Rights::empty();
    takes []; gives ["kind", "rights"];
    fails {}
    /// Copies a capability into an empty slot of the table, with fewer rights or the same.
    Copy = 17 on Some(Kind::Table), Rights::MANAGE;
    takes ["destination slot", "source capability pointer", "rights to keep"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63, or the rights have unknown bits",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant right",
        WrongKind: "the source is a memory or reply capability: these are moved, never copied",
    }
    /// Copies an endpoint with a context word of one's own.
    Mint = 18 on Some(Kind::Table), Rights::MANAGE;
    takes ["destination slot", "source capability pointer", "rights to keep", "context word"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63, or the rights have unknown bits",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant or no manage right",
        WrongKind: "the source is not an endpoint",
    }
    /// Moves a capability into an empty slot of the table; the source slot is empty afterwards.
    Move = 19 on Some(Kind::Table), Rights::MANAGE;
    takes ["destination slot", "source capability pointer"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant right",
    }
    /// Empties a slot of the table. Where it held the last capability to an object, the object is destroyed and its page
    /// goes back to the memory it came from; a mapped frame is unmapped.
    Delete = 20 on Some(Kind::Table), Rights::MANAGE;
    takes ["slot"]; gives [];
    fails {
        InvalidArgument: "the slot is not 1 to 63",
        InvalidCapability: "the slot is empty",
        InvalidState: "the slot holds a memory capability",
    }
    /// Turns free pages into objects and puts their capabilities into consecutive slots of a table.
    Make = 21 on Some(Kind::Memory), Rights::MANAGE;
    takes ["kind: table, address space, frame or task", "count, 1 to 63", "destination table", "first destination slot"]; gives [];
    fails {
        InvalidArgument: "the kind cannot be made, the count is 0, or the slots are not within 1 to 63",
        InvalidCapability: "the destination table pointer names no capability",
        WrongKind: "the destination is not a table",
        MissingRight: "the destination table has no manage right",
        SlotOccupied: "one of the destination slots holds a capability",
        OutOfMemory: "fewer free pages than asked for",
    }
    /// Tells how many pages of a memory capability are free, and how many it has.
    Measure = 22 on Some(Kind::Memory), Rights::empty();
    takes []; gives ["free pages", "pages"];
    fails {}
    /// Maps a frame. Page tables that are missing on the way are made from the memory capability.
    Map = 23 on Some(Kind::AddressSpace), Rights::MANAGE;
    takes ["frame capability pointer", "address", "access: 0 read, 1 read and write, 2 read and execute", "memory capability pointer"];
    gives [];
    fails {
        InvalidCapability: "the frame or memory pointer names no capability",
        WrongKind: "not a frame, or not a memory capability",
        MissingRight: "the frame lacks a right that the access needs, or the memory has no manage right",
        InvalidArgument: "the access is unknown",
        InvalidAddress: "the address is not page-aligned or not in user space",
        AlreadyMapped: "this frame capability is mapped, or another frame is mapped at the address",
        OutOfMemory: "no page left for a page table",
    }
    /// Undoes the mapping of a frame capability.
    Unmap = 24 on Some(Kind::Frame), Rights::empty();
    takes []; gives [];
    fails {
        NotMapped: "the frame capability is not mapped",
    }
    /// Gives a task that was not started its capability table, address space and the stack at which each of its entries begins.
    Configure = 25 on Some(Kind::Task), Rights::MANAGE;
    takes ["table capability pointer", "address space capability pointer", "stack address"]; gives [];
    fails {
        InvalidCapability: "a pointer names no capability",
        WrongKind: "not a table, or not an address space",
        MissingRight: "the table or the space has no manage right",
        InvalidAddress: "the stack is not in user space, or not a multiple of 16",
        InvalidState: "the task was configured before",
    }
    /// Starts a configured task: it becomes ready to run at the entry, with the argument in `rdi`.
    Start = 26 on Some(Kind::Task), Rights::MANAGE;
    takes ["entry address", "argument"]; gives [];
    fails {
        InvalidAddress: "the entry is not in user space",
        InvalidState: "the task is not configured, or was started before",
    }
    /// Makes an endpoint of the task: an entry address and a context word.
    MakeEndpoint = 27 on Some(Kind::Task), Rights::MANAGE;
    takes ["entry address", "context word", "destination table", "destination slot"]; gives [];
    fails {
        InvalidAddress: "the entry is not in user space",
        InvalidCapability: "the destination table pointer names no capability",
        WrongKind: "the destination is not a table",
        MissingRight: "the destination table has no manage right",
        InvalidArgument: "the destination slot is not 1 to 63",
        SlotOccupied: "the destination slot holds a capability",
    }
    /// Writes bytes to the console.
    Write = 28 on Some(Kind::Console), Rights::WRITE;
    takes ["address of the bytes", "how many, at most 256"]; gives ["bytes written"];
    fails {
        InvalidArgument: "more than 256 bytes",
        InvalidAddress: "part of the range is not mapped for the caller",
    }
    /// Takes one byte that was typed at the console, if there is one.
    Read = 29 on Some(Kind::Console), Rights::READ;
    takes []; gives ["1 if there was a byte, else 0", "the byte"];
    fails {}
    /// Switches the machine off. The argument is the result of the run as an emulator's host sees it.
    PowerOff = 30 on Some(Kind::Power), Rights::MANAGE;
    takes ["0 for success, 1 for failure"]; gives [];
    fails {
        InvalidArgument: "the result is neither 0 nor 1",
    }
}
// ANCHOR_END: operations
