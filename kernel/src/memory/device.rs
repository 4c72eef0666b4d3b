//! Ranges of device memory in an address space: many pages at a time, large ones where that can be.

use flatmk_abi::Access;
use flatmk_abi::layout::{LARGE_FRAME_SIZE, PAGE_SIZE, SOFTUSER_END, USER_END, USER_START};
use x86_64::structures::paging::PageTableFlags as Flags;

use super::flush::{Flush, Old};
use super::pages::PageKind;
use super::region::Region;
use super::space::{AddressSpace, FrameSize, MapError, Walk};
use super::table::{Entry, index, read, write};
use super::window::{Frame, LARGE_FRAME_PAGES};
use crate::interrupts;

/// How the processor may keep what it reads and writes there (Intel SDM vol. 3A, 11.12).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// As the firmware has set it for the physical address.
    Firmwares,
    /// Writes are gathered: entry 1 of the page attribute table.
    WriteCombining,
}

/// Pages of device memory, and where they are to be mapped.
#[derive(Clone, Copy)]
pub(crate) struct DevicePages {
    pub(crate) address: u64,
    /// The first page, by number.
    pub(crate) first: u32,
    pub(crate) page_count: u32,
}

/// The level at which an entry maps a large page, or leads to the last table.
const LARGE: u8 = 2;

impl DevicePages {
    /// Where they end.
    fn end(&self) -> u64 {
        self.address + u64::from(self.page_count) * PAGE_SIZE
    }

    /// Checks where they are to be mapped.
    fn check(&self) -> Result<(), MapError> {
        let length = u64::from(self.page_count) * PAGE_SIZE;
        let is_user_space = self.address >= USER_START
            && self.address.is_multiple_of(PAGE_SIZE)
            && self.address.checked_add(length).is_some_and(|end| end <= USER_END);
        // The last page below 4 GiB is in no mapping.
        if is_user_space && !(self.address..self.end()).contains(&SOFTUSER_END) {
            Ok(())
        } else {
            Err(MapError::InvalidAddress)
        }
    }

    /// The same pages in parts, none of which reaches beyond the addresses of one entry of level 2.
    pub(crate) fn parts(self) -> impl Iterator<Item = DevicePages> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let in_entry = ((LARGE_FRAME_SIZE - rest.address % LARGE_FRAME_SIZE) / PAGE_SIZE) as u32;
            let page_count = in_entry.min(rest.page_count);
            let part = Self { page_count, ..rest };
            rest.address += u64::from(page_count) * PAGE_SIZE;
            rest.first += page_count;
            rest.page_count -= page_count;
            (page_count > 0).then_some(part)
        })
    }

    /// Whether this part can be one large page.
    fn is_large(&self) -> bool {
        self.page_count == LARGE_FRAME_PAGES && self.first.is_multiple_of(LARGE_FRAME_PAGES)
    }
}

impl AddressSpace {
    // ANCHOR: map
    /// Checks whether device memory can be mapped, and tells how many page tables are missing for it. Interrupts are let in between two parts.
    ///
    /// # Errors
    ///
    /// [`MapError::InvalidAddress`], and [`MapError::AlreadyMapped`] where something is mapped among them.
    pub(crate) fn check_device(self, pages: DevicePages) -> Result<u32, MapError> {
        pages.check()?;
        let mut missing = 0;
        let mut before: Option<u64> = None;
        for part in pages.parts() {
            let Walk { table, level } = self.walk(part.address, LARGE);
            // A table that the part before this one lacks as well was counted with that.
            let is_new = |level: u8| {
                let shift = 12 + 9 * u32::from(level);
                before.is_none_or(|before| before >> shift != part.address >> shift)
            };
            missing += (LARGE..level).filter(|&level| is_new(level)).count() as u32;
            before = Some(part.address);
            let entry = read(table, index(part.address, level));
            match entry.table().filter(|_| level == LARGE) {
                Some(last) => part.small_entries().try_for_each(|index| read(last, index).require_empty())?,
                None => {
                    entry.require_empty()?;
                    missing += u32::from(!part.is_large());
                }
            }
            interrupts::let_in();
        }
        Ok(missing)
    }

    /// Maps one part of what was checked, at one go. Missing page tables come from the region.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfMemory`].
    pub(crate) fn map_device(
        self,
        part: DevicePages,
        access: Access,
        caching: Caching,
        region: &mut Region,
    ) -> Result<(), MapError> {
        let Walk { mut table, mut level } = self.walk(part.address, 1);
        let size = if part.is_large() && level >= LARGE { FrameSize::Large } else { FrameSize::Small };
        while level > size.level() {
            let lower = region.take(PageKind::PageTable).ok_or(MapError::OutOfMemory)?;
            // SAFETY: the entry was not present and is in the lower half.
            unsafe { write(table, index(part.address, level), Entry::to_table(lower)) };
            (table, level) = (lower, level - 1);
        }
        if size == FrameSize::Large {
            let entry = Entry::to_device(Frame::from_number(part.first), size, access, caching);
            // SAFETY: the entry was not present and is in the lower half.
            unsafe { write(table, index(part.address, level), entry) };
            return Ok(());
        }
        for (index, number) in part.small_entries().zip(part.first..) {
            let entry = Entry::to_device(Frame::from_number(number), size, access, caching);
            // SAFETY: as above.
            unsafe { write(table, index, entry) };
        }
        Ok(())
    }
    // ANCHOR_END: map

    /// Changes how mapped device memory may be used. Interrupts are let in between two parts.
    pub(crate) fn protect_device(self, pages: DevicePages, access: Access) {
        for part in pages.parts() {
            let mut address = part.address;
            while let Ok((Walk { table, level }, mapping)) = self.leaf(address)
                && address < part.end()
            {
                let entry = read(table, index(address, level)).with_access(access);
                // SAFETY: a page of the lower half.
                unsafe { write(table, index(address, level), entry) };
                Flush::new(self, address, Old::Page).now();
                address = mapping.address + mapping.size.bytes();
            }
            interrupts::let_in();
        }
    }

    // ANCHOR: unmap
    /// Takes out the last of these pages, which are mapped: at most `most` entries of page tables. Tells how many pages are left.
    pub(crate) fn unmap_device(self, pages: DevicePages, most: u32) -> u32 {
        let mut left = pages.page_count;
        for _ in 0..most {
            let last = pages.address + (u64::from(left.max(1)) - 1) * PAGE_SIZE;
            let Ok((Walk { table, level }, mapping)) = self.leaf(last) else { return 0 };
            // SAFETY: a page of the lower half.
            unsafe { write(table, index(last, level), Entry::EMPTY) };
            Flush::new(self, mapping.address, Old::Page).now();
            left = ((mapping.address - pages.address) / PAGE_SIZE) as u32;
            if left == 0 {
                break;
            }
        }
        left
    }
    // ANCHOR_END: unmap
}

impl DevicePages {
    /// The entries of the last table for this part.
    fn small_entries(&self) -> core::ops::Range<u64> {
        let first = index(self.address, 1);
        first..first + u64::from(self.page_count)
    }
}

impl Entry {
    /// An entry that leads to device memory.
    fn to_device(frame: Frame, size: FrameSize, access: Access, caching: Caching) -> Self {
        let caching = if caching == Caching::WriteCombining { Flags::WRITE_THROUGH } else { Flags::empty() };
        Self(Self::to_page(frame, size, access).0 | caching.bits())
    }

    /// The same entry with another access, which is not an executable one.
    fn with_access(self, access: Access) -> Self {
        let writable = if access == Access::ReadWrite { Flags::WRITABLE } else { Flags::empty() };
        Self(self.0 & !Flags::WRITABLE.bits() | writable.bits())
    }
}
