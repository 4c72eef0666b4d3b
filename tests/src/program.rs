//! Programs of the host, run with a time limit.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use flatmk_tools::workspace;

/// A program to run, with no terminal, in the folder of the checkout.
#[must_use]
pub struct Program(Command);

/// How it ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    code: Option<i32>,
    output: String,
    errors: String,
}

impl Program {
    /// A program by its file.
    pub fn new(file: impl AsRef<Path>) -> Self {
        let mut command = Command::new(file.as_ref());
        command.stdin(Stdio::null()).current_dir(workspace::root());
        Self(command)
    }

    /// More arguments.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(arguments);
        self
    }

    /// One more argument.
    pub fn argument(self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments([argument])
    }

    /// An environment variable.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it to its end, at most so long.
    pub fn run(mut self, limit: Duration) -> Finished {
        // Files take any amount; a pipe that nobody reads would stop it.
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let [output, errors] = ["output", "errors"].map(|name| folder.path().join(name));
        let create = |path| File::create(path).expect("temporary files can be written");
        let mut child = self.0.stdout(create(&output)).stderr(create(&errors)).spawn().expect("the program starts");
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait().expect("it is a child of this program") {
                break Some(status);
            }
            if Instant::now() > deadline {
                // It ends what it started.
                child.kill().expect("it is a child of this program");
                child.wait().expect("it is a child of this program");
                break None;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let read = |path| String::from_utf8_lossy(&fs::read(path).expect("the file was just written")).into_owned();
        let finished =
            Finished { code: status.and_then(|status| status.code()), output: read(&output), errors: read(&errors) };
        assert!(status.is_some(), "still running after {} s: {finished}", limit.as_secs());
        finished
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "exit code {:?}\nstdout:\n{}\nstderr:\n{}", self.code, self.output, self.errors)
    }
}

impl Finished {
    /// Fails unless it ended with this exit code.
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert!(self.code == Some(code), "exit code {code} was expected\n{self}");
    }

    /// What it wrote to stdout.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// What it wrote to stderr.
    pub fn errors(&self) -> &str {
        &self.errors
    }

    /// Fails unless stdout has this text.
    #[track_caller]
    pub fn assert_printed(&self, text: &str) {
        assert!(self.output.contains(text), "{text:?} was expected on stdout\n{self}");
    }

    /// Fails unless stderr has this text.
    #[track_caller]
    pub fn assert_complained(&self, text: &str) {
        assert!(self.errors.contains(text), "{text:?} was expected on stderr\n{self}");
    }

    /// Fails unless it ended with exit code 1 after one line on stderr, which has these words.
    #[track_caller]
    pub fn assert_one_sentence(&self, words: &str) {
        self.assert_code(1);
        self.assert_complained(words);
        let lines = self.errors.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines == 1, "one line was expected on stderr\n{self}");
    }
}
