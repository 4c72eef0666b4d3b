//! One sequence of operations, on the kernel and on the model.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flatmk_abi::{Error, Kind};
use kernel::capability::{Extent, Progress, Removal, Table, Totals, audit};
use kernel::memory::{Frame, PageKind};
use kernel::pcid;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::choice::{Choice, Numbers};
use crate::decide::Effect;
use crate::machine::{self, Machine, image, slot_at};
use crate::model::{Model, Place};
use crate::operation::Operation;
use crate::perform::{decode_removal, destruction_step, finish, perform};
use crate::processor;
use crate::view::{Completeness, compare, learn_unused, slot_in_kernel, slot_in_model};

/// A sequence of operations, as random numbers.
#[derive(Clone)]
pub struct Sequence {
    /// Where memory shall be scarce: the pages of the part from which nearly everything is made.
    scarce: Option<u64>,
    /// With how many identifiers of address spaces; `None`: the processor has none.
    identifiers: Option<u16>,
    /// One for each operation.
    seeds: Vec<u64>,
}

impl fmt::Debug for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The operations are told with the problem; here they are numbers only.
        write!(formatter, "a sequence of {} operations, scarce memory: {:?}", self.seeds.len(), self.scarce)
    }
}

/// Sequences of at least 200 operations, half of them with scarce memory.
pub fn sequences() -> impl Strategy<Value = Sequence> {
    let seeds = prop::collection::vec(any::<u64>().no_shrink(), 200..=240);
    (prop::option::of(2..40_u64), prop::option::of(1..4_u16), seeds).prop_map(|(scarce, identifiers, seeds)| Sequence {
        scarce,
        identifiers,
        seeds,
    })
}

/// So many cases, the same ones each time unless the environment says otherwise (`PROPTEST_RNG_SEED`).
pub fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
    let seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed => fixed,
    };
    ProptestConfig { rng_seed: seed, ..default }
}

/// What has happened in sequences.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// How often each operation gave each status: 0, or that of an error.
    pub outcomes: BTreeMap<(&'static str, i64), u64>,
    /// Operations in the middle of a removal.
    pub interleaved: u64,
    /// Operations that were left out, since the removals under way decide what becomes of them.
    pub left_out: u64,
}

impl Statistics {
    /// Adds those of another sequence.
    pub fn add(&mut self, other: Self) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.interleaved += other.interleaved;
        self.left_out += other.left_out;
    }

    /// How many operations were done, and how many failed.
    pub fn totals(&self) -> (u64, u64) {
        let done = self.outcomes.iter().filter(|((_, status), _)| *status == 0).map(|(_, count)| count).sum();
        (done, self.outcomes.values().sum::<u64>() - done)
    }
}

/// What every sequence begins with, as far as memory goes: kind, count and first slot.
const SOME_OBJECTS: [(Kind, u64, u64); 4] =
    [(Kind::Table, 2, 4), (Kind::AddressSpace, 2, 6), (Kind::Frame, 4, 8), (Kind::Task, 2, 12)];

/// A removal that was begun.
struct Pending {
    /// Where it goes on; `None` when only objects are left to be taken apart.
    place: Option<Place>,
    extent: Extent,
}

struct Run {
    machine: Machine,
    model: Model,
    /// The kinds of the pages, where they are no memory's.
    fixed: Vec<PageKind>,
    /// Pages that are free or used.
    total: u64,
    pending: Vec<Pending>,
    history: String,
    statistics: Statistics,
}

impl Sequence {
    /// A shorter sequence that goes wrong, too, with its problem: pieces are left out as long as it does.
    pub fn shorten(mut self) -> Result<(), String> {
        let Err(mut problem) = self.run() else { return Ok(()) };
        let mut piece = self.seeds.len();
        while piece > 0 {
            let mut start = 0;
            while start < self.seeds.len() {
                let mut shorter = self.clone();
                shorter.seeds.drain(start..(start + piece).min(self.seeds.len()));
                match shorter.run() {
                    Ok(_) => start += piece,
                    Err(error) => (self, problem) = (shorter, error),
                }
            }
            piece /= 2;
        }
        Err(problem)
    }

    /// Does one operation for each number, and compares kernel and model after each.
    ///
    /// # Errors
    ///
    /// In words, with all operations up to there, where the two differ or the kernel has panicked.
    pub fn run(&self) -> Result<Statistics, String> {
        Run::new()?.guarded(|run| run.all(self))
    }
}

/// Does these operations, and compares kernel and model after each.
#[cfg(test)]
pub(crate) fn run_operations(operations: &[Operation]) -> Result<Statistics, String> {
    Run::new()?.guarded(|run| {
        for operation in operations {
            run.operate(operation, false)?;
            run.check()?;
        }
        run.take_all_back()
    })
}

impl Run {
    fn new() -> Result<Self, String> {
        let machine = Machine::new();
        let model = Model::new(machine.root_page, machine.memory.clone(), machine::MEMORY, machine::TABLE);
        let totals = audit().map_err(|disorder| format!("at the beginning: {disorder:?}"))?;
        let total = totals.free_pages + totals.used_pages;
        let (pending, history) = (Vec::new(), String::new());
        Ok(Self { machine, model, fixed: machine::kinds(), total, pending, history, statistics: Statistics::default() })
    }

    /// Does something with the machine. A panic is a problem as any other.
    fn guarded(mut self, work: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<Statistics, String> {
        let problem = match catch_unwind(AssertUnwindSafe(|| work(&mut self))) {
            Ok(Ok(())) => return Ok(self.statistics),
            Ok(Err(problem)) => problem,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                format!("a panic: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default())
            }
        };
        Err(format!("{problem}\nafter:\n{}", self.history))
    }

    fn all(&mut self, sequence: &Sequence) -> Result<(), String> {
        pcid::host::begin(sequence.identifiers);
        if let Some(pages) = sequence.scarce {
            let (memory, table) = (machine::MEMORY, machine::TABLE);
            self.operate(&Operation::Split { memory, pages, table, index: 3 }, false)?;
        }
        let spared = sequence.scarce.map(|_| self.machine.memory.start);
        let memory = if sequence.scarce.is_some() { 3 } else { machine::MEMORY };
        for (kind, count, index) in SOME_OBJECTS {
            let kind = kind as u64;
            self.operate(&Operation::Make { memory, kind, count, table: machine::TABLE, index }, false)?;
            self.check()?;
        }
        for &seed in &sequence.seeds {
            let mut numbers = Numbers(seed);
            if !self.pending.is_empty() && numbers.one_in(2) {
                let index = numbers.below(self.pending.len() as u64) as usize;
                self.advance(index)?;
            } else {
                let operation = Choice::new(&self.model, &mut numbers, spared).operation();
                let begin = numbers.one_in(4);
                self.operate(&operation, begin)?;
            }
            if numbers.one_in(16) {
                self.finish_pending()?;
            }
            self.check()?;
            self.touch(&mut numbers);
        }
        self.finish_pending()?;
        self.check()?;
        self.take_all_back()
    }

    /// In the end everything is taken back, and every page is free.
    fn take_all_back(&mut self) -> Result<(), String> {
        let (start, root) = (self.machine.memory.start, self.machine.root_page);
        let first = self.model.capabilities.values().find(|found| found.kind == Kind::Memory && found.page == start);
        let place = first.filter(|first| first.place.home == root).ok_or("the machine's memory is lost")?.place;
        let everything = Operation::Remove { table: machine::TABLE, index: place.index, extent: Extent::Derived };
        self.operate(&everything, false)?;
        self.check()?;
        let pages = self.machine.memory.end - start;
        if self.model.free_pages(start) == pages { Ok(()) } else { Err("pages are missing in the end".to_owned()) }
    }

    fn operate(&mut self, operation: &Operation, begin: bool) -> Result<(), String> {
        if self.touches_root_capability(operation) {
            return Ok(());
        }
        let in_between = !self.pending.is_empty();
        if in_between {
            learn_unused(&mut self.model, Completeness::Pending)?;
        }
        let decided = self.model.decide(operation);
        if in_between && !self.is_independent(operation, &decided) {
            self.statistics.left_out += 1;
            return Ok(());
        }
        let begin = begin && matches!(decided, Ok(Effect::Remove(..))) && self.pending.len() < 2;
        let before = (in_between || begin || decided.is_err()).then(image);
        let result = if begin {
            decode_removal(self.machine.root, operation).map(|_| [0; 2])
        } else {
            perform(self.machine.root, operation)
        };
        let word = if begin { "begin " } else { "" };
        writeln!(self.history, "  {word}{operation:?}: {result:x?}").map_err(|error| error.to_string())?;
        let changed = || before.as_ref().is_some_and(|before| *before != image());
        self.statistics.interleaved += u64::from(in_between);
        let status = result.err().map_or(0, Error::status);
        *self.statistics.outcomes.entry((operation.name(), status)).or_default() += 1;
        match (decided, result) {
            (Ok(effect), Ok(answer)) => {
                let lags = in_between && matches!(operation, Operation::Measure { .. });
                if let Effect::Answer(expected) = effect
                    && answer != expected
                    && !lags
                {
                    return Err(format!("the answer is {answer:x?}, expected {expected:x?}"));
                }
                if begin && changed() {
                    return Err("the check of a removal has changed something".to_owned());
                }
                if begin {
                    self.begin(operation)?;
                }
                let page_in = |place| slot_at(place)?.page().map(Frame::number);
                self.model.apply(effect, page_in)
            }
            (Err(expected), Err(error)) if expected == error => Self::failed(error, changed()),
            // What is being removed still holds pages and addresses.
            (Ok(_), Err(error @ (Error::OutOfMemory | Error::AlreadyMapped))) if in_between => {
                Self::failed(error, changed())
            }
            (decided, result) => Err(format!("the result is {result:?}, expected {decided:?}")),
        }
    }

    /// After an error nothing has changed.
    fn failed(error: Error, changed: bool) -> Result<(), String> {
        if changed { Err(format!("the operation failed with {error:?}, but has changed something")) } else { Ok(()) }
    }

    /// The root table's capability to itself is that of the task that does all this; it stays.
    fn touches_root_capability(&self, operation: &Operation) -> bool {
        let kept = Place { home: self.machine.root_page, index: machine::TABLE };
        match *operation {
            Operation::Move { source, .. } => self.model.resolve(source) == Ok(kept),
            Operation::Remove { table, index, .. } => self.place_in(table, index) == Some(kept),
            _ => false,
        }
    }

    fn place_in(&self, table: u64, index: u64) -> Option<Place> {
        let (_, table) = self.model.at(self.model.resolve(table).ok()?)?;
        (table.kind == Kind::Table).then_some(Place { home: table.page, index })
    }

    fn begin(&mut self, operation: &Operation) -> Result<(), String> {
        let &Operation::Remove { table, index, extent } = operation else { return Ok(()) };
        let place = self.place_in(table, index).ok_or("a removal without a place")?;
        self.pending.push(Pending { place: Some(place), extent });
        Ok(())
    }

    // While removals are under way the model is already where they lead. What is done in between gives the same, before or after,
    // as long as it names only slots with the same content in both, and none that a removal needs.
    fn is_independent(&self, operation: &Operation, decided: &Result<Effect, Error>) -> bool {
        let is_same = |place: Place| {
            let kernel = slot_at(place).and_then(slot_in_kernel);
            let model = self.model.at(place).map(|(_, capability)| slot_in_model(&self.model, capability));
            kernel == model && self.pending.iter().all(|pending| pending.place != Some(place))
        };
        let is_same_way = |pointer: u64| {
            let kernel = self.machine.root.lookup(pointer).map(machine::place_of);
            kernel == self.model.resolve(pointer) && kernel.map_or(true, is_same)
        };
        let indexed = operation.indexed().and_then(|(table, index, count)| {
            let first = self.place_in(table, index)?;
            Some((index..index.saturating_add(count.min(64))).map(move |index| Place { index, ..first }))
        });
        let Ok(Effect::Remove(id, extent)) = *decided else {
            return operation.pointers().into_iter().all(is_same_way) && indexed.into_iter().flatten().all(is_same);
        };
        // What is removed in between must not take away the place where another removal goes on.
        let mut after = self.model.clone();
        if extent == Extent::Itself {
            after.delete(id);
        } else {
            after.revoke(id);
        }
        let goes_on = self.pending.iter().all(|Pending { place, extent }| match *place {
            None => true,
            Some(place) if *extent == Extent::Derived => after.slots.get(&place) == self.model.slots.get(&place),
            Some(place) => after.objects.contains_key(&place.home) || !self.model.objects.contains_key(&place.home),
        });
        goes_on && operation.pointers().into_iter().all(is_same_way) && indexed.into_iter().flatten().all(is_same)
    }

    /// One step of a removal that was begun, as a system call does it that was interrupted: it looks everything up again.
    fn advance(&mut self, index: usize) -> Result<(), String> {
        let Pending { place, extent } = self.pending[index];
        let removal = place.and_then(|place| {
            Removal::decode(Table::on(Frame::from_number(place.home)).ok()?, place.index, extent).ok()
        });
        let progress = removal.map_or_else(destruction_step, |removal| removal.step());
        writeln!(self.history, "  step of {index}: {progress:?}").map_err(|error| error.to_string())?;
        if progress == Progress::Done {
            self.pending.remove(index);
        }
        self.forget_emptied();
        Ok(())
    }

    /// Where the capability is gone the slot may be used for another.
    fn forget_emptied(&mut self) {
        for pending in &mut self.pending {
            pending.place = pending.place.filter(|&place| slot_at(place).is_some_and(|slot| !slot.is_empty()));
        }
    }

    fn finish_pending(&mut self) -> Result<(), String> {
        for Pending { place, extent } in std::mem::take(&mut self.pending) {
            let removal = place.and_then(|place| {
                Removal::decode(Table::on(Frame::from_number(place.home)).ok()?, place.index, extent).ok()
            });
            finish(|| removal.as_ref().map_or_else(destruction_step, Removal::step));
        }
        writeln!(self.history, "  all removals done").map_err(|error| error.to_string())
    }

    fn check(&mut self) -> Result<(), String> {
        self.forget_emptied();
        self.check_audit()?;
        let is_reserved = |kind: &PageKind| *kind == PageKind::Reserved;
        if !machine::kinds().iter().map(is_reserved).eq(self.fixed.iter().map(is_reserved)) {
            return Err("a page is lost, or one that is no memory is used".to_owned());
        }
        processor::check()?;
        if self.pending.is_empty() { compare(&mut self.model, &self.fixed) } else { Ok(()) }
    }

    /// The kernel's own opinion, after every step.
    fn check_audit(&self) -> Result<(), String> {
        match audit() {
            Ok(Totals { free_pages, used_pages, .. }) if free_pages + used_pages == self.total => Ok(()),
            other => Err(format!("not in order: {other:x?}; expected {} pages", self.total)),
        }
    }

    /// The program that runs uses some of its memory, and the processor remembers.
    fn touch(&self, numbers: &mut Numbers) {
        let Some(space) = self.model.current else { return };
        let addresses: Vec<u64> = self.model.mappings(space).map(|(.., mapping)| mapping.address).collect();
        for _ in 0..3 {
            if let Some(address) = numbers.pick(&addresses) {
                processor::touch(address + numbers.below(4096));
            }
        }
    }
}
