//! What the kernel and its user programs share: numbers, types and error codes. Nothing else defines them.
//!
//! A system call is the instruction `syscall` with these registers:
//!
//! | register | on the way in | on the way out |
//! |---|---|---|
//! | `rdi` | capability pointer | 0 |
//! | `rsi` | operation (bits 0 to 7) and flags (bits 8 and up) | 0; after a call, the slots of the window that came with the answer (bits 0 to 3) |
//! | `rdx` `r10` `r8` `r9` | arguments 0 to 3 | results 0 to 3 |
//! | `rax` | ignored | status: 0, or a negative [`Error`] |
//! | `rcx` `r11` | lost: the processor keeps `rip` and `rflags` there (Intel SDM vol. 2B, SYSCALL) | user's own `rip` and `rflags` |
//! | `rbx` `rbp` `r12` to `r15` `rsp` | kept | kept |
//!
//! No register ever returns with kernel data in it.
//!
//! From chapter 10 on RISC-V code makes system calls, too, with the instruction `ecall`. Its registers have 32 bits:
//!
//! | register | on the way in | on the way out |
//! |---|---|---|
//! | `a0` | capability pointer | status: 0, or a negative [`Error`] |
//! | `a1` | operation and flags | as `rsi` above |
//! | `a2` `a3`, `a4` `a5`, `a6` `a7`, `t3` `t4` | arguments 0 to 3, the lower half first | results 0 to 3 |
//! | all others | kept | kept |
//!
//! It begins at an entry with the argument, or context word, in `a0` and `a1`, the message where results are, the window in `t0`, and its stack pointer
//! in `sp`. All others are 0 when the task first runs RISC-V code; afterwards they are as that has left them.
//!
//! Native code enters RISC-V code of its own task by calling an endpoint of it; that returns as from any call. `wfi` rests until the next tick of
//! the timer.
//!
//! `include/flatmk.h` says the same to programs in C, and `operations.rs` of the runtime library to programs in Rust; both are made from
//! these sources.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod error;
mod fault;
mod information;
mod kind;
pub mod layout;
pub mod marks;
mod operation;
mod rights;
pub mod slots;
mod trace;

pub use access::Access;
pub use error::Error;
pub use fault::{FaultAnswer, FaultReason, MissingCapability};
pub use information::{Argument, ArgumentSort, OperationInfo, OperationResult, ResultSort};
pub use kind::Kind;
pub use operation::{OPERATIONS, Operation};
pub use rights::Rights;
pub use trace::{EVENT_BYTES, Event, EventKind};

/// How many message words a call carries each way.
pub const MESSAGE_WORDS: usize = 4;

/// The arguments of a system call, or the words of a message.
pub type Words = [u64; MESSAGE_WORDS];

/// Flag of [`Operation::Call`]: fail with [`Error::Busy`] where the call would have to wait for its turn.
pub const FLAG_NO_WAIT: u64 = 1 << 8;

/// Where the flags `WINDOW` of [`Operation::Call`], [`Operation::Return`] and [`Operation::Reply`] begin: bit 12 for slot 60, to bit 15 for slot 63.
pub const WINDOW_SHIFT: u32 = 12;

/// Flags of a call or return: which slots of the window move along.
pub const FLAGS_WINDOW: u64 = 0xf << WINDOW_SHIFT;

/// An entry address with this bit is one of RISC-V code: without the bit it is even, and below [`SOFTUSER_END`](layout::SOFTUSER_END).
pub const SOFTUSER_ENTRY: u64 = 1 << 63;

/// The time-out of [`Operation::Wait`] that never comes.
pub const NO_TIMEOUT: u64 = u64::MAX;

/// The most urgent priority; 0 is the least.
pub const MAX_PRIORITY: u8 = 63;

/// The most bytes that one [`Operation::Write`] takes, so that a slow serial line holds the kernel only for a bounded time.
pub const WRITE_LIMIT_BYTES: u64 = 256;
