//! A task's page.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use flatmk_abi::{Error, Kind, Words};

use super::later;
use crate::capability::{Slot, Table};
use crate::memory::{AddressSpace, Frame, PageKind, SpaceRoot, entry_of};

// ANCHOR: context
/// The registers of a task that does not run, as the stubs in [`arch::syscall`](crate::arch::syscall) save and load them.
#[repr(C)]
#[expect(missing_docs, reason = "the fields are named after the registers")]
pub struct Context {
    pub rax: Cell<u64>,
    pub rbx: Cell<u64>,
    pub rcx: Cell<u64>,
    pub rdx: Cell<u64>,
    pub rsi: Cell<u64>,
    pub rdi: Cell<u64>,
    pub rbp: Cell<u64>,
    pub rsp: Cell<u64>,
    pub r8: Cell<u64>,
    pub r9: Cell<u64>,
    pub r10: Cell<u64>,
    pub r11: Cell<u64>,
    pub r12: Cell<u64>,
    pub r13: Cell<u64>,
    pub r14: Cell<u64>,
    pub r15: Cell<u64>,
    pub rip: Cell<u64>,
    pub rflags: Cell<u64>,
    /// How it goes on with them.
    pub way: Cell<Way>,
    /// Where the native code goes on that has entered RISC-V code, when that returns; 0 for none.
    #[cfg(feature = "chapter10")]
    pub entered_from: Cell<u64>,
}

/// How a task goes on with its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Way {
    /// It has made a system call, or begins at an entry: `rcx` and `r11` do not count, and the faster `sysretq` will do.
    Returned = 0,
    /// It was interrupted: all of them count, and it goes on with `iretq`.
    Interrupted,
    /// It runs RISC-V code, with the registers of its hart and from `rip` on. Here, and in what follows, no other register is the hart's.
    #[cfg(feature = "chapter10")]
    Softuser,
    /// The same after a system call, of which the results are in the registers where a native task would find them.
    #[cfg(feature = "chapter10")]
    SoftuserReturned,
    /// The same at an entry, with argument, window and message where a native task would find them.
    #[cfg(feature = "chapter10")]
    SoftuserEntry,
}
// ANCHOR_END: context

/// Interrupts on, everything else off: the flags with which user code begins.
pub(crate) const USER_FLAGS: u64 = 0x202;

impl Context {
    /// Sets what a system call returns.
    pub fn set_result(&self, result: Result<Words, Error>) {
        let (status, [rdx, r10, r8, r9]) = match result {
            Ok(words) => (0, words),
            Err(error) => (error.status(), [0; 4]),
        };
        self.rax.set(status.cast_unsigned());
        self.rdi.set(0);
        self.rsi.set(0);
        self.set_words([rdx, r10, r8, r9]);
    }

    /// Sets the four message registers.
    pub fn set_words(&self, [rdx, r10, r8, r9]: Words) {
        self.rdx.set(rdx);
        self.r10.set(r10);
        self.r8.set(r8);
        self.r9.set(r9);
    }

    /// The four message registers.
    pub fn words(&self) -> Words {
        [self.rdx.get(), self.r10.get(), self.r8.get(), self.r9.get()]
    }

    /// The task goes on at `entry`, with this stack and first argument, and nothing in its other registers.
    pub fn enter(&self, entry: u64, stack: u64, argument: u64, words: Words) {
        let cleared = [&self.rax, &self.rbx, &self.rbp, &self.rsi, &self.r12, &self.r13, &self.r14, &self.r15];
        cleared.into_iter().for_each(|register| register.set(0));
        later::set_entry(self, entry);
        self.rsp.set(stack);
        self.rflags.set(USER_FLAGS);
        self.rdi.set(argument);
        self.set_words(words);
    }
}

// ANCHOR: state
/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Does not run: was not started yet, was stopped, has faulted, or has lost its table or its space.
    Stopped = 0,
    /// Could run, and stands in the queue.
    Ready,
    /// Runs.
    Running,
    /// Has nothing to do, and can be called.
    Accepting,
    /// Called another task, which serves it.
    Calling,
    /// The same from RISC-V code.
    #[cfg(feature = "chapter10")]
    SoftuserCalling,
    /// Called another task, which serves somebody else first.
    Waiting,
    /// Has faulted; its fault handler was called.
    Faulting,
    /// Waits for a notification, or for a time.
    Blocked,
}
// ANCHOR_END: state

/// A place in a queue of tasks. For a task that stands in none it does not matter what the links say.
#[derive(Default)]
pub(crate) struct Links {
    /// The task behind.
    pub next: Cell<Option<TaskRef>>,
    /// The task in front.
    pub previous: Cell<Option<TaskRef>>,
}

/// A task. A zeroed page is a task that was not configured.
#[repr(C)]
pub struct Task {
    /// Its registers, while it does not run.
    pub context: Context,
    /// How to use its address space.
    pub(crate) space: SpaceRoot,
    /// Its capability table, by address; 0 before it is configured.
    table: Cell<u64>,
    /// Where each of its entries has its stack pointer.
    pub(crate) stack: Cell<u64>,
    /// Its part in calls.
    #[cfg(feature = "chapter6")]
    pub(crate) calls: crate::ipc::Calls,
    /// Its priority, and what it waits for other than calls.
    #[cfg(feature = "chapter7")]
    pub(crate) scheduling: crate::scheduling::Scheduling,
    /// Whether it had nothing to do when it was stopped. Resumed, it can be called again.
    #[cfg(feature = "chapter7")]
    pub(super) was_accepting: Cell<bool>,
    /// Its place in the queue in which it stands, if it does.
    pub(crate) links: Links,
    pub(crate) state: Cell<State>,
    /// Capabilities of its own to its table and its space, so that these live as long as it does.
    pub(crate) table_slot: Slot,
    pub(crate) space_slot: Slot,
    /// The page for its floating-point state, where it has one.
    pub(crate) floating_point_slot: Slot,
    /// Its RISC-V code.
    #[cfg(feature = "chapter10")]
    pub(crate) softuser: crate::softuser::Part,
}

const _: () = assert!(size_of::<Task>() <= flatmk_abi::layout::PAGE_SIZE as usize);

impl Task {
    /// What it is doing.
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// Whether it waits in a system call of its own.
    #[cfg(feature = "chapter7")]
    pub(super) fn is_waiting(&self) -> bool {
        match self.state() {
            State::Calling | State::Blocked => true,
            #[cfg(feature = "chapter10")]
            State::SoftuserCalling => true,
            State::Waiting => !self.calls.has_faulted(),
            _ => false,
        }
    }

    /// Its capability table. For a task that runs, or has run: such a task was configured.
    #[inline(always)]
    pub fn table(&self) -> &Table {
        let address = self.table.get();
        debug_assert_ne!(address, 0);
        // SAFETY: the address is that of the table in `table_slot`, which keeps the table alive; only a configured task is
        // ever started.
        unsafe { NonNull::new_unchecked(address as *mut Table).as_ref() }
    }

    /// Its address space, once it is configured, until it loses that.
    pub fn address_space(&self) -> Option<AddressSpace> {
        // A slot that was emptied still tells where its page was.
        Some(&self.space_slot).filter(|slot| !slot.is_empty())?.page().map(AddressSpace::from_top)
    }

    /// The slots that are its own, all that it has.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let slots = [&self.table_slot, &self.space_slot, &self.floating_point_slot].into_iter();
        #[cfg(feature = "chapter6")]
        let slots = slots.chain([&self.calls.fault_slot]);
        #[cfg(feature = "chapter10")]
        let slots = slots.chain(self.softuser.slots());
        slots
    }

    /// Takes note of the table and the space that its slots hold.
    pub(super) fn adopt_slots(&self, stack: u64) {
        self.table.set(self.table_slot.page_address());
        self.space.set(self.address_space());
        self.stack.set(stack);
    }
}

/// A task, by its page.
///
/// A task's page goes back to its memory only after the task was taken out of every queue and every call
/// (`end::destroy`), so a reference that is found in one of them leads to a living task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct TaskRef(NonNull<Task>);

impl TaskRef {
    /// The task on a page, if the page is a task's.
    #[must_use]
    pub fn on(page: Frame) -> Option<Self> {
        (entry_of(page)?.kind() == PageKind::Task).then(|| Self::at(page)).flatten()
    }

    /// The same for a page that the caller knows to be, or to have been until just now, a task's.
    pub(super) fn at(page: Frame) -> Option<Self> {
        NonNull::new(page.window_address() as *mut Task).map(Self)
    }

    /// The task that a capability to a task or an endpoint leads to.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCapability`] for a slot that is empty.
    #[inline(always)]
    pub fn of(slot: &Slot) -> Result<Self, Error> {
        debug_assert!(matches!(slot.kind(), Kind::Task | Kind::Endpoint | Kind::SoftuserEndpoint));
        // The page of such a capability is a task's: a task lives as long as there is a capability to its page.
        NonNull::new(slot.page_address() as *mut Task).map(Self).ok_or(Error::InvalidCapability)
    }

    /// The task at an address that was noted while it was a task's; 0 for none.
    #[cfg(feature = "chapter6")]
    pub(crate) fn from_address(address: u64) -> Option<Self> {
        NonNull::new(address as *mut Task).map(Self)
    }

    /// Its page.
    #[must_use]
    pub fn page(self) -> Option<Frame> {
        Frame::from_window_address(self.0.as_ptr() as u64)
    }

    /// Its address.
    #[must_use]
    pub fn as_ptr(self) -> *const Task {
        self.0.as_ptr()
    }
}

impl Deref for TaskRef {
    type Target = Task;

    #[inline]
    fn deref(&self) -> &Task {
        // SAFETY: the page is a task's, see above; its fields are cells, so shared references to them may exist.
        unsafe { self.0.as_ref() }
    }
}

/// A queue of tasks, first in, first out.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) first: Cell<Option<TaskRef>>,
    last: Cell<Option<TaskRef>>,
}

impl Queue {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(None), last: Cell::new(None) }
    }

    /// Nobody stands in it any more: the tasks are those of a test that is over.
    #[cfg(all(feature = "chapter7", not(target_os = "none")))]
    pub(crate) fn forget_all(&self) {
        self.first.set(None);
        self.last.set(None);
    }

    // ANCHOR: queue
    /// Whether nobody stands in it.
    #[cfg(feature = "chapter6")]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// Puts a task, which stands in no queue, at the front.
    pub(crate) fn push_first(&self, task: TaskRef) {
        let first = self.first.replace(Some(task));
        task.links.next.set(first);
        task.links.previous.set(None);
        match first {
            Some(first) => first.links.previous.set(Some(task)),
            None => self.last.set(Some(task)),
        }
    }

    /// Puts a task, which stands in no queue, at the end.
    pub(crate) fn push(&self, task: TaskRef) {
        let last = self.last.replace(Some(task));
        task.links.previous.set(last);
        task.links.next.set(None);
        match last {
            Some(last) => last.links.next.set(Some(task)),
            None => self.first.set(Some(task)),
        }
    }

    /// Takes the first task.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        let first = self.first.get()?;
        let second = first.links.next.get();
        self.first.set(second);
        match second {
            Some(second) => second.links.previous.set(None),
            None => self.last.set(None),
        }
        Some(first)
    }

    /// Takes the first task, and puts another, which stands in no queue, at the end. `None`, and nothing has changed, for an empty queue.
    #[inline(always)]
    pub(crate) fn rotate(&self, task: TaskRef) -> Option<TaskRef> {
        // ANCHOR: exercise-5-3
        let first = self.first.get()?;
        self.push(task);
        // The one behind the first is there: it may be the task that has just come.
        let second = first.links.next.get();
        second.inspect(|second| second.links.previous.set(None));
        self.first.set(second);
        Some(first)
        // ANCHOR_END: exercise-5-3
    }

    /// Takes a task, which stands in this queue, out of it.
    pub(crate) fn remove(&self, task: TaskRef) {
        // ANCHOR: exercise-5-4
        let (previous, next) = (task.links.previous.take(), task.links.next.take());
        match previous {
            Some(previous) => previous.links.next.set(next),
            None => self.first.set(next),
        }
        match next {
            Some(next) => next.links.previous.set(previous),
            None => self.last.set(previous),
        }
        // ANCHOR_END: exercise-5-4
    }
    // ANCHOR_END: queue
}
