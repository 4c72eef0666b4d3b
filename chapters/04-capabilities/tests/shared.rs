//! What the tests share: memory of their own, the operations by slot numbers, and removals whose steps are measured.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use flatmk_abi::{Access, Error, Kind, Rights};
use kernel::arch::time_stamp;
use kernel::capability::{
    Extent, MakeRequest, MapRequest, Memory, MoveRequest, Progress, Removal, Slot, SlotRange, SplitRequest, Table,
    Totals, TransferRequest, UnmapRequest, adopt_region, audit, measure,
};
use kernel::memory::{AddressSpace, Frame, PageKind, boot_regions};
use x86_64::instructions::interrupts::without_interrupts;

/// The memory of a test, in its table.
pub(crate) const MEMORY: u64 = 1;
pub(crate) const FIRST: u64 = 2;
pub(crate) const SECOND: u64 = 3;
pub(crate) const SPACE: u64 = 4;
pub(crate) const SCRATCH: u64 = 8;
pub(crate) const ALL: u64 = Rights::all().bits() as u64;

/// The most ticks that a step of a removal may take: as long as it lasts, interrupts wait.
pub(crate) const MOST_TICKS: u64 = 5000;

/// The slots of the machine's table: the memory from which tests get theirs, and the table of the running test.
pub(crate) const MACHINE: u64 = 1;
const TEST: u64 = 2;
/// How many pages it has. The audit looks at each of them.
const MACHINE_PAGES: u32 = 8192;

/// The table of the machine, by its page; made by the first test.
pub(crate) fn machine() -> &'static Table {
    static PAGE: AtomicU32 = AtomicU32::new(0);

    if PAGE.load(Relaxed) == 0 {
        boot_regions(|regions| {
            let region = regions.iter_mut().max_by_key(|region| region.free_pages()).expect("there is memory");
            let page = region.take(PageKind::Table).expect("a page");
            let part = region.split(MACHINE_PAGES).expect("enough pages");
            adopt_region(Table::on(page).expect("a table").free_slot(MACHINE).expect("a free slot"), part);
            PAGE.store(page.number(), Relaxed);
        });
    }
    Table::on(Frame::from_number(PAGE.load(Relaxed))).expect("a table")
}

/// Runs a test with a table in which is a memory capability of so many pages. Afterwards everything is revoked, and every page must
/// be back.
pub(crate) fn with_memory(pages: u64, test: impl FnOnce(&'static Table)) {
    let machine = machine();
    make_from(slot(machine, MACHINE), Kind::Table, machine, TEST, 1).expect("a page");
    let table = table_in(machine, TEST);
    split_from(slot(machine, MACHINE), pages, table, MEMORY).expect("enough pages");
    test(table);
    check();
    revoke(machine, MACHINE).expect("it is there");
    assert_eq!(measure(slot(machine, MACHINE)), (u64::from(MACHINE_PAGES), u64::from(MACHINE_PAGES)), "all pages");
    let Totals { capabilities, mappings, .. } = check();
    assert_eq!((capabilities, mappings), (1, 0));
}

/// All capabilities and all pages are in order.
pub(crate) fn check() -> Totals {
    audit().expect("everything is in order")
}

pub(crate) fn unmap(slot: &Slot) -> Result<(), Error> {
    UnmapRequest::decode(slot)?.perform()
}

pub(crate) fn slot(table: &Table, pointer: u64) -> &Slot {
    table.lookup(pointer).expect("a slot")
}

/// The table in a slot of a table.
pub(crate) fn table_in(table: &Table, index: u64) -> &'static Table {
    Table::of(slot(table, index), Rights::MANAGE).expect("a table")
}

pub(crate) fn space_in(table: &Table, index: u64) -> AddressSpace {
    AddressSpace::from_capability(slot(table, index)).expect("a space")
}

pub(crate) fn free_pages(table: &Table) -> u64 {
    measure(slot(table, MEMORY)).0
}

pub(crate) fn make_from(memory: &Slot, kind: Kind, table: &Table, first: u64, count: u64) -> Result<(), Error> {
    MakeRequest::decode(Memory::of(memory)?, kind as u64, SlotRange::decode(table, first, count)?)?.perform();
    Ok(())
}

pub(crate) fn make(table: &Table, kind: Kind, first: u64, count: u64) -> Result<(), Error> {
    make_from(slot(table, MEMORY), kind, table, first, count)
}

pub(crate) fn split_from(memory: &Slot, pages: u64, table: &Table, index: u64) -> Result<(), Error> {
    SplitRequest::decode(Memory::of(memory)?, pages, table, index)?.perform();
    Ok(())
}

pub(crate) fn copy(table: &Table, destination: u64, source: u64, rights: u64) -> Result<(), Error> {
    copy_from(slot(table, source), table, destination, rights)
}

/// Makes copies with all rights: pairs of destination and source.
pub(crate) fn copy_each(table: &Table, copies: impl IntoIterator<Item = (u64, u64)>) {
    for (destination, source) in copies {
        copy(table, destination, source, ALL).expect("copied");
    }
}

pub(crate) fn copy_from(source: &Slot, table: &Table, destination: u64, rights: u64) -> Result<(), Error> {
    TransferRequest::decode_copy(table, destination, source, rights)?.perform();
    Ok(())
}

pub(crate) fn move_to(table: &Table, destination: u64, source: &Slot) -> Result<(), Error> {
    MoveRequest::decode(table, destination, source)?.perform();
    Ok(())
}

pub(crate) fn map(table: &Table, frame: u64, address: u64, access: Access) -> Result<(), Error> {
    MapRequest::decode(AddressSpace::from_capability(slot(table, SPACE))?, slot(table, frame), address, access as u64)?
        .perform()
}

/// What a removal took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    pub(crate) count: u64,
    pub(crate) most_ticks: u64,
}

/// Does a removal step by step. Each step is measured, and must be short.
pub(crate) fn remove(table: &Table, index: u64, extent: Extent) -> Result<Steps, Error> {
    let removal = Removal::decode(table, index, extent)?;
    let mut steps = Steps::default();
    while measured(&removal, &mut steps) == Progress::More {}
    Ok(steps)
}

/// Does one step of a removal.
pub(crate) fn measured(removal: &Removal<'_>, steps: &mut Steps) -> Progress {
    let (progress, ticks) = without_interrupts(|| {
        let before = time_stamp();
        let progress = removal.step();
        (progress, time_stamp() - before)
    });
    assert!(ticks <= MOST_TICKS, "step {} took {ticks} ticks", steps.count);
    *steps = Steps { count: steps.count + 1, most_ticks: steps.most_ticks.max(ticks) };
    progress
}

pub(crate) fn delete(table: &Table, index: u64) -> Result<(), Error> {
    remove(table, index, Extent::Itself).map(|_| ())
}

pub(crate) fn revoke(table: &Table, index: u64) -> Result<Steps, Error> {
    remove(table, index, Extent::Derived)
}
