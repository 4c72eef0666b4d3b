//! The tasks that are ready: a queue for each priority, and a word that says which are not empty. Everything takes constant time.

use core::cell::Cell;

use flatmk_abi::MAX_PRIORITY;

use super::{fill_slice, keep_slice, use_slice};
use crate::planted::{Bug, planted};
use crate::task::{Queue, TaskRef};

const PRIORITIES: usize = MAX_PRIORITY as usize + 1;

/// The tasks that are ready.
pub(crate) struct RunQueue {
    /// Bit n is set where the queue of priority n is not empty.
    pub(super) occupied: Cell<u64>,
    pub(super) queues: [Queue; PRIORITIES],
}

// ANCHOR: run_queue
impl RunQueue {
    /// Nobody is ready.
    pub(crate) const fn new() -> Self {
        Self { occupied: Cell::new(0), queues: [const { Queue::new() }; PRIORITIES] }
    }

    /// Puts a task behind all that are as urgent. It has a new time slice.
    #[inline(always)]
    pub(crate) fn push(&self, task: TaskRef) {
        fill_slice(task);
        self.occupied.set(self.occupied.get() | bit(task));
        self.queue_of(task).push(task);
    }

    /// Puts a task before all that are as urgent. It keeps what is left of its time slice.
    pub(crate) fn push_first(&self, task: TaskRef) {
        keep_slice(task);
        self.occupied.set(self.occupied.get() | bit(task));
        let put = if planted(Bug::FirstGoesLast) { Queue::push } else { Queue::push_first };
        put(self.queue_of(task), task);
    }

    /// Takes the first of the most urgent tasks.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        // ANCHOR: exercise-7-1
        let highest = self.occupied.get().checked_ilog2()?;
        let queue = self.queues.get(highest as usize)?;
        let task = queue.pop()?;
        if queue.is_empty() {
            self.occupied.set(self.occupied.get() & !(1 << highest));
        }
        use_slice(task);
        Some(task)
        // ANCHOR_END: exercise-7-1
    }

    /// Takes the first of the tasks that are as urgent as this one, which stands at the end then. `None` if there is nobody.
    #[inline(always)]
    pub(crate) fn rotate(&self, task: TaskRef) -> Option<TaskRef> {
        // The queue is not empty, neither before nor afterwards.
        let peer = self.queue_of(task).rotate(task)?;
        fill_slice(task);
        use_slice(peer);
        Some(peer)
    }

    /// Takes a task, which is ready, out.
    pub(crate) fn remove(&self, task: TaskRef) {
        let queue = self.queue_of(task);
        queue.remove(task);
        if queue.is_empty() && !planted(Bug::OccupiedBitStays) {
            self.occupied.set(self.occupied.get() & !bit(task));
        }
    }

    /// Whether somebody who is ready is more urgent than this task.
    pub(crate) fn is_above(&self, task: TaskRef) -> bool {
        self.occupied.get() >> priority(task) > 1
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
    fn queue_of(&self, task: TaskRef) -> &Queue {
        &self.queues[usize::from(priority(task)) % PRIORITIES]
    }
}
// ANCHOR_END: run_queue

#[cfg(not(target_os = "none"))]
impl RunQueue {
    /// Nobody is ready any more: the tasks are those of a test that is over.
    pub(crate) fn forget_all(&self) {
        self.occupied.set(0);
        self.queues.iter().for_each(Queue::forget_all);
    }
}

fn priority(task: TaskRef) -> u8 {
    task.scheduling.priority.get()
}

fn bit(task: TaskRef) -> u64 {
    1 << priority(task)
}
