//! Tasks that call each other, rest, wait and are stopped, in whatever order: what must hold of their priorities and of time.

use std::collections::BTreeMap;

use flatmk_abi::{FLAG_NO_WAIT, Kind, NO_TIMEOUT, Operation as Call};
use kernel::interrupts::timer;
use kernel::scheduling::host::{base_priority, priority, reset};
use kernel::task::host::{self, callee, has_caller};
use kernel::task::{StartRequest, State, TaskRef};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::machine::{MEMORY, Machine, TABLE};
use crate::operation::Operation as Setup;
use crate::perform::perform;

/// Task 0 is always ready, so that there is one to go on with; it is the least urgent.
const TASKS: usize = 8;
const IDLE: usize = 0;
const NOTIFICATIONS: u64 = 2;

// The slots of the table, which all tasks share.
const SPACE: u64 = 3;
const FIRST_NOTIFICATION: u64 = 4;
const FIRST_TASK: u64 = 10;
const FIRST_ENDPOINT: u64 = 20;

const TICK_NS: u64 = timer::TICK_NS;

/// A task by its number.
type Task = usize;

/// What happens next. The task that runs makes the system calls.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// It calls another, or itself; and perhaps it does not want to wait.
    Call(Task, bool),
    /// It returns, or has come to its end.
    Return,
    /// It lets others run.
    Yield,
    /// It stops another task.
    Stop(Task),
    /// It lets a task go on that is stopped.
    Resume(Task),
    /// It sets a priority.
    SetPriority(Task, u64),
    /// It signals a notification.
    Signal(u64),
    /// It waits for a notification, for so many nanoseconds at most.
    Wait(u64, u64),
    /// It rests for so many nanoseconds.
    Sleep(u64),
    /// So many ticks later the timer interrupts it.
    Pass(u64),
}

/// Sequences of events.
pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let task = || 0..TASKS;
    let notification = || 0..NOTIFICATIONS;
    let time = || prop_oneof![Just(1), Just(TICK_NS), Just(TICK_NS + 1), 1..6 * TICK_NS];
    let timeout = prop_oneof![2 => time(), 1 => Just(0), 1 => Just(NO_TIMEOUT)];
    let event = prop_oneof![
        10 => (task(), prop::bool::weighted(0.2)).prop_map(|(task, no_wait)| Event::Call(task, no_wait)),
        6 => Just(Event::Return),
        3 => Just(Event::Yield),
        2 => task().prop_map(Event::Stop),
        4 => task().prop_map(Event::Resume),
        3 => (task(), 0..7_u64).prop_map(|(task, priority)| Event::SetPriority(task, priority)),
        3 => notification().prop_map(Event::Signal),
        2 => (notification(), timeout).prop_map(|(notification, timeout)| Event::Wait(notification, timeout)),
        2 => time().prop_map(Event::Sleep),
        5 => (1..12_u64).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..250)
}

/// How often something was the case that is worth a test.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Tasks ran above the priority that they were given, since a more urgent one waited for them.
    pub lent: u64,
    /// The same through others that wait themselves.
    pub lent_through_others: u64,
    /// Tasks woke since it was time.
    pub woken: u64,
    /// Another task went on since a time slice was over, or a more urgent one had woken.
    pub preempted: u64,
}

impl Seen {
    /// Adds what was seen in another sequence.
    pub fn add(&mut self, other: Self) {
        self.lent += other.lent;
        self.lent_through_others += other.lent_through_others;
        self.woken += other.woken;
        self.preempted += other.preempted;
    }
}

struct World {
    _machine: Machine,
    tasks: Vec<TaskRef>,
    now: u64,
    /// The tick at which a task that waits for a time goes on.
    due: BTreeMap<Task, u64>,
    /// What others have lent to each task since it last had nothing to do.
    lent: [u8; TASKS],
    /// Which tasks have, or had since then, a caller, at whose priority they run.
    served: [bool; TASKS],
    seen: Seen,
}

/// Lets all this happen.
///
/// # Errors
///
/// Where something does not hold that must.
pub fn run(events: &[Event]) -> Result<Seen, TestCaseError> {
    let mut world = World::new().map_err(|error| TestCaseError::fail(format!("the set-up fails: {error}")))?;
    for &event in events {
        world.happen(event)?;
        world.check()?;
    }
    Ok(world.seen)
}

impl World {
    fn new() -> Result<Self, flatmk_abi::Error> {
        let machine = Machine::new();
        reset();
        host::reset();
        let root = machine.root;
        let make = |kind: Kind, count, index| {
            perform(root, &Setup::Make { memory: MEMORY, kind: kind as u64, count, table: TABLE, index })
        };
        make(Kind::AddressSpace, 1, SPACE)?;
        make(Kind::Notification, NOTIFICATIONS, FIRST_NOTIFICATION)?;
        make(Kind::Task, TASKS as u64, FIRST_TASK)?;
        let mut tasks = Vec::new();
        for number in 0..TASKS as u64 {
            let (task, index) = (FIRST_TASK + number, FIRST_ENDPOINT + number);
            perform(root, &Setup::Configure { task, table: TABLE, space: SPACE, stack: 0x8000 })?;
            perform(root, &Setup::MakeEndpoint { task, entry: 0x1000, context: number, table: TABLE, index })?;
            tasks.push(TaskRef::of(root.lookup(task)?)?);
        }
        host::begin(tasks[IDLE]);
        for &task in &tasks[IDLE + 1..] {
            StartRequest::decode(task, 0x1000, 0)?.perform();
        }
        let world = Self {
            _machine: machine,
            tasks,
            now: 0,
            due: BTreeMap::new(),
            lent: [0; TASKS],
            served: [false; TASKS],
            seen: Seen::default(),
        };
        // The first gives the others their priorities, and then the least of all to itself.
        for (number, priority) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5), (7, 6), (IDLE, 0)] {
            let _ = host::switching_call(FIRST_TASK + number as u64, Call::SetPriority, 0, [priority, 0, 0, 0]);
        }
        Ok(world)
    }

    fn number(&self, task: TaskRef) -> Task {
        self.tasks.iter().position(|&other| other == task).unwrap_or(IDLE)
    }

    fn current(&self) -> Option<Task> {
        self.tasks.iter().position(|task| task.state() == State::Running)
    }

    /// A time from now in ticks: the one that has begun does not count.
    fn due_after(&self, time_ns: u64) -> u64 {
        self.now + 1 + time_ns.div_ceil(TICK_NS)
    }

    fn happen(&mut self, event: Event) -> Result<(), TestCaseError> {
        let Some(current) = self.current() else { return Err(TestCaseError::fail("nobody runs")) };
        let task = |number: Task| FIRST_TASK + number as u64;
        let own = task(current);
        let none = [0; 4];
        let is_idle = current == IDLE;
        match event {
            Event::Call(..) | Event::Return | Event::Wait(..) | Event::Sleep(_) if is_idle => {}
            Event::Call(IDLE, _) | Event::Stop(IDLE) | Event::SetPriority(IDLE, _) => {}
            // It would leave the kernel by a way that is not there on the host.
            Event::Stop(other) if other == current => {}
            Event::Call(callee, no_wait) => {
                let flags = if no_wait { FLAG_NO_WAIT } else { 0 };
                self.call(FIRST_ENDPOINT + callee as u64, Call::Call, flags, none);
            }
            Event::Return => self.call(flatmk_abi::slots::REPLY, Call::Return, 0, none),
            Event::Yield => self.call(own, Call::Yield, 0, none),
            Event::Stop(other) => self.call(task(other), Call::Stop, 0, none),
            Event::Resume(other) => self.call(task(other), Call::Resume, 0, none),
            Event::SetPriority(other, priority) => self.call(task(other), Call::SetPriority, 0, [priority, 0, 0, 0]),
            Event::Signal(notification) => self.call(FIRST_NOTIFICATION + notification, Call::Signal, 0, [1, 0, 0, 0]),
            Event::Wait(notification, timeout) => {
                self.call(FIRST_NOTIFICATION + notification, Call::Wait, 0, [timeout, 0, 0, 0]);
                if timeout != NO_TIMEOUT && self.tasks[current].state() == State::Blocked {
                    self.due.insert(current, self.due_after(timeout));
                }
            }
            Event::Sleep(time) => {
                self.due.insert(current, self.due_after(time));
                self.call(own, Call::Sleep, 0, [time, 0, 0, 0]);
                prop_assert_eq!(self.tasks[current].state(), State::Blocked, "it rests");
            }
            Event::Pass(ticks) => self.pass(ticks)?,
        }
        // Whoever was signalled or stopped waits for no time any more.
        let tasks = &self.tasks;
        self.due.retain(|&task, _| tasks[task].state() == State::Blocked);
        Ok(())
    }

    fn call(&mut self, pointer: u64, operation: Call, flags: u64, arguments: [u64; 4]) {
        let _ = host::switching_call(pointer, operation, flags, arguments);
    }

    /// Ticks pass. Whoever has waited long enough goes on, and nobody else does.
    fn pass(&mut self, ticks: u64) -> Result<(), TestCaseError> {
        self.now += ticks;
        timer::set_ticks(self.now);
        let before = self.current();
        let after = self.number(host::interrupt());
        self.seen.preempted += u64::from(before != Some(after));
        for (&task, &due) in &self.due {
            let rests = self.tasks[task].state() == State::Blocked;
            prop_assert_eq!(rests, due > self.now, "task {} should wake at tick {}, it is {}", task, due, self.now);
            self.seen.woken += u64::from(!rests);
        }
        Ok(())
    }

    /// The most urgent task runs; and nobody waits for one that is less urgent, or for one that will not answer.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let in_state = |state| self.tasks.iter().copied().filter(move |task| task.state() == state);
        prop_assert_eq!(in_state(State::Running).count(), 1, "one task runs");
        let Some(current) = self.current() else { return Ok(()) };
        for ready in in_state(State::Ready) {
            prop_assert!(priority(ready) <= priority(self.tasks[current]), "a more urgent task is ready");
        }
        for (number, &task) in self.tasks.iter().enumerate() {
            let is_calling = matches!(task.state(), State::Calling | State::Waiting);
            prop_assert_eq!(callee(task).is_some(), is_calling, "task {}", number);
            let Some(callee) = callee(task) else { continue };
            prop_assert!(!matches!(callee.state(), State::Stopped | State::Accepting), "{} waits in vain", number);
            prop_assert!(priority(callee) >= priority(task), "{} waits for one that is less urgent", number);
            if priority(task) > base_priority(callee) {
                self.seen.lent += 1;
                self.seen.lent_through_others += u64::from(host::callee(callee).is_some());
            }
            prop_assert!(task.state() == State::Waiting || has_caller(callee), "{} is served by nobody", number);
        }
        self.check_own()
    }

    /// Whoever runs for itself does so at its own priority, or at one that was lent to it.
    fn check_own(&mut self) -> Result<(), TestCaseError> {
        for (number, &task) in self.tasks.iter().enumerate() {
            let (lent, served) = (&mut self.lent[number], &mut self.served[number]);
            if matches!(task.state(), State::Accepting | State::Stopped) {
                (*lent, *served) = (0, false);
                continue;
            }
            let waiting = self.tasks.iter().filter(|other| callee(**other) == Some(task)).map(|&other| priority(other));
            *lent = waiting.fold(*lent, u8::max);
            *served |= has_caller(task);
            let most = base_priority(task).max(*lent);
            prop_assert!(*served || priority(task) <= most, "{} runs at {}, at most {}", number, priority(task), most);
            prop_assert!(*served || priority(task) >= base_priority(task), "{} runs below its own priority", number);
        }
        Ok(())
    }
}
