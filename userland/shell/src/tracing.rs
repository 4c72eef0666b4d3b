//! The command `trace`: a program runs, and the kernel notes what it and all others do.

use core::fmt::Write;

use flatmk_abi::{Event, Kind};
use flatmk_runtime::object::{Frame, Memory, OWN_TABLE, Trace};
use flatmk_system::slots;
use shell::Moment;

use crate::console::Console;
use crate::requests::{Name, status};
use crate::{Failure, jobs, view};

const TRACE: Trace = Trace(slots::TRACE);

/// Where the frame is into which the kernel writes, while it does.
const FRAME: u64 = slots::COMPANIONS;

// ANCHOR: trace
/// Runs a program, and shows the last events of that time: as many as a frame holds.
pub(crate) fn run(name: &str, arguments: &str, console: &mut Console) -> Result<(), Failure> {
    // What is shown already is none of the events.
    console.flush();
    Memory(slots::MEMORY).make(Kind::Frame, 1, OWN_TABLE, FRAME)?;
    let result = run_into_frame(name, arguments, console);
    // The kernel has a capability of its own to the frame, derived from this one: without both of them, tracing ends in any case.
    OWN_TABLE.revoke(FRAME)?;
    OWN_TABLE.delete(FRAME)?;
    result
}

fn run_into_frame(name: &str, arguments: &str, console: &mut Console) -> Result<(), Failure> {
    TRACE.set_trace(Some(Frame(FRAME)))?;
    let number = jobs::start(name, arguments, console)?;
    // It is less urgent than the shell, so it has not ended yet.
    let task = status(number)?.task;
    let ended = jobs::wait_for_end(name, number, console);
    TRACE.set_trace(None)?;
    show((task, name), console)?;
    ended?.map_or(Ok(()), |ending| jobs::tell(name, &ending, console))
}
// ANCHOR_END: trace

fn show(ended: (u32, &str), console: &mut Console) -> Result<(), Failure> {
    writeln!(console, "     ticks task             event")?;
    let mut first = None;
    while let Some(event) = Event::from_words(TRACE.read_trace()?) {
        // That events are lost has no time.
        let ticks = if event.time == 0 { 0 } else { event.time - *first.get_or_insert(event.time) };
        let [task, other] = [event.task, event.first as u32].map(|task| TaskName::of(task, ended));
        let moment = Moment { ticks, event, task: task.as_str(), other: other.as_str() };
        writeln!(console, "{moment}")?;
    }
    Ok(())
}

/// What a task is called.
enum TaskName<'a> {
    Program(Name),
    Ended(&'a str),
    Unknown,
}

impl<'a> TaskName<'a> {
    fn of(task: u32, (ended, name): (u32, &'a str)) -> Self {
        if task == ended {
            return Self::Ended(name);
        }
        view::with_task(task).map_or(Self::Unknown, Self::Program)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Program(name) => name.as_str(),
            Self::Ended(name) => name,
            Self::Unknown => "-",
        }
    }
}
