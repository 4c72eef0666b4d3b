// ANCHOR: front_page
//! FlatMk is a small capability microkernel for x86-64 that its reader grows chapter by chapter.
//!
//! # Four principles
//!
//! 1. **Everything is a page.** A kernel object is exactly one 4 KiB page. After boot the kernel allocates nothing on its own:
//!    each page an operation consumes comes out of a memory capability that the caller names. There is no kernel heap.
//! 2. **A capability is the only way in.** A system call names a capability; what it may do is what that capability allows.
//! 3. **A call is a jump.** Inter-process communication is a protected procedure call: no scheduler, no queue, no copy and no
//!    allocation on the way when the callee is ready.
//! 4. **Nothing is fast until it is counted.** Every mechanism has a benchmark row: instructions in an emulator, cycles on a
//!    real processor.
//!
//! # The map
//!
//! | chapter | modules | what they are for |
//! |---|---|---|
//! | 1 boot | `boot`, `console`, `stop`, `power`, `processor`, `sync`, `testing`, `arch` | from the bootloader to text on the serial line and the screen; what happens when the kernel cannot go on; tests |
//! | 2 interrupts | `interrupts`, `arch::interrupts` | exceptions, the timer and the keyboard |
//! | 3 paging | `memory`, `arch::paging` | a metadata entry for every page, address spaces, who may write or execute what |
//! | 4 capabilities | `capability` | slots, tables, memory from which objects are made; what was derived from what, and taking it back |
//! | 5 tasks | `task`, `syscall`, `arch::syscall` | user mode, the root task, the system calls |
//! | 6 calls | `ipc` | endpoints, call and return, faults and interrupts as calls; the fast path |
//! | 7 scheduling | `scheduling` | priorities, time slices, sleeping, notifications |
//! | 8 pipes | none: `userland/pipe`, `userland/sharing` | streams of data between tasks without the kernel |
//! | 9 PCID | `pcid`, `arch::isolation` | switches of address spaces that keep the TLB; user mode without the kernel in its page tables |
//! | 10 softuser | `softuser`, `arch::softuser` | RISC-V code of tasks, run by the kernel itself |
//! | 11 userland | `devices`, `trace`, `arch::caching`, `arch::trace` | the screen, and other memory of devices, for the programs that drive them; the clock; what a task is doing, and what all do, written down event by event |
//! | 12 hardware | `hardware` | the local APIC and its timer, counters to measure it with, boot stages for machines that hang |
//!
//! # The way of a system call
//!
//! `syscall` jumps to a stub, which is all that stands between user mode and Rust. That of `ipc::fast_path` has the few operations that
//! are to be fast, a call to an endpoint and the return from one before all others: a list of checks, then straight to the other task. All
//! else goes on at the stub in `arch::syscall`, and from there to `syscall`, which looks up the capability. Each operation there is two
//! functions: *decode* reads and checks and has no side effect; *perform* acts and cannot fail. The answer is a status and four words in
//! registers.
//!
//! Faults and interrupts of user mode come through `arch::interrupts` to `task`, which decides with whom to go on. From chapter 6 on they
//! are calls, which the kernel makes.
// ANCHOR_END: front_page
#![no_std]
#![cfg_attr(feature = "chapter9", feature(rust_cold_cc))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

// Chapter 1: boot.
#[expect(unsafe_code, reason = "reads the stack pointer, changes stacks, enters and leaves user mode")]
pub mod arch;
#[expect(unsafe_code, reason = "takes the ramdisk's address from the bootloader; the entry macro names link sections")]
pub mod boot;
#[expect(unsafe_code, reason = "drives the serial port")]
pub mod console;
#[expect(unsafe_code, reason = "writes to the ports that end an emulator's run")]
pub mod power;
pub mod processor;
#[expect(unsafe_code, reason = "takes the console from its holder and reads the stack")]
pub mod stop;
#[expect(unsafe_code, reason = "lends a value from behind a shared reference")]
pub mod sync;
#[expect(unsafe_code, reason = "leaves the stack of a test that has stopped")]
pub mod testing;

// Chapter 2: interrupts.
#[cfg(feature = "chapter2")]
#[expect(unsafe_code, reason = "loads descriptor tables, drives the interrupt controller, timer and keyboard")]
pub mod interrupts;

// Chapter 3: paging.
#[cfg(feature = "chapter3")]
#[expect(unsafe_code, reason = "reads and writes physical pages through the window, page tables among them")]
pub mod memory;
#[cfg(feature = "chapter3")]
pub mod planted;

// Chapter 4: capabilities.
#[cfg(feature = "chapter4")]
#[expect(unsafe_code, reason = "finds slots and tables by their addresses")]
pub mod capability;

// Chapter 5: tasks.
#[cfg(feature = "chapter5")]
pub mod syscall;
#[cfg(feature = "chapter5")]
#[expect(unsafe_code, reason = "finds tasks by their addresses")]
pub mod task;

// Chapter 6: calls between tasks.
#[cfg(feature = "chapter6")]
#[expect(unsafe_code, reason = "the stub of the fast path")]
pub mod ipc;

// Chapter 7: scheduling.
#[cfg(feature = "chapter7")]
#[expect(unsafe_code, reason = "finds notifications by their addresses; keeps state for the one processor")]
pub mod scheduling;

// Chapter 9: address-space switches that keep the TLB.
#[cfg(feature = "chapter9")]
#[expect(unsafe_code, reason = "loads CR3; keeps state for the one processor; puts jumps into the stubs")]
pub mod pcid;

// Chapter 10: RISC-V programs run by the kernel.
#[cfg(feature = "chapter10")]
#[expect(
    unsafe_code,
    reason = "runs translated code, keeps it in pages, and recovers from its faults; keeps state for the one processor"
)]
pub mod softuser;

// Chapter 11: drivers and programs as tasks.
#[cfg(feature = "chapter11")]
#[expect(unsafe_code, reason = "keeps state for the one processor")]
pub mod devices;
#[cfg(feature = "chapter11")]
#[expect(unsafe_code, reason = "writes events into a frame; keeps state for the one processor")]
pub mod trace;

// Chapter 12: physical machines.
#[cfg(feature = "chapter12")]
#[expect(
    unsafe_code,
    reason = "drives the local APIC and reads counters and the firmware's tables; keeps state for the one processor"
)]
pub mod hardware;

mod chapter;

pub use chapter::{CHAPTER, demonstrate, initialize_chapters};
