//! What becomes of a caller: an answer, or an error.

use flatmk_abi::{Error, FaultAnswer, Words};

use super::end;
use super::window::Window;
use crate::task::{TaskRef, check_code_address, scheduler};

/// The flag with which the processor raises a debug exception after the next instruction (Intel SDM vol. 1, 3.4.3.3).
const TRAP_FLAG: u64 = 1 << 8;

/// What a caller is told.
enum Outcome {
    /// The answer to its call.
    Words(Words),
    /// It has faulted, and goes on.
    Mended { at: u64, step: bool },
    /// It has faulted, and does not go on.
    Stopped,
}

/// An answer to a caller, checked.
pub(super) struct Answer {
    caller: TaskRef,
    from: TaskRef,
    outcome: Outcome,
    window: Window,
}

impl Answer {
    // ANCHOR: decode
    /// Checks an answer: one to a fault must be a [`FaultAnswer`], and what is in the window must fit into that of the caller.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Return`.
    pub(super) fn decode(caller: TaskRef, from: TaskRef, words: Words, window: Window) -> Result<Self, Error> {
        window.check(from, caller)?;
        let [word, address, ..] = words;
        let here = caller.context.rip.get();
        let outcome = if caller.calls.fault.get().is_none() {
            Outcome::Words(words)
        } else {
            match FaultAnswer::from_number(word).ok_or(Error::InvalidArgument)? {
                FaultAnswer::Resume => Outcome::Mended { at: here, step: false },
                FaultAnswer::Step => Outcome::Mended { at: here, step: true },
                FaultAnswer::ResumeAt => {
                    let at = check_code_address(address).map_err(|_| Error::InvalidArgument)?;
                    Outcome::Mended { at, step: false }
                }
                FaultAnswer::Stop => Outcome::Stopped,
            }
        };
        Ok(Self { caller, from, outcome, window })
    }
    // ANCHOR_END: decode

    /// Gives it. Returns the caller if it can go on.
    #[inline(always)]
    pub(super) fn perform(self) -> Option<TaskRef> {
        let Self { caller, from, outcome, window } = self;
        caller.calls.callee.set(None);
        window.transfer(from, caller);
        match outcome {
            Outcome::Words(words) => {
                caller.context.set_result(Ok(words));
                caller.context.rsi.set(window.bits());
            }
            Outcome::Mended { at, step } => {
                caller.calls.fault.set(None);
                let flags = caller.context.rflags.get();
                caller.context.rflags.set(if step { flags | TRAP_FLAG } else { flags & !TRAP_FLAG });
                caller.context.rip.set(at);
            }
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
            self.context.set_result(Err(error));
            scheduler::make_ready(self);
        }
    }
}
