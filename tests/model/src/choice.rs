//! Random numbers become operations. They name what there is, of the kind that is needed, most of the time.

use flatmk_abi::slots::SLOTS_PER_TABLE;
use flatmk_abi::{Kind, Rights};
use kernel::capability::Extent;

use crate::Page;
use crate::model::{Capability, Model, Place};
use crate::operation::Operation;

/// A stream of numbers that is the same for the same seed (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len() as u64) as usize).copied()
    }

    fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> Option<T> {
        let mut rest = self.below(from.iter().map(|(weight, _)| weight).sum());
        from.iter().find(|(weight, _)| rest.checked_sub(*weight).map(|left| rest = left).is_none()).map(|&(_, one)| one)
    }
}

/// A capability that a pointer leads to.
#[derive(Clone, Copy)]
struct Found<'a> {
    pointer: u64,
    capability: &'a Capability,
}

pub(crate) struct Choice<'a> {
    model: &'a Model,
    numbers: &'a mut Numbers,
    found: Vec<Found<'a>>,
    /// The memory that is used but seldom: the machine's own, where memory shall be scarce.
    spared: Option<Page>,
}

#[derive(Clone, Copy)]
enum Shape {
    Identify,
    Copy,
    Mint,
    Move,
    Delete,
    Revoke,
    Make,
    Split,
    Measure,
    Map,
    Unmap,
    Protect,
    Configure,
    MakeEndpoint,
    Activate,
}

const SHAPES: [(u64, Shape); 15] = [
    (1, Shape::Identify),
    (14, Shape::Copy),
    (6, Shape::Mint),
    (10, Shape::Move),
    (13, Shape::Delete),
    (5, Shape::Revoke),
    (20, Shape::Make),
    (5, Shape::Split),
    (1, Shape::Measure),
    (20, Shape::Map),
    (5, Shape::Unmap),
    (5, Shape::Protect),
    (5, Shape::Configure),
    (6, Shape::MakeEndpoint),
    (4, Shape::Activate),
];

impl<'a> Choice<'a> {
    pub(crate) fn new(model: &'a Model, numbers: &'a mut Numbers, spared: Option<Page>) -> Self {
        let mut found = Vec::new();
        // The tables that can be reached in at most three steps, each by one way.
        let (mut tables, mut seen) = (vec![(0, model.root, 1)], vec![model.root]);
        while let Some((base, home, depth)) = tables.pop() {
            for (place, id) in model.slots.range(Place { home, index: 0 }..Place { home: home + 1, index: 0 }) {
                let capability = &model.capabilities[id];
                let pointer = base * SLOTS_PER_TABLE + place.index;
                found.push(Found { pointer, capability });
                let is_way = capability.kind == Kind::Table && capability.rights.contains(Rights::MANAGE);
                if is_way && depth < 3 && !seen.contains(&capability.page) {
                    seen.push(capability.page);
                    tables.push((pointer, capability.page, depth + 1));
                }
            }
        }
        Self { model, numbers, found, spared }
    }

    /// A capability that will do, most of the time.
    fn pointer(&mut self, will_do: impl Fn(&Capability) -> bool) -> u64 {
        match self.numbers.below(24) {
            0 => self.numbers.below(300_000),
            1 => self.numbers.below(64),
            2 => self.numbers.pick(&self.found).map_or(0, |found| found.pointer),
            _ => {
                let fitting: Vec<_> = self.found.iter().filter(|found| will_do(found.capability)).copied().collect();
                self.numbers.pick(&fitting).or(self.numbers.pick(&self.found)).map_or(0, |found| found.pointer)
            }
        }
    }

    fn of_kind(&mut self, kind: Kind) -> u64 {
        self.pointer(|capability| capability.kind == kind)
    }

    fn managed(&mut self, kind: Kind) -> u64 {
        self.pointer(|capability| capability.kind == kind && capability.rights.contains(Rights::MANAGE))
    }

    fn memory(&mut self) -> u64 {
        let spared = self.spared.filter(|_| !self.numbers.one_in(12));
        self.pointer(|capability| capability.kind == Kind::Memory && Some(capability.page) != spared)
    }

    fn frame(&mut self, will_do: impl Fn(&Capability) -> bool) -> u64 {
        self.pointer(|capability| capability.frame_bytes().is_some() && will_do(capability))
    }

    /// A table, and a slot in it that is free most of the time.
    fn destination(&mut self) -> (u64, u64) {
        let table = self.managed(Kind::Table);
        let home =
            self.model.resolve(table).ok().and_then(|place| self.model.at(place)).map_or(0, |(_, table)| table.page);
        let free = |&index: &u64| !self.model.slots.contains_key(&Place { home, index });
        let free: Vec<u64> = (1..SLOTS_PER_TABLE).filter(free).take(24).collect();
        let index = if self.numbers.one_in(16) { None } else { self.numbers.pick(&free) };
        (table, index.unwrap_or_else(|| self.numbers.below(70)))
    }

    /// A slot with something in it, most of the time: table and index.
    fn occupied(&mut self) -> (u64, u64) {
        if self.numbers.one_in(40) {
            return (self.managed(Kind::Table), self.numbers.below(70));
        }
        // The machine's own memory is everything there is: it is taken back but seldom.
        let all = self.numbers.one_in(40);
        let pointer = self.pointer(|capability| {
            let is_first = capability.kind == Kind::Memory && self.model.memories[&capability.page].parent.is_none();
            all || !is_first
        });
        match pointer / SLOTS_PER_TABLE {
            0 => (crate::machine::TABLE, pointer),
            table => (table, pointer % SLOTS_PER_TABLE),
        }
    }

    fn rights(&mut self) -> u64 {
        match self.numbers.below(16) {
            0 => self.numbers.below(600),
            1..=7 => u64::from(Rights::all().bits()),
            _ => u64::from((Rights::from_bits_truncate(self.numbers.below(128) as u8) | Rights::GRANT).bits()),
        }
    }

    fn access(&mut self) -> u64 {
        if self.numbers.one_in(24) { 3 } else { self.numbers.below(3) }
    }

    /// One of few addresses, so that they are used again, under few page tables.
    fn address(&mut self, large: bool) -> u64 {
        if self.numbers.one_in(24) {
            let edges =
                [0, 0x1001, 1 << 47, (1 << 47) - 0x1000, (1 << 47) - 0x2000, (1 << 47) - 0x20_0000, u64::MAX - 0xfff];
            return self.numbers.pick(&edges).unwrap_or(0);
        }
        let deep = u64::from(self.numbers.one_in(6));
        let (top, third, second) = (deep * self.numbers.below(2), deep, 1 + self.numbers.below(3));
        let page = if large && !self.numbers.one_in(12) { 0 } else { self.numbers.below(4) };
        top << 39 | third << 30 | second << 21 | page << 12
    }

    pub(crate) fn operation(&mut self) -> Operation {
        match self.numbers.weighted(&SHAPES).unwrap_or(Shape::Identify) {
            Shape::Identify => Operation::Identify { pointer: self.pointer(|_| true) },
            Shape::Copy => {
                let source = self.pointer(|capability| capability.kind != Kind::Memory);
                let ((table, index), rights) = (self.destination(), self.rights());
                Operation::Copy { table, index, source, rights }
            }
            Shape::Mint => {
                let (source, context) = (self.managed(Kind::Endpoint), self.numbers.below(9));
                let ((table, index), rights) = (self.destination(), self.rights());
                Operation::Mint { table, index, source, rights, context }
            }
            Shape::Move => {
                let source = self.pointer(|capability| capability.rights.contains(Rights::GRANT));
                let (table, index) = self.destination();
                Operation::Move { table, index, source }
            }
            Shape::Delete => {
                let (table, index) = self.occupied();
                Operation::Remove { table, index, extent: Extent::Itself }
            }
            Shape::Revoke => {
                let (table, index) = self.occupied();
                Operation::Remove { table, index, extent: Extent::Derived }
            }
            Shape::Make => self.make(),
            Shape::Split => {
                let memory = self.memory();
                let pages = match self.numbers.below(12) {
                    0 => self.numbers.below(1700),
                    1 => u64::MAX,
                    2 => 560,
                    _ => self.numbers.below(24),
                };
                let (table, index) = self.destination();
                Operation::Split { memory, pages, table, index }
            }
            Shape::Measure => Operation::Measure { memory: self.of_kind(Kind::Memory) },
            Shape::Map => {
                let frame = self.frame(|frame| frame.mapping.is_none() && frame.rights.contains(Rights::READ));
                let found = self.found.iter().find(|found| found.pointer == frame);
                let large = found.is_some_and(|found| found.capability.kind == Kind::LargeFrame);
                let (space, address) = (self.managed(Kind::AddressSpace), self.address(large));
                Operation::Map { space, frame, address, access: self.access() }
            }
            Shape::Unmap => Operation::Unmap { frame: self.frame(|frame| frame.mapping.is_some()) },
            Shape::Protect => {
                let frame = self.frame(|frame| frame.mapping.is_some());
                Operation::Protect { frame, access: self.access() }
            }
            Shape::Configure => {
                let (task, table) = (self.managed(Kind::Task), self.managed(Kind::Table));
                let stack = if self.numbers.one_in(12) { self.numbers.below(0x2000) } else { 0x8000 };
                Operation::Configure { task, table, space: self.managed(Kind::AddressSpace), stack }
            }
            Shape::MakeEndpoint => {
                let (task, context) = (self.managed(Kind::Task), self.numbers.below(9));
                let entry = if self.numbers.one_in(12) { 1 << 47 } else { 0x1000 + self.numbers.below(9) };
                let (table, index) = self.destination();
                Operation::MakeEndpoint { task, entry, context, table, index }
            }
            Shape::Activate => Operation::Activate { space: self.managed(Kind::AddressSpace) },
        }
    }

    fn make(&mut self) -> Operation {
        const KINDS: [(u64, Kind); 9] = [
            (12, Kind::Frame),
            (4, Kind::Table),
            (5, Kind::AddressSpace),
            (4, Kind::Task),
            (2, Kind::LargeFrame),
            (1, Kind::Notification),
            (1, Kind::FloatingPoint),
            (1, Kind::Softuser),
            (1, Kind::Endpoint),
        ];
        let kind = self.numbers.weighted(&KINDS).unwrap_or(Kind::Frame);
        let memory = self.memory();
        let (table, index) = self.destination();
        let count = match self.numbers.below(16) {
            0 => self.numbers.below(70),
            1..=3 => 1 + self.numbers.below(4),
            _ => 1,
        };
        Operation::Make { memory, kind: kind as u64, count, table, index }
    }
}
