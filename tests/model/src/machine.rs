//! A simulated machine: memory, and the kernel's data in it.
//!
//! The kernel's state is static, so there is one machine at a time; each begins afresh.

use std::alloc::{Layout, alloc_zeroed};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::{ptr, slice};

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};
use kernel::arch::paging::{set_observer, set_window};
use kernel::capability::{
    Kind, MakeRequest, Memory, Progress, Slot, SlotRange, Table, TaskSteps, adopt_page, adopt_region, empty_task_slot,
    finish_destruction_step, set_task_steps,
};
use kernel::memory::{Frame, PageEntry, PageKind, Region, entry_of, initialize_on_host, page_count, take_boot_regions};
use kernel::pcid;
use kernel::scheduling::host;
use kernel::task::{ConfigureRequest, TaskRef};

use crate::Page;
use crate::model::Place;
use crate::processor;

/// Pages of the machine: with three runs of 512 that are aligned, the first of them used from the beginning.
pub const PAGES: u32 = 1600;
/// Pages of a machine with many tasks.
const MOST_PAGES: u32 = 5000;
const PAGE: usize = 4096;

/// The root table's slot for the machine's memory.
pub(crate) const MEMORY: u64 = 1;
/// Its slot for itself.
pub(crate) const TABLE: u64 = 2;

static RUNNING: Mutex<()> = Mutex::new(());

fn window() -> u64 {
    static WINDOW: OnceLock<u64> = OnceLock::new();
    *WINDOW.get_or_init(|| {
        let layout = Layout::from_size_align(MOST_PAGES as usize * PAGE, 1 << 21).expect("a valid layout");
        // SAFETY: the size is not 0.
        let address = unsafe { alloc_zeroed(layout) };
        assert!(!address.is_null(), "no memory for the machine");
        address as u64
    })
}

/// Holds the machine: there is one.
pub type Running = MutexGuard<'static, ()>;

/// Makes a fresh machine and hands its memory over, which nobody owns yet.
pub fn fresh_region() -> (Running, Region) {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let region = fresh_region_of(&running, PAGES);
    (running, region)
}

fn fresh_region_of(_: &Running, pages: u32) -> Region {
    set_window(window());
    set_observer(processor::observe);
    processor::reset();
    pcid::host::begin(None);
    let mut map = MemoryRegion::empty();
    map.end = u64::from(pages) * PAGE as u64;
    map.kind = MemoryRegionKind::Usable;
    initialize_on_host(&[map]);
    // A test that has failed may have left pages on the list of dying ones. They are not this machine's.
    while finish_destruction_step() {}
    initialize_on_host(&[map]);
    take_boot_regions().into_iter().next().expect("the machine has memory")
}

/// Makes a fresh machine with so many tasks, which were not configured and stand in no queue.
///
/// # Panics
///
/// If the machine has too few pages.
pub fn fresh_tasks(count: usize) -> (Running, Vec<TaskRef>) {
    let (running, tasks, _) = fresh_tasks_and_region(count);
    (running, tasks)
}

/// The same, with what is left of its memory.
pub(crate) fn fresh_tasks_and_region(count: usize) -> (Running, Vec<TaskRef>, Region) {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut region = fresh_region_of(&running, MOST_PAGES);
    let task = |_| {
        let mut page = region.take_owned(PageKind::Task).expect("a page for a task");
        page.zero();
        TaskRef::on(page.frame()).expect("it is a task's")
    };
    let tasks = (0..count).map(task).collect();
    host::reset();
    (running, tasks, region)
}

/// The machine while a test has it.
pub(crate) struct Machine {
    pub(crate) root: &'static Table,
    pub(crate) root_page: Page,
    pub(crate) memory: Range<Page>,
    _running: Running,
}

impl Machine {
    /// A machine whose root table holds all memory, and itself.
    pub(crate) fn new() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        TASK_SLOTS.get_or_init(|| find_task_slots(Self::with_root(&running).0));
        set_task_steps(TaskSteps { destroy, release_slot });
        stopped_tasks(BTreeSet::clear);
        let (root, root_page, memory) = Self::with_root(&running);
        Self { root, root_page, memory, _running: running }
    }

    fn with_root(running: &Running) -> (&'static Table, Page, Range<Page>) {
        let mut region = fresh_region_of(running, PAGES);
        let page = region.take(PageKind::Table).expect("a page for the root table");
        let root = Table::on(page).expect("it is a table");
        let rest = region.rest();
        adopt_region(root.free_slot(MEMORY).expect("an empty slot"), rest);
        adopt_page(root.free_slot(TABLE).expect("an empty slot"), Kind::Table, page);
        (root, page.number(), rest.start()..rest.end())
    }
}

/// How many bytes into its page a task has its two slots, which stand one after the other.
static TASK_SLOTS: OnceLock<usize> = OnceLock::new();

/// A task that is configured has slots of its own below the capabilities to its table and its space.
fn find_task_slots(root: &'static Table) -> usize {
    const TABLE: u64 = 3;
    const SPACE: u64 = 4;
    const TASK: u64 = 5;
    let slot = |index| root.lookup(index).expect("a slot of the root table");
    for (index, kind) in [(TABLE, Kind::Table), (SPACE, Kind::AddressSpace), (TASK, Kind::Task)] {
        let place = SlotRange::decode(root, index, 1).expect("an empty slot");
        let memory = Memory::of(slot(MEMORY)).expect("it is there");
        MakeRequest::decode(memory, kind as u64, place).expect("there is memory").perform();
    }
    let task = TaskRef::of(slot(TASK)).expect("a task");
    let request = ConfigureRequest::decode(task, slot(TABLE), slot(SPACE), 0x1000);
    request.unwrap_or_else(|error| panic!("the task cannot be configured: {error}")).perform();
    let offset = |slot: &Slot| {
        let child = slot.child().expect("the task's own slot");
        ptr::from_ref(child) as usize - task.as_ptr() as usize
    };
    assert_eq!(offset(slot(SPACE)), offset(slot(TABLE)) + size_of::<Slot>(), "the slots stand side by side");
    offset(slot(TABLE))
}

/// The slots in a table or task, living or dying.
fn slots_in(page: Frame, kind: PageKind) -> &'static [Slot] {
    let (offset, count) = match kind {
        PageKind::Table => (0, PAGE / size_of::<Slot>()),
        PageKind::Task => (*TASK_SLOTS.get().expect("found with the first machine"), 2),
        _ => return &[],
    };
    // SAFETY: the page is a table's or a task's, so these are slots; they are only ever shared, and their fields are cells.
    unsafe { slice::from_raw_parts((page.window_address() as usize + offset) as *const Slot, count) }
}

/// The slots in a living table or task.
pub(crate) fn slots_of(page: Page) -> &'static [Slot] {
    let page = Frame::from_number(page);
    entry_of(page).map_or(&[], |entry| slots_in(page, entry.kind()))
}

/// The slot at a place.
pub(crate) fn slot_at(place: Place) -> Option<&'static Slot> {
    slots_of(place.home).get(usize::try_from(place.index).ok()?)
}

/// Where a slot is.
pub(crate) fn place_of(slot: &Slot) -> Place {
    let address = ptr::from_ref(slot) as u64;
    let home = Frame::from_window_address(address).map_or(0, Frame::number);
    let first = slots_of(home).as_ptr() as u64;
    Place { home, index: address.wrapping_sub(first) / size_of::<Slot>() as u64 }
}

/// Tasks that have lost their table or their space. The kernel keeps that in the task's state.
static STOPPED: Mutex<BTreeSet<Page>> = Mutex::new(BTreeSet::new());

pub(crate) fn stopped_tasks<R>(use_them: impl FnOnce(&mut BTreeSet<Page>) -> R) -> R {
    use_them(&mut STOPPED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What chapter 5 does when a task loses its table or its space, without the queues and calls: nothing runs here.
fn release_slot(page: Frame, _: &Slot) -> Progress {
    stopped_tasks(|stopped| stopped.insert(page.number()));
    Progress::Done
}

/// What chapter 5 does when a task is destroyed.
fn destroy(page: Frame) -> Progress {
    stopped_tasks(|stopped| stopped.remove(&page.number()));
    match slots_in(page, PageKind::Task).iter().find(|slot| !slot.is_empty()) {
        Some(slot) => {
            empty_task_slot(slot);
            Progress::More
        }
        None => Progress::Done,
    }
}

/// The kinds of all pages.
pub(crate) fn kinds() -> Vec<PageKind> {
    (0..PAGES).map(|page| entry_of(Frame::from_number(page)).map_or(PageKind::Reserved, PageEntry::kind)).collect()
}

/// All that the kernel keeps: the entries of the pages, and the pages of tables, tasks and page tables, byte by byte.
pub(crate) fn image() -> Vec<u8> {
    let entries = entry_of(Frame::from_number(0)).map_or(ptr::null(), ptr::from_ref);
    let bytes = page_count() as usize * size_of::<PageEntry>();
    // SAFETY: the entries stand in a row, and nothing changes them while they are copied.
    let mut image = unsafe { slice::from_raw_parts(entries.cast::<u8>(), bytes) }.to_vec();
    for (page, kind) in (0..).zip(kinds()) {
        if !matches!(kind, PageKind::Reserved | PageKind::Free | PageKind::Frame | PageKind::LargeFrame) {
            let address = Frame::from_number(page).window_address() as *const u8;
            // SAFETY: a page of the machine, see above.
            image.extend_from_slice(unsafe { slice::from_raw_parts(address, PAGE) });
        }
    }
    image
}
