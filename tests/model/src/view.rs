//! What can be seen: of the kernel's state and of the model's, in the same words.

use std::collections::{BTreeMap, BTreeSet};

use flatmk_abi::layout::PAGE_SIZE;
use flatmk_abi::{Access, Kind, Rights};
use kernel::arch::paging::top_table;
use kernel::capability::Slot;
use kernel::memory::{AddressSpace, Frame, PageKind, Region, entry_of};

use crate::Page;
use crate::machine::{PAGES, kinds, place_of, slot_at, slots_of, stopped_tasks};
use crate::model::{Capability, LARGE, Mapping, Model, ObjectKind, Place};
use crate::processor::{self, Leaf};

/// A slot with a capability in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotView {
    kind: Kind,
    rights: Rights,
    page: Page,
    /// Of an endpoint: entry and context. Of a memory: its end.
    words: (u64, u64),
    /// Of a frame: space and address.
    mapping: Option<(Page, u64)>,
}

pub(crate) fn slot_in_kernel(slot: &Slot) -> Option<SlotView> {
    let content = slot.content();
    let [first, second, third] = content.words;
    let is_frame = matches!(content.kind, Kind::Frame | Kind::LargeFrame);
    let words = match content.kind {
        Kind::Endpoint => (first, second),
        Kind::Memory => (third, 0),
        _ => (0, 0),
    };
    // A mapping ends with its space: the space's page then has another generation, or is no space.
    let space = Frame::from_window_address(first).filter(|_| is_frame);
    let lives = |space: &Frame| {
        entry_of(*space).is_some_and(|entry| entry.kind() == PageKind::AddressSpace && entry.generation() == second)
    };
    let mapping = space.filter(lives).map(|space| (space.number(), third));
    let page = slot.page().map_or(0, Frame::number);
    (content.kind != Kind::Empty).then_some(SlotView {
        kind: content.kind,
        rights: content.rights,
        page,
        words,
        mapping,
    })
}

pub(crate) fn slot_in_model(model: &Model, capability: &Capability) -> SlotView {
    let &Capability { kind, rights, page, entry, .. } = capability;
    let words = if kind == Kind::Memory { (u64::from(model.memories[&page].end), 0) } else { entry };
    let mapping = capability.mapping.map(|mapping| (mapping.space, mapping.address));
    SlotView { kind, rights, page, words, mapping }
}

/// A slot, and the slot of which it was derived.
type TreeView = Vec<(Place, SlotView, Option<Place>)>;

fn tree_in_kernel(kinds: &[PageKind]) -> Result<TreeView, String> {
    let homes = (0..PAGES).zip(kinds).filter(|(_, kind)| matches!(kind, PageKind::Table | PageKind::Task));
    let places: Vec<&Slot> = homes.flat_map(|(home, _)| slots_of(home)).filter(|slot| !slot.is_empty()).collect();
    let mut parents = BTreeMap::new();
    for parent in &places {
        // Every slot is one child, of one parent: more than there are slots means a circle.
        for child in parent.children().take(places.len() + 1) {
            if parents.insert(place_of(child), place_of(parent)).is_some() {
                return Err(format!("{:?} hangs in two places", place_of(child)));
            }
        }
    }
    let view = |slot: &&Slot| Some((place_of(slot), slot_in_kernel(slot)?, parents.remove(&place_of(slot))));
    let tree = places.iter().filter_map(view).collect();
    if parents.is_empty() { Ok(tree) } else { Err(format!("empty slots hang in the tree: {parents:?}")) }
}

fn tree_in_model(model: &Model) -> TreeView {
    let parent = |capability: &Capability| Some(model.capabilities.get(&capability.parent?)?.place);
    let view = |(&place, id)| {
        let capability = &model.capabilities[id];
        (place, slot_in_model(model, capability), parent(capability))
    };
    model.slots.iter().map(view).collect()
}

fn leaves_in_model(model: &Model, space: Page) -> Vec<Leaf> {
    let leaf = |(_, capability, mapping): (_, &Capability, Mapping)| Leaf {
        address: mapping.address,
        bytes: capability.frame_bytes().unwrap_or(0),
        frame: capability.page,
        writable: mapping.access == Access::ReadWrite,
        global: false,
        executable: mapping.access == Access::ReadExecute,
    };
    let mut leaves: Vec<Leaf> = model.mappings(space).map(leaf).collect();
    leaves.sort();
    leaves
}

/// Compares all there is. `fixed` are the kinds of the pages that are no memory's.
pub(crate) fn compare(model: &mut Model, fixed: &[PageKind]) -> Result<(), String> {
    let kinds = kinds();
    let (found, expected) = (tree_in_kernel(&kinds)?, tree_in_model(model));
    if let Some((found, expected)) = found.iter().zip(&expected).find(|(found, expected)| found != expected) {
        return Err(format!("a slot is {found:?}, expected {expected:?}"));
    }
    if found.len() != expected.len() {
        return Err(format!("{} slots are filled, expected {}", found.len(), expected.len()));
    }
    rights_shrink(model)?;
    let mut expected = fixed.to_vec();
    for (&page, object) in &model.objects {
        let kind = match object.kind {
            ObjectKind::Table => PageKind::Table,
            ObjectKind::Task { stopped } => {
                if stopped != stopped_tasks(|tasks| tasks.contains(&page)) {
                    return Err(format!("the task at {page} is stopped: {}, expected {stopped}", !stopped));
                }
                PageKind::Task
            }
            ObjectKind::Frame => PageKind::Frame,
            ObjectKind::Notification => PageKind::Notification,
            ObjectKind::FloatingPoint => PageKind::FloatingPoint,
            ObjectKind::Softuser => PageKind::Softuser,
            ObjectKind::LargeFrame => {
                expected[page as usize..(page + LARGE) as usize].fill(PageKind::LargeFrame);
                continue;
            }
            ObjectKind::Space(_) => {
                compare_space(model, page, &mut expected)?;
                PageKind::AddressSpace
            }
        };
        expected[page as usize] = kind;
    }
    if let Some(page) = (0..expected.len()).find(|&page| kinds[page] != expected[page]) {
        return Err(format!("page {page} is {:?}, expected {:?}", kinds[page], expected[page]));
    }
    let current =
        model.current.map_or(kernel::memory::kernel_space().top().address(), |page| u64::from(page) * PAGE_SIZE);
    if top_table() != current {
        return Err(format!("the processor uses the space at {:#x}, expected {current:#x}", top_table()));
    }
    learn_unused(model, Completeness::Full)
}

/// A capability has no right that the one it was derived from has not. Memory is no right to what is made from it.
fn rights_shrink(model: &Model) -> Result<(), String> {
    let grown = model.capabilities.values().find(|capability| {
        let parent = capability.parent.map(|parent| &model.capabilities[&parent]);
        parent.is_some_and(|parent| parent.kind != Kind::Memory && !parent.rights.contains(capability.rights))
    });
    grown.map_or(Ok(()), |grown| Err(format!("rights have grown: {grown:?}")))
}

/// The page tables say what the capabilities say, and their pages are marked as such.
fn compare_space(model: &Model, space: Page, expected: &mut [PageKind]) -> Result<(), String> {
    let object = &model.objects[&space];
    let ObjectKind::Space(tables) = &object.kind else { return Ok(()) };
    let (leaves, found) = processor::visit(space);
    let mapped = leaves_in_model(model, space);
    if leaves != mapped {
        return Err(format!("space {space} maps {leaves:x?}, expected {mapped:x?}"));
    }
    if let Some(space) = space_to_manage(model, space) {
        compare_with_kernel(space, &mapped)?;
    }
    if !found.iter().map(|&(level, base, _)| (level, base)).collect::<BTreeSet<_>>().eq(tables) {
        return Err(format!("space {space} has the tables {found:x?}, expected {tables:x?}"));
    }
    for (.., page) in found {
        let entry = expected.get_mut(page as usize).ok_or("a page table outside memory")?;
        if *entry != PageKind::Free || model.memory_of(page) != Some(object.memory) {
            return Err(format!(
                "the page table on page {page} of space {space} is {entry:?} already, or not its memory's"
            ));
        }
        *entry = PageKind::PageTable;
    }
    Ok(())
}

/// The space as the kernel knows it, if a capability lets us.
fn space_to_manage(model: &Model, space: Page) -> Option<AddressSpace> {
    let leads_there = |capability: &&Capability| capability.page == space && capability.kind == Kind::AddressSpace;
    let mut slots = model.capabilities.values().filter(leads_there).filter_map(|capability| slot_at(capability.place));
    slots.find_map(|slot| AddressSpace::from_capability(slot).ok())
}

/// What the kernel itself reads in the tables.
fn compare_with_kernel(space: AddressSpace, mapped: &[Leaf]) -> Result<(), String> {
    let mut pages = Vec::new();
    space.for_each_page(|mapping| pages.push((mapping.address, mapping.frame.number(), mapping.size.bytes())));
    if !pages.iter().copied().eq(mapped.iter().map(|leaf| (leaf.address, leaf.frame, leaf.bytes))) {
        return Err(format!("the kernel finds {pages:x?} in {space:?}, expected {mapped:x?}"));
    }
    for leaf in mapped {
        let last = leaf.address + leaf.bytes - 1;
        let translation = space.translate(last).ok_or("a mapped address is not translated")?;
        let access = (translation.access == Access::ReadWrite, translation.access == Access::ReadExecute);
        let frame = leaf.frame + ((leaf.bytes - 1) / PAGE_SIZE) as u32;
        if (translation.frame.number(), access) != (frame, (leaf.writable, leaf.executable)) {
            return Err(format!("{last:#x} in {space:?} is {translation:?}, expected {leaf:x?}"));
        }
    }
    Ok(())
}

/// Whether all removals are done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    Full,
    Pending,
}

/// The free pages of every memory, and which of them were never handed out, as the kernel says.
pub(crate) fn learn_unused(model: &mut Model, completeness: Completeness) -> Result<(), String> {
    let slots: Vec<(Page, Place)> = model
        .capabilities
        .values()
        .filter(|capability| capability.kind == Kind::Memory)
        .map(|capability| (capability.page, capability.place))
        .collect();
    for (start, place) in slots {
        let slot = slot_at(place).ok_or_else(|| format!("no slot at {place:?}"))?;
        let region = Region::from_words(Frame::from_number(start), slot.words());
        let unused = region.unused();
        let free = model.free_pages(start);
        if completeness == Completeness::Full {
            let listed: BTreeSet<Page> = region.returned().map(Frame::number).collect();
            let all_free = unused.clone().chain(listed.iter().copied()).all(|page| {
                model.memory_of(page) == Some(start)
                    && entry_of(Frame::from_number(page)).is_some_and(|entry| entry.kind() == PageKind::Free)
            });
            if region.free_pages() != free || unused.len() + listed.len() != free as usize || !all_free {
                return Err(format!("the memory at {start} has {region:?}, expected {free} free pages"));
            }
            let whole = start..model.memories[&start].end;
            if free == whole.end - whole.start && unused != whole {
                return Err(format!("the memory at {start} has all its pages, but not in a row: {region:?}"));
            }
        }
        if let Some(memory) = model.memories.get_mut(&start) {
            memory.unused = unused;
        }
    }
    Ok(())
}
