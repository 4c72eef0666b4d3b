//! The exercises, as a learner does them: in a clone of the checkout, with nothing but what the pages say.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{fs, thread};

use flatmk_tests::built;
use flatmk_tests::machines::Seat;
use flatmk_tests::program::{Finished, Program};
use flatmk_tests::shown;
use flatmk_tools::workspace::{self, CHECKOUT};
use tempfile::TempDir;
use walkdir::{DirEntry, WalkDir};

/// The kernel is built for each check, and others build at the same time.
const LIMIT: Duration = Duration::from_secs(600);

/// A copy of the checkout as a repository of its own, in a folder with a space in its name.
struct Clone(TempDir);

impl Clone {
    fn make() -> Self {
        let clone = Self(tempfile::tempdir().expect("a folder"));
        let is_source = |entry: &DirEntry| !["target", ".git", "output"].iter().any(|name| entry.file_name() == *name);
        for entry in WalkDir::new(workspace::root()).into_iter().filter_entry(is_source) {
            let entry = entry.expect("the checkout can be read");
            let inner = entry.path().strip_prefix(workspace::root()).expect("it is within");
            let copy = clone.path("").join(inner);
            if entry.file_type().is_dir() {
                fs::create_dir_all(copy).expect("a folder");
            } else {
                fs::copy(entry.path(), copy).expect("a file");
            }
        }
        let identity = ["-c", "user.name=A", "-c", "user.email=a@localhost"];
        for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "All"]] {
            let git = Command::new("git").current_dir(clone.path("")).args(identity).args(arguments).status();
            assert!(git.expect("git runs").success(), "git {arguments:?}");
        }
        clone
    }

    fn path(&self, added: &str) -> PathBuf {
        self.0.path().join(format!("my flatmk{added}"))
    }

    fn flatmk(&self, arguments: &[&str]) -> Finished {
        Program::new(built::host_program()).arguments(arguments).variable(CHECKOUT, self.path("")).run(LIMIT)
    }

    /// Writes a body in the place of what there is to do in the source as it was at first.
    fn write_steps(&self, file: &str, bodies: &[(&str, String)]) {
        let source = fs::read_to_string(self.path("").join(file)).expect("the file of the step");
        let copy = self.path("-chapter3").join(file);
        let mut text = fs::read_to_string(&copy).expect("the file of the step");
        assert_ne!(text, source);
        for (step, body) in bodies {
            let todo = format!("todo!(\"exercise 3.{step}\")\n");
            assert!(text.contains(&todo), "{text}");
            text = text.replace(&todo, body);
        }
        fs::write(copy, text).expect("it can be written");
    }

    /// Fails unless the page shows what was printed.
    #[track_caller]
    fn assert_shown(&self, command: &str, printed: &Finished) {
        let folder = self.path("-chapter3").display().to_string();
        let printed = printed.output().replace(&folder, "/home/you/flatmk-chapter3");
        shown::assert_agrees(&shown::below("learning.md", command), &printed);
    }

    /// The body that the kernel has.
    fn solution(&self, number: &str) -> String {
        let shown = self.flatmk(&["learn", "3", "--solution", number]);
        shown.assert_code(0);
        let (_, body) = shown.output().split_once(":\n\n").expect("a heading and the body");
        body.to_owned()
    }
}

/// `./x check --watch`, until it is dropped.
struct Watch {
    process: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(clone: &Clone) -> Self {
        let mut command = Command::new(built::host_program());
        command
            .args(["check", "3", "--watch"])
            .env(CHECKOUT, clone.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines }
    }

    /// Waits for a line that begins so.
    #[track_caller]
    fn wait_for(&self, beginning: &str) {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line.starts_with(beginning) => return,
                Ok(_) => {}
                Err(error) => panic!("no line `{beginning}…`: {error}"),
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const REGION: &str = "kernel/src/memory/region.rs";
const SPACE: &str = "kernel/src/memory/space.rs";
const FAULT: &str = "kernel/src/memory/explanation.rs";

#[test]
fn chapter_3_is_learnt_from_the_first_step_to_the_last() {
    let _seat = Seat::take();
    let clone = Clone::make();
    clone.flatmk(&["check"]).assert_one_sentence("no exercises have begun: ./x learn N");
    clone.flatmk(&["learn"]).assert_printed("No exercises have begun.");

    let begun = clone.flatmk(&["learn", "3"]);
    begun.assert_code(0);
    clone.assert_shown("./x learn 3", &begun);
    begun
        .assert_printed("my flatmk-chapter3, 5 steps:\n  3.1  Take a page from a region (kernel/src/memory/region.rs)");

    // A check says what is expected, what happens, and more and more.
    for hint in ["Hint 1 of 3: A page that came back", "Hint 2 of 3: There are three cases"] {
        let check = clone.flatmk(&["check"]);
        check.assert_code(1);
        check.assert_printed("  3.1  Take a page from a region: not yet\n");
        check.assert_printed("Expected: taking and giving back keeps the count\n");
        check.assert_printed("not yet implemented: exercise 3.1");
        check.assert_printed(hint);
        check.assert_printed("0 of 5 steps have passed.");
    }

    // A body that does not compile is one that the compiler explains.
    let wrong = "\"not a page\"; // todo!(\"exercise 3.1\")\n";
    clone.write_steps(REGION, &[("1", wrong.to_owned())]);
    let check = clone.flatmk(&["check"]);
    check.assert_code(1);
    check.assert_printed("It does not build:");
    check.assert_printed("mismatched types");
    assert!(!check.output().contains("warning"), "{check}");

    clone.write_steps(REGION, &[("1", format!("\n{}", clone.solution("1")))]);
    let check = clone.flatmk(&["check"]);
    check.assert_code(1);
    check.assert_printed("  3.1  Take a page from a region: passed\n  3.2  Walk through the page tables: not yet\n");
    clone.assert_shown("./x check", &check);
    clone.flatmk(&["learn", "3"]).assert_printed("1 of 5 steps have passed.");

    let mut watch = Watch::start(&clone);
    watch.wait_for("1 of 5 steps have passed.");
    watch.wait_for("waiting for a change in ");
    clone.write_steps(SPACE, &["2", "3", "4"].map(|step| (step, clone.solution(step))));
    clone.write_steps(FAULT, &[("5", clone.solution("5"))]);
    watch.wait_for("All 5 steps of chapter 3 have passed.");
    assert!(watch.process.wait().expect("it is a child of this program").success());
    clone.flatmk(&["check", "3"]).assert_printed("All 5 steps of chapter 3 have passed.");
    clone.flatmk(&["learn"]).assert_printed("chapter 3: 5 of 5 steps have passed");
    // Nothing of it is lost.
    clone.flatmk(&["learn", "3", "--anew"]).assert_one_sentence("has changes that are not committed");
}

#[test]
fn what_is_no_exercise_is_said_in_a_sentence() {
    let clone = Clone::make();
    clone.flatmk(&["learn", "13"]).assert_one_sentence("there are chapters 1 to 12");
    clone.flatmk(&["learn", "three"]).assert_one_sentence("there are chapters 1 to 12");
    clone.flatmk(&["learn", "3", "--solution", "0"]).assert_one_sentence("chapter 3 has steps 1 to 5");
    clone.flatmk(&["learn", "3", "--solution", "6"]).assert_one_sentence("chapter 3 has steps 1 to 5");
    clone.flatmk(&["learn", "--anew"]).assert_one_sentence("required arguments were not provided");
    clone.flatmk(&["check", "3"]).assert_one_sentence("the exercises of chapter 3 have not begun: ./x learn 3");
    let there = clone.path("");
    clone.flatmk(&["learn", "3", "--folder", &there.display().to_string()]).assert_one_sentence("is there already");
}
