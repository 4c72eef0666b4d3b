//! What chapter 4 is about, in a few lines on the console.

use flatmk_abi::{Error, Kind, Rights};

use super::{
    Extent, MakeRequest, Memory, Removal, Slot, SlotRange, SplitRequest, Table, TransferRequest, adopt_region, measure,
};
use crate::memory::{Frame, PageKind, take_boot_regions};
use crate::println;

/// Splits memory, makes frames, copies one with fewer rights, and takes it all back.
pub fn demonstrate() {
    match run() {
        Ok(()) => println!("all pages are back"),
        Err(error) => println!("failed: {error}"),
    }
}

fn run() -> Result<(), Error> {
    const MEMORY: u64 = 1;
    const PART: u64 = 2;
    const FRAMES: u64 = 3;
    const COPY: u64 = 5;
    const COPY_OF_COPY: u64 = 6;

    let regions = take_boot_regions();
    let mut region = *regions.iter().max_by_key(|region| region.free_pages()).ok_or(Error::OutOfMemory)?;
    let table = Table::on(region.take(PageKind::Table).ok_or(Error::OutOfMemory)?)?;
    adopt_region(table.free_slot(MEMORY)?, region.rest());
    let memory = table.lookup(MEMORY)?;
    let (free_at_first, pages) = measure(memory);
    println!("a memory capability: {free_at_first} of {pages} pages free");

    SplitRequest::decode(Memory::of(memory)?, 8, table, PART)?.perform();
    let part = table.lookup(PART)?;
    MakeRequest::decode(Memory::of(part)?, Kind::Frame as u64, SlotRange::decode(table, FRAMES, 2)?)?.perform();
    println!(
        "8 pages split off, and two frames made of them: {} and {} pages free",
        measure(memory).0,
        measure(part).0
    );

    let read_only = u64::from((Rights::READ | Rights::GRANT).bits());
    TransferRequest::decode_copy(table, COPY, table.lookup(FRAMES)?, read_only)?.perform();
    TransferRequest::decode_copy(table, COPY_OF_COPY, table.lookup(COPY)?, read_only)?.perform();
    show(memory, 0);

    Removal::decode(table, COPY, Extent::Itself)?.perform();
    println!("the copy is deleted; what was derived from it stays:");
    show(memory, 0);
    Removal::decode(table, FRAMES, Extent::Derived)?.perform();
    println!("the frame is revoked:");
    show(memory, 0);
    Removal::decode(table, MEMORY, Extent::Derived)?.perform();
    println!("the memory is revoked: {} pages free", measure(memory).0);
    if measure(memory).0 == free_at_first { Ok(()) } else { Err(Error::InvalidState) }
}

/// Prints a capability and all that was derived from it; only as deep as this demonstration goes.
fn show(slot: &Slot, depth: usize) {
    let (kind, rights, address) = (slot.kind(), slot.rights(), slot.page().map_or(0, Frame::address));
    println!("  {:width$}{kind:?} at {address:#x} with {rights:?}", "", width = 2 * depth);
    slot.children().for_each(|child| show(child, depth + 1));
}
