//! The processor: page tables as the hardware reads them, and what it remembers of them.
//!
//! The processor of the model forgets nothing by itself: neither a translation nor where a page table is, until it is told to, or
//! loads another top-level table (Intel SDM vol. 3A, 4.10.4.1).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use kernel::arch::paging::{Event, top_table, window_start};

use crate::Page;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const HUGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What a page or large page of user space leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leaf {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
    pub(crate) frame: Page,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

/// A lower page table: its level, the first address below it, its page.
pub(crate) type TablePlace = (u8, u64, Page);

fn span(level: u8) -> u64 {
    1 << (3 + 9 * u32::from(level))
}

fn entry(table: Page, index: u64) -> u64 {
    let address = window_start() + u64::from(table) * 4096 + index * 8;
    // SAFETY: page tables lie in the memory that the machine was given; only this thread changes it.
    unsafe { (address as *const u64).read_volatile() }
}

fn page_in(entry: u64) -> Page {
    Page::try_from((entry & ADDRESS) / 4096).unwrap_or(Page::MAX)
}

/// All that a top-level table leads to in the lower half. Each entry on the way to a page must be one for user mode.
pub(crate) fn visit(top: Page) -> (Vec<Leaf>, Vec<TablePlace>) {
    let (mut leaves, mut tables) = (Vec::new(), Vec::new());
    visit_table((4, 0, top), 256, WRITABLE | USER, &mut leaves, &mut tables);
    (leaves, tables)
}

fn visit_table(
    (level, base, table): TablePlace,
    entries: u64,
    allowed: u64,
    leaves: &mut Vec<Leaf>,
    tables: &mut Vec<TablePlace>,
) {
    for index in 0..entries {
        let entry = entry(table, index);
        if entry & PRESENT == 0 {
            continue;
        }
        let allowed = allowed & entry & (WRITABLE | USER) | (allowed | entry) & NO_EXECUTE;
        let address = base + index * span(level);
        if level > 1 && entry & HUGE == 0 {
            let lower = (level - 1, address, page_in(entry));
            tables.push(lower);
            visit_table(lower, 512, allowed, leaves, tables);
        } else if allowed & USER != 0 {
            leaves.push(leaf(address, level, entry, allowed));
        }
    }
}

fn leaf(address: u64, level: u8, entry: u64, allowed: u64) -> Leaf {
    let (writable, executable) = (allowed & WRITABLE != 0, allowed & NO_EXECUTE == 0);
    Leaf { address, bytes: span(level), frame: page_in(entry), writable, executable }
}

/// What an address leads to, and the tables on the way, in the space that the processor uses.
fn walk(address: u64) -> (Option<Leaf>, Vec<TablePlace>) {
    let (mut table, mut allowed, mut tables) = (page_in(top_table()), WRITABLE | USER, Vec::new());
    for level in (1..=4).rev() {
        let entry = entry(table, address / span(level) % 512);
        if entry & PRESENT == 0 {
            break;
        }
        allowed = allowed & entry & (WRITABLE | USER) | (allowed | entry) & NO_EXECUTE;
        let base = address / span(level) * span(level);
        if level == 1 || entry & HUGE != 0 {
            return (Some(leaf(base, level, entry, allowed)), tables);
        }
        table = page_in(entry);
        tables.push((level - 1, base, table));
    }
    (None, tables)
}

struct Memory {
    leaves: BTreeMap<u64, Leaf>,
    tables: BTreeMap<(u8, u64), Page>,
}

static REMEMBERED: Mutex<Memory> = Mutex::new(Memory { leaves: BTreeMap::new(), tables: BTreeMap::new() });

fn remembered<R>(use_it: impl FnOnce(&mut Memory) -> R) -> R {
    use_it(&mut REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The kernel tells the processor something.
pub(crate) fn observe(event: Event) {
    remembered(|memory| {
        match event {
            Event::Load(_) => memory.leaves.clear(),
            Event::Flush(address) => memory.leaves.retain(|&start, leaf| address / leaf.bytes != start / leaf.bytes),
        }
        memory.tables.clear();
    });
}

/// The program uses an address: the processor may remember all that it met on the way.
pub(crate) fn touch(address: u64) {
    let (leaf, tables) = walk(address);
    remembered(|memory| {
        memory.tables.extend(tables.into_iter().map(|(level, base, page)| ((level, base), page)));
        memory.leaves.extend(leaf.map(|leaf| (leaf.address, leaf)));
    });
}

/// Whether all that the processor remembers is still what the page tables say.
pub(crate) fn check() -> Result<(), String> {
    remembered(|memory| {
        for leaf in memory.leaves.values() {
            let (found, _) = walk(leaf.address);
            if found != Some(*leaf) {
                return Err(format!("a stale translation: {leaf:x?} is remembered, {found:x?} is true"));
            }
        }
        for (&(level, base), &page) in &memory.tables {
            let (_, tables) = walk(base);
            if !tables.contains(&(level, base, page)) {
                return Err(format!("a stale page table: level {level} at {base:#x}, page {page}"));
            }
        }
        Ok(())
    })
}
