//! The processor: page tables as the hardware reads them, and what it remembers of them.
//!
//! The processor of the model forgets nothing by itself: neither a translation nor where a page table is. What it remembers is under the
//! identifier in CR3, but for global translations; it forgets as little as the manual allows, when an address is flushed, and when CR3 is loaded
//! without the bit that keeps (Intel SDM vol. 3A, 4.10.4.1).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use kernel::arch::paging::{Event, top_table, window_start};
use kernel::pcid;

use crate::Page;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const HUGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
/// In CR3.
const KEEP: u64 = 1 << 63;
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
    pub(crate) global: bool,
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
    let global = entry & GLOBAL != 0;
    Leaf { address, bytes: span(level), frame: page_in(entry), writable, executable, global }
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

/// Under what a translation is remembered: an identifier, or none, since it is the same in all spaces.
type Tag = Option<u16>;

/// Whether the processor would use what is remembered so, with this identifier in CR3.
fn is_usable(tag: Tag, current: u16) -> bool {
    tag.is_none_or(|tag| tag == current)
}

struct Memory {
    /// The identifier in CR3.
    identifier: u16,
    leaves: BTreeMap<(Tag, u64), Leaf>,
    tables: BTreeMap<(u16, u8, u64), Page>,
    /// What the processor would refuse.
    refused: Option<String>,
}

impl Memory {
    const EMPTY: Memory = Memory { identifier: 0, leaves: BTreeMap::new(), tables: BTreeMap::new(), refused: None };

    fn load(&mut self, cr3: u64) {
        let (identifier, keep) = ((cr3 & 0xfff) as u16, cr3 & KEEP != 0);
        if !pcid::are_on() && (keep || identifier != 0) {
            self.refused = Some(format!("CR3 is loaded with {cr3:#x}, without identifiers"));
        }
        self.identifier = identifier;
        if !keep {
            self.leaves.retain(|&(tag, _), _| tag != Some(identifier));
            self.tables.retain(|&(tag, ..), _| tag != identifier);
        }
        self.speculate();
    }

    /// The processor looks up whatever it can by the lowest tables that it remembers, whether or not somebody asks for it, and whatever
    /// their pages are used for by now (Intel SDM vol. 3A, 4.10.2.3).
    fn speculate(&mut self) {
        let identifier = self.identifier;
        let lowest = self.tables.iter().filter(|&(&(tag, level, _), _)| (tag, level) == (identifier, 1));
        for (&(_, level, base), &table) in lowest {
            for (index, entry) in (0..512).map(|index| (index, entry(table, index))) {
                let leaf = leaf(base + index * span(level), level, entry, entry & (WRITABLE | USER | NO_EXECUTE));
                if entry & (PRESENT | USER | GLOBAL) == PRESENT | USER {
                    self.leaves.entry((Some(identifier), leaf.address)).or_insert(leaf);
                }
            }
        }
    }

    fn flush(&mut self, address: u64) {
        let current = self.identifier;
        self.leaves
            .retain(|&(tag, start), leaf| !is_usable(tag, current) || address / leaf.bytes != start / leaf.bytes);
        self.tables.retain(|&(tag, ..), _| tag != current);
    }
}

static REMEMBERED: Mutex<Memory> = Mutex::new(Memory::EMPTY);

fn remembered<R>(use_it: impl FnOnce(&mut Memory) -> R) -> R {
    use_it(&mut REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Nothing is remembered, as after a reset.
pub(crate) fn reset() {
    remembered(|memory| *memory = Memory::EMPTY);
}

/// The kernel tells the processor something.
pub(crate) fn observe(event: Event) {
    remembered(|memory| match event {
        Event::Load(cr3) => memory.load(cr3),
        Event::Flush(address) => memory.flush(address),
    });
}

/// The program uses an address: the processor may remember all that it met on the way.
pub(crate) fn touch(address: u64) {
    let (leaf, tables) = walk(address);
    remembered(|memory| {
        let identifier = memory.identifier;
        memory.tables.extend(tables.into_iter().map(|(level, base, page)| ((identifier, level, base), page)));
        let tag = |leaf: &Leaf| if leaf.global { None } else { Some(identifier) };
        memory.leaves.extend(leaf.map(|leaf| ((tag(&leaf), leaf.address), leaf)));
    });
}

/// Whether all that the processor remembers and could use now is still what the page tables say.
pub(crate) fn check() -> Result<(), String> {
    remembered(|memory| {
        if let Some(refused) = &memory.refused {
            return Err(refused.clone());
        }
        let current = memory.identifier;
        for leaf in memory.leaves.iter().filter(|&(&(tag, _), _)| is_usable(tag, current)).map(|(_, leaf)| leaf) {
            let (found, _) = walk(leaf.address);
            if found != Some(*leaf) {
                return Err(format!("a stale translation: {leaf:x?} is remembered, {found:x?} is true"));
            }
        }
        for (&(_, level, base), &page) in memory.tables.iter().filter(|&(&(tag, ..), _)| tag == current) {
            let (_, tables) = walk(base);
            if !tables.contains(&(level, base, page)) {
                return Err(format!("a stale page table: level {level} at {base:#x}, page {page}"));
            }
        }
        Ok(())
    })
}
