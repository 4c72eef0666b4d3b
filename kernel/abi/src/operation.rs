//! Every operation: its number, the kind of capability it is invoked on, arguments, results and errors.

use crate::information::{argument_sort, result_sort};
use crate::{Argument, Error, FLAG_NO_WAIT, FLAGS_WINDOW, Kind, OperationInfo, OperationResult, Rights};

macro_rules! operations {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $number:literal on $kinds:expr, $rights:expr;
        $(flags $flags:expr;)?
        takes [$($sort:ident $(($($of:tt)+))? $meaning:literal),* $(,)?];
        gives [$($result_sort:ident $result:literal),*];
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
            flags: 0 $(| $flags)?,
            arguments: &[$(Argument { sort: argument_sort!($sort $($($of)+)?), meaning: $meaning },)*],
            results: &[$(OperationResult { sort: result_sort!($result_sort), meaning: $result },)*],
            errors: &[$((Error::$error, $cause),)*],
        },)+];

        impl Operation {
            /// The last number of the operations after which another task may go on.
            pub const LAST_SWITCHING: u8 = 15;

            /// The chapter with which it comes.
            #[must_use]
            pub fn chapter(self) -> u8 {
                match self {
                    Operation::Call
                    | Operation::Return
                    | Operation::Reply
                    | Operation::MakeEndpoint
                    | Operation::SetFaultHandler
                    | Operation::Bind
                    | Operation::ReadPort
                    | Operation::WritePort => 6,
                    Operation::Stop
                    | Operation::Resume
                    | Operation::SetPriority
                    | Operation::Signal
                    | Operation::Wait
                    | Operation::Poll
                    | Operation::Sleep => 7,
                    Operation::SetSoftuser => 10,
                    Operation::Describe
                    | Operation::ReadClock
                    | Operation::Inspect
                    | Operation::SetTrace
                    | Operation::ReadTrace => 11,
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

            /// The flags that it takes.
            #[must_use]
            pub fn flags(self) -> u64 {
                match self {
                    $(Operation::$name => 0 $(| $flags)?,)+
                }
            }

            /// The operation in a word with flags, as `rsi` has it: if there is one with this number, and it takes these flags.
            #[must_use]
            #[inline]
            pub fn from_word(word: u64) -> Option<Operation> {
                const NUMBER: u64 = 0xff;
                let takes_flags = |operation: &Operation| word & !(operation.flags() | NUMBER) == 0;
                // Without flags the word is the number, and so it is most of the time.
                Operation::from_number(word).or_else(|| Operation::from_number(word & NUMBER).filter(takes_flags))
            }
        }
    };
}

operations! {
    /// Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the endpoint's
    /// context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as results. The flags `WINDOW` name slots
    /// 60 to 63 of the caller's table whose capabilities move to the same slots of the callee's table; `rsi` tells either side what has come.
    Call = 0 on [Kind::Endpoint], Rights::CALL;
    flags FLAG_NO_WAIT | FLAGS_WINDOW;
    takes [word "message word 0", word "message word 1", word "message word 2", word "message word 3"];
    gives [any "answer word 0", any "answer word 1", any "answer word 2", any "answer word 3"];
    fails {
        Busy: "the callee serves another call, and the flag `NO_WAIT` is set or the chain of tasks that it waits for is longer than 1000",
        WouldDeadlock: "the callee waits, directly or through others, for the caller; or it is the caller itself, but for native code that enters RISC-V code, without flags",
        CalleeGone: "the callee, or the capability to return to the caller, was destroyed before it returned",
        CalleeFaulted: "the callee faulted before it returned, and nobody mended it",
        CalleeStopped: "the callee was stopped before it returned",
        Interrupted: "the caller was stopped while it waited",
        InvalidState: "the callee was never configured and started, or has stopped; or memory would come into a table within its own pages",
        MissingRight: "a slot of the window is named and the endpoint has no transfer right, or a capability in the window no grant right",
        InvalidCapability: "a slot of the window that is named is empty",
        SlotOccupied: "the slot of the callee's window is not empty",
    }
    /// Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is ready for the
    /// next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's own start, of the handling of an
    /// interrupt, or where the reply capability was moved away) it just becomes ready for calls. The flags `WINDOW` move capabilities as in a call.
    Return = 1 on [], Rights::empty();
    flags FLAGS_WINDOW;
    takes [word "answer word 0", word "answer word 1", word "answer word 2", word "answer word 3"];
    gives [];
    fails {
        InvalidCapability: "the capability pointer is not the reply slot, or a slot of the window that is named is empty",
        InvalidArgument: "the caller has faulted, and word 0 is no answer to a fault",
        MissingRight: "a capability in the window has no grant right",
        SlotOccupied: "the slot of the caller's window is not empty",
        InvalidState: "a slot of the window is named, and there is no caller or RISC-V code returns to the native code of its own task; or memory would come into a table within its own pages",
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
    takes [slot "slot, 1 to 63"]; gives [];
    fails {
        InvalidArgument: "the slot is not 1 to 63",
        InvalidCapability: "the slot is empty",
        InvalidState: "the slot holds a memory capability that was not split off from another",
    }
    /// Takes back everything that was derived from the capability in a slot of the table, wherever it is: copies and mints, the
    /// endpoints of a task, the objects and splits of a memory capability, which then has all its pages again.
    Revoke = 4 on [Kind::Table], Rights::MANAGE;
    takes [slot "slot, 1 to 63"]; gives [];
    fails {
        InvalidArgument: "the slot is not 1 to 63",
        InvalidCapability: "the slot is empty",
    }
    /// Returns to the caller of a reply capability that was moved into a table, with an answer of four words. The capability is used up; the
    /// invoker goes on, unless the caller is more urgent.
    Reply = 5 on [Kind::Reply], Rights::empty();
    flags FLAGS_WINDOW;
    takes [word "answer word 0", word "answer word 1", word "answer word 2", word "answer word 3"];
    gives [];
    fails {
        InvalidArgument: "the caller has faulted, and word 0 is no answer to a fault",
        InvalidCapability: "a slot of the window that is named is empty, or holds the reply capability itself",
        MissingRight: "a capability in the window has no grant right",
        SlotOccupied: "the slot of the caller's window is not empty",
        InvalidState: "memory would come into a table within its own pages",
    }
    /// Stops a task. Its caller and those who wait for it get `CalleeStopped`; what it waits for itself is given up, and it gets
    /// `Interrupted` when it is resumed. Its registers can be read and written.
    Stop = 6 on [Kind::Task], Rights::MANAGE;
    takes []; gives [];
    fails {
        InvalidState: "the task is stopped, or was never started",
    }
    /// Starts a configured task that is stopped: it becomes ready to run at the entry, with the argument in `rdi`, on its stack. An entry with
    /// bit 63 is one of RISC-V code.
    Start = 7 on [Kind::Task], Rights::MANAGE;
    takes [address "entry address", any "argument"]; gives [];
    fails {
        InvalidAddress: "the entry is not in user space; or it is one of RISC-V code, and odd or not below 4 GiB less a page",
        InvalidState: "the task is not configured, is not stopped, or has lost its table or space; or the entry is one of RISC-V code, and it has no softuser state",
    }
    /// Lets a task that is stopped go on with the registers that it has.
    Resume = 8 on [Kind::Task], Rights::MANAGE;
    takes []; gives [];
    fails {
        InvalidAddress: "the task's `rip` is not in user space",
        InvalidState: "the task is not configured, is not stopped, or has lost its table or space",
    }
    /// Sets the priority of a task, at which it runs when it serves nobody. It serves its present caller at the priority it has.
    SetPriority = 9 on [Kind::Task], Rights::MANAGE;
    takes [priority "priority, 0 to 63; 63 is the most urgent"]; gives [];
    fails {
        InvalidArgument: "the priority is above 63",
        MissingRight: "the priority is above the invoker's own",
    }
    /// Sets bits of a notification. If a task waits for it, the first one takes them all and goes on.
    Signal = 10 on [Kind::Notification], Rights::WRITE;
    takes [any "bits to set"]; gives [];
    fails {
        InvalidArgument: "no bit is given",
    }
    /// Takes all bits of a notification; waits until there is one.
    Wait = 11 on [Kind::Notification], Rights::READ;
    takes [time "timeout in nanoseconds; 2^64 - 1 for none"]; gives [any "the bits"];
    fails {
        TimedOut: "no bit was set in time",
        CalleeGone: "the notification was destroyed",
        Interrupted: "the task was stopped while it waited",
    }
    /// Lets the caller rest, for the given time or up to one tick of the timer (1 ms) longer.
    Sleep = 12 on [Kind::Task], Rights::MANAGE;
    takes [time "time in nanoseconds"]; gives [];
    fails {
        InvalidState: "the capability names a task other than the caller",
        Interrupted: "the task was stopped while it slept",
    }
    /// Sets whom the kernel calls when the task faults: an endpoint, of which the task keeps a copy. Without one the task is stopped.
    SetFaultHandler = 13 on [Kind::Task], Rights::MANAGE;
    takes [
        optional(Endpoint) "endpoint capability pointer; 0 for none",
        missing_capability "missing capability: whether a system call that names none returns an error, 0, or is a fault, too, 1",
    ]; gives [];
    fails {
        InvalidCapability: "the endpoint pointer names no capability",
        WrongKind: "the endpoint pointer names something else",
        MissingRight: "the endpoint has no call right",
        InvalidArgument: "the second argument is neither 0 nor 1, or is 1 without an endpoint",
    }
    /// Gives a task that is stopped a page for its floating-point state, or takes it away. Without one a floating-point instruction is a fault.
    /// A page serves one task.
    SetFloatingPoint = 14 on [Kind::Task], Rights::MANAGE;
    takes [optional(FloatingPoint) "floating-point capability pointer; 0 for none"]; gives [];
    fails {
        InvalidCapability: "the pointer names no capability",
        WrongKind: "the pointer names something else",
        MissingRight: "the page has no manage right",
        InvalidState: "the task is not stopped, or the page serves another task",
    }
    /// Binds an endpoint to an interrupt line: its task is called at each interrupt with the number of the line in message word 0. Until
    /// it returns the line is masked.
    Bind = 15 on [Kind::Interrupts], Rights::MANAGE;
    takes [number(0..=15) "line, 0 to 15", optional(Endpoint) "endpoint capability pointer; 0 for none"]; gives [];
    fails {
        InvalidArgument: "the line is not one of the capability's",
        InvalidCapability: "the endpoint pointer names no capability",
        WrongKind: "the endpoint pointer names something else",
        MissingRight: "the endpoint has no call right",
        AlreadyBound: "the line is bound to an endpoint",
    }
    /// Tells what a capability is; changes nothing.
    Identify = 16 on [], Rights::empty();
    takes []; gives [kind "kind", rights "rights"];
    fails {}
    /// Copies a capability into an empty slot of the table, with fewer rights or the same.
    Copy = 17 on [Kind::Table], Rights::MANAGE;
    takes [slot "destination slot, 1 to 63", pointer "source capability pointer", rights "rights to keep"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63, or the rights have unknown bits",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant right",
        WrongKind: "the source is a memory or reply capability: these are moved, never copied",
    }
    /// Copies an endpoint with a context word of one's own; or interrupt lines, ports or device memory, of which the copy has some.
    Mint = 18 on [Kind::Table], Rights::MANAGE;
    takes [
        slot "destination slot, 1 to 63",
        pointer(Endpoint | Interrupts | Ports | DeviceMemory) "source capability pointer",
        rights "rights to keep",
        any "context word; for lines the bits of those to keep; for ports the first (bits 0 to 15) and the last (bits 16 to 31); for device memory the first page within the source's (bits 0 to 31) and the page count (bits 32 to 63)",
    ]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63, the rights have unknown bits, or the source does not have all of the lines, ports or pages; or some of the pages are memory for programs or the kernel's own",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant or no manage right",
        WrongKind: "the source is neither an endpoint, nor interrupt lines, ports or device memory",
    }
    /// Moves a capability into an empty slot of the table; the source slot is empty afterwards. The capability keeps its place in the
    /// tree of derivation and, for a frame, its mapping.
    Move = 19 on [Kind::Table], Rights::MANAGE;
    takes [slot "destination slot, 1 to 63", pointer "source capability pointer"]; gives [];
    fails {
        InvalidArgument: "the destination slot is not 1 to 63",
        SlotOccupied: "the destination slot holds a capability",
        InvalidCapability: "the source pointer names no capability",
        MissingRight: "the source has no grant right",
        InvalidState: "a memory capability would come into a table that lies within its own pages",
    }
    /// Turns free pages into objects and puts their capabilities into consecutive slots of a table.
    Make = 20 on [Kind::Memory], Rights::MANAGE;
    takes [
        kind "kind: 2 table, 3 address space, 4 frame, 5 task, 10 large frame, 11 notification, 12 floating-point state, 15 softuser state",
        number(1..=63) "count, 1 to 63",
        pointer(Table) "destination table",
        slot "first destination slot, 1 to 63",
    ]; gives [];
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
    takes [
        number(1..=0xffff_ffff) "page count",
        pointer(Table) "destination table",
        slot "destination slot, 1 to 63",
    ]; gives [];
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
    takes []; gives [any "free pages", any "pages"];
    fails {}
    // ANCHOR: map
    /// Maps a frame, a large frame, or all of a range of device memory. Page tables that are missing on the way come from the memory that the
    /// space was made from. Device memory is never executable; it takes large pages where both its address and the given one allow that.
    Map = 23 on [Kind::AddressSpace], Rights::MANAGE;
    takes [
        pointer(Frame | LargeFrame | DeviceMemory) "frame capability pointer",
        address "address",
        access "access: 0 read, 1 read and write, 2 read and execute",
    ];
    gives [];
    fails {
        InvalidCapability: "the frame pointer names no capability",
        WrongKind: "the frame pointer names something else",
        MissingRight: "the frame lacks a right that the access needs",
        InvalidArgument: "the access is unknown; or the device memory is more than 1 GiB, or has pages that are memory for programs or the kernel's own, or would be executable",
        InvalidAddress: "the address is not a multiple of the frame's size, or not in user space; or the frame would cover the last page below 4 GiB, which stays empty",
        AlreadyMapped: "this frame capability is mapped, or another frame is mapped within the range",
        OutOfMemory: "the memory that the space was made from has too few pages for the page tables",
    }
    // ANCHOR_END: map
    /// Undoes the mapping of a frame capability. Page tables stay with the space, until a large frame takes the place of an empty one.
    Unmap = 24 on [Kind::Frame, Kind::LargeFrame, Kind::DeviceMemory], Rights::empty();
    takes []; gives [];
    fails {
        NotMapped: "the frame capability is not mapped",
    }
    /// Changes how the frame may be used where this capability has mapped it.
    Protect = 25 on [Kind::Frame, Kind::LargeFrame, Kind::DeviceMemory], Rights::empty();
    takes [access "access: 0 read, 1 read and write, 2 read and execute"]; gives [];
    fails {
        InvalidArgument: "the access is unknown, or device memory would be executable",
        MissingRight: "the frame lacks a right that the access needs",
        NotMapped: "the frame capability is not mapped",
    }
    /// Gives a task that was not started its capability table, address space and the stack at which each of its entries begins.
    Configure = 26 on [Kind::Task], Rights::MANAGE;
    takes [
        pointer(Table) "table capability pointer",
        pointer(AddressSpace) "address space capability pointer",
        address "stack address",
    ]; gives [];
    fails {
        InvalidCapability: "the pointer to the table or to the space names no capability",
        WrongKind: "the one is not a table, or the other not an address space",
        MissingRight: "the table or the space has no manage right",
        InvalidAddress: "the stack is not in user space, or not a multiple of 16",
        InvalidState: "the task was configured before, or has lost its table or space since",
    }
    /// Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant, manage and transfer that the
    /// task capability has, and is derived from it. An entry with bit 63 is one of RISC-V code: that makes an endpoint of its own kind, which is used as
    /// others are.
    MakeEndpoint = 27 on [Kind::Task], Rights::MANAGE;
    takes [
        address "entry address",
        any "context word",
        pointer(Table) "destination table",
        slot "destination slot, 1 to 63",
    ]; gives [];
    fails {
        InvalidAddress: "the entry is not in user space; or it is one of RISC-V code, and odd or not below 4 GiB less a page",
        InvalidCapability: "the destination table pointer names no capability",
        WrongKind: "the destination is not a table",
        MissingRight: "the destination table has no manage right",
        InvalidArgument: "the destination slot is not 1 to 63",
        SlotOccupied: "the destination slot holds a capability",
    }
    /// Writes bytes to the console.
    Write = 28 on [Kind::Console], Rights::WRITE;
    takes [address "address of the bytes", number(0..=256) "length in bytes, at most 256"]; gives [any "bytes written"];
    fails {
        InvalidArgument: "more than 256 bytes",
        InvalidAddress: "part of the range is not mapped for the caller",
    }
    /// Takes one byte that was typed at the console, if there is one.
    Read = 29 on [Kind::Console], Rights::READ;
    takes []; gives [any "count: 1 if there was a byte, else 0", any "the byte"];
    fails {}
    /// Switches the machine off. The argument is the result of the run as an emulator's host sees it.
    PowerOff = 30 on [Kind::Power], Rights::MANAGE;
    takes [number(0..=1) "result: 0 for success, 1 for failure"]; gives [];
    fails {
        InvalidArgument: "the result is neither 0 nor 1",
    }
    /// Reads four registers of a task that is stopped, or waits for its fault handler.
    ReadRegisters = 31 on [Kind::Task], Rights::MANAGE;
    takes [
        number(0..=63) "first register: 0 rax, 1 rbx, 2 rcx, 3 rdx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to r15, 16 rip, 17 rflags; of a task with softuser state also 32 to 63 x0 to x31",
    ];
    gives [any "the first", any "the second", any "the third", any "the fourth; registers that are not there read 0"];
    fails {
        InvalidArgument: "the task has no register with the number of the first",
        InvalidState: "the task is neither stopped nor waits for its fault handler",
    }
    /// Writes a register of a task that is stopped, or waits for its fault handler. Of `rflags` only the flags count that user mode may
    /// change: carry, parity, adjust, zero, sign, trap, direction, overflow, alignment check and identification.
    /// While a task runs RISC-V code its `rip` is the address of that.
    WriteRegister = 32 on [Kind::Task], Rights::MANAGE;
    takes [number(0..=63) "register number, see `ReadRegisters`", any "value"]; gives [];
    fails {
        InvalidArgument: "the task has no register with this number, or the value has more than 32 bits and the register is one of RISC-V",
        InvalidAddress: "the register is rip, and the value is not in user space, or the task runs RISC-V code and it is odd or not below 4 GiB less a page",
        InvalidState: "the task is neither stopped nor waits for its fault handler",
    }
    /// Takes all bits of a notification, without waiting.
    Poll = 33 on [Kind::Notification], Rights::READ;
    takes []; gives [any "the bits; 0 for none"];
    fails {}
    /// Reads from an I/O port.
    ReadPort = 34 on [Kind::Ports], Rights::READ;
    takes [port "port", number(1..=4) "width in bytes: 1, 2 or 4"]; gives [any "value"];
    fails {
        InvalidArgument: "the width is unknown, or part of the access is outside of the capability's ports",
    }
    /// Writes to an I/O port.
    WritePort = 35 on [Kind::Ports], Rights::WRITE;
    takes [port "port", number(1..=4) "width in bytes: 1, 2 or 4", any "value"]; gives [];
    fails {
        InvalidArgument: "the width is unknown, the value does not fit, or part of the access is outside of the capability's ports",
    }
    /// Gives a task pages for its RISC-V registers and translated code, and the stack at which its RISC-V entries begin. The
    /// pages are those of capabilities in a row, and must lie in a row: such are made from memory of which nothing was handed out
    /// before. When one of them goes, or the task's address space, the task has none any more, and RISC-V code of it faults.
    SetSoftuser = 36 on [Kind::Task], Rights::MANAGE;
    takes [
        pointer(Softuser) "capability pointer of the first page",
        number(2..=32) "count, 2 to 32",
        address "stack address",
    ]; gives [];
    fails {
        InvalidArgument: "the count is not 2 to 32, or the pages do not lie in a row",
        InvalidCapability: "one of the pointers names no capability",
        WrongKind: "one of the pointers names something else",
        MissingRight: "one of the pages has no manage right",
        InvalidAddress: "the stack is not in user space, above 4 GiB less a page, or not a multiple of 16",
        InvalidState: "the task is not configured, it runs RISC-V code, it has or had pages and some of them are still there, or one of these serves a task",
    }
    // ANCHOR: describe
    /// Tells what device memory is. Of the screen's: its size, and how pixels lie in it. Of the other: where the firmware's tables begin.
    Describe = 37 on [Kind::DeviceMemory], Rights::empty();
    takes [];
    gives [
        any "of the screen: size in bytes; else the physical address of the ACPI RSDP, 0 for none",
        any "width (bits 0 to 31) and height (bits 32 to 63) in pixels",
        any "pixels from line to line (bits 0 to 31) and bytes a pixel (bits 32 to 63)",
        any "order of a pixel's bytes: 0 red green blue, 1 blue green red, 2 one byte of gray, 3 other: the first bits of red (bits 8 to 15), green (16 to 23) and blue (24 to 31)"
    ];
    fails {}
    // ANCHOR_END: describe
    /// Reads the clock: a time that never goes back and stands still for nobody.
    ReadClock = 38 on [Kind::Task], Rights::MANAGE;
    takes [];
    gives [
        any "nanoseconds: since the kernel began to count",
        any "frequency: how far the time stamp counter counts in a second; 0 where that is not known",
        any "ticks: of the timer, since then"
    ];
    fails {
        InvalidState: "the capability names a task other than the caller",
    }
    /// Tells what a task is doing.
    Inspect = 39 on [Kind::Task], Rights::MANAGE;
    takes [];
    gives [
        any "0 stopped, 1 ready, 2 running, 3 ready for calls, 4 in a call, 5 waiting for its turn with a callee, 6 waiting for its fault handler, 7 waiting for a notification, 8 resting",
        any "its own priority (bits 0 to 7), and the one at which it runs (bits 8 to 15)",
        any "a number for the task, different from those of all other objects",
        any "such a number for the task or notification that it waits for; 0 for none"
    ];
    fails {}
    /// Begins to trace, into a frame: from now on each event is written there, the latest in place of the oldest. Or ends it: then the events
    /// can be read still. While it traces the kernel takes no fast path. The frame is the kernel's, too, until it is revoked.
    SetTrace = 40 on [Kind::Trace], Rights::MANAGE;
    takes [optional(Frame | LargeFrame) "frame capability pointer; 0 to end"]; gives [];
    fails {
        InvalidCapability: "the frame pointer names no capability",
        WrongKind: "the frame pointer names something else",
        MissingRight: "the frame has no read or no write right",
        AlreadyBound: "the kernel has another frame for its trace, and that is there still",
    }
    /// Takes the oldest event that nobody has read. An event says how many were lost before it.
    ReadTrace = 41 on [Kind::Trace], Rights::READ;
    takes [];
    gives [
        any "time stamp",
        any "kind of event (bits 0 to 7), 0 where there is none; detail (bits 8 to 31); number of the task (bits 32 to 63)",
        any "first word",
        any "second word"
    ];
    fails {}
}
