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
    /// The kinds that the capability in `rdi` may have; none where every kind will do.
    pub kinds: &'static [Kind],
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
        $name:ident = $number:literal on $kinds:expr, $rights:expr;
        takes $arguments:expr; gives $results:expr;
        fails { $($error:ident: $cause:literal,)* }
    )+) => {
        /// What a system call is asked to do; bits 0 to 7 of `rsi`. After operations up to
        /// [`LAST_SWITCHING`](Operation::LAST_SWITCHING) another task may go on.
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
            kinds: &$kinds,
            rights: $rights,
            arguments: &$arguments,
            results: &$results,
            errors: &[$((Error::$error, $cause),)*],
        },)+];

        impl Operation {
            /// The last number of the operations after which another task may go on.
            pub const LAST_SWITCHING: u8 = 15;

            /// The chapter with which it comes.
            #[must_use]
            pub fn chapter(self) -> u8 {
                match self {
                    Operation::Call | Operation::Return | Operation::MakeEndpoint => 6,
                    _ => 5,
                }
            }

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

operations! {
    /// Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the endpoint's
    /// context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as results.
    Call = 0 on [Kind::Endpoint], Rights::CALL;
    takes ["message word 0", "message word 1", "message word 2", "message word 3"];
    gives ["answer word 0", "answer word 1", "answer word 2", "answer word 3"];
    fails {
        Busy: "the callee serves another call, and the flag `NO_WAIT` is set",
        WouldDeadlock: "the callee waits, directly or through others, for the caller",
        CalleeGone: "the callee was destroyed before it returned",
        CalleeFaulted: "the callee faulted before it returned",
        InvalidState: "the callee was never configured and started, or has stopped",
    }
    /// Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is ready for the
    /// next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's own start) it just becomes ready for calls.
    Return = 1 on [], Rights::empty();
    takes ["answer word 0", "answer word 1", "answer word 2", "answer word 3"];
    gives [];
    fails {
        InvalidCapability: "the capability pointer is not the reply slot",
    }
    /// Lets the other ready tasks run, each once, before the caller goes on.
    Yield = 2 on [Kind::Task], Rights::MANAGE;
    takes []; gives [];
    fails {
        InvalidState: "the capability names a task other than the caller",
    }
    /// Empties a slot of the table. What was derived from the capability stays, in its place. Where the slot held the last capability to
    /// an object, the object is destroyed and its page goes back to the memory it came from; a frame that was mapped by the capability is
    /// unmapped. With a memory capability everything goes that was made from it, and its pages go back to the memory it was split off.
    Delete = 3 on [Kind::Table], Rights::MANAGE;
    takes ["slot"]; gives [];
    fails {
        InvalidArgument: "the slot is not 1 to 63",
        InvalidCapability: "the slot is empty",
        InvalidState: "the slot holds a memory capability that was not split off from another",
    }
    /// Takes back everything that was derived from the capability in a slot of the table, wherever it is: copies and mints, the
    /// endpoints of a task, the objects and splits of a memory capability, which then has all its pages again.
    Revoke = 4 on [Kind::Table], Rights::MANAGE;
    takes ["slot"]; gives [];
    fails {
        InvalidArgument: "the slot is not 1 to 63",
        InvalidCapability: "the slot is empty",
    }
    /// Tells what a capability is; changes nothing.
    Identify = 16 on [], Rights::empty();
    takes []; gives ["kind", "rights"];
    fails {}
    /// Copies a capability into an empty slot of the table, with fewer rights or the same.
    Copy = 17 on [Kind::Table], Rights::MANAGE;
    takes ["destination slot", "source capability pointer", "rights to keep"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63, or the rights have unknown bits",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant right",
        WrongKind: "the source is a memory or reply capability: these are moved, never copied",
    }
    /// Copies an endpoint with a context word of one's own.
    Mint = 18 on [Kind::Table], Rights::MANAGE;
    takes ["destination slot", "source capability pointer", "rights to keep", "context word"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63, or the rights have unknown bits",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant or no manage right",
        WrongKind: "the source is not an endpoint",
    }
    /// Moves a capability into an empty slot of the table; the source slot is empty afterwards. The capability keeps its place in the
    /// tree of derivation and, for a frame, its mapping.
    Move = 19 on [Kind::Table], Rights::MANAGE;
    takes ["destination slot", "source capability pointer"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant right",
        InvalidState: "a memory capability would come into a table that lies within its own pages",
    }
    /// Turns free pages into objects and puts their capabilities into consecutive slots of a table.
    Make = 20 on [Kind::Memory], Rights::MANAGE;
    takes ["kind: 2 table, 3 address space, 4 frame, 5 task, 10 large frame", "count, 1 to 63", "destination table", "first destination slot"]; gives [];
    fails {
        InvalidArgument: "the kind cannot be made, the count is 0, or the slots are not within 1 to 63",
        InvalidCapability: "the destination table pointer names no capability",
        WrongKind: "the destination is not a table",
        MissingRight: "the destination table has no manage right",
        SlotOccupied: "one of the destination slots holds a capability",
        OutOfMemory: "fewer free pages than asked for; for large frames, fewer aligned ones that were never handed out",
    }
    /// Splits pages that were never handed out off a memory capability: a memory capability to them is put into a slot of a table.
    Split = 21 on [Kind::Memory], Rights::MANAGE;
    takes ["how many pages", "destination table", "destination slot"]; gives [];
    fails {
        InvalidCapability: "the destination table pointer names no capability",
        WrongKind: "the destination is not a table",
        MissingRight: "the destination table has no manage right",
        InvalidArgument: "the count is 0 or not below 2^32, or the destination slot is not 1 to 63",
        SlotOccupied: "the destination slot holds a capability",
        InvalidState: "the memory was split off 32 times in a row",
        OutOfMemory: "fewer pages are left that were never handed out; the first page always stays",
    }
    /// Tells how many pages of a memory capability are free, and how many it has.
    Measure = 22 on [Kind::Memory], Rights::empty();
    takes []; gives ["free pages", "pages"];
    fails {}
    // ANCHOR: map
    /// Maps a frame, or a large frame. Page tables that are missing on the way come from the memory that the space was made from.
    Map = 23 on [Kind::AddressSpace], Rights::MANAGE;
    takes ["frame capability pointer", "address", "access: 0 read, 1 read and write, 2 read and execute"];
    gives [];
    fails {
        InvalidCapability: "the frame pointer names no capability",
        WrongKind: "the frame pointer names something else",
        MissingRight: "the frame lacks a right that the access needs",
        InvalidArgument: "the access is unknown",
        InvalidAddress: "the address is not a multiple of the frame's size, or not in user space",
        AlreadyMapped: "this frame capability is mapped, or another frame is mapped within the range",
        OutOfMemory: "the memory that the space was made from has too few pages for the page tables",
    }
    // ANCHOR_END: map
    /// Undoes the mapping of a frame capability. Page tables stay with the space, until a large frame takes the place of an empty one.
    Unmap = 24 on [Kind::Frame, Kind::LargeFrame], Rights::empty();
    takes []; gives [];
    fails {
        NotMapped: "the frame capability is not mapped",
    }
    /// Changes how the frame may be used where this capability has mapped it.
    Protect = 25 on [Kind::Frame, Kind::LargeFrame], Rights::empty();
    takes ["access: 0 read, 1 read and write, 2 read and execute"]; gives [];
    fails {
        InvalidArgument: "the access is unknown",
        MissingRight: "the frame lacks a right that the access needs",
        NotMapped: "the frame capability is not mapped",
    }
    /// Gives a task that was not started its capability table, address space and the stack at which each of its entries begins.
    Configure = 26 on [Kind::Task], Rights::MANAGE;
    takes ["table capability pointer", "address space capability pointer", "stack address"]; gives [];
    fails {
        InvalidCapability: "the pointer to the table or to the space names no capability",
        WrongKind: "the one is not a table, or the other not an address space",
        MissingRight: "the table or the space has no manage right",
        InvalidAddress: "the stack is not in user space, or not a multiple of 16",
        InvalidState: "the task was configured before, or has lost its table or space since",
    }
    /// Starts a configured task: it becomes ready to run at the entry, with the argument in `rdi`.
    Start = 27 on [Kind::Task], Rights::MANAGE;
    takes ["entry address", "argument"]; gives [];
    fails {
        InvalidAddress: "the entry is not in user space",
        InvalidState: "the task is not configured, was started before, or has lost its table or space",
    }
    /// Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant and manage that the
    /// task capability has, and is derived from it.
    MakeEndpoint = 28 on [Kind::Task], Rights::MANAGE;
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
    Write = 29 on [Kind::Console], Rights::WRITE;
    takes ["address of the bytes", "how many, at most 256"]; gives ["bytes written"];
    fails {
        InvalidArgument: "more than 256 bytes",
        InvalidAddress: "part of the range is not mapped for the caller",
    }
    /// Takes one byte that was typed at the console, if there is one.
    Read = 30 on [Kind::Console], Rights::READ;
    takes []; gives ["1 if there was a byte, else 0", "the byte"];
    fails {}
    /// Switches the machine off. The argument is the result of the run as an emulator's host sees it.
    PowerOff = 31 on [Kind::Power], Rights::MANAGE;
    takes ["0 for success, 1 for failure"]; gives [];
    fails {
        InvalidArgument: "the result is neither 0 nor 1",
    }
}
