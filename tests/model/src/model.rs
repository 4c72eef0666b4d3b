//! The state of the model.
//!
//! An object is named by its page, a memory by its first page, a capability by a number of its own. Which page an object gets is
//! for the kernel to choose; the model learns it and checks that the page was free. How many pages are free is never kept: it is
//! what a memory has, less what there is of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use flatmk_abi::slots::{POINTER_LIMIT, SLOTS_PER_TABLE};
use flatmk_abi::{Access, Error, Kind, Rights};

use crate::Page;

/// Pages of a large frame.
pub(crate) const LARGE: u32 = 512;

/// A slot: the page of its table or task, and which slot there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) home: Page,
    pub(crate) index: u64,
}

pub(crate) type CapabilityId = u64;

#[derive(Clone, Debug)]
pub(crate) struct Capability {
    pub(crate) kind: Kind,
    pub(crate) rights: Rights,
    /// The object, or the first page of the memory.
    pub(crate) page: Page,
    pub(crate) place: Place,
    pub(crate) parent: Option<CapabilityId>,
    /// Of an endpoint: entry and context.
    pub(crate) entry: (u64, u64),
    /// Of a frame.
    pub(crate) mapping: Option<Mapping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) space: Page,
    pub(crate) address: u64,
    pub(crate) access: Access,
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The memory it was made from.
    pub(crate) memory: Page,
    pub(crate) kind: ObjectKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ObjectKind {
    Table,
    Frame,
    LargeFrame,
    Notification,
    FloatingPoint,
    Softuser,
    Task {
        /// It has lost its table or its space.
        stopped: bool,
    },
    /// With its lower page tables, by level and by the first address below them.
    Space(BTreeSet<(u8, u64)>),
}

impl ObjectKind {
    pub(crate) fn pages(&self) -> u32 {
        match self {
            ObjectKind::LargeFrame => LARGE,
            ObjectKind::Space(tables) => 1 + tables.len() as u32,
            _ => 1,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) end: Page,
    /// The memory it was split off.
    pub(crate) parent: Option<Page>,
    pub(crate) depth: u8,
    /// The pages that were never handed out, as the kernel says.
    pub(crate) unused: Range<Page>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) capabilities: BTreeMap<CapabilityId, Capability>,
    pub(crate) slots: BTreeMap<Place, CapabilityId>,
    pub(crate) objects: BTreeMap<Page, Object>,
    pub(crate) memories: BTreeMap<Page, Memory>,
    /// The space that the processor uses; `None` for the kernel's own.
    pub(crate) current: Option<Page>,
    /// The table of the task that does all this.
    pub(crate) root: Page,
    next_id: CapabilityId,
}

impl Model {
    /// A machine with a root table, which holds a capability to all memory and one to itself.
    pub(crate) fn new(root: Page, memory: Range<Page>, memory_slot: u64, table_slot: u64) -> Self {
        let first = memory.start;
        let mut model = Self {
            capabilities: BTreeMap::new(),
            slots: BTreeMap::new(),
            // The table was taken at boot, from no memory.
            objects: BTreeMap::from([(root, Object { memory: 0, kind: ObjectKind::Table })]),
            memories: BTreeMap::from([(
                first,
                Memory { end: memory.end, parent: None, depth: 0, unused: memory.clone() },
            )]),
            current: None,
            root,
            next_id: 0,
        };
        for (kind, page, index) in [(Kind::Memory, first, memory_slot), (Kind::Table, root, table_slot)] {
            model.insert(Capability::new(kind, Rights::all(), page, Place { home: root, index }, None));
        }
        model
    }

    pub(crate) fn insert(&mut self, capability: Capability) {
        let id = self.next_id;
        self.next_id += 1;
        self.slots.insert(capability.place, id);
        self.capabilities.insert(id, capability);
    }

    pub(crate) fn children(&self, id: CapabilityId) -> Vec<CapabilityId> {
        let is_child = |capability: &Capability| capability.parent == Some(id);
        self.capabilities.iter().filter(|(_, capability)| is_child(capability)).map(|(&id, _)| id).collect()
    }

    /// The capability in a slot.
    pub(crate) fn at(&self, place: Place) -> Option<(CapabilityId, &Capability)> {
        let id = *self.slots.get(&place)?;
        Some((id, self.capabilities.get(&id)?))
    }

    /// The slot that a pointer names.
    pub(crate) fn resolve(&self, pointer: u64) -> Result<Place, Error> {
        if pointer >= POINTER_LIMIT {
            return Err(Error::InvalidCapability);
        }
        let steps = [pointer / SLOTS_PER_TABLE / SLOTS_PER_TABLE, pointer / SLOTS_PER_TABLE % SLOTS_PER_TABLE];
        let mut home = self.root;
        // Without leading zeros: those would name slot 0, which is always empty.
        let first = steps.iter().position(|&step| step != 0).unwrap_or(steps.len());
        for &index in &steps[first..] {
            let (_, table) = self.at(Place { home, index }).ok_or(Error::InvalidCapability)?;
            if table.kind != Kind::Table || !table.rights.contains(Rights::MANAGE) {
                return Err(Error::InvalidCapability);
            }
            home = table.page;
        }
        Ok(Place { home, index: pointer % SLOTS_PER_TABLE })
    }

    /// The pages of a memory that were not split off.
    pub(crate) fn own_pages(&self, memory: Page) -> u32 {
        let pages = |(&start, memory): (&Page, &Memory)| memory.end - start;
        let split_off: u32 = self.memories.iter().filter(|(_, other)| other.parent == Some(memory)).map(pages).sum();
        self.memories[&memory].end - memory - split_off
    }

    pub(crate) fn free_pages(&self, memory: Page) -> u32 {
        let used: u32 =
            self.objects.values().filter(|object| object.memory == memory).map(|object| object.kind.pages()).sum();
        self.own_pages(memory) - used
    }

    /// The memory that a page belongs to: the innermost one that has it.
    pub(crate) fn memory_of(&self, page: Page) -> Option<Page> {
        let has_it = |(start, memory): &(&Page, &Memory)| (**start..memory.end).contains(&page);
        self.memories.iter().filter(has_it).max_by_key(|(_, memory)| memory.depth).map(|(&start, _)| start)
    }

    /// What is mapped in a space: capability and mapping.
    pub(crate) fn mappings(&self, space: Page) -> impl Iterator<Item = (CapabilityId, &Capability, Mapping)> {
        self.capabilities.iter().filter_map(move |(&id, capability)| {
            capability.mapping.filter(|mapping| mapping.space == space).map(|mapping| (id, capability, mapping))
        })
    }
}

impl Capability {
    pub(crate) fn new(kind: Kind, rights: Rights, page: Page, place: Place, parent: Option<CapabilityId>) -> Self {
        Self { kind, rights, page, place, parent, entry: (0, 0), mapping: None }
    }

    /// How many bytes its frame covers.
    pub(crate) fn frame_bytes(&self) -> Option<u64> {
        match self.kind {
            Kind::Frame => Some(flatmk_abi::layout::PAGE_SIZE),
            Kind::LargeFrame => Some(flatmk_abi::layout::LARGE_FRAME_SIZE),
            _ => None,
        }
    }
}
