//! One instruction at a time, for whoever wants to look at each.

use super::operation::Exit;
use super::{Code, Hart, Stop, translate};

/// Code of which only one instruction is there.
struct One<'code, C> {
    code: &'code mut C,
    /// What of it was not fetched yet.
    rest: Option<u32>,
}

impl<C: Code> Code for One<'_, C> {
    fn fetch(&mut self, pc: u32) -> Option<u32> {
        self.rest.take_if(|rest| *rest == pc)?;
        let bits = self.code.fetch(pc)?;
        // A long one may have its second half in another page; nothing comes behind that.
        self.rest = (bits & 0b11 == 0b11).then(|| pc.wrapping_add(2));
        Some(bits)
    }
}

impl Hart {
    /// Runs one instruction. `None`: it is done, and the hart is at the next one. All translated code is forgotten: that takes its time if there is any,
    /// and nothing from one step to the next.
    ///
    /// # Safety
    ///
    /// As for [`run`](Self::run).
    pub unsafe fn step(&mut self, code: &mut impl Code) -> Option<Stop> {
        if !self.cache.is_empty() {
            self.cache.clear();
        }
        let mut one = One { code, rest: Some(self.pc) };
        let op = match translate::block(&mut self.cache, self.pc, &mut one) {
            Ok(op) => op,
            Err(address) => {
                self.fetch_address = address;
                return Some(Stop::Fetch);
            }
        };
        // What was translated stays where it is, but is not found: not even a jump to itself goes on.
        self.cache.take_back(self.pc);
        // SAFETY: the operation is in the cache, and leads nowhere; the rest is the caller's promise.
        let stop = match unsafe { self.enter(op, one.code) } {
            Exit::Link => {
                self.pc = self.cache.jump_before(self.op).target;
                None
            }
            Exit::Find => None,
            Exit::Ecall => Some(Stop::Ecall),
            Exit::Asked => self.asked(),
            exit @ (Exit::Pending | Exit::Fault | Exit::Misaligned) => {
                self.pc = self.cache.pc_of(self.op);
                Some(match exit {
                    Exit::Pending => Stop::Pending,
                    Exit::Fault => Stop::Access,
                    _ => Stop::Misaligned,
                })
            }
        };
        // As a run does when it begins.
        if stop.is_some() {
            self.reserved = 1;
        }
        stop
    }
}
