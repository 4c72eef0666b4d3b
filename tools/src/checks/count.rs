//! How many checks passed, and how many did not.

use std::ops::Add;

/// Checks, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that passed.
    pub passed: usize,
    /// Those that did not, for whatever reason.
    pub failed: usize,
}

impl Count {
    pub(super) const PASSED: Count = Count { passed: 1, failed: 0 };

    pub(super) fn failed(failed: usize) -> Self {
        Self { passed: 0, failed }
    }

    /// Counts one check.
    pub(super) fn of(passed: bool) -> Self {
        if passed { Self::PASSED } else { Self::failed(1) }
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
            *self = *self + Self::of(passed);
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
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
    fn lines_of_scripts_are_counted() {
        assert_eq!(count("ok one\nFAILED two\n    ok with that\nokay\n"), (1, 1));
    }
}
