//! Instructions as the engine runs them: decoded, in blocks, each with the address of the function that does it.

use super::Hart;

/// What does an operation, and goes on with the next by a tail call. Returns why the engine stops.
pub(super) type Handler = unsafe extern "C" fn(*const Op, *mut u32, *mut Hart) -> Exit;

/// Why the engine stops; where is in [`Hart::op`], or in [`Hart::pc`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Exit {
    /// At a link, whose jump does not know its target's operation yet.
    Link = 0,
    /// Behind an indirect jump, whose target is in [`Hart::pc`].
    Find,
    /// At an instruction that asks for it: the reason is in its number.
    Asked,
    /// At a system call, whose address is in [`Hart::pc`].
    Ecall,
    /// Before an instruction: somebody wants the hart to stop.
    Pending,
    /// At an atomic access to an address that is not a multiple of 4.
    Misaligned,
    /// At an access to memory that is not allowed. Set by whoever handles the host's fault.
    Fault,
}

// ANCHOR: op
/// An operation, or a slot beside one.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Op {
    pub(super) handler: Handler,
    /// The immediate. Of a branch or jump: how far, in bytes, the operation is with which it goes on.
    pub(super) number: i32,
    /// The registers, as indices; [`SINK`] for a result that nobody wants.
    pub(super) rd: u8,
    pub(super) rs1: u8,
    pub(super) rs2: u8,
    pub(super) place: Place,
}

// ANCHOR_END: op

const _: () = assert!(size_of::<Op>() == 16);

impl Op {
    /// The slot behind a jump: where it leads, and the address behind it.
    pub(super) fn link(target: u32, return_address: u32) -> Self {
        let [rd, rs1, rs2, place] = return_address.to_le_bytes();
        Self { handler: super::handlers::link, number: target.cast_signed(), rd, rs1, rs2, place: Place(place) }
    }

    /// Of a link.
    #[inline(always)]
    pub(super) fn return_address(&self) -> u32 {
        u32::from_le_bytes([self.rd, self.rs1, self.rs2, self.place.0])
    }
}

/// Where results for x0 go.
pub(super) const SINK: u8 = 32;

/// Where an operation is in its block, how long its instruction is, and whether a link follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Place(u8);

/// How many slots a block can have, with the one at its head.
pub(super) const BLOCK: usize = 64;

impl Place {
    const IS_LONG: u8 = 1 << 6;
    const HAS_LINK: u8 = 1 << 7;

    pub(super) const fn new(index: usize, is_long: bool, has_link: bool) -> Self {
        let flags = if is_long { Self::IS_LONG } else { 0 } | if has_link { Self::HAS_LINK } else { 0 };
        Self((index % BLOCK) as u8 | flags)
    }

    /// How many slots it is behind the head of its block.
    pub(super) const fn index(self) -> usize {
        self.0 as usize % BLOCK
    }

    /// The length of the instruction, in bytes.
    pub(super) const fn length(self) -> u32 {
        if self.0 & Self::IS_LONG != 0 { 4 } else { 2 }
    }

    /// How many slots it takes.
    pub(super) const fn slots(self) -> usize {
        if self.0 & Self::HAS_LINK != 0 { 2 } else { 1 }
    }
}
