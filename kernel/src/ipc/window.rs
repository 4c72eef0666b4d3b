//! The window: capabilities that move along with a call, and back with the return.

use flatmk_abi::slots::{WINDOW, WINDOW_SLOTS};
use flatmk_abi::{Error, FLAGS_WINDOW, WINDOW_SHIFT};

use crate::capability::{MoveRequest, Slot, Table};
use crate::task::TaskRef;

/// Which slots of the window are meant, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window(u64);

impl Window {
    /// None of them.
    pub(super) const EMPTY: Window = Window(0);

    /// Those that the flags of an operation name.
    pub(super) fn from_flags(operation: u64) -> Self {
        Self((operation & FLAGS_WINDOW) >> WINDOW_SHIFT)
    }

    pub(super) fn is_empty(self) -> bool {
        self == Window::EMPTY
    }

    /// The bits, as either side is told.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    fn slots(self) -> impl Iterator<Item = u64> + use<> {
        (0..WINDOW_SLOTS).filter(move |slot| self.0 >> slot & 1 != 0).map(|slot| WINDOW + slot)
    }

    // ANCHOR: transfer
    /// Checks that what is in these slots of one task's window can move to the other's.
    ///
    /// # Errors
    ///
    /// Those that the interface lists for `Call`.
    #[inline(always)]
    pub(super) fn check(self, from: TaskRef, to: TaskRef) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        self.requests(&from, &to).try_for_each(|request| request.map(|_| ()))
    }

    /// Moves it. All of it was checked.
    #[inline(always)]
    pub(super) fn transfer(self, from: TaskRef, to: TaskRef) {
        if self.is_empty() {
            return;
        }
        self.requests(&from, &to).flatten().for_each(MoveRequest::perform);
    }

    fn requests<'a>(self, from: &'a TaskRef, to: &'a TaskRef) -> impl Iterator<Item = Result<MoveRequest<'a>, Error>> {
        self.slots_between(from, to).map(|slot| MoveRequest::decode(to.table(), slot, from.table().lookup(slot)?))
    }
    // ANCHOR_END: transfer

    /// Whether what is in this slot would move.
    pub(super) fn moves(self, from: TaskRef, to: TaskRef, slot: &Slot) -> bool {
        self.slots_between(&from, &to)
            .any(|index| from.table().lookup(index).is_ok_and(|named| core::ptr::eq(named, slot)))
    }

    fn slots_between(self, from: &TaskRef, to: &TaskRef) -> impl Iterator<Item = u64> + use<> {
        // Within one table everything is in place already.
        let is_one_table = core::ptr::eq::<Table>(from.table(), to.table());
        if is_one_table { Window::EMPTY } else { self }.slots()
    }
}
