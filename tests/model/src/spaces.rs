//! Tasks that run in address spaces which change and end, with few identifiers: the processor must never use what the page tables do not say.
//!
//! Capabilities are left out here: spaces are made of a region, and tasks are given them.

use flatmk_abi::Access;
use flatmk_abi::layout::LARGE_FRAME_SIZE;
use kernel::arch::paging::top_table;
use kernel::memory::{AddressSpace, Frame, FrameSize, PageKind, Region, kernel_space};
use kernel::pcid::{self, Counts};
use kernel::task::{TaskRef, host};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::machine::{Running, fresh_tasks_and_region};
use crate::processor;

const SPACES: usize = 5;
const TASKS: usize = 2 * SPACES;
const FRAMES: usize = 3;

/// Where something can be mapped: two pages of one page table, one of another, one far away.
const ADDRESSES: [u64; 4] = [LARGE_FRAME_SIZE, LARGE_FRAME_SIZE + 0x3000, 2 * LARGE_FRAME_SIZE, 1 << 40];

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A task runs. Task `n` is in space `n / 2`.
    Switch(usize),
    /// The program that runs uses an address.
    Touch(usize),
    /// A frame is mapped in a space, and may be written, if nothing is there.
    Map(usize, usize, usize),
    /// What is there is unmapped.
    Unmap(usize, usize),
    /// What is there can be read only.
    Protect(usize, usize),
    /// What is there is unmapped, and the page table, if it is empty by now, taken out.
    TakeTable(usize, usize),
    /// A space ends, and another begins in its place, most likely on the same page.
    Renew(usize),
}

/// What the kernel makes of the processor.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    /// How many identifiers it has, if any.
    pub identifiers: Option<u16>,
    /// Whether user mode has page tables of its own.
    pub is_isolated: bool,
}

/// Processors, and sequences of events.
pub fn cases() -> impl Strategy<Value = (Processor, Vec<Step>)> {
    let (space, address) = (|| 0..SPACES, || 0..ADDRESSES.len());
    let event = prop_oneof![
        8 => (0..TASKS).prop_map(Event::Switch),
        8 => address().prop_map(Event::Touch),
        6 => (space(), address(), 0..FRAMES).prop_map(|(space, address, frame)| Event::Map(space, address, frame)),
        6 => (space(), address()).prop_map(|(space, address)| Event::Unmap(space, address)),
        3 => (space(), address()).prop_map(|(space, address)| Event::Protect(space, address)),
        2 => (space(), address()).prop_map(|(space, address)| Event::TakeTable(space, address)),
        1 => space().prop_map(Event::Renew),
    ];
    let processor = (prop::option::weighted(0.9, 1..7_u16), prop::bool::weighted(0.2))
        .prop_map(|(identifiers, is_isolated)| Processor { identifiers, is_isolated });
    (processor, prop::collection::vec((event, prop::bool::weighted(0.7)), 1..500))
}

/// An event, and whether the kernel is left after it.
pub type Step = (Event, bool);

struct Run {
    _running: Running,
    region: Region,
    tasks: Vec<TaskRef>,
    frames: Vec<Frame>,
    spaces: Vec<AddressSpace>,
    current: usize,
}

/// Lets all this happen, and looks at what the processor remembers after each event. Returns what the kernel has counted.
///
/// # Errors
///
/// Where the processor could use something that the page tables do not say.
pub fn run(processor: Processor, steps: &[Step]) -> Result<Counts, TestCaseError> {
    let mut run = Run::new(processor);
    let mut is_in_kernel = false;
    for &(event, is_last) in steps {
        let is_kernels = !matches!(event, Event::Touch(_));
        if is_kernels && !is_in_kernel {
            pcid::host::enter();
        } else if !is_kernels && is_in_kernel {
            pcid::host::leave();
        }
        run.happen(event);
        is_in_kernel = is_kernels && !is_last && processor.is_isolated;
        if is_in_kernel {
            continue;
        }
        if is_kernels {
            pcid::host::leave();
        }
        let expected = run.spaces[run.current / 2].top().address();
        prop_assert_eq!(top_table(), expected, "the space after {:?}", event);
        processor::check().map_err(|problem| TestCaseError::fail(format!("after {event:?}: {problem}")))?;
    }
    Ok(pcid::counts())
}

impl Run {
    fn new(processor: Processor) -> Self {
        let (running, tasks, mut region) = fresh_tasks_and_region(TASKS);
        pcid::host::begin(processor.identifiers);
        if processor.is_isolated {
            pcid::host::isolate();
        }
        let frames = (0..FRAMES).map(|_| region.take(PageKind::Frame).expect("a frame")).collect();
        let spaces = (0..SPACES).map(|_| AddressSpace::new(&mut region).expect("a space")).collect();
        let run = Self { _running: running, region, tasks, frames, spaces, current: 0 };
        (0..SPACES).for_each(|space| run.give(space));
        host::begin(run.tasks[0]);
        host::load_space(run.tasks[0]);
        pcid::host::leave();
        run
    }

    /// The tasks of a space are told which it is.
    fn give(&self, space: usize) {
        for task in &self.tasks[2 * space..2 * space + 2] {
            host::set_space(*task, self.spaces[space]);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Switch(task) => self.switch(task),
            Event::Touch(address) => processor::touch(ADDRESSES[address]),
            Event::Map(space, address, frame) => {
                let (space, frame) = (self.spaces[space], self.frames[frame]);
                // Something may be there already.
                let _ = space.map(ADDRESSES[address], frame, FrameSize::Small, Access::ReadWrite, &mut self.region);
            }
            Event::Unmap(space, address) => {
                if let Ok((_, flush)) = self.spaces[space].unmap(ADDRESSES[address]) {
                    flush.now();
                }
            }
            Event::Protect(space, address) => {
                if let Ok(flush) = self.spaces[space].protect(ADDRESSES[address], Access::Read) {
                    flush.now();
                }
            }
            Event::TakeTable(space, address) => {
                self.happen(Event::Unmap(space, address));
                if let Some(table) = self.spaces[space].remove_empty_table(ADDRESSES[address]) {
                    self.region.give(table);
                }
            }
            Event::Renew(space) => self.renew(space),
        }
    }

    fn switch(&mut self, task: usize) {
        if task != self.current {
            host::switch(self.tasks[self.current], self.tasks[task]);
            self.current = task;
        }
    }

    fn renew(&mut self, space: usize) {
        // As the kernel does it: it leaves the space, and later goes on with somebody who has another.
        if self.spaces[space].is_current() {
            kernel_space().activate();
            self.switch((2 * space + 2) % TASKS);
        }
        self.spaces[space].destroy(&mut self.region);
        self.spaces[space] = AddressSpace::new(&mut self.region).expect("the pages are back");
        self.give(space);
    }
}
