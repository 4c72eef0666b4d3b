//! The tasks that could run, first come, first served. Chapter 7 has a better one.

use super::object::{Queue, TaskRef};

/// The tasks that are ready.
pub(crate) struct RunQueue(Queue);

impl RunQueue {
    /// Nobody is ready.
    pub(crate) const fn new() -> Self {
        Self(Queue::new())
    }

    /// Puts a task at the end.
    pub(crate) fn push(&self, task: TaskRef) {
        self.0.push(task);
    }

    /// Puts a task at the front.
    pub(crate) fn push_first(&self, task: TaskRef) {
        self.0.push_first(task);
    }

    /// Takes the first task.
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        self.0.pop()
    }

    /// Takes the task that runs in turn with this one, which takes its place at the end. `None` if there is nobody.
    #[inline(always)]
    pub(crate) fn rotate(&self, task: TaskRef) -> Option<TaskRef> {
        self.0.rotate(task)
    }

    /// Takes a task, which is ready, out.
    pub(crate) fn remove(&self, task: TaskRef) {
        self.0.remove(task);
    }

    /// Whether somebody who is ready is more urgent than this task.
    pub(crate) fn is_above(&self, _: TaskRef) -> bool {
        false
    }
}
