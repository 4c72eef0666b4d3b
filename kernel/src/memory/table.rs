//! Page tables: entries, and reading and writing them through the window (Intel SDM vol. 3A, 4.5).

use flatmk_abi::Access;
use flatmk_abi::layout::PAGE_SIZE;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::space::{FrameSize, MapError};
use super::window::Frame;
use crate::arch::paging::ADDRESS_BITS;
use crate::planted::{Bug, planted};

/// Entries of a page table.
pub(crate) const ENTRIES: u64 = 512;
/// The entry of the top-level table at which the upper half begins.
pub(crate) const UPPER_HALF: u64 = 256;
/// The level of the top-level table; level 1 maps pages.
pub(crate) const TOP_LEVEL: u8 = 4;

// ANCHOR: tables
/// One entry of a page table.
#[derive(Clone, Copy)]
pub(super) struct Entry(pub(super) u64);

impl Entry {
    pub(super) const EMPTY: Entry = Entry(0);

    pub(super) fn flags(self) -> Flags {
        Flags::from_bits_truncate(self.0)
    }

    pub(super) fn is_present(self) -> bool {
        self.flags().contains(Flags::PRESENT)
    }

    /// The frame that it leads to, if it does.
    pub(super) fn frame(self) -> Option<Frame> {
        self.is_present().then(|| frame_in(self.0))
    }

    /// An entry that leads to a lower table. What a page allows is said at the last level only.
    pub(super) fn to_table(table: Frame) -> Entry {
        Entry(table.address() | (Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE).bits())
    }

    pub(super) fn to_page(frame: Frame, size: FrameSize, access: Access) -> Entry {
        let access = match access {
            Access::Read => Flags::NO_EXECUTE,
            Access::ReadWrite => Flags::WRITABLE | Flags::NO_EXECUTE,
            Access::ReadExecute => Flags::empty(),
        };
        let size = if size == FrameSize::Large { Flags::HUGE_PAGE } else { Flags::empty() };
        let size = if planted(Bug::UserPageIsGlobal) { size | Flags::GLOBAL } else { size };
        Entry(frame.address() | (Flags::PRESENT | Flags::USER_ACCESSIBLE | access | size).bits())
    }

    /// The table that it leads to, if it does.
    pub(super) fn table(self) -> Option<Frame> {
        self.frame().filter(|_| !self.flags().contains(Flags::HUGE_PAGE))
    }

    /// Checks that it leads to nothing, neither to a page nor to a table.
    pub(super) fn require_empty(self) -> Result<(), MapError> {
        if self.is_present() { Err(MapError::AlreadyMapped) } else { Ok(()) }
    }

    pub(super) fn access(self) -> Access {
        if self.flags().contains(Flags::WRITABLE) {
            Access::ReadWrite
        } else if self.flags().contains(Flags::NO_EXECUTE) {
            Access::Read
        } else {
            Access::ReadExecute
        }
    }
}

/// The frame whose address stands in an entry of a page table, or in CR3. The kernel only ever puts frames below 16 TiB there.
pub(super) fn frame_in(word: u64) -> Frame {
    Frame::from_number(((word & ADDRESS_BITS) / PAGE_SIZE) as u32)
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
