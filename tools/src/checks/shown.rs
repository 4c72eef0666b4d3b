//! The commands that the README and the book show, each run as it is shown, from the root of the checkout. What a page shows below one is compared with
//! what it prints.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use regex::Regex;
use walkdir::WalkDir;

use super::{Count, side_by_side};
use crate::cleanup::TemporaryFolder;
use crate::shown::{self, Shown};
use crate::workspace;

/// Commands that something else tries: they wait for somebody, or need a device or a file that is not there, or are these checks themselves.
const ELSEWHERE: [(&str, Elsewhere); 11] = [
    ("./x test", Elsewhere::ThisRun),
    ("./x check --prove 3", Elsewhere::ThisRun),
    ("./x learn 3", Elsewhere::Test("chapter_3_is_learnt_from_the_first_step_to_the_last")),
    ("./x check", Elsewhere::Test("chapter_3_is_learnt_from_the_first_step_to_the_last")),
    ("./x debug --chapter 7", Elsewhere::Test("the_books_session_goes_as_the_page_shows")),
    ("./x image --write /dev/sdb", Elsewhere::Test("the_image_arrives_and_the_last_sectors_are_cleared")),
    ("./x bench --from serial.txt --report /tmp/report", Elsewhere::Test("where_time_is_the_hosts_the_unit_is_cycles")),
    ("./x bench --emulator bochs", Elsewhere::Test("bench_measures_every_row_and_each_is_as_committed")),
    ("./x pipes", Elsewhere::Test("figures_follow_from_the_samples")),
    ("cargo test --target host-tuple --package flatmk-tests drivers", Elsewhere::ThisRun),
    ("mdbook serve book", Elsewhere::Test("figures_work_as_mdbook_serves_them")),
];

/// What tries a command instead.
#[derive(Debug, Clone, Copy)]
enum Elsewhere {
    /// All the checks.
    ThisRun,
    /// A test of this name.
    Test(&'static str),
}

/// How many commands run at a time.
const SIDE_BY_SIDE: NonZero<usize> = NonZero::new(2).unwrap();

/// Where tests are that may try a command.
const TESTS: [&str; 2] = ["tests/end_to_end", "tools/src"];

/// What the shell of the system says when it is ready.
const PROMPT: &str = "flatmk> ";

/// A folder that commands name, which is another one for each run.
const TEMPORARY: &str = "/tmp/";

/// The command that works in any folder, so it is called in the temporary one, where its files do no harm.
const ANYWHERE: &str = "./x ";

/// Runs all commands but those that a step of the checks runs anyhow, of which these are all, and counts them.
pub(super) fn run(steps: &[String]) -> Count {
    let commands = match shown::commands(workspace::root()) {
        Ok(commands) => commands,
        Err(error) => return Count::failed(1).saying(&error.to_string()),
    };
    let folder = match TemporaryFolder::new() {
        Ok(folder) => folder,
        Err(error) => return Count::failed(1).saying(&format!("cannot make a temporary folder: {error}")),
    };
    let counts = stale(&commands).into_iter().chain(missing_tests()).map(|why| Count::failed(1).saying(&why));
    let counts: Vec<Count> = counts.collect();
    let show = |bytes: &[u8]| print!("{}", String::from_utf8_lossy(bytes));
    let ran = side_by_side::run(&by_page(&to_run(commands, steps)), SIDE_BY_SIDE, show, |commands, show| {
        let counts = commands.iter().map(|places| try_out(places, folder.path(), show));
        counts.fold(Count::default(), |sum, count| sum + count)
    });
    counts.into_iter().chain(ran).fold(Count::default(), |sum, count| sum + count)
}

/// What can run side by side: a command may need what those before it on its page have left.
fn by_page(commands: &[Vec<Shown>]) -> Vec<Vec<Vec<Shown>>> {
    let page = |places: &Vec<Shown>| places.first().map(|shown| shown.page.clone());
    commands.chunk_by(|one, next| page(one) == page(next)).map(<[_]>::to_vec).collect()
}

/// What is left to run: each command once, with all the places where it is shown.
fn to_run(commands: Vec<Shown>, steps: &[String]) -> Vec<Vec<Shown>> {
    let mut places: Vec<Vec<Shown>> = Vec::new();
    for shown in commands {
        match places.iter_mut().find(|places| places.iter().any(|place| place.command == shown.command)) {
            Some(places) => places.push(shown),
            None => places.push(vec![shown]),
        }
    }
    let is_elsewhere = |shown: &Shown| ELSEWHERE.iter().any(|(command, _)| *command == shown.command);
    let is_run = |shown: &Shown| shown.output.is_empty() && steps.iter().any(|step| covers(step, &shown.command));
    places.retain(|places| !places.iter().any(is_elsewhere) && !places.iter().all(is_run));
    places
}

/// Whether a step does the same, perhaps among more: the same command, or one that runs all the tests that this one names.
fn covers(step: &str, command: &str) -> bool {
    const TEST: &str = "--test";
    let of_step: BTreeSet<&str> = step.split(' ').collect();
    let mut words: Vec<&str> = command.split(' ').collect();
    let (some_of_step, some) = (of_step.contains(TEST), words.iter().position(|word| *word == TEST));
    let may_be_more = match some {
        // A step without a choice runs all tests of its package.
        Some(place) if !some_of_step => {
            words.drain(place..words.len().min(place + 2));
            true
        }
        Some(_) => true,
        None => words.contains(&"--package") && !some_of_step,
    };
    step == command || may_be_more && words.iter().all(|word| of_step.contains(word))
}

/// Commands that are said to be tried elsewhere, and are on no page.
fn stale(commands: &[Shown]) -> Vec<String> {
    let is_shown = |command: &str| commands.iter().any(|shown| shown.command == command);
    let stale = ELSEWHERE.iter().filter(|(command, _)| !is_shown(command));
    stale.map(|(command, _)| format!("no page shows `{command}`")).collect()
}

/// Tests that are said to try a command, and are not there.
fn missing_tests() -> Vec<String> {
    let files = TESTS.iter().flat_map(|folder| WalkDir::new(workspace::root().join(folder))).flatten();
    let sources: String = files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
    let missing = ELSEWHERE.iter().filter_map(|(command, elsewhere)| match elsewhere {
        Elsewhere::Test(test) if !sources.contains(&format!("fn {test}(")) => {
            Some(format!("there is no test {test}, which is to try `{command}`"))
        }
        _ => None,
    });
    missing.collect()
}

/// Runs a command, and tells what came of it.
fn try_out(places: &[Shown], folder: &Path, show: &mut dyn FnMut(&[u8])) -> Count {
    let Some(first) = places.first() else { return Count::default() };
    let (command, page, line) = (&first.command, first.page.display(), first.line);
    let start = Instant::now();
    let failure = match shell(command, folder).output() {
        Ok(output) => wrong(places, &output, folder),
        Err(error) => Some(format!("cannot run bash: {error}")),
    };
    let verdict = if failure.is_none() { "ok" } else { "FAILED" };
    let seconds = start.elapsed().as_secs();
    show(format!("    test {command} ({page}:{line}) ... {verdict}\n    took {seconds} s\n").as_bytes());
    let Some(failure) = failure else { return Count::passed(1) };
    show(format!("{failure}\n").as_bytes());
    Count::failed(1).saying(&format!("{command}\n{failure}"))
}

/// A shell that runs a command, without a terminal. Windows open where nobody sees them.
fn shell(command: &str, folder: &Path) -> Command {
    let root = workspace::root();
    let mut shell = Command::new(if command.contains(" --display") { "xvfb-run" } else { "bash" });
    if command.contains(" --display") {
        shell.args(["--auto-servernum", "bash"]);
    }
    let mut script = command.replace(TEMPORARY, &format!("{}/", folder.display()));
    shell.current_dir(root);
    if script.starts_with(ANYWHERE) {
        script.replace_range(..ANYWHERE.len(), &format!("'{}' ", root.join("x").display()));
        shell.current_dir(folder);
    }
    // As on a terminal, where both streams are read in the order in which they come. What fails before a pipe has failed.
    shell.args(["-c", &format!("exec 2>&1\nset -o pipefail\n{script}")]).stdin(Stdio::null());
    shell
}

/// What is wrong with the end of a command, if anything is.
fn wrong(places: &[Shown], output: &Output, folder: &Path) -> Option<String> {
    let printed = String::from_utf8_lossy(&output.stdout).replace(&format!("{}/", folder.display()), TEMPORARY);
    if !output.status.success() {
        return Some(format!("{printed}\n{}", output.status));
    }
    // The words behind a command may be the name of no test.
    let has_tested = Regex::new("test result: ok. [1-9]").is_ok_and(|result| result.is_match(&printed));
    if places.iter().any(|shown| shown.command.contains("cargo test")) && !has_tested {
        return Some(format!("{printed}\nno test has run"));
    }
    // What is typed at the system's own prompt is an end-to-end test, as typing needs somebody who waits for it.
    let is_conversation = |shown: &Shown| shown.output.first().is_some_and(|line| line.starts_with(PROMPT));
    let is_silent = |shown: &Shown| shown.output.is_empty() || is_conversation(shown);
    let other = places.iter().find(|shown| !is_silent(shown) && !shown.agrees_with(&printed))?;
    let (page, line, shown) = (other.page.display(), other.line, other.output.join("\n"));
    Some(format!("{page}:{line} shows\n{shown}\nand this is printed:\n{printed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(steps: &[&str]) -> Vec<String> {
        let shown = |command: &str, output: &[&str]| Shown {
            page: "page.md".into(),
            line: 1,
            command: command.to_owned(),
            output: output.iter().map(|&line| line.to_owned()).collect(),
        };
        let commands = vec![
            shown("./x test", &[]),
            shown("./x run", &[]),
            shown("cargo test", &[]),
            shown("cargo test --package a", &[]),
            shown("./x run", &[]),
            shown("./x run", &["booting"]),
            shown("cargo test --package a --test b", &[]),
        ];
        let steps: Vec<String> = steps.iter().map(|&step| step.to_owned()).collect();
        let left = to_run(commands, &steps);
        left.into_iter().map(|places| format!("{} {}", places.len(), places[0].command)).collect()
    }

    #[test]
    fn each_command_is_run_once_and_compared_wherever_it_is_shown() {
        let all = ["3 ./x run", "1 cargo test", "1 cargo test --package a", "1 cargo test --package a --test b"];
        assert_eq!(left(&[]), all);
        assert_eq!(left(&["./x run"]), all, "its output is shown");
    }

    #[test]
    fn what_a_step_runs_is_not_run_again() {
        let others = ["3 ./x run", "1 cargo test"];
        assert_eq!(left(&["cargo test --quiet --package a"]), others, "all its tests");
        let one = ["3 ./x run", "1 cargo test", "1 cargo test --package a"];
        assert_eq!(left(&["cargo test --package a --test b"]), one);
        assert_eq!(left(&["cargo test --package a --test c"]).len(), 4);
        assert_eq!(left(&["cargo test"]).len(), 3, "the very same");
    }

    #[test]
    fn a_command_fails_by_its_exit_code_or_by_what_it_prints() {
        let tried = |command: &str, output: &str| {
            let output = output.lines().map(str::to_owned).collect();
            let shown = Shown { page: "page.md".into(), line: 7, command: command.to_owned(), output };
            let mut said = String::new();
            let count = try_out(&[shown], Path::new("/tmp/folder of this run"), &mut |bytes| {
                said += &String::from_utf8_lossy(bytes);
            });
            (count.passed, count.failed, said.contains(&format!("test {command} (page.md:7) ... ")))
        };
        assert_eq!(tried("true", ""), (1, 0, true));
        assert_eq!(tried("false", ""), (0, 1, true));
        assert_eq!(tried("echo 7 | tee /dev/stderr", "1\n2"), (1, 0, true), "both streams");
        assert_eq!(tried("echo no", "yes"), (0, 1, true));
        assert_eq!(tried("echo anything", ""), (1, 0, true), "a page need not show it");
        assert_eq!(tried("echo '/tmp/x'", "/tmp/x"), (1, 0, true));
        assert_eq!(tried("echo 'cargo test: test result: ok. 0 passed'", ""), (0, 1, true), "it tests nothing");
        assert_eq!(tried("echo 'cargo test: test result: ok. 10 passed'", ""), (1, 0, true));
    }
}
