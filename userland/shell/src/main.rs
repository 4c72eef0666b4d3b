//! The shell: reads lines at the terminal and has done what they say, by the services and the supervisor. Bit 0 of its argument says who gives the lines: 0:
//! whoever types; 1: a script, after which the run ends. The bits above are the time stamp at which the supervisor began to start the system.
#![no_std]
#![no_main]

mod console;
mod jobs;
mod perform;
mod requests;
mod tracing;
mod view;

use core::fmt::{self, Write};

use flatmk_abi::{Error, Words};
use flatmk_runtime::time_stamp;
use flatmk_system::SupervisorRequest;
use shell::{Editor, Event, parse};

use console::Console;

flatmk_runtime::entry!(main);

const PROMPT: &str = "flatmk> ";

/// What the shell does where nobody types, and what comes of it.
const SCRIPT: &[(&str, Expected)] = &[
    ("ps", Expected::Success),
    ("mem", Expected::Success),
    ("caps shell", Expected::Success),
    ("run crash null", Expected::Failure),
    ("call softuser-forth \"12 dup * 102 -\"", Expected::Success),
    ("pipe generator | filter | checksum", Expected::Success),
    ("uptime", Expected::Success),
];

/// Whether a command fails.
#[derive(PartialEq, Eq)]
enum Expected {
    Success,
    Failure,
}

/// Why a command has failed.
enum Failure {
    /// What somebody has answered.
    Error(Error),
    /// What has failed was told already.
    Told,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<fmt::Error> for Failure {
    fn from(_: fmt::Error) -> Self {
        // Nobody sees what is written; the shell goes on until somebody does.
        Self::Told
    }
}

fn main(argument: u64, _words: Words) {
    let started_ticks = argument >> 1;
    let mut console = Console::new();
    greet(started_ticks, &mut console).unwrap_or_default();
    if argument & 1 == 0 {
        converse(&mut console);
    }
    let result = run_script(&mut console);
    console.flush();
    requests::supervisor(SupervisorRequest::EndRun, [u64::from(result.is_err()), 0]).unwrap_or_default();
}

/// Says how long the start has taken.
fn greet(started_ticks: u64, console: &mut Console) -> fmt::Result {
    let ticks = time_stamp().saturating_sub(started_ticks);
    writeln!(console, "The system has started in {} thousand ticks. help shows what can be typed.", ticks / 1000)
}

/// Does what is typed.
fn converse(console: &mut Console) -> ! {
    let mut editor = Editor::new(PROMPT);
    loop {
        // What cannot be written is lost; what is typed may be seen elsewhere.
        editor.begin(console).unwrap_or_default();
        if let Ok(Event::Line) = read_line(&mut editor, console) {
            execute(editor.line(), console).unwrap_or_default();
        }
        jobs::report_ended(console).unwrap_or_default();
    }
}

fn read_line(editor: &mut Editor, console: &mut Console) -> Result<Event, fmt::Error> {
    loop {
        let byte = console.read();
        match editor.feed(byte, console)? {
            Event::None => {}
            event => return Ok(event),
        }
    }
}

/// Does what the script says, shown as if it was typed.
fn run_script(console: &mut Console) -> Result<(), ()> {
    for (line, expected) in SCRIPT {
        writeln!(console, "{PROMPT}{line}").unwrap_or_default();
        let found = if execute(line, console).is_ok() { Expected::Success } else { Expected::Failure };
        if found != *expected {
            return Err(());
        }
    }
    Ok(())
}

/// Does what a line says, and says so if that fails.
fn execute(line: &str, console: &mut Console) -> Result<(), ()> {
    let result = match parse(line) {
        Ok(command) => perform::perform(command, console),
        Err(mistake) => {
            writeln!(console, "{mistake}").unwrap_or_default();
            Err(Failure::Told)
        }
    };
    result.map_err(|failure| {
        if let Failure::Error(error) = failure {
            writeln!(console, "{error}").unwrap_or_default();
        }
    })
}
