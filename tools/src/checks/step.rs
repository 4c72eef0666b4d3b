//! One step of the checks: a command whose success counts, a command whose tests count, or a function.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::Count;
use crate::machine::{Emulator, Process};
use crate::workspace;

/// How long a command that runs tests may print nothing. Whole steps do not take so long.
const SILENCE: Duration = Duration::from_secs(20 * 60);

/// What a step does. It shows lines by the function, or prints them.
type Run = Box<dyn FnOnce(&mut dyn FnMut(&str)) -> Count + Send>;

/// What else may go on while a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Steps that are beside others; none else.
    InTurn,
    /// Any: it prints nothing, but shows what there is to show.
    Beside,
    /// Nothing: machines and people wait there for one another.
    Alone,
}

/// A step.
pub(super) struct Step {
    pub(super) title: String,
    /// Where it boots kernels, if that is what it does.
    pub(super) emulator: Option<Emulator>,
    pub(super) when: When,
    /// What one would type for the same, if that is known.
    pub(super) commands: Vec<String>,
    pub(super) run: Run,
}

impl Step {
    pub(super) fn new(title: impl Into<String>, run: impl FnOnce() -> Count + Send + 'static) -> Self {
        Self { title: title.into(), emulator: None, when: When::InTurn, commands: Vec::new(), run: Box::new(|_| run()) }
    }

    /// The same step, beside others.
    pub(super) fn beside(self) -> Self {
        Self { when: When::Beside, ..self }
    }

    /// The same step, with nothing beside it.
    pub(super) fn alone(self) -> Self {
        Self { when: When::Alone, ..self }
    }

    /// The same step, which does what these commands do.
    pub(super) fn typed_as(self, commands: Vec<String>) -> Self {
        Self { commands, ..self }
    }

    /// A function that boots kernels in this emulator.
    pub(super) fn booting(title: &str, emulator: Emulator, run: impl FnOnce() -> Count + Send + 'static) -> Self {
        Self { emulator: Some(emulator), ..Self::new(format!("{title} in {emulator}"), run) }
    }

    /// A command that checks one thing.
    pub(super) fn command(title: impl Into<String>, program: &str, arguments: &[&str]) -> Self {
        let mut command = command(program, arguments);
        let step = Self::new(title, move || match command.stdin(Stdio::null()).status() {
            Ok(status) => Count::of(status.success()),
            Err(error) => cannot_run(&command, &error),
        });
        step.typed_as(vec![typed(program, arguments)])
    }

    /// A command that runs tests, which are counted by the lines that it prints.
    pub(super) fn tests(title: impl Into<String>, program: &str, arguments: &[&str]) -> Self {
        let mut command = command(program, arguments);
        let run: Run = Box::new(move |show| count_tests(&mut command, SILENCE, show));
        Self { run, ..Self::new(title, Count::default) }.typed_as(vec![typed(program, arguments)])
    }

    /// This program with other arguments, as tests.
    pub(super) fn own_tests(title: impl Into<String>, arguments: impl IntoIterator<Item = String>) -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        let arguments: Vec<String> = arguments.into_iter().collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let typed = vec![typed("./x", &arguments)];
        Self::tests(title, &program.to_string_lossy(), &arguments).typed_as(typed)
    }
}

fn typed(program: &str, arguments: &[&str]) -> String {
    format!("{program} {}", arguments.join(" "))
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let program = if program == "cargo" { workspace::cargo() } else { program.into() };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root());
    command
}

fn cannot_run(command: &Command, error: &std::io::Error) -> Count {
    println!("    cannot run {}: {error}", command.get_program().display());
    Count::failed(1)
}

/// Runs a command that runs tests, shows each line that it prints, and counts them. If it prints nothing for so long, it is ended with all that it has started.
fn count_tests(command: &mut Command, silence: Duration, show: &mut dyn FnMut(&str)) -> Count {
    let mut process = match Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped())) {
        Ok(process) => process,
        Err(error) => return cannot_run(command, &error),
    };
    let output = process.child().stdout.take();
    let (sender, lines) = channel();
    thread::spawn(move || {
        let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok);
        // Nobody listens any more to a command that was ended.
        lines.map(|line| sender.send(line)).all(|sent| sent.is_ok())
    });
    let mut count = Count::default();
    // What a failed test of Rust printed, shown by its test program after all results.
    let mut printed: Option<String> = None;
    loop {
        let line = match lines.recv_timeout(silence) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                process.kill();
                let said = format!("it was ended: for {} s it has printed nothing", silence.as_secs());
                show(&format!("    {said}"));
                return count + Count::failed(1).saying(&said);
            }
        };
        show(&format!("    {line}"));
        count.read_line(&line);
        if line.starts_with("---- ") || line == "failures:" {
            count = count.saying(&printed.take().unwrap_or_default());
            printed = line.starts_with("---- ").then(String::new);
        }
        if let Some(printed) = &mut printed {
            printed.push_str(&line);
            printed.push('\n');
        }
    }
    let succeeded = process.wait().is_some_and(|status| status.success());
    match (succeeded, count.passed, count.failed) {
        // A program that fails has a failure, even if none of its lines says so: it may not have got that far.
        (false, _, 0) => count + Count::failed(1),
        // Tests that cannot be found are not tests that pass.
        (true, 0, 0) => Count::failed(1),
        _ => count,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;

    fn run(script: &str) -> (usize, usize) {
        let Count { passed, failed, .. } = (Step::tests("a script", "sh", &["-c", script]).run)(&mut |_| {});
        (passed, failed)
    }

    #[test]
    fn the_tests_of_a_command_are_counted() {
        assert_eq!(run("echo test a ... ok; echo test b ... ok"), (2, 0));
        assert_eq!(run("echo test a ... ok; echo test b ... FAILED; exit 1"), (1, 1));
    }

    #[test]
    fn what_a_failed_test_printed_is_kept() {
        let script = "echo test a ... FAILED; echo; echo failures:; echo; echo '---- a stdout ----'; echo why; echo; echo failures:; echo '    a'; exit 1";
        let count = (Step::tests("a script", "sh", &["-c", script]).run)(&mut |_| {});
        assert_eq!(count.said, ["test a ... FAILED", "---- a stdout ----", "why"]);
    }

    #[test]
    fn a_command_that_fails_without_a_failed_test_has_failed() {
        assert_eq!(run("echo test a ... ok; exit 1"), (1, 1));
    }

    #[test]
    fn a_command_that_runs_no_test_has_failed() {
        assert_eq!(run("true"), (0, 1));
    }

    /// Whether this process runs. One that has ended may wait for somebody to ask how.
    fn is_running(process: &str) -> bool {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_that_it_has_started() {
        let script = "sleep 1000 & echo test a ... ok; echo child $!; wait";
        let mut command = command("sh", &["-c", script]);
        let mut child = None;
        let count = count_tests(&mut command, Duration::from_secs(3), &mut |line| {
            child = line.strip_prefix("    child ").map(str::to_owned).or(child.take());
        });
        assert_eq!((count.passed, count.failed), (1, 1));
        assert_eq!(count.said, ["it was ended: for 3 s it has printed nothing"]);
        let child = child.expect("it has said which");
        let start = Instant::now();
        while is_running(&child) {
            assert!(start.elapsed() < Duration::from_secs(60), "{child} still runs");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_program_that_is_missing_has_failed() {
        let count = (Step::command("missing", "/nowhere/at/all", &[]).run)(&mut |_| {});
        assert_eq!((count.passed, count.failed), (0, 1));
    }
}
