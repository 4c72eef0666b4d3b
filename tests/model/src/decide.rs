//! What an operation does in the model, or why it fails.

use flatmk_abi::layout::{PAGE_SIZE, USER_END, USER_START};
use flatmk_abi::slots::SLOTS_PER_TABLE;
use flatmk_abi::{Access, Error, Kind, Rights};
use kernel::capability::{Extent, MOST_SPLITS};

use crate::Page;
use crate::model::{Capability, CapabilityId, LARGE, Mapping, Memory, Model, Object, ObjectKind, Place};
use crate::operation::Operation;

/// What an operation that succeeds does.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Nothing but an answer.
    Answer([u64; 2]),
    Insert(Capability),
    Move(CapabilityId, Place),
    Remove(CapabilityId, Extent),
    Make {
        parent: CapabilityId,
        memory: Page,
        kind: Kind,
        places: Vec<Place>,
    },
    Split {
        parent: CapabilityId,
        memory: Page,
        pages: u32,
        place: Place,
    },
    SetMapping(CapabilityId, Option<Mapping>),
    Configure {
        task: Page,
        table: CapabilityId,
        space: CapabilityId,
    },
    Activate(Page),
}

impl Model {
    /// Checks an operation, in the order in which the kernel does.
    pub(crate) fn decide(&self, operation: &Operation) -> Result<Effect, Error> {
        match *operation {
            Operation::Identify { pointer } => {
                let (_, capability) = self.lookup(pointer)?;
                Ok(Effect::Answer([capability.kind as u64, u64::from(capability.rights.bits())]))
            }
            Operation::Copy { table, index, source, rights } => {
                self.copy(table, index, source, rights).map(Effect::Insert)
            }
            Operation::Mint { table, index, source, rights, context } => {
                let copy = self.copy(table, index, source, rights)?;
                let (_, endpoint) = self.require(source, Kind::Endpoint, Rights::MANAGE)?;
                Ok(Effect::Insert(Capability { entry: (endpoint.entry.0, context), ..copy }))
            }
            Operation::Move { table, index, source } => self.decide_move(table, index, source),
            Operation::Remove { table, index, extent } => self.decide_removal(table, index, extent),
            Operation::Make { memory, kind, count, table, index } => self.make(memory, kind, count, table, index),
            Operation::Split { memory, pages, table, index } => self.split(memory, pages, table, index),
            Operation::Measure { memory } => {
                let (_, memory) = self.require(memory, Kind::Memory, Rights::empty())?;
                let pages = self.memories[&memory.page].end - memory.page;
                Ok(Effect::Answer([u64::from(self.free_pages(memory.page)), u64::from(pages)]))
            }
            Operation::Map { space, frame, address, access } => self.map(space, frame, address, access),
            Operation::Unmap { frame } => {
                let (id, _) = self.require_frame(frame, Rights::empty())?;
                self.capabilities[&id].mapping.ok_or(Error::NotMapped)?;
                Ok(Effect::SetMapping(id, None))
            }
            Operation::Protect { frame, access } => {
                self.require_frame(frame, Rights::empty())?;
                let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
                let (id, capability) = self.require_frame(frame, access.needed_rights())?;
                let mapping = capability.mapping.ok_or(Error::NotMapped)?;
                Ok(Effect::SetMapping(id, Some(Mapping { access, ..mapping })))
            }
            Operation::Configure { task, table, space, stack } => self.configure(task, table, space, stack),
            Operation::MakeEndpoint { task, entry, context, table, index } => {
                let (id, task) = self.require(task, Kind::Task, Rights::MANAGE)?;
                let table = self.table(table)?;
                if !(USER_START..USER_END).contains(&entry) {
                    return Err(Error::InvalidAddress);
                }
                let rights = task.rights & (Rights::CALL | Rights::GRANT | Rights::MANAGE | Rights::TRANSFER);
                let endpoint =
                    Capability::new(Kind::Endpoint, rights, task.page, self.free_slot(table, index)?, Some(id));
                Ok(Effect::Insert(Capability { entry: (entry, context), ..endpoint }))
            }
            Operation::Activate { space } => {
                Ok(Effect::Activate(self.require(space, Kind::AddressSpace, Rights::MANAGE)?.1.page))
            }
        }
    }

    fn lookup(&self, pointer: u64) -> Result<(CapabilityId, &Capability), Error> {
        self.at(self.resolve(pointer)?).ok_or(Error::InvalidCapability)
    }

    fn require(&self, pointer: u64, kind: Kind, rights: Rights) -> Result<(CapabilityId, &Capability), Error> {
        let (id, capability) = self.lookup(pointer)?;
        if capability.kind != kind {
            Err(Error::WrongKind)
        } else if !capability.rights.contains(rights) {
            Err(Error::MissingRight)
        } else {
            Ok((id, capability))
        }
    }

    fn require_frame(&self, pointer: u64, rights: Rights) -> Result<(CapabilityId, &Capability), Error> {
        let (_, capability) = self.lookup(pointer)?;
        let kind = if capability.kind == Kind::LargeFrame { Kind::LargeFrame } else { Kind::Frame };
        self.require(pointer, kind, rights)
    }

    /// The page of a table that may be changed.
    fn table(&self, pointer: u64) -> Result<Page, Error> {
        Ok(self.require(pointer, Kind::Table, Rights::MANAGE)?.1.page)
    }

    fn own_slot(home: Page, index: u64) -> Result<Place, Error> {
        if (1..SLOTS_PER_TABLE).contains(&index) { Ok(Place { home, index }) } else { Err(Error::InvalidArgument) }
    }

    fn free_slot(&self, home: Page, index: u64) -> Result<Place, Error> {
        let place = Self::own_slot(home, index)?;
        if self.slots.contains_key(&place) { Err(Error::SlotOccupied) } else { Ok(place) }
    }

    fn copy(&self, table: u64, index: u64, source: u64, rights: u64) -> Result<Capability, Error> {
        let table = self.table(table)?;
        let (id, source) = self.lookup(source)?;
        let place = self.free_slot(table, index)?;
        let rights = u8::try_from(rights).ok().and_then(Rights::from_bits).ok_or(Error::InvalidArgument)?;
        if source.kind == Kind::Memory {
            return Err(Error::WrongKind);
        }
        if !source.rights.contains(Rights::GRANT) {
            return Err(Error::MissingRight);
        }
        Ok(Capability { rights: source.rights & rights, place, parent: Some(id), mapping: None, ..source.clone() })
    }

    fn decide_move(&self, table: u64, index: u64, source: u64) -> Result<Effect, Error> {
        let table = self.table(table)?;
        let (id, source) = self.lookup(source)?;
        let place = self.free_slot(table, index)?;
        if !source.rights.contains(Rights::GRANT) {
            return Err(Error::MissingRight);
        }
        if source.kind == Kind::Memory && (source.page..self.memories[&source.page].end).contains(&table) {
            return Err(Error::InvalidState);
        }
        Ok(Effect::Move(id, place))
    }

    fn decide_removal(&self, table: u64, index: u64, extent: Extent) -> Result<Effect, Error> {
        let place = Self::own_slot(self.table(table)?, index)?;
        let (id, capability) = self.at(place).ok_or(Error::InvalidCapability)?;
        let is_first = capability.kind == Kind::Memory && self.memories[&capability.page].parent.is_none();
        if is_first && extent == Extent::Itself { Err(Error::InvalidState) } else { Ok(Effect::Remove(id, extent)) }
    }

    fn make(&self, memory: u64, kind: u64, count: u64, table: u64, index: u64) -> Result<Effect, Error> {
        let (parent, memory) = self.require(memory, Kind::Memory, Rights::MANAGE)?;
        let home = self.table(table)?;
        let end = index.checked_add(count).filter(|&end| index > 0 && count > 0 && end <= SLOTS_PER_TABLE);
        let places: Vec<Place> =
            (index..end.ok_or(Error::InvalidArgument)?).map(|index| Place { home, index }).collect();
        if places.iter().any(|place| self.slots.contains_key(place)) {
            return Err(Error::SlotOccupied);
        }
        let kind = Kind::from_number(kind).ok_or(Error::InvalidArgument)?;
        let unused = &self.memories[&memory.page].unused;
        let available = match kind {
            // So many pages in a row that begin at a multiple of so many.
            Kind::LargeFrame => (unused.end / LARGE).saturating_sub(unused.start.div_ceil(LARGE)),
            Kind::Table
            | Kind::AddressSpace
            | Kind::Frame
            | Kind::Task
            | Kind::Notification
            | Kind::FloatingPoint
            | Kind::Softuser => self.free_pages(memory.page),
            _ => return Err(Error::InvalidArgument),
        };
        if u64::from(available) < count {
            return Err(Error::OutOfMemory);
        }
        Ok(Effect::Make { parent, memory: memory.page, kind, places })
    }

    fn split(&self, memory: u64, pages: u64, table: u64, index: u64) -> Result<Effect, Error> {
        let (parent, memory) = self.require(memory, Kind::Memory, Rights::MANAGE)?;
        let place = self.free_slot(self.table(table)?, index)?;
        let pages = u32::try_from(pages).ok().filter(|&pages| pages > 0).ok_or(Error::InvalidArgument)?;
        let Memory { depth, ref unused, .. } = self.memories[&memory.page];
        if depth == MOST_SPLITS {
            return Err(Error::InvalidState);
        }
        // The first page stays, so that no two memories begin with the same.
        let most = unused.len() as u32 - u32::from(unused.start == memory.page && !unused.is_empty());
        if pages > most {
            return Err(Error::OutOfMemory);
        }
        Ok(Effect::Split { parent, memory: memory.page, pages, place })
    }

    fn map(&self, space: u64, frame: u64, address: u64, access: u64) -> Result<Effect, Error> {
        let (_, space) = self.require(space, Kind::AddressSpace, Rights::MANAGE)?;
        self.lookup(frame)?;
        let access = Access::from_number(access).ok_or(Error::InvalidArgument)?;
        let (id, frame) = self.require_frame(frame, access.needed_rights())?;
        if frame.mapping.is_some() {
            return Err(Error::AlreadyMapped);
        }
        let bytes = frame.frame_bytes().unwrap_or(PAGE_SIZE);
        let end = address.checked_add(bytes).filter(|&end| end <= USER_END && address >= USER_START);
        let end = end.filter(|_| address.is_multiple_of(bytes)).ok_or(Error::InvalidAddress)?;
        let overlaps = |other: &Capability, mapping: Mapping| {
            mapping.address < end && address < mapping.address + other.frame_bytes().unwrap_or(PAGE_SIZE)
        };
        if self.mappings(space.page).any(|(_, other, mapping)| overlaps(other, mapping)) {
            return Err(Error::AlreadyMapped);
        }
        let missing = self.missing_tables(space.page, address, bytes).len();
        if (self.free_pages(self.objects[&space.page].memory) as usize) < missing {
            return Err(Error::OutOfMemory);
        }
        Ok(Effect::SetMapping(id, Some(Mapping { space: space.page, address, access })))
    }

    /// The page tables that an address needs and that are not there.
    fn missing_tables(&self, space: Page, address: u64, bytes: u64) -> Vec<(u8, u64)> {
        let lowest = if bytes == PAGE_SIZE { 1 } else { 2 };
        let ObjectKind::Space(tables) = &self.objects[&space].kind else { return Vec::new() };
        let needed = (lowest..=3_u8).map(|level| (level, address >> (12 + 9 * level) << (12 + 9 * level)));
        needed.filter(|table| !tables.contains(table)).collect()
    }

    fn configure(&self, task: u64, table: u64, space: u64, stack: u64) -> Result<Effect, Error> {
        let (_, task) = self.require(task, Kind::Task, Rights::MANAGE)?;
        self.lookup(table)?;
        self.lookup(space)?;
        let stopped = matches!(self.objects[&task.page].kind, ObjectKind::Task { stopped: true });
        if stopped || self.slots.contains_key(&Place { home: task.page, index: 0 }) {
            return Err(Error::InvalidState);
        }
        let (table, _) = self.require(table, Kind::Table, Rights::MANAGE)?;
        let (space, _) = self.require(space, Kind::AddressSpace, Rights::MANAGE)?;
        if !(USER_START..=USER_END).contains(&stack) || !stack.is_multiple_of(16) {
            return Err(Error::InvalidAddress);
        }
        Ok(Effect::Configure { task: task.page, table, space })
    }

    /// Does it. `page_in` tells which page the kernel has given to the object in a slot.
    pub(crate) fn apply(&mut self, effect: Effect, page_in: impl Fn(Place) -> Option<Page>) -> Result<(), String> {
        match effect {
            Effect::Answer(_) => {}
            Effect::Insert(capability) => self.insert(capability),
            Effect::Move(id, place) => {
                let capability = self.capabilities.get_mut(&id).ok_or("moved out of nothing")?;
                self.slots.remove(&capability.place);
                capability.place = place;
                self.slots.insert(place, id);
            }
            Effect::Remove(id, Extent::Itself) => self.delete(id),
            Effect::Remove(id, Extent::Derived) => self.revoke(id),
            Effect::Make { parent, memory, kind, places } => {
                for place in places {
                    let page = page_in(place).ok_or("an object has no page")?;
                    self.adopt(memory, kind, page)?;
                    self.insert(Capability::new(kind, Rights::all(), page, place, Some(parent)));
                }
            }
            Effect::Split { parent, memory, pages, place } => {
                let whole = self.memories.get_mut(&memory).ok_or("split off nothing")?;
                let end = whole.unused.end;
                let start = end - pages;
                whole.unused.end = start;
                let depth = whole.depth + 1;
                self.memories.insert(start, Memory { end, parent: Some(memory), depth, unused: start..end });
                self.insert(Capability::new(Kind::Memory, Rights::all(), start, place, Some(parent)));
            }
            Effect::SetMapping(id, mapping) => {
                let capability = self.capabilities.get_mut(&id).ok_or("nothing is mapped")?;
                capability.mapping = mapping;
                let bytes = capability.frame_bytes().unwrap_or(PAGE_SIZE);
                if let Some(Mapping { space, address, .. }) = mapping {
                    let missing = self.missing_tables(space, address, bytes);
                    if let Some(Object { kind: ObjectKind::Space(tables), .. }) = self.objects.get_mut(&space) {
                        tables.extend(missing);
                        // A large frame takes the place of the table for small ones.
                        tables.retain(|&table| bytes == PAGE_SIZE || table != (1, address));
                    }
                }
            }
            Effect::Configure { task, table, space } => {
                for (index, id) in [table, space].into_iter().enumerate() {
                    let place = Place { home: task, index: index as u64 };
                    let source = self.capabilities.get(&id).ok_or("configured with nothing")?;
                    self.insert(Capability { place, parent: Some(id), ..source.clone() });
                }
            }
            Effect::Activate(space) => self.current = Some(space),
        }
        Ok(())
    }

    /// An object on a page that must have been free, in this memory.
    fn adopt(&mut self, memory: Page, kind: Kind, page: Page) -> Result<(), String> {
        let kind = match kind {
            Kind::Table => ObjectKind::Table,
            Kind::AddressSpace => ObjectKind::Space(Default::default()),
            Kind::Task => ObjectKind::Task { stopped: false },
            Kind::LargeFrame => ObjectKind::LargeFrame,
            Kind::Notification => ObjectKind::Notification,
            Kind::FloatingPoint => ObjectKind::FloatingPoint,
            Kind::Softuser => ObjectKind::Softuser,
            _ => ObjectKind::Frame,
        };
        let own = |page: Page| self.memory_of(page) == Some(memory);
        if !(page..page + kind.pages()).all(own) {
            return Err(format!("page {page} for {kind:?} is not of the memory at {memory}"));
        }
        if self.objects.insert(page, Object { memory, kind }).is_some() {
            return Err(format!("page {page} was given out twice"));
        }
        Ok(())
    }
}
