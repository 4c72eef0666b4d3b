//! The kernel's own address space, and the processor's protections.

use core::sync::atomic::{AtomicU32, Ordering};

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
#[cfg(feature = "chapter9")]
use flatmk_abi::layout::PAGE_SIZE;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::structures::paging::PageTableFlags as Flags;

use super::pages::PageKind;
use super::region::take_boot_page;
use super::space::AddressSpace;
use super::table::{ENTRIES, Entry, TOP_LEVEL, UPPER_HALF, index, read, write};
use super::window::Frame;
use crate::arch::paging::{self, ADDRESS_BITS};
use crate::boot::{PHYSICAL_WINDOW, STACK_BOTTOM};
use crate::interrupts::descriptors::exception_stacks;
use crate::processor::Processor;
use crate::stop::{StopCode, stop};

static KERNEL_TOP: AtomicU32 = AtomicU32::new(0);

/// The space of the kernel itself: nothing in its lower half, but for what chapter 10 borrows while the kernel is isolated.
pub fn kernel_space() -> AddressSpace {
    AddressSpace::from_top(Frame::from_number(KERNEL_TOP.load(Ordering::Relaxed)))
}

// ANCHOR: initialize
/// Leaves the bootloader's tables for the kernel's own top level, puts guard pages below the exception stacks, and switches the
/// processor's protections on.
pub(super) fn initialize(map: &[MemoryRegion]) {
    let Some(mut top) = take_boot_page(PageKind::AddressSpace) else {
        stop(StopCode::TooLittleMemory, format_args!("no page for the kernel's address space"));
    };
    let old = AddressSpace::current().top();
    for index in UPPER_HALF..ENTRIES {
        let start = index as usize * 8;
        if let Some(bytes) = top.bytes().get_mut(start..start + 8) {
            bytes.copy_from_slice(&read(old, index).0.to_le_bytes());
        }
    }
    shorten_window(top.frame(), map);
    use_kernel_space(top.frame());
    for stack in exception_stacks() {
        remove_page(stack.guard_address());
    }
    switch_protections_on();
}
// ANCHOR_END: initialize

// ANCHOR: window
/// Ends the window with the memory, or at 4 GiB, below which the registers of devices are. The bootloader maps whatever the firmware mentions, up to a
/// terabyte of nothing; to look through that many page tables takes time.
fn shorten_window(top: Frame, map: &[MemoryRegion]) {
    const PER_ENTRY: u64 = 1 << 30;
    const PER_TABLE: u64 = ENTRIES * PER_ENTRY;
    let is_memory =
        |region: &&MemoryRegion| matches!(region.kind, MemoryRegionKind::Usable | MemoryRegionKind::Bootloader);
    let end = map.iter().filter(is_memory).map(|region| region.end).max().unwrap_or(0).max(4 * PER_ENTRY);
    for start in (0..STACK_BOTTOM - PHYSICAL_WINDOW).step_by(PER_TABLE as usize) {
        let Some(table) = read(top, index(PHYSICAL_WINDOW + start, TOP_LEVEL)).table() else { break };
        for number in (0..ENTRIES).filter(|number| start + number * PER_ENTRY >= end) {
            // SAFETY: an entry of the window, for what is not memory: the kernel has no use for it.
            unsafe { write(table, number, Entry::EMPTY) };
        }
    }
}
// ANCHOR_END: window

/// Makes this top-level table that of the kernel's own space, and uses it.
pub(super) fn use_kernel_space(top: Frame) {
    KERNEL_TOP.store(top.number(), Ordering::Relaxed);
    kernel_space().activate();
}

// ANCHOR: protections
/// What firmware may have left on and user mode must not have: performance counters, bases of segments that would leak from task to
/// task, virtual interrupts; and off again what it must have, the time stamp counter.
pub const FIRMWARES: Cr4Flags = Cr4Flags::PERFORMANCE_MONITOR_COUNTER
    .union(Cr4Flags::FSGSBASE)
    .union(Cr4Flags::VIRTUAL_8086_MODE_EXTENSIONS)
    .union(Cr4Flags::PROTECTED_MODE_VIRTUAL_INTERRUPTS)
    .union(Cr4Flags::TIMESTAMP_DISABLE);

/// Switches the processor's protections on: write protection holds in ring 0 too; the kernel can neither execute nor touch user
/// pages by mistake, and user mode cannot read where the descriptor tables are (Intel SDM vol. 3A, 2.5 and 4.6). A machine check
/// becomes an exception; without that it would switch the processor off.
pub fn switch_protections_on() {
    let processor = Processor::identify();
    let wanted = [
        (processor.has_global_pages(), Cr4Flags::PAGE_GLOBAL),
        (processor.has_machine_check(), Cr4Flags::MACHINE_CHECK_EXCEPTION),
        (processor.has_smep(), Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (processor.has_smap(), Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (processor.has_umip(), Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
    ];
    let flags = wanted.into_iter().filter(|&(present, _)| present).map(|(_, flag)| flag);
    // SAFETY: each feature is there. The kernel keeps no user page mapped for itself, so nothing it does is refused.
    unsafe {
        Cr4::update(|cr4| {
            cr4.remove(FIRMWARES);
            cr4.extend(flags);
        });
    }
    // SAFETY: the kernel never writes to a page that is mapped read-only.
    unsafe { Cr0::update(|cr0| cr0.insert(Cr0Flags::WRITE_PROTECT)) };
}
// ANCHOR_END: protections

/// Unmaps a page of the kernel.
fn remove_page(address: u64) {
    let mut table = kernel_space().top();
    for level in (2..=TOP_LEVEL).rev() {
        let entry = read(table, index(address, level));
        assert!(!entry.flags().contains(Flags::HUGE_PAGE), "the kernel's image is mapped in small pages");
        table = entry.frame().expect("the kernel's image is mapped");
    }
    // SAFETY: a guard page: nothing uses it.
    unsafe { write(table, index(address, 1), Entry(0)) };
    paging::flush(address);
}

/// The frame behind an address of the kernel's half; `None` where nothing is mapped, or nothing below 16 TiB.
pub fn kernel_frame(address: u64) -> Option<Frame> {
    let mut table = kernel_space().top();
    for level in (1..=TOP_LEVEL).rev() {
        let entry = read(table, index(address, level));
        // A device may be above 16 TiB, where there are no frames.
        let frame = Frame::containing(entry.frame().map(|_| entry.0 & ADDRESS_BITS)?)?;
        if level > 1 && !entry.flags().contains(Flags::HUGE_PAGE) {
            table = frame;
            continue;
        }
        // A large page begins at a multiple of its size.
        let size = 1_u64 << (12 + 9 * (u32::from(level) - 1));
        return Frame::containing((frame.address() & !(size - 1)) + address % size);
    }
    None
}

/// Changes a byte of the kernel's code, through the window: where it is executed it cannot be written.
///
/// # Safety
///
/// The code works before and after, and is not executed in between.
#[cfg(feature = "chapter9")]
pub(crate) unsafe fn write_to_code(address: u64, byte: u8) {
    let frame = kernel_frame(address).expect("the kernel's code is mapped");
    let place = frame.window_address() + address % PAGE_SIZE;
    // SAFETY: the window maps all memory writable; the caller vouches for the change.
    unsafe { core::ptr::write_volatile(place as *mut u8, byte) };
}

/// What the kernel's half of the address space holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Mapped pages, whatever their size.
    pub pages: u64,
    /// Executable ones.
    pub executable: u64,
    /// Ones that are writable and executable: must be none.
    pub writable_and_executable: u64,
    /// Ones that user mode may use: must be none.
    pub user: u64,
    /// Global ones, which the processor remembers whatever the space: from chapter 9 on all, or none where the kernel is isolated.
    pub global: u64,
}

/// Looks at every mapping of the kernel.
pub fn audit() -> Audit {
    let mut audit = Audit::default();
    audit_table(kernel_space().top(), TOP_LEVEL, Flags::WRITABLE | Flags::USER_ACCESSIBLE, &mut audit);
    audit
}

// ANCHOR: audit
/// `allowed`: what the levels above allow; a page is writable, or the user's, only if all levels say so, and it is executable only
/// if none says no.
fn audit_table(table: Frame, level: u8, allowed: Flags, audit: &mut Audit) {
    let start = if level == TOP_LEVEL { UPPER_HALF } else { 0 };
    for entry in (start..ENTRIES).map(|index| read(table, index)) {
        let Some(frame) = entry.frame() else { continue };
        let flags = entry.flags();
        let here =
            (allowed & flags & (Flags::WRITABLE | Flags::USER_ACCESSIBLE)) | ((allowed | flags) & Flags::NO_EXECUTE);
        if level > 1 && !flags.contains(Flags::HUGE_PAGE) {
            audit_table(frame, level - 1, here, audit);
            continue;
        }
        let executable = !here.contains(Flags::NO_EXECUTE);
        audit.pages += 1;
        audit.executable += u64::from(executable);
        audit.writable_and_executable += u64::from(executable && here.contains(Flags::WRITABLE));
        audit.user += u64::from(here.contains(Flags::USER_ACCESSIBLE));
        audit.global += u64::from(flags.contains(Flags::GLOBAL));
    }
}
// ANCHOR_END: audit
