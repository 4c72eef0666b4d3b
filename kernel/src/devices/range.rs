//! What a capability to device memory keeps.

use core::ops;

use flatmk_abi::layout::PAGE_SIZE;

use crate::capability::{DeviceWords, Slot};
use crate::memory::{AddressSpace, Frame, PageKind, entry_of};

use super::physical::is_device;

/// Whose memory it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// Any device's, or the firmware's.
    Other = 0,
    /// The screen's.
    Screen = 1,
}

/// Where a range is mapped, or what is left of it.
#[derive(Clone, Copy)]
pub(super) struct Mapped {
    /// The space, and which of the spaces that were on that page it is.
    pub(super) space: AddressSpace,
    pub(super) generation: u64,
    /// The first address.
    pub(super) address: u64,
    /// How many pages are mapped from there on.
    pub(super) page_count: u32,
}

impl Mapped {
    /// Whether the space is there still, and with it the mapping.
    pub(super) fn is_there(&self) -> bool {
        let entry = entry_of(self.space.top()).filter(|entry| entry.kind() == PageKind::AddressSpace);
        entry.is_some_and(|entry| entry.generation() == self.generation)
    }
}

// ANCHOR: range
/// A range of device memory. It is kept in the slot's words and, its first page, where memory has the one it was split off.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) device: Device,
    /// The first page, by number.
    pub(super) first: u32,
    pub(super) page_count: u32,
    pub(super) mapped: Option<Mapped>,
}

/// The highest page count of a mapping: 1 GiB.
pub(super) const MOST_MAPPED: u32 = 1 << MAPPED_BITS;
const MAPPED_BITS: u32 = 18;

impl Range {
    /// These pages, not mapped.
    pub(super) fn new(device: Device, pages: ops::Range<u32>) -> Self {
        Self { device, first: pages.start, page_count: pages.end - pages.start, mapped: None }
    }

    /// Its pages, by number.
    pub(super) fn pages(&self) -> ops::Range<u32> {
        self.first..self.first + self.page_count
    }

    /// The range that a slot keeps.
    pub(super) fn of(slot: &Slot) -> Self {
        let DeviceWords { first_page, words: [pages, space, mapping] } = slot.device();
        let [device, ..] = space.to_le_bytes();
        let top = Frame::from_number((pages >> 32) as u32);
        let mapped = Mapped {
            space: AddressSpace::from_top(top),
            generation: space >> 8,
            // The address is a multiple of the page size, and the lower bits of a count that never has so many.
            address: mapping >> (MAPPED_BITS + 1) << PAGE_SIZE.trailing_zeros(),
            page_count: mapping as u32 & (2 * MOST_MAPPED - 1),
        };
        Self {
            device: if device == Device::Screen as u8 { Device::Screen } else { Device::Other },
            first: first_page,
            page_count: pages as u32,
            mapped: Some(mapped).filter(|_| top.number() != 0),
        }
    }

    /// Keeps it in a slot, which holds device memory.
    pub(super) fn keep_in(self, slot: &Slot) {
        slot.set_device(self.kept());
    }

    fn kept(&self) -> DeviceWords {
        let (top, generation, mapping) = self.mapped.map_or((0, 0, 0), |mapped| {
            let page = mapped.address / PAGE_SIZE;
            (mapped.space.top().number(), mapped.generation, page << (MAPPED_BITS + 1) | u64::from(mapped.page_count))
        });
        DeviceWords {
            first_page: self.first,
            words: [u64::from(self.page_count) | u64::from(top) << 32, self.device as u64 | generation << 8, mapping],
        }
    }
}
// ANCHOR_END: range

/// What a copy keeps: the same range, not mapped.
pub(super) fn copy(slot: &Slot) -> DeviceWords {
    Range { mapped: None, ..Range::of(slot) }.kept()
}

// ANCHOR: part
/// What a part keeps, which the context word names: the first page within the source's, and how many. None of them may be memory.
pub(super) fn part(slot: &Slot, context: u64) -> Option<DeviceWords> {
    let source = Range::of(slot);
    let (offset, page_count) = (context as u32, (context >> 32) as u32);
    let end = offset.checked_add(page_count).filter(|&end| page_count > 0 && end <= source.page_count)?;
    let part = Range::new(source.device, source.first + offset..source.first + end);
    let may_be_mapped = source.device == Device::Screen || is_device(&part.pages());
    may_be_mapped.then(|| part.kept())
}
// ANCHOR_END: part
