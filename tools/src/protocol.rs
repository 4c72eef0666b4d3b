//! What a kernel says on its serial port: lines of text, among them the results of tests and, last, `[exit N]`.
//!
//! ```text
//! running 2 tests
//! test chapter2::breakpoint_returns ... ok (1234 ticks)
//! test chapter2::other ... FAILED (77 ticks)
//! test result: FAILED. 1 passed; 1 failed
//! [exit 1]
//! ```
//!
//! A test may print lines of its own before its result, so the parser keeps in mind which test is running.

/// The result of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// The name, with the test's module.
    pub name: String,
    /// What became of it.
    pub result: TestEnd,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestEnd {
    /// It passed, after so many ticks of the time stamp counter.
    Passed(u64),
    /// It failed, after so many ticks of the time stamp counter.
    Failed(u64),
    /// It began, and there is no result.
    Unfinished,
}

/// Why a test run is not a success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The kernel never said how many tests it has.
    #[error("the kernel did not announce its tests")]
    NotAnnounced,
    /// It said so twice.
    #[error("the kernel announced its tests more than once")]
    AnnouncedTwice,
    /// Tests failed, hung or did not run.
    #[error("{failed} of {announced} tests failed or did not run")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        announced: usize,
    },
    /// More results than announced tests.
    #[error("{results} results of {announced} tests")]
    TooManyResults {
        /// So many.
        results: usize,
        /// Of so many.
        announced: usize,
    },
    /// The kernel counted differently.
    #[error("the kernel's summary does not match its results")]
    SummaryDiffers,
    /// The status does not say success.
    #[error("the kernel ended with status {0}")]
    Status(u8),
    /// No `[exit N]`.
    #[error("the kernel did not end the run")]
    NoExit,
}

/// Reads the serial output as it comes.
#[derive(Debug, Default)]
pub struct Parser {
    text: String,
    line: Vec<u8>,
    /// How many bytes of the unfinished line have been handed out for showing.
    shown: usize,
    announced: Option<usize>,
    announcements: usize,
    results: Vec<TestResult>,
    summary: Option<(usize, usize)>,
    exit: Option<u8>,
    stopped: bool,
    progress: u64,
}

const EXIT: &[u8] = b"[exit ";

impl Parser {
    /// Takes the next bytes and returns those to show: all but the `[exit N]` line.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut show = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if !self.finish_line(&line) {
                    show.extend(line.get(self.shown..).unwrap_or_default());
                }
                self.shown = 0;
            } else if !may_become_exit(&self.line) {
                show.extend(self.line.get(self.shown..).unwrap_or_default());
                self.shown = self.line.len();
            }
        }
        show
    }

    /// Whether the line is the last one, `[exit N]`.
    fn finish_line(&mut self, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(status) = exit_status(line) {
            self.exit = Some(status);
            self.progress += 1;
            return true;
        }
        self.text.push_str(line);
        self.text.push('\n');
        if let Some(count) = announcement(line) {
            self.announced = Some(count);
            self.announcements += 1;
            self.progress += 1;
        } else if let Some(summary) = summary(line) {
            self.summary = Some(summary);
            self.progress += 1;
        } else {
            self.test_line(line);
        }
        self.stopped |= line.starts_with("FlatMk stopped:");
        false
    }

    fn test_line(&mut self, line: &str) {
        if let Some((name, rest)) = test_start(line) {
            let result = test_end(rest).unwrap_or(TestEnd::Unfinished);
            self.results.push(TestResult { name: name.to_owned(), result });
            self.progress += 1;
        } else if let Some(result) = test_end(line)
            && let Some(test) = self.results.last_mut().filter(|test| test.result == TestEnd::Unfinished)
        {
            test.result = result;
            self.progress += 1;
        }
    }

    /// All text so far, without `[exit N]`, with the line that is not finished yet.
    #[must_use]
    pub fn text(&self) -> String {
        if may_become_exit(&self.line) {
            self.text.clone()
        } else {
            self.text.clone() + &String::from_utf8_lossy(&self.line)
        }
    }

    /// A number that grows with each line of the protocol.
    #[must_use]
    pub fn progress(&self) -> u64 {
        // The start of a test does not end its line.
        self.progress + u64::from(self.running_in_line().is_some())
    }

    fn running_in_line(&self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.line);
        test_start(&line).map(|(name, _)| name.to_owned())
    }

    /// The test that is running.
    #[must_use]
    pub fn running(&self) -> Option<String> {
        self.running_in_line().or_else(|| {
            let test = self.results.last()?;
            (test.result == TestEnd::Unfinished && self.exit().is_none()).then(|| test.name.clone())
        })
    }

    /// The status of the `[exit N]` line.
    #[must_use]
    pub fn exit(&self) -> Option<u8> {
        // An emulator may end before it has sent the end of the line.
        self.exit.or_else(|| exit_status(std::str::from_utf8(&self.line).ok()?.trim_end()))
    }

    /// Whether the kernel's panic screen appeared.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// How many tests the kernel announced.
    #[must_use]
    pub fn announced(&self) -> Option<usize> {
        self.announced
    }

    /// The results, in order, and the test that is running, if any.
    #[must_use]
    pub fn results(&self) -> Vec<TestResult> {
        let running = self.running_in_line().map(|name| TestResult { name, result: TestEnd::Unfinished });
        self.results.iter().cloned().chain(running).collect()
    }

    /// The number of tests that passed and of those that did not, each announced test counted.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let results = self.results();
        let passed = results.iter().filter(|test| matches!(test.result, TestEnd::Passed(_))).count();
        let total = results.len().max(self.announced.unwrap_or(0));
        (passed, total - passed)
    }

    /// Whether a test kernel did all it announced, successfully.
    ///
    /// # Errors
    ///
    /// The first reason why not.
    pub fn verdict(&self) -> Result<(), Fault> {
        let announced = self.announced.ok_or(Fault::NotAnnounced)?;
        let (passed, failed) = self.counts();
        let results = self.results().len();
        if failed > 0 && results <= announced {
            return Err(Fault::Failed { failed, announced });
        }
        if self.announcements > 1 {
            return Err(Fault::AnnouncedTwice);
        }
        if results > announced {
            return Err(Fault::TooManyResults { results, announced });
        }
        if self.summary != Some((passed, failed)) {
            return Err(Fault::SummaryDiffers);
        }
        match self.exit() {
            Some(0) => Ok(()),
            Some(status) => Err(Fault::Status(status)),
            None => Err(Fault::NoExit),
        }
    }
}

fn may_become_exit(line: &[u8]) -> bool {
    let known = line.len().min(EXIT.len());
    if line.get(..known) != EXIT.get(..known) {
        return false;
    }
    let number = line.get(EXIT.len()..).unwrap_or_default();
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits <= 3 && matches!(number.get(digits..), Some([] | b"]" | b"]\r"))
}

fn exit_status(line: &str) -> Option<u8> {
    line.strip_prefix("[exit ")?.strip_suffix(']')?.parse().ok()
}

/// `running N tests` or `running 1 test`.
fn announcement(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test"))?.parse().ok()
}

/// `test result: ok. P passed; F failed`.
fn summary(line: &str) -> Option<(usize, usize)> {
    let rest = line.strip_prefix("test result: ")?;
    let (_, rest) = rest.split_once(". ")?;
    let (passed, rest) = rest.split_once(" passed; ")?;
    let (failed, _) = rest.split_once(" failed")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

/// `test NAME ... REST`.
fn test_start(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ...")?;
    (!name.is_empty() && !name.starts_with("result:")).then_some((name, rest.trim_start()))
}

/// `... ok (N ticks)` or `... FAILED (N ticks)`.
fn test_end(line: &str) -> Option<TestEnd> {
    let (rest, ticks) = line.strip_suffix(" ticks)")?.rsplit_once(" (")?;
    let ticks = ticks.parse().ok()?;
    if rest.ends_with("ok") {
        Some(TestEnd::Passed(ticks))
    } else if rest.ends_with("FAILED") {
        Some(TestEnd::Failed(ticks))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
