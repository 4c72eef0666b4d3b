//! Mapping device memory. One capability, one mapping, as with frames; but a range of pages is mapped as a whole.

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Error, Kind, Rights};

use super::physical::is_device;
use super::range::{Device, MOST_MAPPED, Mapped, Range};
use super::screen;
use crate::capability::{Progress, Slot, page_tables_from};
use crate::interrupts;
use crate::memory::{AddressSpace, Caching, DevicePages, MapError, entry_of};

/// How many entries of page tables go in one step.
const ENTRIES_PER_STEP: u32 = 64;

/// The range of a capability, and an access that it may have.
fn require(slot: &Slot, access: u64) -> Result<(Range, Access), Error> {
    slot.require(Kind::DeviceMemory, Rights::empty())?;
    let access = Access::from_number(access).filter(|&access| access != Access::ReadExecute);
    let access = access.ok_or(Error::InvalidArgument)?;
    slot.require(Kind::DeviceMemory, access.needed_rights())?;
    Ok((Range::of(slot), access))
}

/// Where a range is mapped.
fn mapped(range: &Range) -> Result<Mapped, Error> {
    range.mapped.filter(Mapped::is_there).ok_or(Error::NotMapped)
}

/// The pages of a mapping, or of what is left of it.
fn pages(range: &Range, mapped: &Mapped) -> DevicePages {
    DevicePages { address: mapped.address, first: range.first, page_count: mapped.page_count }
}

// ANCHOR: map
/// Maps the range of a capability. The walk through the page tables is both check and change; where it fails nothing has changed.
///
/// # Errors
///
/// Those that the interface lists for `Map`.
#[cold]
pub(crate) fn map(space: AddressSpace, slot: &Slot, address: u64, access: u64) -> Result<(), Error> {
    let (range, access) = require(slot, access)?;
    let may_be_mapped = range.device == Device::Screen || is_device(&range.pages());
    if range.page_count > MOST_MAPPED || !may_be_mapped {
        return Err(Error::InvalidArgument);
    }
    if mapped(&range).is_ok() {
        return Err(Error::AlreadyMapped);
    }
    let pages = DevicePages { address, first: range.first, page_count: range.page_count };
    let caching = if range.device == Device::Screen { screen::caching() } else { Caching::Firmwares };
    let missing = space.check_device(pages)?;
    page_tables_from(space, |region| (region.free_pages() >= missing).then_some(()).ok_or(MapError::OutOfMemory))?;

    // What is mapped so far is kept each time: in a window, all is in order.
    let generation = entry_of(space.top()).map_or(0, |entry| entry.generation());
    let mut mapped = Mapped { space, generation, address, page_count: 0 };
    for part in pages.parts() {
        page_tables_from(space, |region| space.map_device(part, access, caching, region))?;
        mapped.page_count += part.page_count;
        Range { mapped: Some(mapped), ..range }.keep_in(slot);
        interrupts::let_in();
    }
    if range.device == Device::Screen {
        screen::begin_use(&mapped);
    }
    Ok(())
}
// ANCHOR_END: map

/// Changes the access of a mapping.
///
/// # Errors
///
/// Those that the interface lists for `Protect`.
#[cold]
pub(crate) fn protect(slot: &Slot, access: u64) -> Result<(), Error> {
    let (range, access) = require(slot, access)?;
    let mapped = mapped(&range)?;
    mapped.space.protect_device(pages(&range, &mapped), access);
    Ok(())
}

/// Ends a mapping.
///
/// # Errors
///
/// Those that the interface lists for `Unmap`.
#[cold]
pub(crate) fn unmap(slot: &Slot) -> Result<(), Error> {
    mapped(&Range::of(slot.require(Kind::DeviceMemory, Rights::empty())?))?;
    while release(slot) == Progress::More {
        interrupts::let_in();
    }
    Ok(())
}

/// For the audit: how many pages a capability has mapped, where each of them is in the page tables with an access that it may have.
pub(super) fn audit(slot: &Slot) -> Option<u64> {
    let range = Range::of(slot);
    let Ok(mapped) = mapped(&range) else { return Some(0) };
    let has = |offset: u32| {
        let translation = mapped.space.translate(mapped.address + u64::from(offset) * PAGE_SIZE);
        translation.is_some_and(|found| {
            found.frame.number() == range.first + offset && slot.rights().contains(found.access.needed_rights())
        })
    };
    (0..mapped.page_count).all(has).then_some(mapped.page_count.into())
}

// ANCHOR: release
/// Undoes some of the mapping of a capability, if it has one. What is left is kept in the capability, so this can be left and taken up again.
pub(super) fn release(slot: &Slot) -> Progress {
    let range = Range::of(slot);
    let mut left = None;
    if let Ok(mapped) = mapped(&range) {
        let page_count = mapped.space.unmap_device(pages(&range, &mapped), ENTRIES_PER_STEP);
        left = Some(Mapped { page_count, ..mapped }).filter(|_| page_count > 0);
        if left.is_none() && range.device == Device::Screen {
            screen::end_use(&mapped);
        }
    }
    Range { mapped: left, ..range }.keep_in(slot);
    if left.is_some() { Progress::More } else { Progress::Done }
}
// ANCHOR_END: release
