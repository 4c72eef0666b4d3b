//! What the handler of a task's faults is told, and what it answers.
//!
//! A fault is a call to the task's fault handler. Its message: word 0 the [`FaultReason`], word 1 the address (of a page fault: what was accessed; of
//! a missing capability: the capability pointer; else the instruction's), word 2 the processor's error code (Intel SDM vol. 3A, 6.13 and figure 4-12), word
//! 3 the task's `rip`. The handler's answer is a [`FaultAnswer`].

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// Why a task has faulted: the processor's vector (Intel SDM vol. 3A, table 6-1), or 256 for what the kernel has found itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u64)]
        pub enum FaultReason {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl FaultReason {
            /// Every reason.
            pub const ALL: &[FaultReason] = &[$(FaultReason::$name,)+];

            /// What the reason means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(FaultReason::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

reasons! {
    /// Division by zero, or a quotient that does not fit.
    Divide = 0,
    /// A single step, or a breakpoint of the debug registers.
    Debug = 1,
    /// The instruction `int3`, with `rip` behind it; or RISC-V's `ebreak`, with `rip` at it.
    Breakpoint = 3,
    /// The instruction `into`, which 64-bit programs cannot execute.
    Overflow = 4,
    /// The instruction `bound`, which 64-bit programs cannot execute.
    BoundRange = 5,
    /// An instruction that does not exist, or not on this processor.
    InvalidOpcode = 6,
    /// A floating-point instruction of a task that has no page for floating-point state.
    DeviceNotAvailable = 7,
    /// A task state segment that cannot be used.
    InvalidTaskState = 10,
    /// A segment that is not there.
    SegmentNotPresent = 11,
    /// An address on the stack that is not canonical.
    StackSegment = 12,
    /// A privileged instruction, an address that is not canonical, and whatever else is forbidden.
    GeneralProtection = 13,
    /// An access to memory that is not mapped, or not for this use.
    Page = 14,
    /// A floating-point error of the x87 instructions.
    FloatingPoint = 16,
    /// An access to an address that is not aligned, where the program has asked for this check; or an atomic one of RISC-V code.
    Alignment = 17,
    /// A floating-point error of the vector instructions.
    VectorFloatingPoint = 19,
    /// A violation that a hypervisor has asked for.
    Virtualization = 20,
    /// A return to an address that control-flow enforcement does not allow.
    ControlProtection = 21,
    /// A system call has named no capability, and the task has asked for a fault then. Going on, it makes the call once more.
    MissingCapability = 256,
}

impl FaultReason {
    /// The reason with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<FaultReason> {
        FaultReason::ALL.iter().copied().find(|&reason| reason as u64 == number)
    }
}

/// What becomes of a task that has faulted: word 0 of the handler's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum FaultAnswer {
    /// It goes on where it was: the instruction is tried again, except after `int3`.
    Resume = 0,
    /// It goes on at the address in word 1.
    ResumeAt = 1,
    /// It goes on where it was, for one instruction; then it faults with [`FaultReason::Debug`].
    Step = 2,
    /// It is stopped, as without a handler.
    Stop = 3,
}

impl FaultAnswer {
    /// The answer with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<FaultAnswer> {
        [FaultAnswer::Resume, FaultAnswer::ResumeAt, FaultAnswer::Step, FaultAnswer::Stop]
            .into_iter()
            .find(|&answer| answer as u64 == number)
    }
}

/// What becomes of a system call that names no capability; a task's fault handler is set with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum MissingCapability {
    /// It returns an error.
    IsError = 0,
    /// The fault handler is called, with [`FaultReason::MissingCapability`].
    IsFault = 1,
}

impl MissingCapability {
    /// The one with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<MissingCapability> {
        [MissingCapability::IsError, MissingCapability::IsFault].into_iter().find(|&choice| choice as u64 == number)
    }
}
