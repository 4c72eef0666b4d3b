//! Which address space has which identifier.

use core::cell::Cell;

use super::isolation;
use super::policy::{self, Change, Holder, Invalidation, Stale, Switch};
use crate::arch::paging::KEEP;
use crate::memory::{AddressSpace, Old, kernel_space};
use crate::planted::{Bug, planted};

/// How many identifiers a processor has: 12 bits of CR3 (Intel SDM vol. 3A, 4.10.1).
const IDENTIFIERS: usize = 4096;

/// The last one.
pub const LAST_IDENTIFIER: u16 = IDENTIFIERS as u16 - 1;

// ANCHOR: entry
/// What is known of an identifier.
struct Entry {
    /// What a task that has its space under this identifier loads into CR3. 0 as long as it must not: nobody has the identifier, or
    /// something is to be forgotten first.
    valid: Cell<u64>,
    /// The space that has it.
    space: Cell<Option<AddressSpace>>,
    stale: Cell<Stale>,
}
// ANCHOR_END: entry

impl Entry {
    const fn free() -> Self {
        Self { valid: Cell::new(0), space: Cell::new(None), stale: Cell::new(Stale::Nothing) }
    }
}

struct Identifiers {
    /// Whether the processor has them and they are used.
    are_on: Cell<bool>,
    /// The one that was taken last.
    taken: Cell<u16>,
    /// The last one there is.
    last: Cell<u16>,
    counts: Cell<Counts>,
    entries: [Entry; IDENTIFIERS],
}

// SAFETY: there is one processor, and spaces are switched and changed with interrupts off or by the kernel's own thread at boot.
unsafe impl Sync for Identifiers {}

static STATE: Identifiers = Identifiers {
    are_on: Cell::new(false),
    taken: Cell::new(0),
    last: Cell::new(LAST_IDENTIFIER),
    counts: Cell::new(Counts { taken: 0, forgotten: 0 }),
    entries: [const { Entry::free() }; IDENTIFIERS],
};

/// What has happened, since the kernel began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often a space was given an identifier.
    pub taken: u64,
    /// How often a switch made the processor forget all that it remembered under one identifier.
    pub forgotten: u64,
}

/// Whether identifiers are used.
#[must_use]
pub fn are_on() -> bool {
    STATE.are_on.get()
}

/// What has happened so far.
#[must_use]
pub fn counts() -> Counts {
    STATE.counts.get()
}

/// Uses identifiers from now on, those up to `last`, or none. No space has one yet.
pub(super) fn begin(last: Option<u16>) {
    for entry in &STATE.entries {
        entry.valid.set(0);
        entry.space.set(None);
    }
    STATE.are_on.set(last.is_some());
    STATE.last.set(last.map_or(LAST_IDENTIFIER, |last| last.min(LAST_IDENTIFIER)));
    STATE.taken.set(0);
    STATE.counts.set(Counts::default());
}

/// A word that no task has to load. Identifier 0 is the kernel's own.
pub(super) fn never_valid() -> &'static Cell<u64> {
    &entry(0).valid
}

fn entry(identifier: u16) -> &'static Entry {
    // An index below the length, whatever the number: nothing can panic here.
    let [first, ..] = &STATE.entries;
    STATE.entries.get(usize::from(identifier)).unwrap_or(first)
}

/// The identifier of a space, if it has one: what the space says counts as long as the identifier says the same.
fn identifier_of(space: AddressSpace) -> Option<u16> {
    let identifier = space.note();
    let is_its = entry(identifier).space.get() == Some(space) || planted(Bug::IdentifierIsShared);
    (identifier != 0 && is_its).then_some(identifier)
}

// ANCHOR: load
/// Makes the processor use a space. Returns where it stands what a task loads to do the same, as long as that will do.
pub(super) fn load(space: AddressSpace) -> &'static Cell<u64> {
    // What the way out was to forget under the last identifier, it will not: the way out leads elsewhere.
    if let Some(identifier) = isolation::take_pending() {
        note(identifier, |_| Stale::Everything);
    }
    if !are_on() {
        isolation::load(space.top().address());
        return never_valid();
    }
    if space == kernel_space() {
        // Its lower half is empty, and its upper one has all that others have.
        isolation::load(space.top().address() | KEEP);
        return never_valid();
    }
    let identifier = identifier_of(space);
    let stale = identifier.map(|identifier| entry(identifier).stale.get());
    let switch = policy::on_switch(stale);
    let identifier = identifier.unwrap_or_else(|| take(space));
    let cr3 = space.top().address() | u64::from(identifier);
    match switch {
        Switch::Keep => isolation::load(cr3 | KEEP),
        Switch::KeepBut(address) if planted(Bug::ForgetsBeforeLoad) => {
            isolation::forget(address);
            isolation::load(cr3 | KEEP);
        }
        Switch::KeepBut(address) => {
            isolation::load(cr3 | KEEP);
            isolation::forget(address);
        }
        Switch::Forget | Switch::Take => {
            isolation::load(if planted(Bug::FirstSwitchKeeps) { cr3 | KEEP } else { cr3 });
            count(|counts| counts.forgotten += 1);
        }
    }
    let entry = entry(identifier);
    entry.stale.set(Stale::Nothing);
    entry.valid.set(cr3 | KEEP);
    &entry.valid
}

/// Gives the next identifier to a space. Whoever had it has none any more.
fn take(space: AddressSpace) -> u16 {
    // ANCHOR: exercise-9-4
    let identifier = policy::next_identifier(STATE.taken.get(), STATE.last.get());
    STATE.taken.set(identifier);
    entry(identifier).space.set(Some(space));
    space.set_note(identifier);
    count(|counts| counts.taken += 1);
    identifier
    // ANCHOR_END: exercise-9-4
}
// ANCHOR_END: load

fn count(change: impl FnOnce(&mut Counts)) {
    let mut counts = STATE.counts.get();
    change(&mut counts);
    STATE.counts.set(counts);
}

// ANCHOR: forget
/// An address in a space leads somewhere else: the processor forgets what it remembers, now or before it uses the space again.
pub(crate) fn forget(space: AddressSpace, address: u64, old: Old) {
    // ANCHOR: exercise-9-5
    let change = match old {
        Old::Page => Change::Replace,
        Old::Table if planted(Bug::TableCountsAsPage) => Change::Replace,
        Old::Table => Change::Cut,
    };
    match policy::on_change(change, holder(space)) {
        Invalidation::Now => isolation::forget(address),
        Invalidation::AtNextSwitch(identifier) => note(identifier, |stale| stale.with(address)),
        Invalidation::AllAtNextSwitch(identifier) => note(identifier, |_| Stale::Everything),
        Invalidation::Nothing | Invalidation::Leave => {}
    }
    // ANCHOR_END: exercise-9-5
}

/// More is stale under an identifier that is not current.
fn note(identifier: u16, more: impl FnOnce(Stale) -> Stale) {
    let entry = entry(identifier);
    if !planted(Bug::ChangeIsNotNoted) {
        entry.stale.set(more(entry.stale.get()));
    }
    if !planted(Bug::TasksAreNotTold) {
        entry.valid.set(0);
    }
}

fn holder(space: AddressSpace) -> Holder {
    if space.is_current() {
        return Holder::Current;
    }
    identifier_of(space).map_or(Holder::Nobody, Holder::Identified)
}
// ANCHOR_END: forget
