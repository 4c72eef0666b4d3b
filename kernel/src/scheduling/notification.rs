//! Notifications: a page with a word of bits. Bits stay set until somebody takes them.

use core::cell::Cell;
use core::ptr::NonNull;

use flatmk_abi::{Error, Kind, NO_TIMEOUT, Rights, Words};

use super::{clock, timer_queue};
use crate::capability::{Progress, Slot};
use crate::memory::Frame;
use crate::task::{Queue, State, TaskRef, scheduler};

/// A notification. A zeroed page is one without bits, for which nobody waits.
#[repr(C)]
pub(crate) struct Notification {
    pub(super) bits: Cell<u64>,
    pub(super) waiters: Queue,
}

/// A notification, by its page.
///
/// Its page goes back to its memory only after those who wait for it were told (`destroy`), so a reference that is found in a task leads to a living one.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct NotificationRef(NonNull<Notification>);

impl NotificationRef {
    fn at(address: u64) -> Option<Self> {
        NonNull::new(address as *mut Notification).map(Self)
    }

    /// Its page.
    #[cfg(feature = "chapter11")]
    pub(super) fn page(self) -> Option<Frame> {
        Frame::from_window_address(self.0.as_ptr() as u64)
    }

    /// The notification that a capability leads to.
    #[inline(always)]
    pub(super) fn of(slot: &Slot) -> Result<Self, Error> {
        debug_assert_eq!(slot.kind(), Kind::Notification);
        Self::at(slot.page_address()).ok_or(Error::InvalidCapability)
    }
}

impl core::ops::Deref for NotificationRef {
    type Target = Notification;

    #[inline(always)]
    fn deref(&self) -> &Notification {
        // SAFETY: the page is a notification's, see above; its fields are cells.
        unsafe { self.0.as_ref() }
    }
}

/// How many tasks are told in one step that a notification is gone.
const PER_STEP: usize = 16;

// ANCHOR: signal
/// Sets bits. The first of those who wait takes them all.
pub(super) fn signal(slot: &Slot, bits: u64) -> Result<(), Error> {
    if bits == 0 {
        return Err(Error::InvalidArgument);
    }
    let notification = NotificationRef::of(slot)?;
    let bits = notification.bits.get() | bits;
    match notification.waiters.pop() {
        None => notification.bits.set(bits),
        Some(waiter) => end_wait(waiter, Ok([bits, 0, 0, 0])),
    }
    Ok(())
}

/// A task that was taken out of the queue goes on.
fn end_wait(task: TaskRef, result: Result<Words, Error>) {
    task.scheduling.notification.set(None);
    timer_queue::remove(task);
    task.context.set_result(result);
    scheduler::make_ready(task);
}
// ANCHOR_END: signal

// ANCHOR: wait
/// The current task takes all bits, or waits until there is one. Returns the task to go on with.
pub(super) fn wait(task: TaskRef, slot: &Slot, timeout_ns: u64) -> Result<TaskRef, Error> {
    let notification = NotificationRef::of(slot)?;
    match (notification.bits.take(), timeout_ns) {
        (0, 0) => Err(Error::TimedOut),
        (0, _) => {
            if timeout_ns != NO_TIMEOUT {
                clock::wake_after(task, timeout_ns);
            }
            notification.waiters.push(task);
            task.scheduling.notification.set(Some(notification));
            task.state.set(State::Blocked);
            Ok(scheduler::next(task))
        }
        (bits, _) => {
            task.context.set_result(Ok([bits, 0, 0, 0]));
            Ok(task)
        }
    }
}
// ANCHOR_END: wait

/// Takes all bits.
///
/// # Errors
///
/// Those of [`Slot::require`].
pub(crate) fn poll(slot: &Slot) -> Result<Words, Error> {
    let notification = NotificationRef::of(slot.require(Kind::Notification, Rights::READ)?)?;
    Ok([notification.bits.take(), 0, 0, 0])
}

/// The task waits for no notification any more. Tells whether it did.
pub(super) fn leave(task: TaskRef) -> bool {
    let notification = task.scheduling.notification.take();
    notification.inspect(|notification| notification.waiters.remove(task)).is_some()
}

/// A notification has lost its last capability: those who wait for it are told, some at a time.
pub(super) fn destroy(page: Frame) -> Progress {
    let Some(notification) = NotificationRef::at(page.window_address()) else { return Progress::Done };
    for waiter in core::iter::from_fn(|| notification.waiters.pop()).take(PER_STEP) {
        end_wait(waiter, Err(Error::CalleeGone));
    }
    if notification.waiters.is_empty() { Progress::Done } else { Progress::More }
}
