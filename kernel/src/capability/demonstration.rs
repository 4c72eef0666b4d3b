//! What chapter 4 is about, in a few lines on the console.

use flatmk_abi::{Error, Kind, Rights};

use super::{MakeRequest, MoveRequest, SlotRange, Table, TransferRequest, adopt_region, delete, measure};
use crate::memory::{PageKind, take_boot_regions};
use crate::println;

/// Makes a table and frames from a memory capability, copies one with fewer rights, and deletes what was made.
pub fn demonstrate() {
    match run() {
        Ok(()) => println!("all pages are back"),
        Err(error) => println!("failed: {error}"),
    }
}

fn run() -> Result<(), Error> {
    const MEMORY: u64 = 1;
    const FRAMES: u64 = 2;
    const COPY: u64 = 4;
    const MOVED: u64 = 5;

    let regions = take_boot_regions();
    let mut region = *regions.iter().max_by_key(|region| region.free_pages()).ok_or(Error::OutOfMemory)?;
    let page = region.take(PageKind::Table).ok_or(Error::OutOfMemory)?;
    let table = Table::on(page)?;
    adopt_region(table.free_slot(MEMORY)?, region);
    let memory = table.lookup(MEMORY)?;
    let (free_at_first, pages) = measure(memory);
    println!("a memory capability: {free_at_first} of {pages} pages free");

    MakeRequest::decode(memory, Kind::Frame as u64, SlotRange::decode(table, FRAMES, 2)?)?.perform();
    println!("two frames made: {} pages free", measure(memory).0);

    let read_only = u64::from((Rights::READ | Rights::GRANT).bits());
    TransferRequest::decode_copy(table, COPY, table.lookup(FRAMES)?, read_only)?.perform();
    MoveRequest::decode(table, MOVED, table.lookup(FRAMES + 1)?)?.perform();
    for slot in [FRAMES, FRAMES + 1, COPY, MOVED] {
        let content = table.lookup(slot)?.content();
        println!("slot {slot}: {:?}, {:?}, {:?}", content.kind, content.rights, content.page);
    }

    for slot in [FRAMES, COPY, MOVED] {
        delete(table, slot)?;
        println!("slot {slot} deleted: {} pages free", measure(memory).0);
    }
    if measure(memory).0 == free_at_first { Ok(()) } else { Err(Error::InvalidState) }
}
