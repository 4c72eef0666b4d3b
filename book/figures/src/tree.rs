//! A table of capabilities, and what can be done with them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use flatmk_abi::slots::SLOTS_PER_TABLE;
use serde::Serialize;

use crate::capability::{
    Content, Error, Extent, Kind, MakeRequest, Memory, Progress, Removal, Rights, Slot, SlotRange, Table,
    TransferRequest, adopt_page, adopt_region, insert_below, measure,
};
use crate::machine;
use crate::memory::{Frame, PageKind};

/// The slots that a figure begins with.
const MEMORY: u64 = 1;
const FRAME: u64 = 2;
const TASK: u64 = 3;
const ENDPOINT: u64 = 4;
/// The slot that keeps the table alive. No figure shows it.
const TABLE: u64 = SLOTS_PER_TABLE - 1;

/// Where the endpoint leads to in its task.
const ENTRY: u64 = 0x40_0000;

/// The table's page, by its number.
static PAGE: AtomicU32 = AtomicU32::new(0);

/// The table as it is, and what the last operation came to.
#[derive(Debug, Serialize)]
pub struct View {
    /// What the operation came to, in words.
    pub says: String,
    /// Whether it was refused.
    pub refused: bool,
    /// The slots that hold a capability.
    pub slots: Vec<Held>,
}

/// A slot that holds a capability.
#[derive(Debug, Serialize)]
pub struct Held {
    /// The slot.
    pub index: u64,
    /// The slot that holds the capability from which it was derived.
    pub parent: Option<u64>,
    /// Its kind.
    pub kind: String,
    /// The names of its rights.
    pub rights: Vec<&'static str>,
    /// What else is to be known of it.
    pub about: String,
}

/// Begins with a memory, and a frame and a task with an endpoint that were made from it.
#[must_use]
pub fn reset() -> View {
    let says = match begin() {
        Ok(()) => "A memory capability; a frame and a task were made from it, and an endpoint from the task.".into(),
        Err(error) => format!("the table cannot be made: {error:?}"),
    };
    View { says, refused: false, slots: slots() }
}

fn begin() -> Result<(), Error> {
    let mut region = machine::fresh();
    let page = region.take(PageKind::Table).ok_or(Error::OutOfMemory)?;
    PAGE.store(page.number(), Relaxed);
    let table = Table::on(page)?;
    adopt_region(table.free_slot(MEMORY)?, region.rest());
    adopt_page(table.free_slot(TABLE)?, Kind::Table, page);
    for (index, kind) in [(FRAME, Kind::Frame), (TASK, Kind::Task)] {
        let memory = Memory::of(table.lookup(MEMORY)?)?;
        MakeRequest::decode(memory, kind as u64, SlotRange::decode(table, index, 1)?)?.perform();
    }
    // As the operation `MakeEndpoint` of chapter 6 does it.
    let task = table.lookup(TASK)?;
    let rights = Rights::CALL | Rights::GRANT | Rights::MANAGE | Rights::TRANSFER;
    let content = Content::to_page(Kind::Endpoint, rights, task.page().ok_or(Error::InvalidCapability)?);
    insert_below(table.free_slot(ENDPOINT)?, task, Content { words: [ENTRY, 0, 0], ..content });
    Ok(())
}

/// Copies a capability: the copy keeps those of its rights that are among `rights`.
#[must_use]
pub fn copy(source: u64, destination: u64, rights: u64) -> View {
    answer(|table| {
        TransferRequest::decode_copy(table, destination, table.lookup(source)?, rights)?.perform();
        Ok(format!("Copied slot {source} to slot {destination}."))
    })
}

/// The same for an endpoint, with a context word.
#[must_use]
pub fn mint(source: u64, destination: u64, rights: u64, context: u64) -> View {
    answer(|table| {
        TransferRequest::decode_mint(table, destination, table.lookup(source)?, rights, context)?.perform();
        Ok(format!("Minted slot {source} to slot {destination}, with the context word {context}."))
    })
}

/// Deletes a capability.
#[must_use]
pub fn delete(index: u64) -> View {
    answer(|table| {
        let steps = remove(table, index, Extent::Itself)?;
        Ok(format!("Deleted slot {index}, in {steps}."))
    })
}

/// Revokes a capability: everything that was derived from it goes.
#[must_use]
pub fn revoke(index: u64) -> View {
    answer(|table| {
        let steps = remove(table, index, Extent::Derived)?;
        Ok(format!("Revoked slot {index}, in {steps}."))
    })
}

/// Tells how many steps it took.
fn remove(table: &'static Table, index: u64, extent: Extent) -> Result<String, Error> {
    let removal = Removal::decode(table, index, extent)?;
    let mut steps = 1;
    while removal.step() == Progress::More {
        steps += 1;
    }
    Ok(if steps == 1 { "one step".into() } else { format!("{steps} steps") })
}

fn answer(operation: impl FnOnce(&'static Table) -> Result<String, Error>) -> View {
    let result = table().and_then(operation);
    let refused = result.is_err();
    let says = result.unwrap_or_else(|error| format!("Refused, {error:?}: {}", error.meaning()));
    View { says, refused, slots: slots() }
}

fn table() -> Result<&'static Table, Error> {
    Table::on(Frame::from_number(PAGE.load(Relaxed)))
}

fn slots() -> Vec<Held> {
    let Ok(table) = table() else { return Vec::new() };
    let index_of =
        |slot: &Slot| (0..).zip(table.slots()).find(|(_, other)| ptr::eq(*other, slot)).map(|(index, _)| index);
    let parent_of = |slot: &Slot| {
        let parent =
            table.slots().iter().find(|other| !other.is_empty() && other.children().any(|child| ptr::eq(child, slot)));
        parent.and_then(index_of)
    };
    let shown = (0..TABLE).zip(table.slots()).filter(|(_, slot)| !slot.is_empty());
    shown
        .map(|(index, slot)| Held {
            index,
            parent: parent_of(slot),
            kind: format!("{:?}", slot.kind()),
            rights: slot.rights().iter_names().map(|(name, _)| name).collect(),
            about: about(slot),
        })
        .collect()
}

fn about(slot: &Slot) -> String {
    match slot.kind() {
        Kind::Memory => format!("{} free pages", measure(slot).0),
        Kind::Endpoint => format!("context word {}", slot.word::<1>()),
        _ => slot.page().map_or_else(String::new, |page| format!("page at {:#x}", page.address())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::MutexGuard;

    use super::*;
    use crate::capability::audit;

    const ALL: u64 = Rights::all().bits() as u64;

    fn begun() -> MutexGuard<'static, ()> {
        let turn = machine::turn();
        assert!(!reset().refused);
        turn
    }

    /// The slots, each with the one from which it was derived. The kernel finds nothing wrong with them.
    #[track_caller]
    fn check(view: &View, expected: &[(u64, Option<u64>)]) {
        assert!(!view.refused, "{}", view.says);
        assert_eq!(view.slots.iter().map(|slot| (slot.index, slot.parent)).collect::<Vec<_>>(), expected);
        audit().expect("all is in order");
    }

    #[test]
    fn it_begins_with_four_capabilities() {
        let _turn = begun();
        check(&reset(), &[(1, None), (2, Some(1)), (3, Some(1)), (4, Some(3))]);
    }

    #[test]
    fn a_copy_has_no_more_rights_than_its_source() {
        let _turn = begun();
        let view = copy(2, 5, u64::from((Rights::READ | Rights::GRANT).bits()));
        check(&view, &[(1, None), (2, Some(1)), (3, Some(1)), (4, Some(3)), (5, Some(2))]);
        assert_eq!(view.slots[4].rights, ["READ", "GRANT"]);
        let view = copy(5, 6, ALL);
        assert_eq!(view.slots[5].rights, ["READ", "GRANT"]);
        assert_eq!(view.slots[5].parent, Some(5));
    }

    #[test]
    fn a_minted_endpoint_has_its_own_context_word() {
        let _turn = begun();
        let view = mint(4, 9, ALL, 42);
        check(&view, &[(1, None), (2, Some(1)), (3, Some(1)), (4, Some(3)), (9, Some(4))]);
        assert_eq!(view.slots[4].about, "context word 42");
    }

    #[test]
    fn what_was_derived_survives_a_deletion_and_not_a_revocation() {
        let _turn = begun();
        let _ = copy(2, 5, ALL);
        let _ = copy(5, 6, ALL);
        check(&delete(5), &[(1, None), (2, Some(1)), (3, Some(1)), (4, Some(3)), (6, Some(2))]);
        check(&revoke(2), &[(1, None), (2, Some(1)), (3, Some(1)), (4, Some(3))]);
        let free = |view: &View| view.slots[0].about.clone();
        let before = free(&revoke(4));
        let view = revoke(1);
        check(&view, &[(1, None)]);
        assert_ne!(free(&view), before, "the pages are free again");
    }

    #[test]
    fn what_the_kernel_refuses_changes_nothing() {
        let _turn = begun();
        for (view, error) in [
            (copy(1, 5, ALL), "WrongKind"),
            (copy(2, 4, ALL), "SlotOccupied"),
            (copy(7, 8, ALL), "InvalidCapability"),
            (copy(2, 0, ALL), "InvalidArgument"),
            (copy(2, u64::MAX, ALL), "InvalidArgument"),
            (mint(2, 5, ALL, 1), "WrongKind"),
            (delete(9), "InvalidCapability"),
        ] {
            assert!(view.refused && view.says.contains(error), "{}", view.says);
            assert_eq!(view.slots.len(), 4);
        }
        let _ = copy(2, 5, 0);
        assert!(copy(5, 6, ALL).says.contains("MissingRight"));
    }
}
