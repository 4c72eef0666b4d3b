//! What becomes of a caller: an answer, or an error.

use flatmk_abi::{Error, FaultAnswer, Words};

use super::window::Window;
use super::{end, later};
use crate::task::later::check_way;
use crate::task::{TaskRef, scheduler};

/// The flag with which the processor raises a debug exception after the next instruction (Intel SDM vol. 1, 3.4.3.3).
const TRAP_FLAG: u64 = 1 << 8;

/// What a caller is told.
enum Outcome {
    /// The answer to its call.
    Words(Words),
    /// It has faulted, and goes on.
    Mended(Mending),
    /// It has faulted, and does not go on.
    Stopped,
}

// ANCHOR: mending
/// How a task that has faulted goes on.
pub(super) struct Mending {
    at: u64,
    step: bool,
}

impl Mending {
    /// Checks the answer to a fault: a [`FaultAnswer`], and where it says so an address. `None` where the task is to stop.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Return`.
    #[inline(always)]
    pub(super) fn decode(faulted: TaskRef, word: u64, address: u64) -> Result<Option<Self>, Error> {
        let here = faulted.context.rip.get();
        Ok(match FaultAnswer::from_number(word).ok_or(Error::InvalidArgument)? {
            FaultAnswer::Resume => Some(Self { at: here, step: false }),
            FaultAnswer::Step => Some(Self { at: here, step: true }),
            FaultAnswer::ResumeAt => {
                let at = check_way(&faulted.context, address).map_err(|_| Error::InvalidArgument)?;
                Some(Self { at, step: false })
            }
            FaultAnswer::Stop => None,
        })
    }

    /// The fault is dealt with: when the task runs, it goes on so.
    #[inline(always)]
    pub(super) fn perform(self, faulted: TaskRef) {
        faulted.calls.fault.set(None);
        let flags = faulted.context.rflags.get();
        faulted.context.rflags.set(if self.step { flags | TRAP_FLAG } else { flags & !TRAP_FLAG });
        faulted.context.rip.set(self.at);
    }
}
// ANCHOR_END: mending

/// An answer to a caller, checked.
pub(super) struct Answer {
    caller: TaskRef,
    from: TaskRef,
    outcome: Outcome,
    window: Window,
}

impl Answer {
    /// Checks an answer: one to a fault must be a [`FaultAnswer`], and what is in the window must fit into that of the caller.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Return`.
    pub(super) fn decode(caller: TaskRef, from: TaskRef, words: Words, window: Window) -> Result<Self, Error> {
        window.check(from, caller)?;
        let [word, address, ..] = words;
        let outcome = if caller.calls.fault.get().is_none() {
            Outcome::Words(words)
        } else {
            Mending::decode(caller, word, address)?.map_or(Outcome::Stopped, Outcome::Mended)
        };
        Ok(Self { caller, from, outcome, window })
    }

    /// Gives it. Returns the caller if it can go on.
    #[inline(always)]
    pub(super) fn perform(self) -> Option<TaskRef> {
        let Self { caller, from, outcome, window } = self;
        caller.calls.callee.set(None);
        later::note_return(from, caller);
        window.transfer(from, caller);
        match outcome {
            Outcome::Words(words) => {
                caller.context.set_result(Ok(words));
                caller.context.rsi.set(window.bits());
            }
            Outcome::Mended(mending) => mending.perform(caller),
            Outcome::Stopped => {
                end::stop_soon(caller);
                end::tell_all();
                return None;
            }
        }
        Some(caller)
    }
}

impl TaskRef {
    /// It waits for an answer in vain: a call has failed, or a fault handler will not mend it.
    pub(super) fn fail(self, error: Error) {
        self.calls.callee.set(None);
        if self.calls.fault.get().is_some() {
            end::stop_soon(self);
        } else {
            later::note_failure(self, error);
            self.context.set_result(Err(error));
            scheduler::make_ready(self);
        }
    }
}
