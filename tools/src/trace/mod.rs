//! What a machine with the boot option `trace=on` prints: names of tasks, and the events of small pieces of work.
//!
//! ```text
//! trace: task 0x1824 is echo
//! trace: part call
//! trace: event 48d159e2 182000000002 8 0
//! ```

pub mod chrome;
pub mod diagram;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use flatmk_abi::{Event, FaultReason};

/// Lines that make no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TraceError {
    /// One that begins as a line of a trace does.
    #[error("the machine printed a line of a trace that makes no sense: `{0}`")]
    Line(String),
    /// No event at all.
    #[error("the machine printed no trace")]
    Nothing,
}

/// A trace.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The names of tasks, by their numbers.
    pub names: BTreeMap<u32, String>,
    /// The pieces of work, in the order in which they were done.
    pub parts: Vec<Part>,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: String,
    /// What has happened, in order.
    pub events: Vec<Event>,
}

impl Trace {
    /// Finds the lines in what a machine wrote to its serial port.
    ///
    /// # Errors
    ///
    /// If one of them makes no sense, or there is no event.
    pub fn read(text: &str) -> Result<Self, TraceError> {
        let mut trace = Self::default();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("trace: ") else { continue };
            trace.add(rest).ok_or_else(|| TraceError::Line(line.to_owned()))?;
        }
        if trace.parts.iter().all(|part| part.events.is_empty()) { Err(TraceError::Nothing) } else { Ok(trace) }
    }

    fn add(&mut self, line: &str) -> Option<()> {
        match line.split_once(' ')? {
            ("task", rest) => {
                let (number, name) = rest.split_once(" is ")?;
                let number = u32::from_str_radix(number.strip_prefix("0x")?, 16).ok()?;
                self.names.insert(number, name.to_owned());
            }
            ("part", name) => self.parts.push(Part { name: name.to_owned(), events: Vec::new() }),
            ("event", words) => {
                let words = words.split(' ').map(|word| u64::from_str_radix(word, 16).ok());
                let words: Vec<u64> = words.collect::<Option<_>>()?;
                self.parts.last_mut()?.events.push(Event::from_words(words.try_into().ok()?)?);
            }
            _ => return None,
        }
        Some(())
    }

    /// The name of a task.
    #[must_use]
    pub fn name(&self, task: u32) -> String {
        self.names.get(&task).cloned().unwrap_or_else(|| format!("task {task:#x}"))
    }
}

/// What a system call is called in a trace: `read clock`.
fn operation_name(event: &Event) -> String {
    event
        .operation()
        .map_or_else(|| format!("operation {}", event.detail), |operation| words(&format!("{operation:?}")))
}

/// What has gone wrong: `page fault`.
fn fault_name(event: &Event) -> String {
    let reason = FaultReason::from_number(event.detail.into());
    match reason {
        Some(FaultReason::Page) => "page fault".to_owned(),
        Some(reason) => format!("fault: {}", words(&format!("{reason:?}"))),
        None => format!("fault {}", event.detail),
    }
}

/// A name of several words, as it is written in a sentence.
fn words(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
