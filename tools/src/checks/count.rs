//! How many checks passed, and how many did not.

use std::ops::Add;

/// How much of what a check said is shown again at the end, in lines and in characters of each.
const LINES: usize = 8;
const LINE_LENGTH: usize = 200;

/// Checks, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that passed.
    pub passed: usize,
    /// Those that did not, for whatever reason.
    pub failed: usize,
    /// What those that did not pass said, a line each, to be shown again at the end.
    pub said: Vec<String>,
}

impl Count {
    pub(super) fn passed(passed: usize) -> Self {
        Self { passed, ..Self::default() }
    }

    pub(super) fn failed(failed: usize) -> Self {
        Self { failed, ..Self::default() }
    }

    /// Counts one check.
    pub(super) fn of(passed: bool) -> Self {
        if passed { Self::passed(1) } else { Self::failed(1) }
    }

    /// Notes the last lines of what a check said, if it failed.
    pub(super) fn saying(mut self, text: &str) -> Self {
        if self.failed > 0 {
            let lines: Vec<_> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES).collect();
            self.said.extend(lines.into_iter().rev().map(|line| line.chars().take(LINE_LENGTH).collect()));
        }
        self
    }

    /// Reads a line of output: `test NAME ... ok` as the test programs of Rust print it, `ok NAME` as the scripts do. A test
    /// that was ignored was not run, so it has not passed.
    pub(super) fn read_line(&mut self, line: &str) {
        let line = line.trim_end();
        let verdict = match line.strip_prefix("test ") {
            Some(rest) => rest.rsplit_once(" ... ").map(|(_, verdict)| verdict == "ok"),
            None if line.starts_with("ok ") => Some(true),
            None if line.starts_with("FAILED ") => Some(false),
            None => None,
        };
        if let Some(passed) = verdict {
            *self = std::mem::take(self) + Self::of(passed).saying(line);
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.said.extend(other.said);
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed, said: self.said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(output: &str) -> (usize, usize) {
        let mut count = Count::default();
        output.lines().for_each(|line| count.read_line(line));
        (count.passed, count.failed)
    }

    #[test]
    fn lines_of_rust_tests_are_counted() {
        let output = "running 3 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d - should panic ... ok\n\ntest result: FAILED. 2 passed; 1 failed\n";
        assert_eq!(count(output), (2, 1));
    }

    #[test]
    fn an_ignored_test_has_not_passed() {
        assert_eq!(count("test a ... ignored\ntest b ... ignored, slow\n"), (0, 2));
    }

    #[test]
    fn those_that_failed_are_shown_again() {
        let mut count = Count::default();
        ["test a ... ok", "test b ... FAILED"].iter().for_each(|line| count.read_line(line));
        assert_eq!(count.said, ["test b ... FAILED"]);
        let long = "word ".repeat(100) + "\n\n" + &"line\n".repeat(20);
        assert_eq!(Count::failed(3).saying(&long).said, ["line"; LINES]);
        assert_eq!(Count::failed(3).saying(&"a".repeat(1000)).said, ["a".repeat(LINE_LENGTH)]);
        assert!(Count::passed(1).saying(&long).said.is_empty(), "only of those");
    }

    #[test]
    fn lines_of_scripts_are_counted() {
        assert_eq!(count("ok one\nFAILED two\n    ok with that\nokay\n"), (1, 1));
    }
}
