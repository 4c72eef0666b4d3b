//! The engine: it runs instructions that were decoded once.
//!
//! - `operation`: an instruction as the engine has it, 16 bytes with the address of the function that does it.
//! - `handlers`: these functions. Each ends in a tail call of the next, so nothing ever returns but to stop.
//! - `translate`: from guest code to blocks of operations.
//! - `cache`: where blocks are kept, and found by the address of their first instruction.
//! - `access`: accesses to the guest's memory, and where they are.
//! - `entry`: the way in and out, and what is needed to come out of a fault.
//! - `plain`: what stands for the last two where the host is another processor: in a browser, for the figures of the book.
//! - `step`: one instruction at a time; `show`: a block as it is kept, which the kernel has no use for.
//!
//! A guest address is the host's: it has 32 bits, so it names one of the lowest 4 GiB of the address space that is in use, and nothing
//! else. An access that is not allowed there is a fault of the host, whose handler calls [`recover`].

#[cfg(target_arch = "x86_64")]
mod access;
mod cache;
#[cfg(target_arch = "x86_64")]
mod entry;
mod handlers;
mod operation;
#[cfg(not(target_arch = "x86_64"))]
mod plain;
#[cfg(not(target_os = "none"))]
mod show;
mod step;
mod translate;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

#[cfg(target_arch = "x86_64")]
pub use entry::{Recovery, recover};
#[cfg(not(target_arch = "x86_64"))]
pub use plain::{fault_address, lend};
#[cfg(not(target_os = "none"))]
pub use show::Shown;

use crate::decode::{Instruction, Length};
use cache::Cache;
use operation::{Exit, Op};
#[cfg(not(target_arch = "x86_64"))]
use {plain as access, plain as entry};

/// A hart: the registers of a guest, and its translated code.
#[repr(C)]
pub struct Hart {
    /// x0, which stays 0, to x31, and a place for results that nobody wants.
    x: [u32; 33],
    /// Not 0: the hart is to stop before its next jump that is indirect or leads back, so in every loop.
    pending: AtomicU32,
    pc: u32,
    /// The address that `lr.w` has reserved, or an odd number.
    reserved: u32,
    /// Which address was found not to be executable.
    fetch_address: u32,
    /// Where the engine has stopped.
    op: *const Op,
    /// The stack pointer with which it began.
    #[cfg(target_arch = "x86_64")]
    stack: u64,
    /// Where it goes on after a fault.
    #[cfg(target_arch = "x86_64")]
    leave: u64,
    cache: Cache,
}

/// The code of a guest, for translation.
pub trait Code {
    /// Four bytes from an even address on, of which the first two can be executed; where the last two cannot, anything stands in their place:
    /// of an instruction that goes on in the next page the engine fetches the second half by itself. `None`: the first two cannot be executed.
    fn fetch(&mut self, pc: u32) -> Option<u32>;

    /// The engine is about to access the guest's memory, and does nothing else until [`forbid_access`](Self::forbid_access).
    #[inline(always)]
    fn allow_access(&mut self) {}

    /// It does not any more.
    #[inline(always)]
    fn forbid_access(&mut self) {}
}

/// Why a hart has stopped. Its `pc` is that of the instruction that did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There is no such instruction.
    Illegal,
    /// A system call.
    Ecall,
    /// A breakpoint.
    Ebreak,
    /// It waits for an interrupt.
    Wfi,
    /// Code that cannot be executed.
    Fetch,
    /// An access to memory that is not allowed. The host knows to which address.
    Access,
    /// An atomic access to an address that is not a multiple of 4.
    Misaligned,
    /// It was asked to stop.
    Pending,
}

impl Hart {
    /// A hart whose registers are all 0. `memory` keeps its translated code.
    ///
    /// # Panics
    ///
    /// If that is less than a page.
    #[must_use]
    pub fn new(memory: &'static mut [u64]) -> Self {
        let cache = Cache::new(memory);
        let pending = AtomicU32::new(0);
        Self {
            x: [0; 33],
            pending,
            pc: 0,
            reserved: 1,
            fetch_address: 0,
            op: core::ptr::null(),
            #[cfg(target_arch = "x86_64")]
            stack: 0,
            #[cfg(target_arch = "x86_64")]
            leave: 0,
            cache,
        }
    }

    /// Where it goes on.
    #[must_use]
    #[inline(always)]
    pub fn pc(&self) -> u32 {
        self.pc
    }

    /// From now on it goes on there. The lowest bit does not count.
    #[inline(always)]
    pub fn set_pc(&mut self, pc: u32) {
        self.pc = pc & !1;
    }

    /// After [`Stop::Fetch`]: which address cannot be executed. It is that of the instruction, or of its second half.
    #[must_use]
    pub fn fetch_address(&self) -> u32 {
        self.fetch_address
    }

    /// A register, 0 to 31; 0 for others.
    #[must_use]
    #[inline(always)]
    pub fn register(&self, index: usize) -> u32 {
        if index < 32 { self.x.get(index).copied().unwrap_or(0) } else { 0 }
    }

    /// Sets one of the registers 1 to 31.
    #[inline(always)]
    pub fn set_register(&mut self, index: usize, value: u32) {
        if (1..32).contains(&index)
            && let Some(register) = self.x.get_mut(index)
        {
            *register = value;
        }
    }

    /// Two registers, an even one and the next, which has the upper half: as 64 bits are passed between functions.
    #[inline(always)]
    #[must_use]
    pub fn register_pair(&self, index: usize) -> u64 {
        u64::from(self.register(index)) | u64::from(self.register(index + 1)) << 32
    }

    /// Sets two registers.
    #[inline(always)]
    pub fn set_register_pair(&mut self, index: usize, value: u64) {
        self.set_register(index, value as u32);
        self.set_register(index + 1, (value >> 32) as u32);
    }

    /// What makes the hart stop soon when it is not 0: at the latest before the next jump or branch that is indirect or leads to an address that
    /// is not behind its own. It stays as it is: until it is 0 again, [`run`](Self::run) stops at once, with nothing done. If it is set while the
    /// hart runs, there may be nothing done, either.
    #[must_use]
    #[inline(always)]
    pub fn pending(&self) -> &AtomicU32 {
        &self.pending
    }

    /// Forgets what `lr.w` has reserved: others may access the memory from now on. [`run`](Self::run) does so itself.
    pub fn forget_reservation(&mut self) {
        self.reserved = 1;
    }

    /// Forgets all translated code: guest code has changed.
    pub fn forget_code(&mut self) {
        self.cache.clear();
    }

    /// Runs until something stops it. Then [`pc`](Self::pc) is the address of the instruction with which it goes on next time: that which has
    /// stopped it, of which nothing is done, or, if it was asked to stop, the first that is not done. A reservation is lost.
    ///
    /// # Safety
    ///
    /// The guest may use all that is accessible in the lowest 4 GiB of the current address space. The handler of the host's faults calls
    /// [`recover`].
    #[inline(always)]
    pub unsafe fn run(&mut self, code: &mut impl Code) -> Stop {
        self.reserved = 1;
        let mut exit = None;
        // Short calls are to be fast: most often the code is there, and what stops it is a system call.
        if self.pending.load(Relaxed) == 0
            && let Some(op) = self.cache.find(self.pc)
        {
            // SAFETY: the operation is in the cache, as is all that it leads to; the rest is the caller's promise.
            exit = Some(unsafe { self.enter(op, code) });
        }
        // SAFETY: as above.
        if exit == Some(Exit::Ecall) { Stop::Ecall } else { unsafe { self.go_on(exit, code) } }
    }

    /// Goes on where it has come out of translated code; from its `pc` on if it has not been there.
    #[inline(never)]
    unsafe fn go_on(&mut self, mut exit: Option<Exit>, code: &mut impl Code) -> Stop {
        let mut target = self.pc;
        loop {
            // The jump that led to the target.
            let mut link = None;
            match exit {
                None => {}
                Some(Exit::Link) => {
                    let jump = self.cache.jump_before(self.op);
                    target = jump.target;
                    link = Some(jump);
                }
                Some(Exit::Find) => target = self.pc,
                Some(Exit::Ecall) => return Stop::Ecall,
                Some(Exit::Asked) => match self.asked() {
                    Some(stop) => return stop,
                    None => target = self.pc,
                },
                Some(Exit::Pending) => {
                    self.pc = self.cache.pc_of(self.op);
                    return Stop::Pending;
                }
                Some(exit @ (Exit::Fault | Exit::Misaligned)) => {
                    self.pc = self.cache.pc_of(self.op);
                    return if exit == Exit::Fault { Stop::Access } else { Stop::Misaligned };
                }
            }
            if self.pending.load(Relaxed) != 0 {
                self.pc = target;
                return Stop::Pending;
            }
            let op = match self.translate(target, code) {
                Ok(op) => op,
                Err(address) => {
                    (self.pc, self.fetch_address) = (target, address);
                    return Stop::Fetch;
                }
            };
            if let Some(jump) = link {
                self.cache.link(jump, op);
            }
            // SAFETY: the operation is in the cache, as is all that it leads to; the rest is the caller's promise.
            exit = Some(unsafe { self.enter(op, code) });
        }
    }

    /// Runs translated code.
    #[inline(always)]
    unsafe fn enter(&mut self, op: *const Op, code: &mut impl Code) -> Exit {
        code.allow_access();
        // SAFETY: the caller vouches for the operation and for the guest.
        let exit = unsafe { entry::enter(op, self) };
        code.forbid_access();
        exit
    }

    /// What an instruction wants that the handlers leave to others. `None`: it is done, and the hart goes on at `pc`.
    fn asked(&mut self) -> Option<Stop> {
        // ANCHOR: exercise-10-4
        let (pc, reason, length) = self.cache.asked(self.op);
        self.pc = pc;
        match translate::Reason::from_number(reason) {
            translate::Reason::Stop(stop) => Some(stop),
            translate::Reason::ForgetCode => {
                self.cache.clear();
                self.pc = pc.wrapping_add(length);
                None
            }
        }
        // ANCHOR_END: exercise-10-4
    }

    fn translate(&mut self, pc: u32, code: &mut impl Code) -> Result<*const Op, u32> {
        match self.cache.find(pc) {
            Some(op) => Ok(op),
            None => translate::block(&mut self.cache, pc, code),
        }
    }
}

/// How long an instruction is, in bytes.
fn length_of(instruction: &Instruction) -> u32 {
    match instruction.length {
        Length::Two => 2,
        Length::Four => 4,
    }
}
