//! The heap of the tasks that wait for a time, compared with a map.

use std::collections::BTreeMap;

use kernel::scheduling::host::{self, TimerNode};
use kernel::task::TaskRef;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::machine::fresh_tasks;

/// A task by its number.
type Task = usize;

const MOST_TASKS: usize = 80;

/// Something that is done to the heap.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// A task begins to wait, for so many ticks; left out where it waits already.
    Insert(Task, u64),
    /// A task waits no more. One that does not wait is taken out, too: that changes nothing.
    Remove(Task),
    /// So many ticks pass, and whoever has waited long enough is woken.
    Pass(u64),
}

/// How many tasks there are, and what is done with them: the numbers of the tasks are taken modulo that. Times are few, so that many are the same, or at random.
pub fn operations() -> impl Strategy<Value = (usize, Vec<Operation>)> {
    let any_task = || 0..MOST_TASKS;
    let time = prop_oneof![8 => 0..12_u64, 4 => 0..1000_u64, 1 => any::<u64>()];
    let operation = prop_oneof![
        8 => (any_task(), time).prop_map(|(task, time)| Operation::Insert(task, time)),
        4 => any_task().prop_map(Operation::Remove),
        1 => (0..6_u64).prop_map(Operation::Pass),
    ];
    (1..MOST_TASKS, prop::collection::vec(operation, 1..300))
}

/// The tasks, and which of them ought to wait until when.
struct Heap {
    tasks: Vec<TaskRef>,
    waiting: BTreeMap<Task, u64>,
    now: u64,
}

/// Does the operations with the kernel's heap and with a map.
///
/// # Errors
///
/// Where the two differ, or the heap is none.
pub fn compare(count: usize, operations: &[Operation]) -> Result<(), TestCaseError> {
    let (_running, tasks) = fresh_tasks(count);
    let mut heap = Heap { tasks, waiting: BTreeMap::new(), now: 0 };
    for &operation in operations {
        match operation {
            Operation::Insert(task, time) => {
                let (task, deadline) = (task % count, heap.now.saturating_add(time));
                if !heap.waiting.contains_key(&task) {
                    host::insert_timer(heap.tasks[task], deadline);
                    heap.waiting.insert(task, deadline);
                }
            }
            Operation::Remove(task) => {
                let task = task % count;
                host::remove_timer(heap.tasks[task]);
                heap.waiting.remove(&task);
            }
            Operation::Pass(ticks) => {
                heap.now += ticks;
                heap.wake()?;
            }
        }
        heap.check()?;
    }
    heap.now = u64::MAX;
    heap.wake()?;
    prop_assert!(heap.waiting.is_empty() && host::first_timer().is_none(), "somebody waits for ever");
    Ok(())
}

/// Lets a task begin to wait for each of these times, and nobody wake.
///
/// # Errors
///
/// Where the heap is none.
pub fn fill(times: &[u64]) -> Result<(), TestCaseError> {
    let (_running, tasks) = fresh_tasks(times.len());
    let mut heap = Heap { tasks, waiting: BTreeMap::new(), now: 0 };
    for (task, &time) in times.iter().enumerate() {
        host::insert_timer(heap.tasks[task], time);
        heap.waiting.insert(task, time);
        heap.check()?;
    }
    Ok(())
}

impl Heap {
    /// Wakes all whose time has come: in the order of their deadlines, and never too early.
    fn wake(&mut self) -> Result<(), TestCaseError> {
        while let Some(task) = host::pop_due(self.now) {
            let number = self.tasks.iter().position(|&other| other == task);
            let deadline = number.and_then(|number| self.waiting.remove(&number));
            let Some(deadline) = deadline else {
                return Err(TestCaseError::fail("a task is woken that does not wait"));
            };
            prop_assert!(deadline <= self.now, "too early");
            let earliest = self.waiting.values().min();
            prop_assert!(earliest.is_none_or(|&earliest| deadline <= earliest), "not the earliest");
            self.check()?;
        }
        prop_assert!(self.waiting.values().all(|&deadline| deadline > self.now), "somebody sleeps for too long");
        Ok(())
    }

    /// The heap has all who wait, each where it may be, and the way down to the right is short.
    fn check(&self) -> Result<(), TestCaseError> {
        let waiting = &self.waiting;
        let mut left_to_see = waiting.len();
        let mut open: Vec<(TaskRef, Option<TaskRef>)> =
            host::first_timer().map(|top| (top, None)).into_iter().collect();
        while let Some((task, above)) = open.pop() {
            prop_assert!(left_to_see > 0, "there are more in the heap than wait");
            left_to_see -= 1;
            let TimerNode { deadline, rank, parent, left, right } = host::timer_node(task);
            prop_assert_eq!(parent, above, "the link to the one above");
            let earlier = above.map_or(0, |above| host::timer_node(above).deadline);
            prop_assert!(earlier <= deadline, "one that comes first is below");
            let rank_of = |task: Option<TaskRef>| task.map_or(0, |task| host::timer_node(task).rank);
            prop_assert!(rank_of(left) >= rank_of(right), "it does not lean to the left");
            prop_assert_eq!(rank, rank_of(right) + 1, "the rank");
            open.extend(left.into_iter().chain(right).map(|below| (below, Some(task))));
        }
        prop_assert_eq!(left_to_see, 0, "some who wait are not in the heap");
        for (&task, &deadline) in waiting {
            prop_assert_eq!(host::timer_node(self.tasks[task]).deadline, deadline, "the deadline of {}", task);
        }
        let spine = std::iter::successors(host::first_timer(), |&task| host::timer_node(task).right).count();
        prop_assert!(spine <= (waiting.len() + 1).ilog2() as usize, "{} steps to the right", spine);
        Ok(())
    }
}
