//! Capability pointers that every task can rely on.
//!
//! A pointer below 64 is a slot of the task's own table. One from 64 to 4095 goes through one table below it: the upper
//! six bits choose the slot of that table, the lower six the slot in it. One from 4096 on goes through two tables, 6 bits a step.

// ANCHOR: slots
/// Slots of a capability table, which is one page.
pub const SLOTS_PER_TABLE: u64 = 64;

/// Pointers below this one exist: three steps of six bits.
pub const POINTER_LIMIT: u64 = SLOTS_PER_TABLE * SLOTS_PER_TABLE * SLOTS_PER_TABLE;

/// The task's reply slot: the caller it serves. It is in the task, not in its table, where slot 0 is always empty.
pub const REPLY: u64 = 0;
/// The task itself.
pub const SELF: u64 = 1;
/// Its own capability table.
pub const TABLE: u64 = 2;
/// Its own address space.
pub const SPACE: u64 = 3;
/// The console. Present where a parent gives it.
pub const CONSOLE: u64 = 4;
/// The power switch. Present in the root task.
pub const POWER: u64 = 5;
/// All interrupt lines. Present in the root task.
pub const INTERRUPTS: u64 = 6;
/// All I/O ports. Present in the root task.
pub const PORTS: u64 = 7;
/// The first of the memory capabilities of the root task; how many follow is told at its entry.
pub const MEMORY: u64 = 8;
/// The device memory of the screen. Present in the root task from chapter 11 on, where the machine has a framebuffer.
pub const FRAMEBUFFER: u64 = 41;
/// All device memory but that. Present in the root task from chapter 11 on.
pub const DEVICES: u64 = 42;
/// The kernel's trace. Present in the root task from chapter 11 on.
pub const TRACE: u64 = 43;
/// The first slot of the window, whose capabilities a call can move to the callee; see [`FLAGS_WINDOW`](crate::FLAGS_WINDOW).
pub const WINDOW: u64 = 60;
/// How many slots the window has.
pub const WINDOW_SLOTS: u64 = 4;
// ANCHOR_END: slots

/// A pointer to slot `inner` of the table in slot `outer`.
#[must_use]
pub const fn nested(outer: u64, inner: u64) -> u64 {
    outer * SLOTS_PER_TABLE + inner
}
