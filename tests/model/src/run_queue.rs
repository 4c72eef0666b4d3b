//! The queue of the tasks that are ready, compared with lists.

use std::collections::{BTreeMap, VecDeque};

use flatmk_abi::MAX_PRIORITY;
use kernel::interrupts::timer;
use kernel::scheduling::host::{self, ReadyTasks};
use kernel::task::TaskRef;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::machine::fresh_tasks;

const TASKS: usize = 24;

/// The ticks of a whole time slice.
const WHOLE_SLICE: u64 = 10;

/// A task by its number.
type Task = usize;

/// Something that is done to the queue.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// These four are left out where they are not allowed: on a task that is in the queue, or for the last that is not.
    Push(Task),
    /// As `Push`.
    PushFirst(Task),
    /// As `Push`, with a priority.
    SetPriority(Task, u8),
    /// Left out where the task is not in the queue.
    Remove(Task),
    /// Takes the first.
    Pop,
    /// As `Push`: it comes behind the others that are as urgent, and the first of them is taken; without others nothing is done.
    Rotate(Task),
    /// Time passes.
    Tick(u64),
}

/// Sequences of operations: few priorities, or all.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let task = || 0..TASKS;
    let priority = prop_oneof![prop::sample::select(vec![0, 1, 31, 32, 62, MAX_PRIORITY]), 0..=MAX_PRIORITY];
    let operation = prop_oneof![
        6 => task().prop_map(Operation::Push),
        3 => task().prop_map(Operation::PushFirst),
        4 => (task(), priority).prop_map(|(task, priority)| Operation::SetPriority(task, priority)),
        3 => task().prop_map(Operation::Remove),
        3 => Just(Operation::Pop),
        2 => task().prop_map(Operation::Rotate),
        2 => (0..14_u64).prop_map(Operation::Tick),
    ];
    prop::collection::vec(operation, 1..200)
}

/// What the queue ought to hold, and how long each task may run.
struct Model {
    queues: BTreeMap<u8, VecDeque<Task>>,
    priorities: Vec<u8>,
    slices: Vec<u64>,
    now: u64,
    /// What is left of the time slice that is used now.
    left: u64,
}

impl Model {
    fn is_queued(&self, task: Task) -> bool {
        self.queues.values().any(|queue| queue.contains(&task))
    }

    fn queue_of(&mut self, task: Task) -> &mut VecDeque<Task> {
        self.queues.entry(self.priorities[task]).or_default()
    }

    fn begin(&mut self, task: Option<Task>) -> Option<Task> {
        self.left = task.map_or(self.left, |task| self.slices[task]);
        task
    }

    /// Takes a task that the real queue is asked for.
    fn pop(&mut self) -> Option<Task> {
        let first = self.queues.values_mut().rev().find_map(VecDeque::pop_front);
        self.begin(first)
    }
}

/// Does the operations on a queue of the kernel and on lists.
///
/// # Errors
///
/// Where the two differ.
pub fn compare(operations: &[Operation]) -> Result<(), TestCaseError> {
    let (_running, tasks) = fresh_tasks(TASKS);
    let queue = ReadyTasks::new();
    let mut model =
        Model { queues: BTreeMap::new(), priorities: vec![0; TASKS], slices: vec![0; TASKS], now: 0, left: 0 };
    let number = |task: TaskRef| tasks.iter().position(|&other| other == task);
    for &operation in operations {
        match operation {
            Operation::Push(task) if !model.is_queued(task) => {
                queue.push(tasks[task]);
                model.slices[task] = WHOLE_SLICE;
                model.queue_of(task).push_back(task);
            }
            Operation::PushFirst(task) if !model.is_queued(task) => {
                queue.push_first(tasks[task]);
                model.slices[task] = model.left;
                model.queue_of(task).push_front(task);
            }
            Operation::SetPriority(task, priority) if !model.is_queued(task) => {
                host::set_priority(tasks[task], priority);
                model.priorities[task] = priority;
            }
            Operation::Remove(task) if model.is_queued(task) => {
                queue.remove(tasks[task]);
                model.queue_of(task).retain(|&other| other != task);
            }
            Operation::Pop => prop_assert_eq!(queue.pop().and_then(number), model.pop(), "the first"),
            Operation::Rotate(task) if !model.is_queued(task) => {
                let peer = model.queue_of(task).pop_front();
                if peer.is_some() {
                    model.queue_of(task).push_back(task);
                    model.slices[task] = WHOLE_SLICE;
                }
                prop_assert_eq!(queue.rotate(tasks[task]).and_then(number), model.begin(peer), "the peer of {}", task);
            }
            Operation::Tick(ticks) => {
                model.now += ticks;
                model.left = model.left.saturating_sub(ticks);
                timer::set_ticks(model.now);
                prop_assert_eq!(host::tick(), ticks > 0 && model.left == 0, "the time slice is over");
            }
            Operation::Push(_)
            | Operation::PushFirst(_)
            | Operation::SetPriority(..)
            | Operation::Remove(_)
            | Operation::Rotate(_) => {}
        }
        check(&queue, &model, &tasks)?;
    }
    Ok(())
}

fn check(queue: &ReadyTasks, model: &Model, tasks: &[TaskRef]) -> Result<(), TestCaseError> {
    let mut occupied = 0;
    for priority in 0..=MAX_PRIORITY {
        let expected = model.queues.get(&priority).into_iter().flatten().map(|&task| tasks[task]);
        let mut in_front = None;
        // One more than there are would be a circle.
        let found: Vec<(TaskRef, Option<TaskRef>)> = queue.queue(priority).take(TASKS + 1).collect();
        prop_assert!(expected.eq(found.iter().map(|&(task, _)| task)), "priority {}: {:?}", priority, found);
        for (task, previous) in found {
            prop_assert_eq!(previous, in_front, "the link back");
            in_front = Some(task);
            occupied |= 1 << priority;
        }
    }
    prop_assert_eq!(queue.occupied(), occupied, "the word of the queues that are not empty");
    for (index, &task) in tasks.iter().enumerate() {
        let above = model.queues.range(model.priorities[index] + 1..).any(|(_, queue)| !queue.is_empty());
        prop_assert_eq!(queue.is_above(task), above, "somebody is more urgent than {}", index);
        prop_assert_eq!(u64::from(host::slice(task)), model.slices[index], "the time slice of {}", index);
    }
    Ok(())
}
