//! Floating-point state: the registers of the x87 unit and the vector registers (Intel SDM vol. 1, chapter 13).
//!
//! A task has none until it is given a page for it. The unit is locked (the flag TS of CR0) whenever a task without state runs, so an instruction
//! of a task without a page raises an exception, and so does the first one of a task with a page since it was switched to: then its
//! state comes out of the page. It is put away when another task is about to run, and the registers are cleared, so that nothing is left
//! behind in them, not even for instructions that are executed speculatively.
//!
//! While the unit is open system calls take the slow path, which puts the state away. So the fast path need not ask. (That of RISC-V code does: it does not
//! begin with an entry into the kernel.)

use core::arch::asm;
use core::cell::Cell;

use flatmk_abi::{Error, Kind, Rights};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::object::{State, TaskRef};
use crate::arch;
use crate::capability::{Progress, Slot, empty_task_slot, insert_below};
use crate::memory::entry_of;
use crate::processor::Processor;

struct Unit {
    /// The page whose state is in the registers, by its address; 0 for none.
    open: Cell<u64>,
    /// Whether there is `XSAVE`; else there is `FXSAVE`, which every x86-64 processor has.
    has_xsave: Cell<bool>,
}

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Unit {}

static UNIT: Unit = Unit { open: Cell::new(0), has_xsave: Cell::new(false) };

/// Where both formats keep the control word of the vector instructions, MXCSR, and its value after a reset: all exceptions masked.
const MXCSR: usize = 24;
const MXCSR_RESET: u32 = 0x1f80;
/// Where `FXSAVE` keeps the control word of the x87 unit, and its value after `FNINIT`. `XSAVE` does not load it from a fresh page.
const CONTROL_WORD: usize = 0;
const CONTROL_WORD_RESET: u16 = 0x037f;

/// A fresh state: what the registers are cleared with.
#[repr(C, align(64))]
struct Fresh([u8; 4096]);

static FRESH: Fresh = Fresh({
    let mut bytes = [0; 4096];
    let [a, b] = CONTROL_WORD_RESET.to_le_bytes();
    (bytes[CONTROL_WORD], bytes[CONTROL_WORD + 1]) = (a, b);
    let [a, b, _, _] = MXCSR_RESET.to_le_bytes();
    (bytes[MXCSR], bytes[MXCSR + 1]) = (a, b);
    bytes
});

// ANCHOR: initialize
/// Switches on what the processor has, as far as its state fits into a page, and locks the unit.
pub(super) fn initialize() {
    let parts = Processor::identify().xsave_parts();
    UNIT.has_xsave.set(parts.is_some());
    // SAFETY: the flags announce that the state is saved and that exceptions of vector instructions are handled, both of which is so.
    unsafe {
        Cr4::update(|cr4| {
            cr4.insert(Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE);
            cr4.set(Cr4Flags::OSXSAVE, parts.is_some());
        });
        Cr0::update(|cr0| {
            cr0.remove(Cr0Flags::EMULATE_COPROCESSOR);
            cr0.insert(Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR);
        });
    }
    if let Some(parts) = parts {
        // SAFETY: the processor has these parts, in an order that it allows.
        unsafe { XCr0::write(XCr0Flags::from_bits_truncate(parts)) };
    }
    clear();
    lock();
}
// ANCHOR_END: initialize

fn lock() {
    // SAFETY: with this flag each instruction of the unit raises an exception. The kernel has none but those below.
    unsafe { Cr0::update(|cr0| cr0.insert(Cr0Flags::TASK_SWITCHED)) };
}

fn unlock() {
    // SAFETY: the state that comes into the registers now is that of the task that will run.
    unsafe { asm!("clts", options(nomem, nostack)) };
}

/// All parts that are switched on.
const ALL: u32 = u32::MAX;

fn load(address: u64) {
    // SAFETY: the address is that of a state that `save` has written, or of a fresh one: aligned, and as large as a page.
    unsafe {
        if UNIT.has_xsave.get() {
            asm!("xrstor64 [{}]", in(reg) address, in("eax") ALL, in("edx") ALL, options(nostack));
        } else {
            asm!("fxrstor64 [{}]", in(reg) address, options(nostack));
        }
    }
}

fn save(address: u64) {
    // SAFETY: the address is that of a page for this state, which nobody else uses. All parts that are switched on fit.
    unsafe {
        if UNIT.has_xsave.get() {
            asm!("xsave64 [{}]", in(reg) address, in("eax") ALL, in("edx") ALL, options(nostack));
        } else {
            asm!("fxsave64 [{}]", in(reg) address, options(nostack));
        }
    }
}

fn clear() {
    unlock();
    // Where the last x87 instruction was is not loaded by some processors, unless it was at fault (AMD64 Architecture Programmer's Manual vol. 5, FXRSTOR).
    // SAFETY: the state is in its page, or is lost by intention.
    unsafe { asm!("fninit", options(nomem, nostack)) };
    load((&raw const FRESH) as u64);
}

// ANCHOR: bring_out
/// The current task has executed a floating-point instruction. Loads its state, if it has a page for it.
pub(super) fn bring_out(task: TaskRef) -> bool {
    // A slot that was emptied still tells where its page was.
    let slot = Some(&task.floating_point_slot).filter(|slot| !slot.is_empty());
    let Some(page) = slot.and_then(Slot::page) else { return false };
    unlock();
    load(page.window_address());
    UNIT.open.set(page.window_address());
    arch::syscall::close_fast_path();
    true
}

/// Whether there is any state in the registers.
#[cfg(feature = "chapter11")]
pub(crate) fn is_open() -> bool {
    UNIT.open.get() != 0
}

/// Another task is about to run: the state goes back to its page.
#[inline(always)]
pub(crate) fn put_away() {
    let page_address = UNIT.open.get();
    if page_address != 0 {
        save(page_address);
        close();
    }
}
// ANCHOR_END: bring_out

#[inline(never)]
fn close() {
    UNIT.open.set(0);
    clear();
    lock();
    arch::syscall::open_fast_path();
}

/// The page is about to be taken from its task: what is in the registers is lost with it.
pub(super) fn release(task: TaskRef, slot: &Slot) -> Progress {
    debug_assert!(core::ptr::eq(slot, &raw const task.floating_point_slot));
    if UNIT.open.get() != 0 && UNIT.open.get() == slot.page_address() {
        close();
    }
    if let Some(entry) = slot.page().and_then(entry_of) {
        entry.set_next(None);
    }
    Progress::Done
}

// ANCHOR: set
/// Gives a task a page for its floating-point state, or takes it away. The state begins afresh.
///
/// # Errors
///
/// Those that the interface lists for `SetFloatingPoint`.
pub(crate) fn set(task: TaskRef, page: Option<&Slot>) -> Result<(), Error> {
    if task.state() != State::Stopped {
        return Err(Error::InvalidState);
    }
    let page = page.map(|slot| slot.require(Kind::FloatingPoint, Rights::MANAGE)).transpose()?;
    let entry = page.and_then(Slot::page).and_then(entry_of);
    if entry.is_some_and(|entry| entry.next().is_some()) {
        return Err(Error::InvalidState);
    }
    empty_task_slot(&task.floating_point_slot);
    if let (Some(page), Some(entry)) = (page, entry) {
        insert_below(&task.floating_point_slot, page, page.content());
        // The entry says that the page is in use.
        entry.set_next(task.page());
        start_afresh(page);
    }
    Ok(())
}
// ANCHOR_END: set

fn start_afresh(slot: &Slot) {
    if let Some(page) = slot.page() {
        // SAFETY: the page is one for floating-point state that no task uses; both are one page large.
        unsafe { core::ptr::copy_nonoverlapping(&raw const FRESH, page.window_address() as *mut Fresh, 1) };
    }
}
