//! Delete and revoke: how capabilities are taken away.
//!
//! Both are made of one short step, repeated. After each step the tree is in order, so the work can be left and taken up again at
//! any point, by anybody: what is to be done next is seen from the tree alone.

use core::cell::Cell;
use core::ptr::NonNull;

use flatmk_abi::{Error, Kind};

use super::slot::Slot;
use super::table::Table;
use super::{destroy, frame, memory};
use crate::memory::{PageKind, entry_of};
use crate::planted::{Bug, planted};

/// Whether a step was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Nothing is left to do.
    Done,
    /// There is more to do.
    More,
}

/// What is to be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The capability; for memory, with everything that was made from it.
    Itself,
    /// Everything that was derived from it.
    Derived,
}

/// A delete or revoke that has been checked.
pub struct Removal<'a> {
    slot: &'a Slot,
    extent: Extent,
    has_begun: Cell<bool>,
}

impl<'a> Removal<'a> {
    /// Checks it: `index` is a slot of the table.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Delete` and `Revoke`.
    pub fn decode(table: &'a Table, index: u64, extent: Extent) -> Result<Self, Error> {
        let slot = table.own_slot(index)?;
        if slot.is_empty() {
            return Err(Error::InvalidCapability);
        }
        // The machine's own memory has nowhere to go back to.
        let is_first_memory = slot.kind() == Kind::Memory && slot.origin().1.is_none();
        if extent == Extent::Itself && is_first_memory {
            Err(Error::InvalidState)
        } else {
            Ok(Self { slot, extent, has_begun: Cell::new(false) })
        }
    }

    // ANCHOR: step
    /// Does one step of it, of at most some thousand instructions.
    pub fn step(&self) -> Progress {
        if destroy::step() {
            return Progress::More;
        }
        if self.has_begun.replace(true) && !self.is_in_place() {
            return Progress::Done;
        }
        match (self.extent, self.slot.child()) {
            (Extent::Itself, _) => step_out(self.slot),
            (Extent::Derived, Some(child)) => step_out(child),
            (Extent::Derived, None) => return Progress::Done,
        }
        if self.slot.is_empty() && !destroy::is_pending() { Progress::Done } else { Progress::More }
    }

    /// What was taken away may include the capability, and the table in which it was. No page is handed out during a removal, so while its
    /// page is a table's the slot is still that slot.
    fn is_in_place(&self) -> bool {
        let table = entry_of(self.slot.home());
        table.is_some_and(|entry| entry.kind() == PageKind::Table) && !self.slot.is_empty()
    }

    /// Does all of it.
    pub fn perform(self) {
        while self.step() == Progress::More {}
    }

    // ANCHOR: suspend
    /// Leaves it in the middle, so that something else can be done first. One removal can be left at a time; whoever wants another one takes this
    /// one up before.
    pub fn suspend(self) {
        let slot = self.is_in_place().then(|| NonNull::from(self.slot));
        SUSPENDED.slot.set(slot);
        SUSPENDED.extent.set(self.extent);
    }

    /// Goes on with the one that was left. `None` where all that is left to do is to take objects apart.
    pub fn take_up() -> Option<Removal<'static>> {
        let slot = SUSPENDED.slot.take()?;
        // SAFETY: the slot was in a table then. The table is there still, as nothing has been removed since; and if what the slot held was moved, this is
        // where it is now.
        Some(Removal { slot: unsafe { slot.as_ref() }, extent: SUSPENDED.extent.get(), has_begun: Cell::new(true) })
    }
    // ANCHOR_END: suspend
}

/// The removal that was left in the middle.
struct Suspended {
    slot: Cell<Option<NonNull<Slot>>>,
    extent: Cell<Extent>,
}

// SAFETY: there is one processor, and capabilities are only handled with interrupts off or by the kernel's own thread at boot.
unsafe impl Sync for Suspended {}

static SUSPENDED: Suspended = Suspended { slot: Cell::new(None), extent: Cell::new(Extent::Itself) };

/// What was in one slot is in another now.
#[inline(always)]
pub(super) fn note_move(from: &Slot, to: &Slot) {
    if SUSPENDED.slot.get() == Some(NonNull::from(from)) {
        SUSPENDED.slot.set(Some(NonNull::from(to)));
    }
}

/// One step towards emptying a slot: something below it goes up or away, or it is emptied itself.
pub(super) fn step_out(slot: &Slot) {
    let slot = first_to_go(slot);
    match slot.child() {
        // What was derived from it outlives it, in its place.
        Some(_) => slot.hoist_child(),
        None => empty(slot),
    }
}

/// Before memory goes, everything goes that was made from it or split off it.
fn first_to_go(mut slot: &Slot) -> &Slot {
    while slot.kind() == Kind::Memory
        && let Some(child) = slot.child()
    {
        slot = child;
    }
    slot
}
// ANCHOR_END: step

// ANCHOR: empty
/// Empties a slot below which nothing hangs, unless that takes more than one step. An object goes with its last capability.
fn empty(slot: &Slot) {
    let is_ready = match slot.kind() {
        Kind::Frame | Kind::LargeFrame => planted(Bug::MappingStays) || frame::release(slot),
        Kind::Memory => memory::give_home(slot),
        Kind::Table
        | Kind::AddressSpace
        | Kind::Endpoint
        | Kind::SoftuserEndpoint
        | Kind::FloatingPoint
        | Kind::Softuser => destroy::release(slot) == Progress::Done,
        Kind::DeviceMemory => destroy::release_device(slot) == Progress::Done,
        Kind::Reply => {
            destroy::reply_goes(slot);
            true
        }
        _ => true,
    };
    if is_ready && let Some(page) = slot.clear() {
        destroy::begin(page);
    }
}

// ANCHOR_END: empty

/// One step of taking apart objects that have no capability any more, for whoever has time. Tells whether there was something to do.
pub fn finish_destruction_step() -> bool {
    destroy::step()
}

/// Empties a slot that is not in a table. Nothing is ever derived from it.
pub fn empty_task_slot(slot: &Slot) {
    if !slot.is_empty() {
        empty(slot);
    }
}

/// Empties the slot of a reply capability that is used up.
pub fn forget(slot: &Slot) {
    debug_assert_eq!(slot.kind(), Kind::Reply);
    slot.clear();
}
