//! What a task has of its own to run RISC-V code: pages, in which its hart lives.

use core::cell::Cell;
use core::mem::size_of;
use core::ptr::NonNull;
use core::slice;

use arrayvec::ArrayVec;
use flatmk_abi::layout::{PAGE_SIZE, USER_START};
use flatmk_abi::{Error, Kind, Rights};
use flatmk_softuser::engine::Hart;

use super::code::Guest;
use super::way::{END_OF_CODE, is_softuser_entry};
use crate::capability::{Progress, Slot, insert_below};
use crate::memory::{AddressSpace, Frame, PageEntry, entry_of};
use crate::task::TaskRef;

/// The fewest pages: one with the hart and the first of its code, and one with more of that.
const LEAST_PAGES: usize = 2;
/// The most pages.
const MOST_PAGES: usize = 32;

/// Stacks are aligned to this many bytes (RISC-V ELF psABI, "Integer Calling Convention").
const STACK_ALIGNMENT: u64 = 16;

// ANCHOR: part
/// In a task: its pages, in a row. In a zeroed one there are none.
pub(crate) struct Part {
    /// What is at the front of the first page, by its address; 0 without pages.
    state: Cell<u64>,
    /// Capabilities of its own to its pages, so that these live as long as it does.
    slots: [Slot; MOST_PAGES],
}

/// What is at the front of the first page. Behind it, up to the end of the last page, is translated code.
#[repr(C, align(16))]
pub(super) struct Hardware {
    pub(super) hart: Hart,
    pub(super) guest: Guest,
    /// Where each of the task's RISC-V entries has its stack pointer.
    pub(super) stack: u32,
    /// How often executable pages of the space had changed when the hart last forgot its code.
    pub(super) changes: u64,
}
// ANCHOR_END: part

impl Part {
    /// The slots of the pages.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The hart, if there is one. It is nobody else's: the kernel uses it only on behalf of its task, which is not two things at once.
    pub(super) fn hardware(&self) -> Option<NonNull<Hardware>> {
        NonNull::new(self.state.get() as *mut Hardware)
    }
}

/// Pages for a task's hart, checked.
pub struct SetRequest<'a> {
    task: TaskRef,
    space: AddressSpace,
    pages: ArrayVec<(&'a Slot, Frame), MOST_PAGES>,
    stack: u32,
}

impl<'a> SetRequest<'a> {
    /// Checks it. `find` finds the capability at a pointer.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `SetSoftuser`.
    pub fn decode(
        task: TaskRef,
        first: u64,
        count: u64,
        stack: u64,
        find: impl Fn(u64) -> Result<&'a Slot, Error>,
    ) -> Result<Self, Error> {
        let space = task.address_space().ok_or(Error::InvalidState)?;
        if task.context.is_softuser() || task.softuser.slots().iter().any(|slot| !slot.is_empty()) {
            return Err(Error::InvalidState);
        }
        let count = usize::try_from(count).ok().filter(|count| (LEAST_PAGES..=MOST_PAGES).contains(count));
        let count = count.ok_or(Error::InvalidArgument)?;
        let is_stack = (USER_START..=END_OF_CODE).contains(&stack) && stack.is_multiple_of(STACK_ALIGNMENT);
        // A stack that ends with the 4 GiB begins, in 32 bits, at 0.
        let stack = if is_stack { stack as u32 } else { return Err(Error::InvalidAddress) };
        let mut pages: ArrayVec<_, MOST_PAGES> = ArrayVec::new();
        for index in 0..count as u64 {
            let pointer = first.checked_add(index).ok_or(Error::InvalidCapability)?;
            let slot = find(pointer)?.require(Kind::Softuser, Rights::MANAGE)?;
            let page = slot.page().ok_or(Error::InvalidCapability)?;
            let is_next = pages.last().is_none_or(|(_, last): &(_, Frame)| last.number() + 1 == page.number());
            if !is_next {
                return Err(Error::InvalidArgument);
            }
            if entry_of(page).is_some_and(|entry| entry.next().is_some()) {
                return Err(Error::InvalidState);
            }
            pages.push((slot, page));
        }
        Ok(Self { task, space, pages, stack })
    }

    /// Does it.
    pub fn perform(self) {
        let Self { task, space, pages, stack } = self;
        let Some((_, first)) = pages.first() else { return };
        let start = first.window_address();
        let (size, bytes) = (size_of::<Hardware>() as u64, pages.len() as u64 * PAGE_SIZE);
        for (place, (slot, page)) in task.softuser.slots.iter().zip(&pages) {
            insert_below(place, slot, slot.content());
            // The entry says that the page is in use.
            entry_of(*page).inspect(|entry| entry.set_next(task.page()));
        }
        let words = ((bytes - size) / 8) as usize;
        // SAFETY: the pages lie in a row, in the window as in memory, and are nobody else's: they serve no other task, and a page of this kind cannot be
        // mapped. They stay until `release`, after which nobody uses the hart.
        unsafe {
            let code = slice::from_raw_parts_mut((start + size) as *mut u64, words);
            let (hart, guest) = (Hart::new(code), Guest::new(space));
            (start as *mut Hardware).write(Hardware { hart, guest, stack, changes: space.code_changes() });
        }
        task.softuser.state.set(start);
    }
}

/// A page is about to be taken from its task: that has no hart any more.
pub(crate) fn release(task: TaskRef, slot: &Slot) -> Progress {
    task.softuser.state.set(0);
    if let Some(entry) = slot.page().and_then(entry_of) {
        PageEntry::set_next(entry, None);
    }
    Progress::Done
}

/// Checks that a task that is to begin at an entry of RISC-V code has a hart.
pub(crate) fn check_start(task: TaskRef, entry: u64) -> Result<(), Error> {
    if is_softuser_entry(entry) && task.softuser.hardware().is_none() { Err(Error::InvalidState) } else { Ok(()) }
}
