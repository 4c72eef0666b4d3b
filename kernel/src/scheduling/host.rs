//! The host: what its tests need beyond what a program could do, to fill the queues and to look into them.

use super::timer_queue::{self, Node};
use super::{RunQueue, clock};
use crate::task::TaskRef;

/// Nobody waits for a time, and no time has passed.
pub fn reset() {
    timer_queue::forget_all();
    clock::reset();
}

/// The timer's ticks since the last time count. Tells whether the time slice is over.
#[must_use]
pub fn tick() -> bool {
    clock::tick()
}

/// Sets the priority at which a task runs. It stands in no run queue.
pub fn set_priority(task: TaskRef, priority: u8) {
    task.scheduling.priority.set(priority);
}

/// The priority at which a task runs, or would.
#[must_use]
pub fn priority(task: TaskRef) -> u8 {
    task.scheduling.priority.get()
}

/// The priority that a task was given.
#[must_use]
pub fn base_priority(task: TaskRef) -> u8 {
    task.scheduling.base.get()
}

/// How many ticks are left of a task's time slice.
#[must_use]
pub fn slice(task: TaskRef) -> u8 {
    task.scheduling.slice.get()
}

/// A run queue of a test's own, with the functions of the kernel's.
pub struct ReadyTasks(RunQueue);

#[expect(missing_docs, reason = "the functions are those of the run queue")]
impl ReadyTasks {
    #[expect(clippy::new_without_default, reason = "as the run queue")]
    #[must_use]
    pub const fn new() -> Self {
        Self(RunQueue::new())
    }

    pub fn push(&self, task: TaskRef) {
        self.0.push(task);
    }

    pub fn push_first(&self, task: TaskRef) {
        self.0.push_first(task);
    }

    pub fn pop(&self) -> Option<TaskRef> {
        self.0.pop()
    }

    pub fn rotate(&self, task: TaskRef) -> Option<TaskRef> {
        self.0.rotate(task)
    }

    pub fn remove(&self, task: TaskRef) {
        self.0.remove(task);
    }

    pub fn is_above(&self, task: TaskRef) -> bool {
        self.0.is_above(task)
    }

    /// The word that says which queues are not empty.
    pub fn occupied(&self) -> u64 {
        self.0.occupied.get()
    }

    /// The tasks of one priority, each with the one that it takes to be in front of it.
    pub fn queue(&self, priority: u8) -> impl Iterator<Item = (TaskRef, Option<TaskRef>)> {
        let first = self.0.queues.get(usize::from(priority)).and_then(|queue| queue.first.get());
        core::iter::successors(first, |task| task.links.next.get()).map(|task| (task, task.links.previous.get()))
    }
}

/// A task's place in the heap of those that wait for a time.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields are those of the node")]
pub struct TimerNode {
    pub deadline: u64,
    pub rank: u8,
    pub parent: Option<TaskRef>,
    pub left: Option<TaskRef>,
    pub right: Option<TaskRef>,
}

/// Lets a task, which is not in the heap, wait until this tick.
pub fn insert_timer(task: TaskRef, deadline: u64) {
    timer_queue::insert(task, deadline);
}

/// Takes a task out of the heap, if it is in it.
pub fn remove_timer(task: TaskRef) {
    timer_queue::remove(task);
}

/// Takes the task with the earliest deadline, if that is not after `now`.
pub fn pop_due(now: u64) -> Option<TaskRef> {
    timer_queue::pop_due(now)
}

/// The task on top of the heap.
#[must_use]
pub fn first_timer() -> Option<TaskRef> {
    timer_queue::top()
}

/// A task's place in the heap. It is in it.
#[must_use]
pub fn timer_node(task: TaskRef) -> TimerNode {
    let Node { deadline, rank, parent, left, right, .. } = &task.scheduling.timer;
    let (parent, left, right) = (parent.get(), left.get(), right.get());
    TimerNode { deadline: deadline.get(), rank: rank.get(), parent, left, right }
}
