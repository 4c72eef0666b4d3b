//! The rules: what a switch of address spaces may keep, and what a change of page tables makes the processor forget.
//!
//! Pure functions of what is known. [`identifiers`](super::identifiers) carries out what they say.

use crate::planted::{Bug, planted};

/// What the processor may remember under an identifier although the page tables do not say it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Nothing.
    Nothing,
    /// The translation of one address, and the page tables on the way to it.
    Page(u64),
    /// Anything.
    Everything,
}

// ANCHOR: policy
impl Stale {
    /// One more address, whose translation is stale.
    #[must_use]
    pub fn with(self, address: u64) -> Self {
        // ANCHOR: exercise-9-1
        match self {
            Stale::Nothing => Stale::Page(address),
            Stale::Page(other) if other == address => self,
            Stale::Page(_) if planted(Bug::SecondChangeIsLost) => self,
            // Two are as much work as all, about: what is needed again is found again.
            Stale::Page(_) | Stale::Everything => Stale::Everything,
        }
        // ANCHOR_END: exercise-9-1
    }
}

/// What a switch to an address space does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Loads CR3 and keeps all that the processor remembers.
    Keep,
    /// The same; then the processor forgets one address.
    KeepBut(u64),
    /// Loads CR3; the processor forgets what it remembers under this identifier.
    Forget,
    /// The same with the next identifier, which the space takes from whoever had it.
    Take,
}

/// What the switch to a space does that has an identifier, under which this is stale; `None`: it has none, or another space has taken it.
#[must_use]
pub fn on_switch(stale: Option<Stale>) -> Switch {
    // ANCHOR: exercise-9-2
    match stale {
        Some(Stale::Nothing) => Switch::Keep,
        Some(Stale::Page(address)) => Switch::KeepBut(address),
        Some(Stale::Everything) if planted(Bug::StaleSwitchKeeps) => Switch::Keep,
        Some(Stale::Everything) => Switch::Forget,
        None => Switch::Take,
    }
    // ANCHOR_END: exercise-9-2
}

/// How the page tables of a space change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An entry that was not present leads to a page, or to a table.
    Add,
    /// A page is taken out, or may be used in another way.
    Replace,
    /// An empty table is taken out. Its page will be somebody's data.
    Cut,
    /// All of them go.
    End,
}

/// What the processor has to do with the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// It uses the space now.
    Current,
    /// It may remember translations: the space has this identifier.
    Identified(u16),
    /// It remembers nothing that it could use: the space has no identifier.
    Nobody,
}

/// What is done about the translations that the processor remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// Nothing.
    Nothing,
    /// It forgets the address now: `invlpg`, which acts on the current identifier.
    Now,
    /// The address is noted with the identifier. The next switch to the space sees to it.
    AtNextSwitch(u16),
    /// It is noted that everything under the identifier must go.
    AllAtNextSwitch(u16),
    /// The kernel's own space becomes the current one first. What is remembered goes when the identifier is taken.
    Leave,
}

/// What a change needs (Intel SDM vol. 3A, 4.10.4).
#[must_use]
pub fn on_change(change: Change, holder: Holder) -> Invalidation {
    // ANCHOR: exercise-9-3
    match (change, holder) {
        // Nothing is remembered of entries that were not present.
        (Change::Add, _) | (_, Holder::Nobody) => Invalidation::Nothing,
        (Change::Replace | Change::Cut, Holder::Current) => Invalidation::Now,
        (Change::Replace, Holder::Identified(identifier)) => Invalidation::AtNextSwitch(identifier),
        // Between the load of CR3 and `invlpg` the processor could walk through the page, for speculation, and remember what it finds.
        (Change::Cut, Holder::Identified(identifier)) => Invalidation::AllAtNextSwitch(identifier),
        (Change::End, Holder::Current) => Invalidation::Leave,
        // Its identifier is never loaded again before another space has taken it.
        (Change::End, Holder::Identified(_)) => Invalidation::Nothing,
    }
    // ANCHOR_END: exercise-9-3
}

/// The identifier that is taken after this one. All are taken in turn, but 0: that is the kernel's own space.
#[must_use]
pub fn next_identifier(identifier: u16, last: u16) -> u16 {
    if identifier >= last { 1 } else { identifier + 1 }
}
// ANCHOR_END: policy
