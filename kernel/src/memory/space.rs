//! Address spaces: four levels of page tables (Intel SDM vol. 3A, 4.5).
//!
//! The lower half belongs to user programs and is empty in a new space; the upper half is the kernel's and the same in all.

use flatmk_abi::Access;
use flatmk_abi::layout::{PAGE_SIZE, USER_END, USER_START};
use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PageTableFlags as Flags;
use x86_64::structures::paging::PhysFrame;

use super::flush::Flush;
use super::kernel::kernel_space;
use super::pages::PageKind;
use super::region::Region;
use super::window::Frame;

/// Entries of a page table.
pub(super) const ENTRIES: u64 = 512;
/// The entry of the top-level table at which the upper half begins.
pub(super) const UPPER_HALF: u64 = 256;
/// The level of the top-level table; level 1 maps pages.
pub(super) const TOP_LEVEL: u8 = 4;

const ADDRESS_BITS: u64 = 0x000f_ffff_ffff_f000;

/// Why a mapping was not made or changed. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The address is not page-aligned or not in user space. The caller is to blame.
    InvalidAddress,
    /// Something is mapped there. The caller is to blame.
    AlreadyMapped,
    /// Nothing is mapped there. The caller is to blame.
    NotMapped,
    /// No page left for a page table. The caller may come back with more memory.
    OutOfMemory,
}

/// What an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The frame.
    pub frame: Frame,
    /// How it may be used.
    pub access: Access,
}

/// An address space, by its top-level page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct AddressSpace(Frame);

// ANCHOR: tables
/// One entry of a page table.
#[derive(Clone, Copy)]
pub(super) struct Entry(pub(super) u64);

impl Entry {
    const EMPTY: Entry = Entry(0);

    pub(super) fn flags(self) -> Flags {
        Flags::from_bits_truncate(self.0)
    }

    pub(super) fn is_present(self) -> bool {
        self.flags().contains(Flags::PRESENT)
    }

    pub(super) fn frame(self) -> Option<Frame> {
        Frame::containing(self.0 & ADDRESS_BITS).filter(|_| self.is_present())
    }

    /// An entry that leads to a lower table. What a page allows is said at the last level only.
    fn to_table(table: Frame) -> Entry {
        Entry(table.address() | (Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE).bits())
    }

    fn to_page(frame: Frame, access: Access) -> Entry {
        let flags = match access {
            Access::Read => Flags::NO_EXECUTE,
            Access::ReadWrite => Flags::WRITABLE | Flags::NO_EXECUTE,
            Access::ReadExecute => Flags::empty(),
        };
        Entry(frame.address() | (Flags::PRESENT | Flags::USER_ACCESSIBLE | flags).bits())
    }

    fn access(self) -> Access {
        if self.flags().contains(Flags::WRITABLE) {
            Access::ReadWrite
        } else if self.flags().contains(Flags::NO_EXECUTE) {
            Access::Read
        } else {
            Access::ReadExecute
        }
    }
}

/// Reads an entry of a page table.
pub(super) fn read(table: Frame, index: u64) -> Entry {
    let address = table.window_address() + (index % ENTRIES) * 8;
    // SAFETY: the entry lies within a page that the window maps; the processor may set bits in it at the same time.
    Entry(unsafe { core::ptr::read_volatile(address as *const u64) })
}

/// Writes an entry of a page table.
///
/// # Safety
///
/// `table` is a page table, and the change takes away nothing that the kernel itself uses.
pub(super) unsafe fn write(table: Frame, index: u64, entry: Entry) {
    let address = table.window_address() + (index % ENTRIES) * 8;
    // SAFETY: the entry lies within a page table, by the caller's promise, and the window maps it writable.
    unsafe { core::ptr::write_volatile(address as *mut u64, entry.0) };
}

/// The index into the table of a level: nine bits of the address.
pub(super) fn index(address: u64, level: u8) -> u64 {
    (address >> (12 + 9 * (u32::from(level) - 1))) % ENTRIES
}
// ANCHOR_END: tables

/// Where the walk through the tables for an address ended.
struct Walk {
    table: Frame,
    level: u8,
}

impl AddressSpace {
    /// A space with nothing in its lower half. Takes one page.
    pub fn new(region: &mut Region) -> Result<Self, MapError> {
        let top = region.take(PageKind::AddressSpace).ok_or(MapError::OutOfMemory)?;
        Ok(Self::on(top))
    }

    /// Makes a space of a zeroed page that was taken for it.
    pub(crate) fn on(top: Frame) -> Self {
        for index in UPPER_HALF..ENTRIES {
            // SAFETY: `top` is not in use as a page table yet.
            unsafe { write(top, index, read(kernel_space().0, index)) };
        }
        Self(top)
    }

    /// The space whose top-level table this is.
    pub(crate) const fn from_top(top: Frame) -> Self {
        Self(top)
    }

    /// The top-level table.
    #[must_use]
    pub fn top(self) -> Frame {
        self.0
    }

    /// The space that the processor uses now.
    ///
    /// # Panics
    ///
    /// If its tables were above 16 TiB, where there are no frames.
    #[must_use]
    pub fn current() -> Self {
        let top = Cr3::read().0.start_address().as_u64();
        Self(Frame::containing(top).expect("page tables are in memory"))
    }

    /// Whether the processor uses this space now.
    #[must_use]
    pub fn is_current(self) -> bool {
        Self::current() == self
    }

    /// Makes the processor use this space. The kernel goes on, since its half is the same in all.
    pub fn activate(self) {
        let frame = PhysFrame::containing_address(PhysAddr::new_truncate(self.0.address()));
        // SAFETY: the space has the kernel's upper half, and nothing of the kernel is in the lower one.
        unsafe { Cr3::write(frame, Cr3Flags::empty()) };
    }

    // ANCHOR: map
    /// Maps a frame at a user address. Missing page tables come from the region.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`], [`MapError::AlreadyMapped`] and [`MapError::OutOfMemory`], with nothing changed.
    pub fn map(self, address: u64, frame: Frame, access: Access, region: &mut Region) -> Result<Flush, MapError> {
        check_address(address)?;
        let Walk { mut table, mut level } = self.walk(address);
        if read(table, index(address, level)).is_present() {
            return Err(MapError::AlreadyMapped);
        }
        // One table for each level below the one where the walk ended. With enough pages nothing can fail from here on.
        if region.free_pages() < u32::from(level - 1) {
            return Err(MapError::OutOfMemory);
        }
        while level > 1 {
            let lower = region.take(PageKind::PageTable).ok_or(MapError::OutOfMemory)?;
            // SAFETY: the entry was not present and is in the lower half.
            unsafe { write(table, index(address, level), Entry::to_table(lower)) };
            (table, level) = (lower, level - 1);
        }
        // SAFETY: as above.
        unsafe { write(table, index(address, 1), Entry::to_page(frame, access)) };
        Ok(Flush::new(self, address))
    }
    // ANCHOR_END: map

    /// Removes the mapping of a user address, and tells which frame was there.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`] and [`MapError::NotMapped`].
    pub fn unmap(self, address: u64) -> Result<(Frame, Flush), MapError> {
        let (table, entry) = self.leaf(address)?;
        let frame = entry.frame().ok_or(MapError::NotMapped)?;
        // SAFETY: a page of the lower half.
        unsafe { write(table, index(address, 1), Entry::EMPTY) };
        Ok((frame, Flush::new(self, address)))
    }

    /// Changes how a mapped page may be used.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`] and [`MapError::NotMapped`].
    pub fn protect(self, address: u64, access: Access) -> Result<Flush, MapError> {
        let (table, entry) = self.leaf(address)?;
        let frame = entry.frame().ok_or(MapError::NotMapped)?;
        // SAFETY: a page of the lower half.
        unsafe { write(table, index(address, 1), Entry::to_page(frame, access)) };
        Ok(Flush::new(self, address))
    }

    /// What a user address leads to.
    #[must_use]
    pub fn translate(self, address: u64) -> Option<Translation> {
        let (_, entry) = self.leaf(address & !(PAGE_SIZE - 1)).ok()?;
        Some(Translation { frame: entry.frame()?, access: entry.access() })
    }

    /// Calls `visit` with the address and frame of each page of the lower half.
    pub fn for_each_page(self, mut visit: impl FnMut(u64, Frame)) {
        visit_tables(self.0, TOP_LEVEL, 0, &mut |item| {
            if let Item::Page(address, frame) = item {
                visit(address, frame);
            }
        });
    }

    /// Calls `give` with each lower page table, after what is below it.
    pub fn for_each_table(self, mut give: impl FnMut(Frame)) {
        visit_tables(self.0, TOP_LEVEL, 0, &mut |item| {
            if let Item::Table(table) = item {
                give(table);
            }
        });
    }

    /// Gives all page tables back to the region they came from. The pages that were mapped stay whose they are.
    pub fn destroy(self, region: &mut Region) {
        assert!(!self.is_current(), "the current address space cannot be destroyed");
        self.for_each_table(|table| region.give(table));
        region.give(self.0);
    }

    /// Follows the tables as far as they go.
    fn walk(self, address: u64) -> Walk {
        let (mut table, mut level) = (self.0, TOP_LEVEL);
        while level > 1 {
            let Some(lower) = read(table, index(address, level)).frame() else { break };
            (table, level) = (lower, level - 1);
        }
        Walk { table, level }
    }

    fn leaf(self, address: u64) -> Result<(Frame, Entry), MapError> {
        check_address(address)?;
        match self.walk(address) {
            Walk { table, level: 1 } => Ok((table, read(table, index(address, 1)))),
            Walk { .. } => Err(MapError::NotMapped),
        }
    }
}

/// Loads CR3 with the address of the top-level table of a space.
#[cfg(feature = "chapter5")]
#[inline(always)]
pub(crate) fn load_space(top_address: u64) {
    // SAFETY: as for `activate`; the address comes from a task, which has it from its address-space capability.
    unsafe { core::arch::asm!("mov cr3, {}", in(reg) top_address, options(nostack, preserves_flags)) };
}

enum Item {
    Page(u64, Frame),
    Table(Frame),
}

/// Visits what is below a table: at most four levels deep, so the recursion is bounded.
fn visit_tables(table: Frame, level: u8, base: u64, visit: &mut impl FnMut(Item)) {
    let entries = if level == TOP_LEVEL { UPPER_HALF } else { ENTRIES };
    for index in 0..entries {
        let Some(frame) = read(table, index).frame() else { continue };
        let address = base + (index << (12 + 9 * (u32::from(level) - 1)));
        if level == 1 {
            visit(Item::Page(address, frame));
        } else {
            visit_tables(frame, level - 1, address, visit);
            visit(Item::Table(frame));
        }
    }
}

fn check_address(address: u64) -> Result<(), MapError> {
    let in_range = (USER_START..USER_END).contains(&address) && address.is_multiple_of(PAGE_SIZE);
    if in_range { Ok(()) } else { Err(MapError::InvalidAddress) }
}
