//! The end of an object: its last capability is gone.
//!
//! An object may hold capabilities itself, to objects that go with it. Destruction therefore works on a list of dying pages instead
//! of calling itself: however long the chain, the kernel's stack does not grow.

use core::cell::Cell;

use super::mapping;
use super::memory::give_back;
use super::table::Table;
use super::transfer::delete_slot;
use crate::memory::{AddressSpace, Frame, PageKind, entry_of, kernel_space};

/// What takes a task apart: its slots are deleted, and everybody who waits for it is told. Chapter 5 registers it.
pub type Destroyer = fn(Frame);

struct State {
    /// The first dying page.
    dying: Cell<Option<Frame>>,
    /// Whether the loop below is running.
    busy: Cell<bool>,
    destroy_task: Cell<Option<Destroyer>>,
}

struct Shared(State);

// SAFETY: there is one processor, and capabilities are only handled with interrupts off or by the kernel's own thread at boot.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(State { dying: Cell::new(None), busy: Cell::new(false), destroy_task: Cell::new(None) });

/// Registers what takes a task apart.
pub fn set_task_destroyer(destroyer: Destroyer) {
    STATE.0.destroy_task.set(Some(destroyer));
}

// ANCHOR: destroy
/// Destroys the object on a page, and all that goes with it, and gives the pages back.
pub(super) fn destroy(page: Frame) {
    let Some(entry) = entry_of(page) else { return };
    // The object's kind must be known when it is taken apart, so the list holds it in the anchor, which is free by now.
    entry.set_anchor(entry.kind() as u64);
    entry.set_kind(PageKind::Dying);
    entry.set_next(STATE.0.dying.replace(Some(page)));
    if STATE.0.busy.replace(true) {
        return;
    }
    while let Some(page) = STATE.0.dying.get() {
        let Some(entry) = entry_of(page) else { break };
        STATE.0.dying.set(entry.next());
        take_apart(page, entry.anchor());
        entry.set_anchor(0);
        give_back(page);
    }
    STATE.0.busy.set(false);
}
// ANCHOR_END: destroy

fn take_apart(page: Frame, kind: u64) {
    const TABLE: u64 = PageKind::Table as u64;
    const TASK: u64 = PageKind::Task as u64;
    const SPACE: u64 = PageKind::AddressSpace as u64;
    match kind {
        TABLE => Table::on_dying(page).slots().iter().filter(|slot| !slot.is_empty()).for_each(delete_slot),
        TASK => {
            if let Some(destroy_task) = STATE.0.destroy_task.get() {
                destroy_task(page);
            }
        }
        SPACE => {
            let space = AddressSpace::from_top(page);
            if space.is_current() {
                kernel_space().activate();
            }
            mapping::forget_mappings(space);
            space.for_each_table(give_back);
        }
        _ => {}
    }
}
