//! A machine with the shell's prompt, and somebody who types.

use std::time::Duration;

use flatmk_tools::machine::{Clock, Machine, Outcome, Running};

use crate::built;
use crate::machines::{Seat, TIME_LIMIT, start};

/// What the shell says when it is ready for a line.
pub const PROMPT: &str = "flatmk> ";

/// How long a command may take. Benchmarks take longest.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// On the keyboard of the machine.
    Keyboard,
    /// At the other end of the serial line.
    Serial,
}

/// A machine at its prompt.
pub struct Shell {
    /// The machine.
    pub running: Running,
    keys: Keys,
    /// How much of the output was looked at.
    seen: usize,
    _seat: Seat,
}

impl Shell {
    /// The machine that is usual, with the last chapter's kernel.
    pub fn machine() -> Machine {
        let machine = Machine::new(built::chapter(flatmk_tools::LAST_CHAPTER)).clock(Clock::Interactive);
        machine.boot_option("interactive", "yes").boot_option("demonstration", "no")
    }

    /// Boots the usual machine.
    pub fn boot(keys: Keys) -> Self {
        Self::boot_machine(&Self::machine(), keys)
    }

    /// Boots a machine to its prompt.
    pub fn boot_machine(machine: &Machine, keys: Keys) -> Self {
        let seat = Seat::take();
        let mut shell = Self { running: start(machine), keys, seen: 0, _seat: seat };
        shell.wait_for(PROMPT, TIME_LIMIT);
        shell
    }

    /// Types, without Enter.
    #[track_caller]
    pub fn type_keys(&mut self, text: &str) {
        match self.keys {
            Keys::Keyboard => self.running.type_text(text).expect("QEMU takes keys"),
            Keys::Serial => self.send(text.as_bytes()),
        }
    }

    /// Presses Enter.
    #[track_caller]
    pub fn press_enter(&mut self) {
        self.type_keys(if self.keys == Keys::Serial { "\r" } else { "\n" });
    }

    /// Sends bytes on the serial line.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.running.serial_input().send(bytes.to_vec()).expect("the machine is running");
    }

    /// Waits for a text in what is new, and returns all that came before it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> String {
        if let Err(error) = self.running.wait_for_behind(self.seen, text, limit) {
            panic!("{error}; there was:\n{}", self.running.text());
        }
        let all = self.running.text();
        let new = all.get(self.seen..).unwrap_or_default();
        let found = new.find(text).expect("it was found");
        let before = new.get(..found).unwrap_or_default().to_owned();
        self.seen += found + text.len();
        before
    }

    /// Waits until nothing new comes, and forgets all that has come.
    pub fn quiet(&mut self) {
        const QUIET: Duration = Duration::from_millis(700);
        loop {
            let before = self.running.text().len();
            // Nothing has this text.
            let _ = self.running.wait_for_behind(before, "\u{0}", QUIET);
            self.seen = self.running.text().len();
            if self.seen == before {
                return;
            }
        }
    }

    /// Gives up whatever was typed, and waits until the shell has read it all: on a busy machine quiet alone does not show that.
    #[track_caller]
    pub fn settle(&mut self) {
        const LINE: &[u8] = b"\x03call echo 4711 4712\r";
        const ANSWER: &str = "4711 4712 0 0";
        for _ in 0..10 {
            self.quiet();
            self.send(LINE);
            // What comes while there is no room for it is lost, or it was the end of something.
            if self.running.wait_for_behind(self.seen, ANSWER, LIMIT / 10).is_ok() {
                return self.quiet();
            }
        }
        panic!("the shell does not answer; there was:\n{}", self.running.text());
    }

    /// Types a line, and returns what the shell says until its next prompt.
    #[track_caller]
    pub fn command(&mut self, line: &str) -> String {
        self.type_keys(line);
        self.finish(line)
    }

    /// Presses Enter behind a line that was typed, and returns what the shell says.
    #[track_caller]
    pub fn finish(&mut self, line: &str) -> String {
        self.wait_for(line, LIMIT);
        self.press_enter();
        self.wait_for("\n", LIMIT);
        self.wait_for(PROMPT, LIMIT).replace('\r', "")
    }

    /// Types a line whose answer has this text.
    #[track_caller]
    pub fn expect(&mut self, line: &str, text: &str) -> String {
        let answer = self.command(line);
        assert!(answer.contains(text), "`{line}` is answered without {text:?}:\n{answer}");
        answer
    }

    /// Types a line that ends the run.
    pub fn end(mut self, line: &str) -> Outcome {
        self.type_keys(line);
        self.press_enter();
        self.running.wait(TIME_LIMIT)
    }
}
