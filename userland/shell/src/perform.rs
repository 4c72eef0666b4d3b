//! Commands, carried out.

use core::fmt::Write;

use flatmk_abi::Error;
use flatmk_runtime::connection::Connection;
use flatmk_runtime::object::OWN_TASK;
use flatmk_system::{
    ClockRequest, KeyboardRequest, Layout, PowerFault, PowerRequest, Service, SupervisorRequest, TextRequest, outcome,
};
use shell::{Age, COMMANDS, Command, Date, Names, Target};

use crate::console::Console;
use crate::requests::{find, supervisor};
use crate::{Failure, jobs, tracing, view};

type Done = Result<(), Failure>;

/// The program that calls others, and the one that joins them by pipes.
const CALL: &str = "call";
const JOIN: &str = "join";
const BENCHMARK: &str = "benchmark";

/// Does what a line has asked for.
pub(crate) fn perform(command: Command<'_>, console: &mut Console) -> Done {
    match command {
        Command::Nothing => Ok(()),
        Command::Bench => {
            jobs::load(BENCHMARK, console)?;
            jobs::run(CALL, "-q", console)
        }
        Command::Call { name, arguments } => {
            jobs::load(name, console)?;
            jobs::run(CALL, arguments, console)
        }
        Command::Caps(target) => with_program(target, console, view::capabilities),
        Command::Clear => clear(console),
        Command::Date => date(console),
        Command::Help => help(console),
        Command::Kill(target) => with_program(target, console, |number, _| {
            supervisor(SupervisorRequest::Kill, [number, 0])?;
            Ok(())
        }),
        Command::Layout(name) => layout(name, console),
        Command::Memory => view::memory(console),
        Command::Pipe(names) => pipe(names, console),
        Command::PowerOff => power(PowerRequest::Off, console),
        Command::Programs => view::programs(console),
        Command::Reboot => power(PowerRequest::Reset, console),
        Command::Run { name, arguments, in_background: true } => {
            let number = jobs::start(name, arguments, console)?;
            Ok(writeln!(console, "{name} runs in the background, as number {number}")?)
        }
        Command::Run { name, arguments, in_background: false } => jobs::run(name, arguments, console),
        Command::Trace { name, arguments } => tracing::run(name, arguments, console),
        Command::Uptime => uptime(console),
    }
}

fn with_program(target: Target<'_>, console: &mut Console, function: impl FnOnce(u64, &mut Console) -> Done) -> Done {
    let Some(number) = find(target) else {
        match target {
            Target::Name(name) => writeln!(console, "no program {name} is running; ps shows those that are")?,
            Target::Number(number) => {
                writeln!(console, "no program has the number {number}; ps shows those that are there")?;
            }
        }
        return Err(Failure::Told);
    };
    function(number, console)
}

fn help(console: &mut Console) -> Done {
    for (name, usage, meaning) in COMMANDS {
        let space = if usage.is_empty() { "" } else { " " };
        let width = 34_usize.saturating_sub(name.len() + space.len());
        writeln!(console, "  {name}{space}{usage:<width$} {meaning}")?;
    }
    Ok(())
}

fn clear(console: &mut Console) -> Done {
    console.flush();
    Connection::to(Service::Terminal).call([TextRequest::Clear as u64, 0, 0, 0]).and_then(outcome)?;
    Ok(())
}

fn date(console: &mut Console) -> Done {
    let [seconds, ..] = Connection::to(Service::Clock).request([ClockRequest::Date as u64, 0, 0, 0])?;
    Ok(writeln!(console, "{}", Date(seconds))?)
}

fn uptime(console: &mut Console) -> Done {
    let (nanoseconds, frequency, _) = OWN_TASK.read_clock()?;
    write!(console, "{}", Age(nanoseconds))?;
    match frequency {
        0 => Ok(writeln!(console)?),
        _ => Ok(writeln!(console, "; the processor counts {} million ticks a second", frequency / 1_000_000)?),
    }
}

fn layout(name: Option<&str>, console: &mut Console) -> Done {
    const KEYBOARD: Connection = Connection::to(Service::Keyboard);
    let Some(name) = name else {
        let [number, ..] = KEYBOARD.request([KeyboardRequest::Layout as u64, 0, 0, 0])?;
        let layout = Layout::from_number(number).ok_or(Error::UnknownOperation)?;
        return Ok(writeln!(console, "{}", layout.name())?);
    };
    let Some(layout) = Layout::from_name(name) else {
        write!(console, "there is no layout {name}; there are")?;
        Layout::ALL.into_iter().try_for_each(|layout| write!(console, " {}", layout.name()))?;
        writeln!(console)?;
        return Err(Failure::Told);
    };
    KEYBOARD.request([KeyboardRequest::SetLayout as u64, layout as u64, 0, 0])?;
    Ok(())
}

fn pipe(names: Names<'_>, console: &mut Console) -> Done {
    for name in names.iter() {
        jobs::load(name, console)?;
    }
    jobs::run(JOIN, "", console)
}

/// The machine goes off, or starts anew; what comes back is the reason why not.
fn power(request: PowerRequest, console: &mut Console) -> Done {
    console.flush();
    let answered = Connection::to(Service::Power).call([request as u64, 0, 0, 0])?;
    let Some(fault) = PowerFault::from_answer(answered) else {
        outcome(answered)?;
        writeln!(console, "nothing has come of it")?;
        return Err(Failure::Told);
    };
    match request {
        PowerRequest::Off => writeln!(console, "the machine stays on: {fault}; it can be switched off by hand now")?,
        PowerRequest::Reset => writeln!(console, "the machine does not start anew: {fault}")?,
    }
    Err(Failure::Told)
}
