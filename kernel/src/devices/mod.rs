//! Device memory: how programs reach the screen, the firmware's tables and the registers of devices.
//!
//! - `pages`: sets of pages.
//! - `physical`: which physical pages are memory, and so nobody's to map as a device.
//! - `range`: what a capability to device memory keeps; copies and parts.
//! - `mapping`: mapping a range, protecting and unmapping it.
//! - `screen`: what the screen is like, and who draws on it.
//!
//! The root task gets two capabilities: to the screen, and to everything else that is not memory. A driver gets a part.

mod mapping;
mod pages;
mod physical;
mod range;
mod screen;

use bootloader_api::BootInfo;
use flatmk_abi::{Error, Kind, Rights, Words, slots};

pub(crate) use mapping::{map, protect, unmap};
pub use physical::is_device;
pub(crate) use physical::is_memory;

use crate::arch;
use crate::capability::{Content, DeviceSteps, Slot, Table, insert_new, set_device_steps};
use range::{Device, Range};

/// Notes what is memory and what is the screen, and registers what is done for capabilities to device memory.
pub(crate) fn initialize(information: &BootInfo) {
    arch::caching::initialize();
    screen::find();
    physical::initialize(&information.memory_regions);
    screen::check();
    screen::set_tables(information.rsdp_addr.into_option().unwrap_or(0));
    set_device_steps(DeviceSteps {
        release: mapping::release,
        copy: range::copy,
        part: range::part,
        audit: mapping::audit,
        is_memory,
    });
}

// ANCHOR: give
/// Puts the capabilities to the screen, where there is one, and to all other device memory into the root task's table.
pub(crate) fn give(table: &Table) -> Result<(), Error> {
    let ranges = [
        (slots::FRAMEBUFFER, screen::pages().map(|pages| Range::new(Device::Screen, pages))),
        (slots::DEVICES, Some(Range::new(Device::Other, physical::all()))),
    ];
    for (slot, range) in ranges.into_iter().filter_map(|(slot, range)| Some((slot, range?))) {
        let slot = table.free_slot(slot)?;
        insert_new(slot, Content::to_device(Kind::DeviceMemory, Rights::all() - Rights::EXECUTE));
        range.keep_in(slot);
    }
    Ok(())
}
// ANCHOR_END: give

/// Tells what device memory is.
///
/// # Errors
///
/// Those of [`Slot::require`].
pub(crate) fn describe(slot: &Slot) -> Result<Words, Error> {
    let range = Range::of(slot.require(Kind::DeviceMemory, Rights::empty())?);
    Ok(match range.device {
        Device::Screen => screen::describe(),
        Device::Other => [screen::tables(), 0, 0, 0],
    })
}
