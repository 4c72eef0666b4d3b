//! A piece of work as rows of a sequence diagram: who turns to whom, and after how many ticks.

use std::collections::BTreeMap;

use flatmk_abi::{Event, EventKind};

use super::{Part, fault_name, operation_name};

/// How a row is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A call, or a fault or an interrupt as one.
    Call,
    /// An answer.
    Return,
    /// Neither: another task goes on.
    Switch,
    /// It concerns one task.
    Note,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: Line,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) text: String,
    /// How long `from` has run before.
    pub(super) before: Option<u64>,
    /// How long the kernel took until `to` goes on.
    pub(super) kernel: Option<u64>,
}

/// The tasks that an event names.
pub(super) fn tasks_of(event: &Event) -> Vec<u32> {
    match event.kind {
        EventKind::Lost => vec![],
        EventKind::Call | EventKind::Wait | EventKind::Return | EventKind::Fault | EventKind::Switch => {
            let mut tasks = vec![event.task, event.first as u32];
            if event.kind == EventKind::Switch {
                tasks.reverse();
            }
            tasks
        }
        _ => vec![event.task],
    }
}

/// The tasks of a piece of work, in the order in which they come up.
pub(super) fn tasks(part: &Part) -> Vec<u32> {
    let mut tasks = Vec::new();
    for task in part.events.iter().flat_map(tasks_of) {
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }
    tasks
}

/// What is known while the events are gone through.
#[derive(Default)]
struct Reader {
    rows: Vec<Row>,
    /// Since when each task runs.
    since: BTreeMap<u32, u64>,
    /// When the kernel was entered last, and how long the task had run that did it.
    entered: Option<(u64, Option<u64>)>,
    /// What is to be said of the next switch: how it is drawn, and why it happens.
    next: Option<(Line, String)>,
}

/// The rows of a piece of work.
pub(super) fn rows(part: &Part) -> Vec<Row> {
    let mut reader = Reader::default();
    part.events.iter().for_each(|event| reader.add(event));
    reader.rows
}

impl Reader {
    fn enter(&mut self, event: &Event) {
        let before = self.since.remove(&event.task).map(|since| event.time.saturating_sub(since));
        self.entered = Some((event.time, before));
    }

    fn note(&mut self, task: u32, text: String) {
        self.rows.push(Row { line: Line::Note, from: task, to: task, text, before: None, kernel: None });
    }

    fn add(&mut self, event: &Event) {
        let task = event.task;
        match event.kind {
            EventKind::Lost => self.note(task, format!("{} events are lost", event.first)),
            EventKind::SystemCall => {
                self.enter(event);
                self.next = Some((Line::Switch, operation_name(event)));
            }
            EventKind::Failure => {
                let error = event.error().map_or_else(|| event.detail.to_string(), |error| format!("{error:?}"));
                self.note(task, format!("failed: {error}"));
            }
            EventKind::Call => self.next = Some((Line::Call, "call".to_owned())),
            EventKind::Return => self.next = Some((Line::Return, "return".to_owned())),
            EventKind::Wait => self.next = Some((Line::Switch, "waits for its turn".to_owned())),
            EventKind::Fault => {
                // The kernel was entered a little before.
                self.enter(event);
                self.next = Some((Line::Call, fault_name(event)));
            }
            EventKind::Stop => {
                self.note(task, format!("stopped: {}", fault_name(event)));
                self.next = None;
            }
            EventKind::Interrupt => {
                self.enter(event);
                self.note(task, format!("interrupt {}", event.detail));
                self.next = Some((Line::Switch, "interrupt".to_owned()));
            }
            EventKind::Handle => self.next = Some((Line::Call, format!("interrupt {}", event.detail))),
            EventKind::Switch => self.switch(event),
        }
    }

    fn switch(&mut self, event: &Event) {
        let (line, text) = self.next.take().unwrap_or((Line::Switch, String::new()));
        let (before, kernel) = match self.entered.take() {
            Some((entered, before)) => (before, Some(event.time.saturating_sub(entered))),
            None => (None, None),
        };
        let (from, to) = (event.first as u32, event.task);
        self.since.insert(to, event.time);
        self.rows.push(Row { line, from, to, text, before, kernel });
    }
}
