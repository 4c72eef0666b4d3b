//! The heap on which the tables are read. It is made when it is needed first.

use core::ptr;

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::slots::{SLOTS_PER_TABLE, nested};
use flatmk_abi::{Access, Error, Kind};
use flatmk_runtime::object::{Frame, Memory, OWN_SPACE, OWN_TABLE, Table};
use flatmk_system::slots;
use linked_list_allocator::LockedHeap;

/// Where the heap is.
const START: u64 = 0x10_0000_0000;

/// The slot with the table of tables of its frames, and how many of these there are at most: enough for 4 MiB.
const TABLES: Table = Table(14);
const MOST_TABLES: u64 = 16;
const FRAMES_PER_TABLE: u64 = SLOTS_PER_TABLE - 1;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Makes the heap of the memory that there is, unless it was made before.
pub(crate) fn prepare() {
    if HEAP.lock().size() > 0 {
        return;
    }
    let mut frames = 0;
    // That it ends with an error is usual: there is no more memory.
    map_frames(&mut frames).unwrap_or_default();
    if frames > 0 {
        let start = ptr::with_exposed_provenance_mut(START as usize);
        // SAFETY: so many frames were mapped there, writable, for nobody else, for as long as this task lives.
        unsafe { HEAP.lock().init(start, (frames * PAGE_SIZE) as usize) };
    }
}

fn map_frames(frames: &mut u64) -> Result<(), Error> {
    let memory = Memory(slots::MEMORY);
    memory.make(Kind::Table, 1, OWN_TABLE, TABLES.0)?;
    for index in 1..=MOST_TABLES {
        memory.make(Kind::Table, 1, TABLES, index)?;
        let table = Table(nested(TABLES.0, index));
        memory.make(Kind::Frame, FRAMES_PER_TABLE, table, 1)?;
        for slot in 1..=FRAMES_PER_TABLE {
            OWN_SPACE.map(Frame(nested(table.0, slot)), START + *frames * PAGE_SIZE, Access::ReadWrite)?;
            *frames += 1;
        }
    }
    Ok(())
}
