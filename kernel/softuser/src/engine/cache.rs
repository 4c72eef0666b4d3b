//! Where translated code is kept: a table of blocks by the address of their first instruction, and their operations, one after the other.
//!
//! When there is no room for another block everything is forgotten, and the room is used again.

use core::ptr;

use super::handlers;
use super::operation::{BLOCK, Op, Place};

/// An entry of the table. An odd `pc` is no block's.
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    pc: u32,
    /// From the beginning of the operations, in bytes.
    op: u32,
}

const NO_BLOCK: u32 = 1;

/// One of four parts is the table.
const PARTS: usize = 4;

/// Memory for translated code.
#[repr(C)]
pub(super) struct Cache {
    /// The table, whose length is a power of two.
    table: *mut Entry,
    /// Which bits of an address choose an entry: all but the lowest, which is 0.
    mask: u32,
    /// How many operations are in use.
    used: u32,
    ops: *mut Op,
    /// How many there can be.
    count: u32,
    /// How often everything was forgotten.
    generation: u32,
}

/// A jump that does not know the operation with which it goes on.
#[derive(Clone, Copy)]
pub(super) struct Jump {
    op: *mut Op,
    generation: u32,
    /// The address to which it leads.
    pub(super) target: u32,
}

impl Cache {
    /// The least number of words.
    const LEAST: usize = 512;
    /// The greatest number of operations: a distance between two of them, in bytes, has 31 bits and a sign.
    const MOST: usize = i32::MAX as usize / size_of::<Op>();

    pub(super) fn new(memory: &'static mut [u64]) -> Self {
        assert!(memory.len() >= Self::LEAST, "a page at least");
        let entries = (memory.len() / PARTS + 1).next_power_of_two() / 2;
        let (table, rest) = memory.split_at_mut(entries);
        // Two words an operation, which begin at a multiple of 16.
        let skip = rest.as_ptr().align_offset(align_of::<Op>());
        let count = rest.len().saturating_sub(skip) / 2;
        let mut cache = Self {
            table: table.as_mut_ptr().cast(),
            mask: 2 * (entries as u32 - 1),
            used: 0,
            ops: rest.as_mut_ptr().wrapping_add(skip).cast(),
            count: count.min(Self::MOST) as u32,
            generation: 0,
        };
        cache.clear();
        cache
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.generation = self.generation.wrapping_add(1);
        for index in 0..=self.mask as usize / 2 {
            // SAFETY: the table has so many entries.
            unsafe { self.table.add(index).write(Entry { pc: NO_BLOCK, op: 0 }) };
        }
    }

    fn entry(&self, pc: u32) -> *mut Entry {
        // The address is even: it is not shifted down to an index first.
        let offset = (pc & self.mask) as usize * (size_of::<Entry>() / 2);
        // SAFETY: the mask keeps the offset within the table.
        unsafe { self.table.byte_add(offset) }
    }

    /// The first operation of the block that begins there, if there is one.
    #[inline(always)]
    pub(super) fn find(&self, pc: u32) -> Option<*const Op> {
        // SAFETY: the table was filled by `clear` and `add`.
        let entry = unsafe { self.entry(pc).read() };
        // SAFETY: what stands in the table is an operation.
        (entry.pc == pc).then(|| unsafe { self.ops.byte_add(entry.op as usize) }.cast_const())
    }

    /// Room for a block of the greatest length. Forgets everything if there is none left.
    pub(super) fn reserve(&mut self) -> *mut Op {
        if (self.count - self.used) < BLOCK as u32 {
            self.clear();
        }
        // SAFETY: so many operations are in use, and there is room for a block behind them.
        unsafe { self.ops.add(self.used as usize) }
    }

    /// A block was written to the room that was reserved: its head and `slots` in all. Returns its first operation.
    pub(super) fn add(&mut self, pc: u32, slots: usize) -> *const Op {
        // SAFETY: as in `reserve`; behind the head is an operation.
        let first = unsafe { self.ops.add(self.used as usize + 1) };
        let op = (self.used + 1) * size_of::<Op>() as u32;
        // SAFETY: an entry of the table.
        unsafe { self.entry(pc).write(Entry { pc, op }) };
        self.used += slots as u32;
        first
    }

    /// Whether there is no block.
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Forgets the only block, which begins there. It stays where it is until there is another.
    pub(super) fn take_back(&mut self, pc: u32) {
        self.used = 0;
        // SAFETY: an entry of the table.
        unsafe { self.entry(pc).write(Entry { pc: NO_BLOCK, op: 0 }) };
    }

    /// The address of the instruction of an operation.
    pub(super) fn pc_of(&self, op: *const Op) -> u32 {
        // ANCHOR: exercise-10-3
        // SAFETY: the engine has stopped at an operation, which says where the head of its block is; between the two are operations.
        unsafe {
            let index = (*op).place.index();
            let head = op.sub(index);
            let (mut pc, mut slot) = ((*head).number.cast_unsigned(), 1);
            while slot < index {
                let Op { place, .. } = *head.add(slot);
                pc = pc.wrapping_add(place.length());
                slot += place.slots();
            }
            pc
        }
        // ANCHOR_END: exercise-10-3
    }

    /// The operations in use, with the slots beside them.
    #[cfg(not(target_os = "none"))]
    pub(super) fn slots(&self) -> &[Op] {
        // SAFETY: so many were written, one after the other.
        unsafe { core::slice::from_raw_parts(self.ops, self.used as usize) }
    }

    /// Where an instruction is that asks for something, what it asks for, and how long it is.
    pub(super) fn asked(&self, op: *const Op) -> (u32, i32, u32) {
        // SAFETY: the engine has stopped there.
        let Op { number, place, .. } = unsafe { *op };
        (self.pc_of(op), number, place.length())
    }

    /// The jump before a link.
    pub(super) fn jump_before(&self, link: *const Op) -> Jump {
        // SAFETY: a link follows its jump.
        let (op, target) = unsafe { (link.sub(1).cast_mut(), (*link).number.cast_unsigned()) };
        Jump { op, generation: self.generation, target }
    }

    /// From now on the jump leads there directly, if it is still there.
    pub(super) fn link(&mut self, jump: Jump, target: *const Op) {
        // ANCHOR: exercise-10-5
        if jump.generation == self.generation {
            // SAFETY: nothing was forgotten since, so both are operations of the cache, which is smaller than 2 GiB.
            unsafe { (*jump.op).number = target.byte_offset_from(jump.op) as i32 };
        }
        // ANCHOR_END: exercise-10-5
    }

    /// A slot at the head of a block.
    pub(super) fn head(pc: u32) -> Op {
        Op {
            handler: handlers::link,
            number: pc.cast_signed(),
            rd: 0,
            rs1: 0,
            rs2: 0,
            place: Place::new(0, false, false),
        }
    }
}

// The handler of indirect jumps reads the table with no more than a comparison.
const _: () = assert!(size_of::<Entry>() == 8 && ptr::null::<Entry>().is_null());
