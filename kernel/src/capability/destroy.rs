//! The end of an object: its last capability is gone.
//!
//! An object may hold capabilities itself, to objects that go with it, and it may be large. So it is put on a list of dying pages and
//! taken apart in steps, each of which is short; objects that go with it come onto the same list. However long the chain, the
//! kernel's stack does not grow, and between two steps interrupts are let in.

use core::cell::Cell;

use super::memory::give_back;
use super::removal::{self, Progress};
use super::slot::{DeviceWords, Slot};
use super::table::Table;
use crate::memory::{
    AddressSpace, ENTRIES, Frame, LARGE_FRAME_PAGES, PageEntry, PageKind, TOP_LEVEL, UPPER_HALF, entry_of,
    kernel_space, tables_below,
};
use crate::planted::{Bug, planted};

/// What a task does in steps when it is taken apart, or when it has lost its table or its space. Chapter 5 registers it.
pub type TaskStep = fn(Frame) -> Progress;

/// What chapter 5 does for tasks.
#[derive(Clone, Copy)]
pub struct TaskSteps {
    /// The task is destroyed: everybody who waits for it is told, and its slots are emptied.
    pub destroy: TaskStep,
    /// A slot of the task is about to be emptied.
    pub release_slot: fn(Frame, &Slot) -> Progress,
}

/// What chapter 6 does for calls.
#[derive(Clone, Copy)]
pub struct CallSteps {
    /// A reply capability has come into this slot.
    pub reply_moved: fn(&Slot),
    /// A reply capability is about to be deleted.
    pub reply_goes: fn(&Slot),
    /// What is bound to an interrupt line is about to go.
    pub binding_goes: fn(&Slot),
}

/// What chapter 11 does for device memory.
#[derive(Clone, Copy)]
pub struct DeviceSteps {
    /// A capability is about to be emptied: some of its mapping is undone.
    pub release: fn(&Slot) -> Progress,
    /// What a copy keeps.
    pub copy: fn(&Slot) -> DeviceWords,
    /// What a part keeps, which a context word names; `None` where there is no such part.
    pub part: fn(&Slot, u64) -> Option<DeviceWords>,
    /// For the audit: how many pages the capability has mapped; `None` where the page tables do not say so.
    pub audit: fn(&Slot) -> Option<u64>,
    /// For the audit: whether a page that is mapped is memory.
    pub is_memory: fn(Frame) -> bool,
}

struct State {
    /// The first dying page.
    dying: Cell<Option<Frame>>,
    task_steps: Cell<Option<TaskSteps>>,
    call_steps: Cell<Option<CallSteps>>,
    notification_step: Cell<Option<TaskStep>>,
    device_steps: Cell<Option<DeviceSteps>>,
}

struct Shared(State);

// SAFETY: there is one processor, and capabilities are only handled with interrupts off or by the kernel's own thread at boot.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(State {
    dying: Cell::new(None),
    task_steps: Cell::new(None),
    call_steps: Cell::new(None),
    notification_step: Cell::new(None),
    device_steps: Cell::new(None),
});

/// Registers what is done for tasks.
pub fn set_task_steps(steps: TaskSteps) {
    STATE.0.task_steps.set(Some(steps));
}

/// Registers what is done for calls.
pub fn set_call_steps(steps: CallSteps) {
    STATE.0.call_steps.set(Some(steps));
}

/// Registers what is done for a notification that is destroyed: those who wait for it are told.
pub fn set_notification_step(step: TaskStep) {
    STATE.0.notification_step.set(Some(step));
}

/// Registers what is done for device memory.
pub fn set_device_steps(steps: DeviceSteps) {
    STATE.0.device_steps.set(Some(steps));
}

/// What is done for device memory; there is none before it is registered.
pub(super) fn device_steps() -> Option<DeviceSteps> {
    STATE.0.device_steps.get()
}

/// A capability to device memory is about to be emptied.
#[cold]
#[inline(never)]
pub(super) fn release_device(slot: &Slot) -> Progress {
    device_steps().map_or(Progress::Done, |steps| (steps.release)(slot))
}

/// What a copy of device memory keeps: its first page, and its words.
#[cold]
#[inline(never)]
pub(super) fn copy_device(slot: &Slot) -> (u32, [u64; 3]) {
    let kept = device_steps().map_or(slot.device(), |steps| (steps.copy)(slot));
    (kept.first_page, kept.words)
}

/// The same of a part, which a context word names; `None` where there is no such part.
pub(super) fn part_of_device(slot: &Slot, context: u64) -> Option<(u32, [u64; 3])> {
    let kept = (device_steps()?.part)(slot, context)?;
    Some((kept.first_page, kept.words))
}

/// A slot outside of a table is about to be emptied: whoever has it is told first.
pub(super) fn release(slot: &Slot) -> Progress {
    let page = slot.home();
    match entry_of(page).map(PageEntry::kind) {
        Some(PageKind::Task) => {
            STATE.0.task_steps.get().map_or(Progress::Done, |steps| (steps.release_slot)(page, slot))
        }
        Some(PageKind::Bindings) => {
            STATE.0.call_steps.get().inspect(|steps| (steps.binding_goes)(slot));
            Progress::Done
        }
        _ => Progress::Done,
    }
}

/// A reply capability has come into this slot.
pub(super) fn reply_moved(slot: &Slot) {
    STATE.0.call_steps.get().inspect(|steps| (steps.reply_moved)(slot));
}

/// A reply capability is about to be deleted.
pub(super) fn reply_goes(slot: &Slot) {
    STATE.0.call_steps.get().inspect(|steps| (steps.reply_goes)(slot));
}

// ANCHOR: dying
/// What a dying page was, and how much of it is taken apart already. Kept in the anchor of its entry, which is free by then.
#[derive(Clone, Copy)]
struct Remains {
    kind: PageKind,
    /// The level of a page table.
    level: u8,
    /// The next entry of a page table, or page of a large frame. A table is looked through from its first slot each time.
    position: u32,
}

impl Remains {
    const KINDS: [PageKind; 9] = [
        PageKind::Frame,
        PageKind::LargeFrame,
        PageKind::Table,
        PageKind::Task,
        PageKind::AddressSpace,
        PageKind::PageTable,
        PageKind::Notification,
        PageKind::FloatingPoint,
        PageKind::Softuser,
    ];

    fn to_word(self) -> u64 {
        u64::from(self.kind as u8) | u64::from(self.level) << 8 | u64::from(self.position) << 32
    }

    fn from_word(word: u64) -> Self {
        let [kind, level, ..] = word.to_le_bytes();
        let kind = Remains::KINDS.into_iter().find(|&known| known as u8 == kind).unwrap_or(PageKind::Frame);
        Self { kind, level, position: (word >> 32) as u32 }
    }
}

/// The object on a page has lost its last capability. Not inlined: most slots are emptied without it.
#[inline(never)]
pub(super) fn begin(page: Frame) {
    let Some(entry) = entry_of(page) else { return };
    let kind = entry.kind();
    if kind == PageKind::AddressSpace {
        let space = AddressSpace::from_top(page);
        if space.is_current() {
            kernel_space().activate();
        }
        if !planted(Bug::GenerationStays) {
            entry.next_generation();
        }
    }
    put_on_list(page, Remains { kind, level: TOP_LEVEL, position: 0 });
}

fn put_on_list(page: Frame, remains: Remains) {
    let Some(entry) = entry_of(page) else { return };
    entry.set_kind(PageKind::Dying);
    entry.set_anchor(remains.to_word());
    entry.set_next(STATE.0.dying.replace(Some(page)));
}

/// Whether a dying page is left.
#[inline]
pub(super) fn is_pending() -> bool {
    STATE.0.dying.get().is_some()
}

/// Takes some of the first dying page apart. Tells whether there was one. At most deletes there is none, which is seen without a call.
#[inline(always)]
pub(super) fn step() -> bool {
    is_pending() && step_on_first()
}

#[inline(never)]
fn step_on_first() -> bool {
    let Some(page) = STATE.0.dying.get() else { return false };
    let Some(entry) = entry_of(page) else { return false };
    let mut remains = Remains::from_word(entry.anchor());
    // What dies by this step is put on the list before this page, and is taken apart first.
    let progress = take_apart(page, &mut remains);
    match progress {
        Progress::More => entry.set_anchor(remains.to_word()),
        Progress::Done => {
            remove_from_list(page);
            give_back(page);
        }
    }
    true
}
// ANCHOR_END: dying

/// The table on a page that is being taken apart, if it was one.
pub(super) fn dying_table(page: Frame) -> Option<&'static Table> {
    let entry = entry_of(page).filter(|entry| entry.kind() == PageKind::Dying)?;
    (Remains::from_word(entry.anchor()).kind == PageKind::Table).then(|| Table::on_dying(page))
}

fn remove_from_list(page: Frame) {
    let Some(entry) = entry_of(page) else { return };
    // Nothing was put before it in its last step: all that it held was gone by then.
    debug_assert_eq!(STATE.0.dying.get(), Some(page));
    STATE.0.dying.set(entry.next());
}

fn take_apart(page: Frame, remains: &mut Remains) -> Progress {
    match remains.kind {
        PageKind::Table => match Table::on_dying(page).slots().iter().find(|slot| !slot.is_empty()) {
            Some(slot) => {
                removal::step_out(slot);
                Progress::More
            }
            None => Progress::Done,
        },
        PageKind::Task => STATE.0.task_steps.get().map_or(Progress::Done, |steps| (steps.destroy)(page)),
        PageKind::AddressSpace => take_tables(page, remains, UPPER_HALF),
        PageKind::PageTable => take_tables(page, remains, ENTRIES),
        PageKind::LargeFrame => take_pages(page, remains),
        PageKind::Notification => STATE.0.notification_step.get().map_or(Progress::Done, |step| step(page)),
        _ => Progress::Done,
    }
}

/// The tables below go onto the list; those of level 1 hold nothing that needs a look.
fn take_tables(table: Frame, remains: &mut Remains, entries: u64) -> Progress {
    const PER_STEP: u32 = 32;
    let from = u64::from(remains.position);
    if from == entries || remains.level == 1 {
        return Progress::Done;
    }
    remains.position += PER_STEP;
    for lower in tables_below(table, from..u64::from(remains.position)) {
        put_on_list(lower, Remains { kind: PageKind::PageTable, level: remains.level - 1, position: 0 });
    }
    Progress::More
}

/// The pages of a large frame but the first, which goes last, as every object's page does.
fn take_pages(first: Frame, remains: &mut Remains) -> Progress {
    const PER_STEP: u32 = 32;
    let from = remains.position.max(1);
    if from == LARGE_FRAME_PAGES {
        return Progress::Done;
    }
    remains.position = (remains.position + PER_STEP).min(LARGE_FRAME_PAGES);
    for offset in from..remains.position {
        give_back(Frame::from_number(first.number() + offset));
    }
    Progress::More
}
