//! The system calls: one function for each operation.
//!
//! Made from the list in kernel/abi/src/operation.rs, by `./x book`. Changes made here are lost. What the list does not
//! say is in object.rs.

use flatmk_abi::{Access, Error, Kind, MissingCapability, Operation, Rights, Words, slots};

use crate::object::{
    AddressSpace, Console, Done, Endpoint, FloatingPoint, Frame, Interrupts, Memory, Notification, Ports, Power, Reply,
    Softuser, Table, Task, Trace,
};
use crate::syscall::{invoke, invoke_with_flags};

/// Returns to the caller in the reply slot, which is then empty, with an answer of four words. The task is ready for
/// the next call; it starts afresh at an endpoint's entry. Without a caller (at the end of a task's own start, of the
/// handling of an interrupt, or where the reply capability was moved away) it just becomes ready for calls. The flags
/// `WINDOW` move capabilities as in a call.
///
/// On the reply slot, pointer 0; from chapter 6 on.
///
/// - `flags`: [`FLAGS_WINDOW`](flatmk_abi::FLAGS_WINDOW), or 0
/// - `answer`: four words
///
/// # Errors
///
/// - [`Error::InvalidCapability`]: the capability pointer is not the reply slot, or a slot of the window that is named
///   is empty
/// - [`Error::MissingRight`]: a capability in the window has no grant right
/// - [`Error::InvalidArgument`]: the caller has faulted, and word 0 is no answer to a fault
/// - [`Error::SlotOccupied`]: the slot of the caller's window is not empty
/// - [`Error::InvalidState`]: a slot of the window is named, and there is no caller or RISC-V code returns to the
///   native code of its own task; or memory would come into a table within its own pages
pub fn return_with_flags(flags: u64, answer: Words) -> Done {
    invoke_with_flags(slots::REPLY, Operation::Return, flags, answer)?;
    Ok(())
}

/// Tells what a capability is; changes nothing.
///
/// On a capability of any kind; from chapter 5 on.
///
/// Returns: kind; rights.
///
/// # Errors
///
/// - [`Error::InvalidCapability`]: `capability` names no capability
#[inline(always)]
pub fn identify(capability: u64) -> Result<(Kind, Rights), Error> {
    let [kind, rights, ..] = invoke(capability, Operation::Identify, [0; 4])?;
    let kind = Kind::from_number(kind).ok_or(Error::WrongKind)?;
    let rights = u8::try_from(rights).map_or(Rights::empty(), Rights::from_bits_truncate);
    Ok((kind, rights))
}

impl AddressSpace {
    // ANCHOR: map
    /// Maps a frame, a large frame, or all of a range of device memory. Page tables that are missing on the way come
    /// from the memory that the space was made from. Device memory is never executable; it takes large pages where both
    /// its address and the given one allow that.
    ///
    /// On a capability of kind `AddressSpace` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `access`: 0 read, 1 read and write, 2 read and execute
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the frame pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `AddressSpace`; the frame pointer names something else
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the frame lacks a right that the access needs
    /// - [`Error::InvalidArgument`]: the access is unknown; or the device memory is more than 1 GiB, or has pages that
    ///   are memory for programs or the kernel's own, or would be executable
    /// - [`Error::OutOfMemory`]: the memory that the space was made from has too few pages for the page tables
    /// - [`Error::AlreadyMapped`]: this frame capability is mapped, or another frame is mapped within the range
    /// - [`Error::InvalidAddress`]: the address is not a multiple of the frame's size, or not in user space; or the
    ///   frame would cover the last page below 4 GiB, which stays empty
    pub fn map(self, frame: Frame, address: u64, access: Access) -> Done {
        invoke(self.0, Operation::Map, [frame.0, address, access as u64, 0])?;
        Ok(())
    }
    // ANCHOR_END: map
}

impl Console {
    /// Writes bytes to the console.
    ///
    /// On a capability of kind `Console` with the right `WRITE`; from chapter 5 on.
    ///
    /// - `length_bytes`: at most 256
    ///
    /// Returns: bytes written.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Console`
    /// - [`Error::MissingRight`]: `self` lacks the right `WRITE`
    /// - [`Error::InvalidArgument`]: more than 256 bytes
    /// - [`Error::InvalidAddress`]: part of the range is not mapped for the caller
    pub fn write(self, address_of_the_bytes: u64, length_bytes: u64) -> Result<u64, Error> {
        let [bytes_written, ..] = invoke(self.0, Operation::Write, [address_of_the_bytes, length_bytes, 0, 0])?;
        Ok(bytes_written)
    }

    /// Takes one byte that was typed at the console, if there is one.
    ///
    /// On a capability of kind `Console` with the right `READ`; from chapter 5 on.
    ///
    /// Returns: count: 1 if there was a byte, else 0; the byte.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Console`
    /// - [`Error::MissingRight`]: `self` lacks the right `READ`
    pub fn read_raw(self) -> Result<(u64, u64), Error> {
        let [count, byte, ..] = invoke(self.0, Operation::Read, [0; 4])?;
        Ok((count, byte))
    }
}

impl Endpoint {
    /// Calls the endpoint: suspends the caller and continues in the callee at the endpoint's entry, with the endpoint's
    /// context in `rdi` and the message in `rdx r10 r8 r9`. The answer of the callee comes back as results. The flags
    /// `WINDOW` name slots 60 to 63 of the caller's table whose capabilities move to the same slots of the callee's
    /// table; `rsi` tells either side what has come.
    ///
    /// On a capability of kind `Endpoint` with the right `CALL`; from chapter 6 on.
    ///
    /// - `flags`: [`FLAG_NO_WAIT`](flatmk_abi::FLAG_NO_WAIT), [`FLAGS_WINDOW`](flatmk_abi::FLAGS_WINDOW), or 0
    /// - `message`: four words
    ///
    /// Returns: the words of the answer, and which slots of the window have come along, one bit each.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; a slot of the window that is named is empty
    /// - [`Error::WrongKind`]: `self` is of another kind than `Endpoint`
    /// - [`Error::MissingRight`]: `self` lacks the right `CALL`; a slot of the window is named and the endpoint has no
    ///   transfer right, or a capability in the window no grant right
    /// - [`Error::SlotOccupied`]: the slot of the callee's window is not empty
    /// - [`Error::Busy`]: the callee serves another call, and the flag `NO_WAIT` is set or the chain of tasks that it
    ///   waits for is longer than 1000
    /// - [`Error::WouldDeadlock`]: the callee waits, directly or through others, for the caller; or it is the caller
    ///   itself, but for native code that enters RISC-V code, without flags
    /// - [`Error::CalleeGone`]: the callee, or the capability to return to the caller, was destroyed before it returned
    /// - [`Error::CalleeFaulted`]: the callee faulted before it returned, and nobody mended it
    /// - [`Error::InvalidState`]: the callee was never configured and started, or has stopped; or memory would come
    ///   into a table within its own pages
    /// - [`Error::CalleeStopped`]: the callee was stopped before it returned
    /// - [`Error::Interrupted`]: the caller was stopped while it waited
    #[inline(always)]
    pub fn call_with_flags(self, flags: u64, message: Words) -> Result<(Words, u64), Error> {
        invoke_with_flags(self.0, Operation::Call, flags, message)
    }
}

impl Frame {
    /// Undoes the mapping of a frame capability. Page tables stay with the space, until a large frame takes the place
    /// of an empty one.
    ///
    /// On a capability of kind `Frame` or `LargeFrame` or `DeviceMemory`; from chapter 5 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Frame` or `LargeFrame` or `DeviceMemory`
    /// - [`Error::NotMapped`]: the frame capability is not mapped
    pub fn unmap(self) -> Done {
        invoke(self.0, Operation::Unmap, [0; 4])?;
        Ok(())
    }

    /// Changes how the frame may be used where this capability has mapped it.
    ///
    /// On a capability of kind `Frame` or `LargeFrame` or `DeviceMemory`; from chapter 5 on.
    ///
    /// - `access`: 0 read, 1 read and write, 2 read and execute
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Frame` or `LargeFrame` or `DeviceMemory`
    /// - [`Error::MissingRight`]: the frame lacks a right that the access needs
    /// - [`Error::InvalidArgument`]: the access is unknown, or device memory would be executable
    /// - [`Error::NotMapped`]: the frame capability is not mapped
    pub fn protect(self, access: Access) -> Done {
        invoke(self.0, Operation::Protect, [access as u64, 0, 0, 0])?;
        Ok(())
    }

    /// Tells what device memory is. Of the screen's: its size, and how pixels lie in it. Of the other: where the
    /// firmware's tables begin.
    ///
    /// On a capability of kind `DeviceMemory`; from chapter 11 on.
    ///
    /// Returns: of the screen: size in bytes; else the physical address of the ACPI RSDP, 0 for none; width (bits 0 to
    /// 31) and height (bits 32 to 63) in pixels; pixels from line to line (bits 0 to 31) and bytes a pixel (bits 32 to
    /// 63); order of a pixel's bytes: 0 red green blue, 1 blue green red, 2 one byte of gray, 3 other: the first bits
    /// of red (bits 8 to 15), green (16 to 23) and blue (24 to 31).
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `DeviceMemory`
    pub fn describe(self) -> Result<Words, Error> {
        invoke(self.0, Operation::Describe, [0; 4])
    }
}

impl Interrupts {
    /// Binds an endpoint to an interrupt line: its task is called at each interrupt with the number of the line in
    /// message word 0. Until it returns the line is masked.
    ///
    /// On a capability of kind `Interrupts` with the right `MANAGE`; from chapter 6 on.
    ///
    /// - `line`: 0 to 15
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the endpoint pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Interrupts`; the endpoint pointer names something else
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the endpoint has no call right
    /// - [`Error::InvalidArgument`]: the line is not one of the capability's
    /// - [`Error::AlreadyBound`]: the line is bound to an endpoint
    pub fn bind(self, line: u64, endpoint: Option<Endpoint>) -> Done {
        let endpoint = endpoint.map_or(0, |Endpoint(pointer)| pointer);
        invoke(self.0, Operation::Bind, [line, endpoint, 0, 0])?;
        Ok(())
    }
}

impl Memory {
    /// Turns free pages into objects and puts their capabilities into consecutive slots of a table.
    ///
    /// On a capability of kind `Memory` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `kind`: 2 table, 3 address space, 4 frame, 5 task, 10 large frame, 11 notification, 12 floating-point state,
    ///   15 softuser state
    /// - `count`: 1 to 63
    /// - `first_destination_slot`: 1 to 63
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the destination table pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Memory`; the destination is not a table
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the destination table has no manage right
    /// - [`Error::InvalidArgument`]: the kind cannot be made, the count is 0, or the slots are not within 1 to 63
    /// - [`Error::OutOfMemory`]: fewer free pages than asked for; for large frames, fewer aligned ones that were never
    ///   handed out
    /// - [`Error::SlotOccupied`]: one of the destination slots holds a capability
    pub fn make(self, kind: Kind, count: u64, destination_table: Table, first_destination_slot: u64) -> Done {
        invoke(self.0, Operation::Make, [kind as u64, count, destination_table.0, first_destination_slot])?;
        Ok(())
    }

    /// Splits pages that were never handed out off a memory capability: a memory capability to them is put into a slot
    /// of a table.
    ///
    /// On a capability of kind `Memory` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `destination_slot`: 1 to 63
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the destination table pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Memory`; the destination is not a table
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the destination table has no manage right
    /// - [`Error::InvalidArgument`]: the count is 0 or not below 2^32, or the destination slot is not 1 to 63
    /// - [`Error::OutOfMemory`]: fewer pages are left that were never handed out; the first page always stays
    /// - [`Error::SlotOccupied`]: the destination slot holds a capability
    /// - [`Error::InvalidState`]: the memory was split off 32 times in a row
    pub fn split(self, page_count: u64, destination_table: Table, destination_slot: u64) -> Done {
        invoke(self.0, Operation::Split, [page_count, destination_table.0, destination_slot, 0])?;
        Ok(())
    }

    /// Tells how many pages of a memory capability are free, and how many it has.
    ///
    /// On a capability of kind `Memory`; from chapter 5 on.
    ///
    /// Returns: free pages; pages.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Memory`
    pub fn measure(self) -> Result<(u64, u64), Error> {
        let [free_pages, pages, ..] = invoke(self.0, Operation::Measure, [0; 4])?;
        Ok((free_pages, pages))
    }
}

impl Notification {
    /// Sets bits of a notification. If a task waits for it, the first one takes them all and goes on.
    ///
    /// On a capability of kind `Notification` with the right `WRITE`; from chapter 7 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Notification`
    /// - [`Error::MissingRight`]: `self` lacks the right `WRITE`
    /// - [`Error::InvalidArgument`]: no bit is given
    #[inline(always)]
    pub fn signal(self, bits_to_set: u64) -> Done {
        invoke(self.0, Operation::Signal, [bits_to_set, 0, 0, 0])?;
        Ok(())
    }

    /// Takes all bits of a notification; waits until there is one.
    ///
    /// On a capability of kind `Notification` with the right `READ`; from chapter 7 on.
    ///
    /// - `timeout_ns`: 2^64 - 1 for none
    ///
    /// Returns: the bits.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Notification`
    /// - [`Error::MissingRight`]: `self` lacks the right `READ`
    /// - [`Error::CalleeGone`]: the notification was destroyed
    /// - [`Error::Interrupted`]: the task was stopped while it waited
    /// - [`Error::TimedOut`]: no bit was set in time
    #[inline(always)]
    pub fn wait_for(self, timeout_ns: u64) -> Result<u64, Error> {
        let [bits, ..] = invoke(self.0, Operation::Wait, [timeout_ns, 0, 0, 0])?;
        Ok(bits)
    }

    /// Takes all bits of a notification, without waiting.
    ///
    /// On a capability of kind `Notification` with the right `READ`; from chapter 7 on.
    ///
    /// Returns: the bits; 0 for none.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Notification`
    /// - [`Error::MissingRight`]: `self` lacks the right `READ`
    pub fn poll(self) -> Result<u64, Error> {
        let [bits, ..] = invoke(self.0, Operation::Poll, [0; 4])?;
        Ok(bits)
    }
}

impl Ports {
    /// Reads from an I/O port.
    ///
    /// On a capability of kind `Ports` with the right `READ`; from chapter 6 on.
    ///
    /// - `width_bytes`: 1, 2 or 4
    ///
    /// Returns: value.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Ports`
    /// - [`Error::MissingRight`]: `self` lacks the right `READ`
    /// - [`Error::InvalidArgument`]: the width is unknown, or part of the access is outside of the capability's ports
    pub fn read_port(self, port: u16, width_bytes: u64) -> Result<u64, Error> {
        let [value, ..] = invoke(self.0, Operation::ReadPort, [port.into(), width_bytes, 0, 0])?;
        Ok(value)
    }

    /// Writes to an I/O port.
    ///
    /// On a capability of kind `Ports` with the right `WRITE`; from chapter 6 on.
    ///
    /// - `width_bytes`: 1, 2 or 4
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Ports`
    /// - [`Error::MissingRight`]: `self` lacks the right `WRITE`
    /// - [`Error::InvalidArgument`]: the width is unknown, the value does not fit, or part of the access is outside of
    ///   the capability's ports
    pub fn write_port(self, port: u16, width_bytes: u64, value: u64) -> Done {
        invoke(self.0, Operation::WritePort, [port.into(), width_bytes, value, 0])?;
        Ok(())
    }
}

impl Power {
    /// Switches the machine off. The argument is the result of the run as an emulator's host sees it.
    ///
    /// On a capability of kind `Power` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `result`: 0 for success, 1 for failure
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Power`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidArgument`]: the result is neither 0 nor 1
    pub fn power_off(self, result: u64) -> Done {
        invoke(self.0, Operation::PowerOff, [result, 0, 0, 0])?;
        Ok(())
    }
}

impl Reply {
    /// Returns to the caller of a reply capability that was moved into a table, with an answer of four words. The
    /// capability is used up; the invoker goes on, unless the caller is more urgent.
    ///
    /// On a capability of kind `Reply`; from chapter 6 on.
    ///
    /// - `flags`: [`FLAGS_WINDOW`](flatmk_abi::FLAGS_WINDOW), or 0
    /// - `answer`: four words
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; a slot of the window that is named is empty, or
    ///   holds the reply capability itself
    /// - [`Error::WrongKind`]: `self` is of another kind than `Reply`
    /// - [`Error::MissingRight`]: a capability in the window has no grant right
    /// - [`Error::InvalidArgument`]: the caller has faulted, and word 0 is no answer to a fault
    /// - [`Error::SlotOccupied`]: the slot of the caller's window is not empty
    /// - [`Error::InvalidState`]: memory would come into a table within its own pages
    pub fn reply_with_flags(self, flags: u64, answer: Words) -> Done {
        invoke_with_flags(self.0, Operation::Reply, flags, answer)?;
        Ok(())
    }
}

impl Table {
    /// Empties a slot of the table. What was derived from the capability stays, in its place. Where the slot held the
    /// last capability to an object, the object is destroyed and its page goes back to the memory it came from; a frame
    /// that was mapped by the capability is unmapped. With a memory capability everything goes that was made from it,
    /// and its pages go back to the memory it was split off.
    ///
    /// On a capability of kind `Table` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `slot`: 1 to 63
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the slot is empty
    /// - [`Error::WrongKind`]: `self` is of another kind than `Table`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidArgument`]: the slot is not 1 to 63
    /// - [`Error::InvalidState`]: the slot holds a memory capability that was not split off from another
    pub fn delete(self, slot: u64) -> Done {
        invoke(self.0, Operation::Delete, [slot, 0, 0, 0])?;
        Ok(())
    }

    /// Takes back everything that was derived from the capability in a slot of the table, wherever it is: copies and
    /// mints, the endpoints of a task, the objects and splits of a memory capability, which then has all its pages
    /// again.
    ///
    /// On a capability of kind `Table` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `slot`: 1 to 63
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the slot is empty
    /// - [`Error::WrongKind`]: `self` is of another kind than `Table`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidArgument`]: the slot is not 1 to 63
    pub fn revoke(self, slot: u64) -> Done {
        invoke(self.0, Operation::Revoke, [slot, 0, 0, 0])?;
        Ok(())
    }

    /// Copies a capability into an empty slot of the table, with fewer rights or the same.
    ///
    /// On a capability of kind `Table` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `destination_slot`: 1 to 63
    /// - `source`: source capability pointer
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the source pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Table`; the source is a memory or reply capability:
    ///   these are moved, never copied
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the source has no grant right
    /// - [`Error::InvalidArgument`]: the destination slot is not 1 to 63, or the rights have unknown bits
    /// - [`Error::SlotOccupied`]: the destination slot holds a capability
    pub fn copy(self, destination_slot: u64, source: u64, rights_to_keep: Rights) -> Done {
        invoke(self.0, Operation::Copy, [destination_slot, source, rights_to_keep.bits().into(), 0])?;
        Ok(())
    }

    /// Copies an endpoint with a context word of one's own; or interrupt lines, ports or device memory, of which the
    /// copy has some.
    ///
    /// On a capability of kind `Table` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `destination_slot`: 1 to 63
    /// - `source`: source capability pointer
    /// - `context_word`: for lines the bits of those to keep; for ports the first (bits 0 to 15) and the last (bits 16
    ///   to 31); for device memory the first page within the source's (bits 0 to 31) and the page count (bits 32 to 63)
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the source pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Table`; the source is neither an endpoint, nor interrupt
    ///   lines, ports or device memory
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the source has no grant or no manage right
    /// - [`Error::InvalidArgument`]: the destination slot is not 1 to 63, the rights have unknown bits, or the source
    ///   does not have all of the lines, ports or pages; or some of the pages are memory for programs or the kernel's
    ///   own
    /// - [`Error::SlotOccupied`]: the destination slot holds a capability
    pub fn mint(self, destination_slot: u64, source: u64, rights_to_keep: Rights, context_word: u64) -> Done {
        invoke(self.0, Operation::Mint, [destination_slot, source, rights_to_keep.bits().into(), context_word])?;
        Ok(())
    }

    /// Moves a capability into an empty slot of the table; the source slot is empty afterwards. The capability keeps
    /// its place in the tree of derivation and, for a frame, its mapping.
    ///
    /// On a capability of kind `Table` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `destination_slot`: 1 to 63
    /// - `source`: source capability pointer
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the source pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Table`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the source has no grant right
    /// - [`Error::InvalidArgument`]: the destination slot is not 1 to 63
    /// - [`Error::SlotOccupied`]: the destination slot holds a capability
    /// - [`Error::InvalidState`]: a memory capability would come into a table that lies within its own pages
    pub fn move_here(self, destination_slot: u64, source: u64) -> Done {
        invoke(self.0, Operation::Move, [destination_slot, source, 0, 0])?;
        Ok(())
    }
}

impl Task {
    /// Lets the other ready tasks run, each once, before the caller goes on.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 5 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidState`]: the capability names a task other than the caller
    #[inline(always)]
    pub fn yield_now(self) -> Done {
        invoke(self.0, Operation::Yield, [0; 4])?;
        Ok(())
    }

    /// Stops a task. Its caller and those who wait for it get `CalleeStopped`; what it waits for itself is given up,
    /// and it gets `Interrupted` when it is resumed. Its registers can be read and written.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 7 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidState`]: the task is stopped, or was never started
    pub fn stop(self) -> Done {
        invoke(self.0, Operation::Stop, [0; 4])?;
        Ok(())
    }

    /// Starts a configured task that is stopped: it becomes ready to run at the entry, with the argument in `rdi`, on
    /// its stack. An entry with bit 63 is one of RISC-V code.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 5 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidAddress`]: the entry is not in user space; or it is one of RISC-V code, and odd or not below 4
    ///   GiB less a page
    /// - [`Error::InvalidState`]: the task is not configured, is not stopped, or has lost its table or space; or the
    ///   entry is one of RISC-V code, and it has no softuser state
    pub fn start(self, entry_address: u64, argument: u64) -> Done {
        invoke(self.0, Operation::Start, [entry_address, argument, 0, 0])?;
        Ok(())
    }

    /// Lets a task that is stopped go on with the registers that it has.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 7 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidAddress`]: the task's `rip` is not in user space
    /// - [`Error::InvalidState`]: the task is not configured, is not stopped, or has lost its table or space
    pub fn resume(self) -> Done {
        invoke(self.0, Operation::Resume, [0; 4])?;
        Ok(())
    }

    /// Sets the priority of a task, at which it runs when it serves nobody. It serves its present caller at the
    /// priority it has.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 7 on.
    ///
    /// - `priority`: 0 to 63; 63 is the most urgent
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the priority is above the invoker's own
    /// - [`Error::InvalidArgument`]: the priority is above 63
    pub fn set_priority(self, priority: u8) -> Done {
        invoke(self.0, Operation::SetPriority, [priority.into(), 0, 0, 0])?;
        Ok(())
    }

    /// Lets the caller rest, for the given time or up to one tick of the timer (1 ms) longer.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 7 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidState`]: the capability names a task other than the caller
    /// - [`Error::Interrupted`]: the task was stopped while it slept
    pub fn sleep(self, time_ns: u64) -> Done {
        invoke(self.0, Operation::Sleep, [time_ns, 0, 0, 0])?;
        Ok(())
    }

    /// Sets whom the kernel calls when the task faults: an endpoint, of which the task keeps a copy. Without one the
    /// task is stopped.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 6 on.
    ///
    /// - `missing_capability`: whether a system call that names none returns an error, 0, or is a fault, too, 1
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the endpoint pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`; the endpoint pointer names something else
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the endpoint has no call right
    /// - [`Error::InvalidArgument`]: the second argument is neither 0 nor 1, or is 1 without an endpoint
    pub fn set_fault_handler(self, endpoint: Option<Endpoint>, missing_capability: MissingCapability) -> Done {
        let endpoint = endpoint.map_or(0, |Endpoint(pointer)| pointer);
        invoke(self.0, Operation::SetFaultHandler, [endpoint, missing_capability as u64, 0, 0])?;
        Ok(())
    }

    /// Gives a task that is stopped a page for its floating-point state, or takes it away. Without one a floating-point
    /// instruction is a fault. A page serves one task.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 5 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`; the pointer names something else
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the page has no manage right
    /// - [`Error::InvalidState`]: the task is not stopped, or the page serves another task
    pub fn set_floating_point(self, floating_point: Option<FloatingPoint>) -> Done {
        let floating_point = floating_point.map_or(0, |FloatingPoint(pointer)| pointer);
        invoke(self.0, Operation::SetFloatingPoint, [floating_point, 0, 0, 0])?;
        Ok(())
    }

    /// Gives a task that was not started its capability table, address space and the stack at which each of its entries
    /// begins.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 5 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the pointer to the table or to the space names no
    ///   capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`; the one is not a table, or the other not an
    ///   address space
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the table or the space has no manage right
    /// - [`Error::InvalidAddress`]: the stack is not in user space, or not a multiple of 16
    /// - [`Error::InvalidState`]: the task was configured before, or has lost its table or space since
    pub fn configure(self, table: Table, address_space: AddressSpace, stack_address: u64) -> Done {
        invoke(self.0, Operation::Configure, [table.0, address_space.0, stack_address, 0])?;
        Ok(())
    }

    /// Makes an endpoint of the task: an entry address and a context word. It has those of the rights call, grant,
    /// manage and transfer that the task capability has, and is derived from it. An entry with bit 63 is one of RISC-V
    /// code: that makes an endpoint of its own kind, which is used as others are.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 6 on.
    ///
    /// - `destination_slot`: 1 to 63
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the destination table pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`; the destination is not a table
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the destination table has no manage right
    /// - [`Error::InvalidArgument`]: the destination slot is not 1 to 63
    /// - [`Error::SlotOccupied`]: the destination slot holds a capability
    /// - [`Error::InvalidAddress`]: the entry is not in user space; or it is one of RISC-V code, and odd or not below 4
    ///   GiB less a page
    pub fn make_endpoint_at(
        self,
        entry_address: u64,
        context_word: u64,
        destination_table: Table,
        destination_slot: u64,
    ) -> Done {
        invoke(self.0, Operation::MakeEndpoint, [entry_address, context_word, destination_table.0, destination_slot])?;
        Ok(())
    }

    /// Reads four registers of a task that is stopped, or waits for its fault handler.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `first_register`: 0 rax, 1 rbx, 2 rcx, 3 rdx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8 to 15 r8 to r15, 16 rip, 17
    ///   rflags; of a task with softuser state also 32 to 63 x0 to x31
    ///
    /// Returns: the first; the second; the third; the fourth; registers that are not there read 0.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidArgument`]: the task has no register with the number of the first
    /// - [`Error::InvalidState`]: the task is neither stopped nor waits for its fault handler
    pub fn read_registers(self, first_register: u64) -> Result<Words, Error> {
        invoke(self.0, Operation::ReadRegisters, [first_register, 0, 0, 0])
    }

    /// Writes a register of a task that is stopped, or waits for its fault handler. Of `rflags` only the flags count
    /// that user mode may change: carry, parity, adjust, zero, sign, trap, direction, overflow, alignment check and
    /// identification. While a task runs RISC-V code its `rip` is the address of that.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 5 on.
    ///
    /// - `register_number`: see `ReadRegisters`
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidArgument`]: the task has no register with this number, or the value has more than 32 bits and
    ///   the register is one of RISC-V
    /// - [`Error::InvalidAddress`]: the register is rip, and the value is not in user space, or the task runs RISC-V
    ///   code and it is odd or not below 4 GiB less a page
    /// - [`Error::InvalidState`]: the task is neither stopped nor waits for its fault handler
    pub fn write_register(self, register_number: u64, value: u64) -> Done {
        invoke(self.0, Operation::WriteRegister, [register_number, value, 0, 0])?;
        Ok(())
    }

    /// Gives a task pages for its RISC-V registers and translated code, and the stack at which its RISC-V entries
    /// begin. The pages are those of capabilities in a row, and must lie in a row: such are made from memory of which
    /// nothing was handed out before. When one of them goes, or the task's address space, the task has none any more,
    /// and RISC-V code of it faults.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 10 on.
    ///
    /// - `count`: 2 to 32
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; one of the pointers names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`; one of the pointers names something else
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; one of the pages has no manage right
    /// - [`Error::InvalidArgument`]: the count is not 2 to 32, or the pages do not lie in a row
    /// - [`Error::InvalidAddress`]: the stack is not in user space, above 4 GiB less a page, or not a multiple of 16
    /// - [`Error::InvalidState`]: the task is not configured, it runs RISC-V code, it has or had pages and some of them
    ///   are still there, or one of these serves a task
    pub fn set_softuser(self, capability_pointer_of_the_first_page: Softuser, count: u64, stack_address: u64) -> Done {
        invoke(self.0, Operation::SetSoftuser, [capability_pointer_of_the_first_page.0, count, stack_address, 0])?;
        Ok(())
    }

    /// Reads the clock: a time that never goes back and stands still for nobody.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 11 on.
    ///
    /// Returns: nanoseconds: since the kernel began to count; frequency: how far the time stamp counter counts in a
    /// second; 0 where that is not known; ticks: of the timer, since then.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    /// - [`Error::InvalidState`]: the capability names a task other than the caller
    pub fn read_clock(self) -> Result<(u64, u64, u64), Error> {
        let [nanoseconds, frequency, ticks, ..] = invoke(self.0, Operation::ReadClock, [0; 4])?;
        Ok((nanoseconds, frequency, ticks))
    }

    /// Tells what a task is doing.
    ///
    /// On a capability of kind `Task` with the right `MANAGE`; from chapter 11 on.
    ///
    /// Returns: 0 stopped, 1 ready, 2 running, 3 ready for calls, 4 in a call, 5 waiting for its turn with a callee, 6
    /// waiting for its fault handler, 7 waiting for a notification, 8 resting; its own priority (bits 0 to 7), and the
    /// one at which it runs (bits 8 to 15); a number for the task, different from those of all other objects; such a
    /// number for the task or notification that it waits for; 0 for none.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Task`
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`
    pub fn inspect(self) -> Result<Words, Error> {
        invoke(self.0, Operation::Inspect, [0; 4])
    }
}

impl Trace {
    /// Begins to trace, into a frame: from now on each event is written there, the latest in place of the oldest. Or
    /// ends it: then the events can be read still. While it traces the kernel takes no fast path. The frame is the
    /// kernel's, too, until it is revoked.
    ///
    /// On a capability of kind `Trace` with the right `MANAGE`; from chapter 11 on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability; the frame pointer names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Trace`; the frame pointer names something else
    /// - [`Error::MissingRight`]: `self` lacks the right `MANAGE`; the frame has no read or no write right
    /// - [`Error::AlreadyBound`]: the kernel has another frame for its trace, and that is there still
    pub fn set_trace(self, frame: Option<Frame>) -> Done {
        let frame = frame.map_or(0, |Frame(pointer)| pointer);
        invoke(self.0, Operation::SetTrace, [frame, 0, 0, 0])?;
        Ok(())
    }

    /// Takes the oldest event that nobody has read. An event says how many were lost before it.
    ///
    /// On a capability of kind `Trace` with the right `READ`; from chapter 11 on.
    ///
    /// Returns: time stamp; kind of event (bits 0 to 7), 0 where there is none; detail (bits 8 to 31); number of the
    /// task (bits 32 to 63); first word; second word.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidCapability`]: `self` names no capability
    /// - [`Error::WrongKind`]: `self` is of another kind than `Trace`
    /// - [`Error::MissingRight`]: `self` lacks the right `READ`
    pub fn read_trace(self) -> Result<Words, Error> {
        invoke(self.0, Operation::ReadTrace, [0; 4])
    }
}
