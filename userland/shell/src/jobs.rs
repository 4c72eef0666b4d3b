//! Programs that the shell runs.

use core::fmt::{self, Write};

use flatmk_abi::Error;
use flatmk_system::{Cause, Ending, SupervisorRequest, TEXT_BYTES};

use crate::Failure;
use crate::console::{Console, LOOK_AGAIN_NS};
use crate::requests::{Name, ending, send, status, supervisor};

/// The state of a task that is ready for calls, in which a program is that offers a service.
const READY_FOR_CALLS: u8 = 3;

/// Loads a program for the next one that is run, and lets it start until it offers its service.
pub(crate) fn load(name: &str, console: &mut Console) -> Result<(), Failure> {
    const GLANCE_NS: u64 = 1_000_000;
    let number = send(SupervisorRequest::Load, name).map_err(|error| refused(name, error, console))?;
    while !status(number)?.has_service {
        if let Ok(ending) = ending(number) {
            return tell(name, &ending, console);
        }
        if console.wait_for_interrupt(GLANCE_NS) {
            writeln!(console, "^C")?;
            supervisor(SupervisorRequest::Kill, [number, 0])?;
        }
    }
    Ok(())
}

/// Runs a program in the foreground.
pub(crate) fn run(name: &str, arguments: &str, console: &mut Console) -> Result<(), Failure> {
    let number = start(name, arguments, console)?;
    wait_for_end(name, number, console)?.map_or(Ok(()), |ending| tell(name, &ending, console))
}

/// Starts a program.
pub(crate) fn start(name: &str, arguments: &str, console: &mut Console) -> Result<u64, Failure> {
    let mut rest = arguments;
    while !rest.is_empty() {
        let mut length = rest.len().min(TEXT_BYTES);
        while !rest.is_char_boundary(length) {
            length -= 1;
        }
        let (part, behind) = rest.split_at(length);
        send(SupervisorRequest::AddArgument, part)?;
        rest = behind;
    }
    // The program writes to the same terminal.
    console.flush();
    send(SupervisorRequest::Run, name).map_err(|error| refused(name, error, console))
}

fn refused(name: &str, error: Error, console: &mut Console) -> Failure {
    let told = match error {
        Error::InvalidArgument => writeln!(console, "there is no program {name}"),
        Error::MissingRight => writeln!(console, "{name} is started by the supervisor, and by nobody else"),
        error => writeln!(console, "{name} cannot be run: {error}"),
    };
    told.map_or_else(Failure::from, |()| Failure::Told)
}

// ANCHOR: wait
/// Waits until a program ends or is interrupted. One that waits for calls itself has not ended.
pub(crate) fn wait_for_end(name: &str, number: u64, console: &mut Console) -> Result<Option<Ending>, Failure> {
    loop {
        match ending(number) {
            Ok(ending) => return Ok(Some(ending)),
            // It is alive.
            Err(Error::InvalidState) => {}
            Err(error) => return Err(error.into()),
        }
        if status(number).is_ok_and(|status| status.has_service && status.task_state == READY_FOR_CALLS) {
            writeln!(console, "{name} waits for calls in the background, as number {number}")?;
            return Ok(None);
        }
        if console.wait_for_interrupt(LOOK_AGAIN_NS) {
            writeln!(console, "^C")?;
            supervisor(SupervisorRequest::Kill, [number, 0])?;
        }
    }
}
// ANCHOR_END: wait

/// Says how a program has ended, unless all went well.
pub(crate) fn tell(name: &str, ending: &Ending, console: &mut Console) -> Result<(), Failure> {
    if ending.cause == Cause::Done && ending.code == 0 {
        return Ok(());
    }
    writeln!(console, "{name}: {ending}")?;
    Err(Failure::Told)
}

/// Says which programs have ended in the background.
pub(crate) fn report_ended(console: &mut Console) -> fmt::Result {
    while let Ok(Ending { number, .. }) = ending(ANY) {
        let name = Name::of(number.into());
        let Ok(ending) = ending(number.into()) else { return Ok(()) };
        writeln!(console, "{} ({number}): {ending}", name.as_ref().map_or("?", Name::as_str))?;
    }
    Ok(())
}

/// In place of a number: any program that has ended.
const ANY: u64 = 0;
