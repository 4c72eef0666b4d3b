//! The tasks that wait for a time: a leftist heap, the earliest on top (D. E. Knuth, The Art of Computer Programming, vol. 3, 5.2.3).
//!
//! In such a heap the way down to the right is short: with n tasks, at most log2(n + 1) steps. Two heaps are merged along these ways, and everything
//! else is a merge. The links are in the tasks, so nothing is allocated and there is no limit.

use core::cell::Cell;

use crate::planted::{Bug, planted};
use crate::task::TaskRef;

type Link = Cell<Option<TaskRef>>;

/// A task's place in the heap.
pub(super) struct Node {
    /// When the task wakes, in ticks of the timer.
    pub(super) deadline: Cell<u64>,
    is_queued: Cell<bool>,
    /// The length of the way down to the right.
    pub(super) rank: Cell<u8>,
    pub(super) parent: Link,
    pub(super) left: Link,
    pub(super) right: Link,
}

impl Node {
    /// Whether the task waits for a time.
    pub(super) fn is_queued(&self) -> bool {
        self.is_queued.get()
    }
}

struct Top(Link);

// SAFETY: there is one processor, and this is used with interrupts off only.
unsafe impl Sync for Top {}

static TOP: Top = Top(Cell::new(None));

fn node(task: &TaskRef) -> &Node {
    &task.scheduling.timer
}

fn rank(task: Option<TaskRef>) -> u8 {
    task.map_or(0, |task| node(&task).rank.get())
}

fn set_parent(task: Option<TaskRef>, parent: Option<TaskRef>) {
    if let Some(task) = task {
        node(&task).parent.set(parent);
    }
}

/// Puts the higher rank to the left, and takes note of the lower. Tells whether the task's own rank has changed.
fn balance(task: &TaskRef) -> bool {
    let Node { left, right, rank: own, .. } = node(task);
    if rank(left.get()) < rank(right.get()) {
        left.swap(right);
    }
    let new = rank(right.get()) + 1;
    own.replace(new) != new
}

// ANCHOR: merge
/// Makes one heap of two.
fn merge(first: Option<TaskRef>, second: Option<TaskRef>) -> Option<TaskRef> {
    // ANCHOR: exercise-7-3
    let (Some(first), Some(second)) = (first, second) else { return first.or(second) };
    let (top, other) =
        if node(&first).deadline.get() <= node(&second).deadline.get() { (first, second) } else { (second, first) };
    // As deep as the ways down to the right are long: some dozen levels, whatever the number of tasks.
    let right = merge(node(&top).right.get(), Some(other));
    node(&top).right.set(right);
    if !planted(Bug::ParentLinkIsLost) {
        set_parent(right, Some(top));
    }
    balance(&top);
    Some(top)
    // ANCHOR_END: exercise-7-3
}
// ANCHOR_END: merge

fn set_top(top: Option<TaskRef>) {
    TOP.0.set(top);
    set_parent(top, None);
}

/// Puts in a task, which is not in the heap.
pub(super) fn insert(task: TaskRef, deadline: u64) {
    let Node { deadline: own, is_queued, rank, parent, left, right } = node(&task);
    own.set(deadline);
    is_queued.set(true);
    rank.set(1);
    [parent, left, right].into_iter().for_each(|link| link.set(None));
    set_top(merge(TOP.0.get(), Some(task)));
}

/// Takes a task out, wherever it is, if it is in.
pub(super) fn remove(task: TaskRef) {
    // ANCHOR: exercise-7-4
    if !node(&task).is_queued.replace(false) {
        return;
    }
    let Node { left, right, parent, .. } = node(&task);
    let rest = merge(left.take(), right.take());
    let Some(above) = parent.take() else { return set_top(rest) };
    set_parent(rest, Some(above));
    let link = if node(&above).left.get() == Some(task) { &node(&above).left } else { &node(&above).right };
    link.set(rest);
    // Ranks change on the way up only as long as it comes from the right, or passes a task that is no longer balanced.
    let mut place = Some(above).filter(|_| !planted(Bug::RankStays));
    while let Some(task) = place.filter(balance) {
        place = node(&task).parent.get();
    }
    // ANCHOR_END: exercise-7-4
}

/// Takes the task with the earliest deadline, if that is not after `now`.
pub(super) fn pop_due(now: u64) -> Option<TaskRef> {
    let task = TOP.0.get().filter(|task| node(task).deadline.get() <= now)?;
    remove(task);
    Some(task)
}

/// Whether nobody waits.
pub(super) fn is_empty() -> bool {
    TOP.0.get().is_none()
}

/// The task with the earliest deadline.
#[cfg(not(target_os = "none"))]
pub(super) fn top() -> Option<TaskRef> {
    TOP.0.get()
}

/// Nobody waits any more: the tasks are those of a test that is over.
#[cfg(not(target_os = "none"))]
pub(super) fn forget_all() {
    TOP.0.set(None);
}
