//! Grading: the tests of a step are run in a checkout, and what came out is told.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cargo_metadata::Message;
use cargo_metadata::diagnostic::DiagnosticLevel;

use super::{ExerciseError, Step, Tests};
use crate::protocol::{Parser, TestEnd};
use crate::workspace::{self, BARE_TARGET, CHECKOUT};

/// How many lines of what a test says are shown.
const MOST_LINES: usize = 10;

/// The longest line, in characters.
const LONGEST: usize = 150;

/// Why a step could not be graded.
#[derive(Debug, thiserror::Error)]
pub enum GradeError {
    /// A program does not run.
    #[error("cannot run {} ({cause}): run ./x doctor", .program.display())]
    Run {
        /// Which.
        program: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The lists of steps.
    #[error(transparent)]
    Exercise(#[from] ExerciseError),
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All tests of the step have passed.
    Passed,
    /// Something does not compile; this is what the compiler said.
    DoesNotBuild(String),
    /// A test has failed, or has not run.
    Failed {
        /// Which was the first.
        test: String,
        /// What was printed about it.
        said: String,
    },
}

/// Runs the tests of these steps, of one chapter, in order, and returns what came out for each. In a machine the first test that fails is the last that
/// runs, so the steps behind it have failed as well. `settings` are more arguments for cargo when it builds.
///
/// # Errors
///
/// If what runs tests does not run.
pub fn run(checkout: &Path, steps: &[Step], settings: &[&str]) -> Result<Vec<Verdict>, GradeError> {
    let mut verdicts = vec![Verdict::Passed; steps.len()];
    let place = |step: &Step| (step.tests.clone(), step.target.clone());
    let is_first_of_its_place =
        |(index, step): &(usize, &Step)| !steps.iter().take(*index).any(|other| place(other) == place(step));
    for (_, first) in steps.iter().enumerate().filter(is_first_of_its_place) {
        let together = || steps.iter().enumerate().filter(|(_, step)| place(step) == place(first));
        let names: Vec<&str> = together().flat_map(|(_, step)| step.shows.iter().map(String::as_str)).collect();
        let said = match &first.tests {
            Tests::Test(test) => in_machine(checkout, first.chapter, test, &names, settings)?,
            Tests::Package(package) => on_host(checkout, package, first.target.as_deref(), &names, settings)?,
        };
        for (index, step) in together() {
            if let Some(verdict) = verdicts.get_mut(index) {
                *verdict = match &said {
                    Err(compiler) => Verdict::DoesNotBuild(compiler.clone()),
                    Ok(said) => judge(step, said),
                };
            }
        }
    }
    Ok(verdicts)
}

/// What became of a step, by what its tests printed.
fn judge(step: &Step, said: &str) -> Verdict {
    let mut parser = Parser::default();
    parser.feed(said.as_bytes());
    let results = parser.results();
    for word in &step.shows {
        let mut shown = results.iter().filter(|test| test.name.contains(word.as_str())).peekable();
        let is_missing = shown.peek().is_none();
        let failed = shown.find(|test| !matches!(test.result, TestEnd::Passed(_)));
        if is_missing || failed.is_some() {
            let test = failed.map_or(word.clone(), |test| test.name.clone());
            return Verdict::Failed { said: about(said, &test), test };
        }
    }
    Verdict::Passed
}

/// The lines that are about a test: from where it failed on.
fn about(said: &str, test: &str) -> String {
    let place = said.find(&format!("---- {test} ")).or_else(|| said.find("FlatMk stopped:"));
    let place = place.or_else(|| said.rfind(&format!("test {test} ")));
    let tail = place.and_then(|place| said.get(place..)).unwrap_or(said);
    // The place of a panic is said in its second line; the stack below it is for whoever writes kernels already.
    const NOISE: [&str; 9] = [
        "[exit ",
        "  stack:",
        "  rax",
        "  rbp",
        "  r12",
        "  0x",
        "where that was:",
        "stack backtrace",
        "note: run with",
    ];
    let says_something = |line: &&str| !line.is_empty() && !NOISE.iter().any(|noise| line.contains(noise));
    let lines: Vec<String> = tail.lines().map(str::trim_end).filter(says_something).map(shortened).collect();
    let from = if place.is_some() { 0 } else { lines.len().saturating_sub(MOST_LINES) };
    lines.get(from..lines.len().min(from + MOST_LINES)).unwrap_or_default().join("\n")
}

/// A line without what is too long to read.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// What a program printed, or the compiler's messages.
type Said = Result<String, String>;

/// Builds a test of the kernel with these tests in it, and boots it.
fn in_machine(checkout: &Path, chapter: u8, test: &str, names: &[&str], settings: &[&str]) -> Result<Said, GradeError> {
    let feature = format!("chapter{chapter}");
    let package = ["--package", "kernel", "--target", BARE_TARGET, "--features", &feature, "--test", test];
    let mut cargo = cargo(checkout);
    cargo.args(BUILD).args(package).args(settings).env("FLATMK_TESTS", names.join(","));
    let messages = match build(cargo)? {
        Ok(messages) => messages,
        Err(errors) => return Ok(Err(errors)),
    };
    let mut kernels = messages.into_iter().filter_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == test => artifact.executable,
        _ => None,
    });
    let Some(kernel) = kernels.next_back() else { return Ok(Err(format!("cargo has built no test {test}"))) };
    let this = std::env::current_exe().map_err(|cause| GradeError::Run { program: "flatmk".into(), cause })?;
    let mut boot = Command::new(this);
    boot.arg("boot").arg(kernel).env(CHECKOUT, checkout).env("FLATMK_TESTS", names.join(","));
    let ended = output(boot)?;
    let (said, report) = (text(&ended.stdout), text(&ended.stderr));
    // A user program that does not build is found when the ramdisk is made, and there is no machine then.
    let has_booted = said.contains("FlatMk ");
    Ok(if has_booted { Ok(format!("{said}\n{report}")) } else { Err(report) })
}

/// Tests a package on this machine.
fn on_host(
    checkout: &Path,
    package: &str,
    target: Option<&str>,
    names: &[&str],
    settings: &[&str],
) -> Result<Said, GradeError> {
    let target = target.map(|target| ["--test", target]).unwrap_or(["--lib", "--tests"]);
    let package = [&["--package", package, "--target", "host-tuple"], &target[..], settings].concat();
    let mut cargo_build = cargo(checkout);
    cargo_build.args(BUILD).args(&package);
    if let Err(errors) = build(cargo_build)? {
        return Ok(Err(errors));
    }
    let mut run = cargo(checkout);
    run.args(["test", "--no-fail-fast"]).args(&package).arg("--").args(names);
    let said = text(&output(run)?.stdout);
    // The protocol of the machines has a time behind each result.
    Ok(Ok(said.replace(" ... ok\n", " ... ok (0 ticks)\n")))
}

/// Builds tests, and says what it does for programs.
const BUILD: [&str; 3] = ["test", "--no-run", "--message-format=json"];

/// Builds, and returns what cargo says; or the errors, without the warnings of which a body that is not there makes many.
fn build(cargo: Command) -> Result<Result<Vec<Message>, String>, GradeError> {
    let built = output(cargo)?;
    let messages: Vec<Message> = Message::parse_stream(built.stdout.as_slice()).flatten().collect();
    if built.status.success() {
        return Ok(Ok(messages));
    }
    let error = |message: &Message| match message {
        Message::CompilerMessage(message) if message.message.level == DiagnosticLevel::Error => {
            message.message.rendered.clone()
        }
        _ => None,
    };
    let errors: String = messages.iter().filter_map(error).collect();
    // Where no package was compiled, cargo itself has failed.
    Ok(Err(if errors.is_empty() { text(&built.stderr) } else { errors }))
}

fn cargo(checkout: &Path) -> Command {
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(checkout);
    cargo
}

fn output(mut command: Command) -> Result<Output, GradeError> {
    let program: OsString = command.get_program().to_owned();
    command.stdin(Stdio::null()).output().map_err(|cause| GradeError::Run { program: program.into(), cause })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
