//! The segment descriptors and the task state segment, which long mode still needs: for the privilege levels, and for the
//! stacks on which exceptions are handled (Intel SDM vol. 3A, chapters 3 and 7.7).

use core::arch::asm;
use core::ptr::addr_of;

use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

use crate::boot::STACK_TOP;
use crate::sync::Exclusive;

const PAGE_SIZE: usize = 4096;
const STACK_SIZE: usize = 4 * PAGE_SIZE;

/// A stack for exceptions that can come when the current stack is no good. The page below it is unmapped from chapter 3 on.
#[repr(C, align(4096))]
pub struct ExceptionStack {
    guard: [u8; PAGE_SIZE],
    stack: [u8; STACK_SIZE],
}

impl ExceptionStack {
    /// The address of the guard page.
    #[must_use]
    pub fn guard_address(&'static self) -> u64 {
        addr_of!(self.guard) as u64
    }

    fn top(&'static self) -> VirtAddr {
        VirtAddr::from_ptr(addr_of!(self.stack)) + STACK_SIZE as u64
    }
}

// ANCHOR: stacks
/// Exceptions that get a stack of their own, with its place in the interrupt stack table (1 to 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StackIndex {
    /// The double fault: often a sign that the stack has overflowed.
    DoubleFault = 1,
    /// The non-maskable interrupt: can come between any two instructions, even before a system call has a stack.
    NonMaskable = 2,
    /// The machine check: as the non-maskable interrupt.
    MachineCheck = 3,
    /// The debug exception: can come right after `syscall`, where it was held back by a load of the stack segment.
    Debug = 4,
}
// ANCHOR_END: stacks

/// Written by the processor only, through the task state segment.
#[repr(transparent)]
struct Stacks(core::cell::UnsafeCell<[ExceptionStack; 4]>);

// SAFETY: Rust code never reads or writes the stacks through this static; it only takes their addresses.
unsafe impl Sync for Stacks {}

static STACKS: Stacks = Stacks(core::cell::UnsafeCell::new(
    [const { ExceptionStack { guard: [0; PAGE_SIZE], stack: [0; STACK_SIZE] } }; 4],
));

/// The exception stacks, for their addresses.
pub fn exception_stacks() -> &'static [ExceptionStack; 4] {
    // SAFETY: only addresses are taken from this reference.
    unsafe { &*STACKS.0.get() }
}

/// The kernel's code segment.
pub const KERNEL_CODE: SegmentSelector = SegmentSelector::new(1, x86_64::PrivilegeLevel::Ring0);
/// The kernel's data segment.
pub const KERNEL_DATA: SegmentSelector = SegmentSelector::new(2, x86_64::PrivilegeLevel::Ring0);
/// The data segment of user mode. `sysret` expects it right before the code segment.
pub const USER_DATA: SegmentSelector = SegmentSelector::new(3, x86_64::PrivilegeLevel::Ring3);
/// The code segment of user mode.
pub const USER_CODE: SegmentSelector = SegmentSelector::new(4, x86_64::PrivilegeLevel::Ring3);

/// On pages of their own: from chapter 9 on, ones that user mode's page tables may have.
#[repr(C, align(4096))]
struct Tables {
    descriptors: GlobalDescriptorTable,
    task_state: TaskStateSegment,
}

static TABLES: Exclusive<Tables> =
    Exclusive::new(Tables { descriptors: GlobalDescriptorTable::new(), task_state: TaskStateSegment::new() });

// ANCHOR: load
/// Fills both tables and loads them. Called once.
pub(super) fn load() {
    TABLES.with(|tables| {
        tables.task_state.privilege_stack_table[0] = VirtAddr::new(STACK_TOP);
        // The segment is packed, so the table is filled in a copy.
        let mut stack_table = tables.task_state.interrupt_stack_table;
        for (entry, stack) in stack_table.iter_mut().zip(exception_stacks()) {
            *entry = stack.top();
        }
        tables.task_state.interrupt_stack_table = stack_table;
        let task_state = &raw const tables.task_state;
        // The order is that of the constants above.
        tables.descriptors.append(Descriptor::kernel_code_segment());
        tables.descriptors.append(Descriptor::kernel_data_segment());
        tables.descriptors.append(Descriptor::user_data_segment());
        tables.descriptors.append(Descriptor::user_code_segment());
        // SAFETY: the segment is in a static, which stays where it is.
        let task_state = tables.descriptors.append(unsafe { Descriptor::tss_segment_unchecked(task_state) });
        // SAFETY: the tables are in a static, the descriptors are never changed again, and the selectors name those just filled in.
        unsafe { activate(&tables.descriptors, task_state) };
    });
}
// ANCHOR_END: load

/// Puts other stacks in the place of those on which interrupts in user mode (0), and exceptions with a [`StackIndex`], begin: `replace`
/// returns the new top for the old one.
#[cfg(feature = "chapter9")]
pub(crate) fn replace_stacks(replace: impl Fn(usize, u64) -> u64) {
    TABLES.with(|tables| {
        let replace = |index, top: VirtAddr| VirtAddr::new_truncate(replace(index, top.as_u64()));
        // The segment is packed, so the tables are changed in copies.
        let [privileged, ..] = tables.task_state.privilege_stack_table;
        tables.task_state.privilege_stack_table[0] = replace(0, privileged);
        let mut stack_table = tables.task_state.interrupt_stack_table;
        for (index, top) in (1..).zip(&mut stack_table).take(exception_stacks().len()) {
            *top = replace(index, *top);
        }
        tables.task_state.interrupt_stack_table = stack_table;
    });
}

/// The addresses of the tables, whole pages.
#[cfg(feature = "chapter9")]
pub(crate) fn tables() -> core::ops::Range<u64> {
    TABLES.with(|tables| {
        let start = core::ptr::from_ref(tables) as u64;
        start..start + size_of::<Tables>() as u64
    })
}

/// # Safety
///
/// The table lives for ever and holds the descriptors in the order of the constants, and `task_state`.
unsafe fn activate(descriptors: &GlobalDescriptorTable, task_state: SegmentSelector) {
    // SAFETY: the caller vouches for table and selectors. FS and GS are not used by the kernel.
    unsafe {
        descriptors.load_unsafe();
        CS::set_reg(KERNEL_CODE);
        SS::set_reg(KERNEL_DATA);
        DS::set_reg(SegmentSelector::NULL);
        ES::set_reg(SegmentSelector::NULL);
        FS::set_reg(SegmentSelector::NULL);
        GS::set_reg(SegmentSelector::NULL);
        load_tss(task_state);
        // There is no local table. At its start the processor has one of 64 KiB at address 0 (Intel SDM vol. 3A, 9.1.1),
        // where programs have pages: they would make segments of their own, and gates into the kernel.
        asm!("lldt {:x}", in(reg) 0_u16, options(nomem, nostack, preserves_flags));
    }
}
