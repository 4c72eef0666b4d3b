//! The trace in the format of Chrome's tracing, which <https://ui.perfetto.dev> reads as well ("Trace Event Format", the JSON object format).
//!
//! Each piece of work is a process there, each task a thread of it, and the processor, with who runs on it, another one. A call is a slice of its caller and
//! one of its callee, with an arrow from one to the other.

use flatmk_abi::{Event, EventKind};
use serde_json::{Value, json};

use super::{Part, Trace, fault_name, operation_name};

/// The thread that stands for the processor. No task has this number: page 0 is none of its.
const PROCESSOR: u32 = 0;

/// A call that was not answered yet.
struct Open {
    caller: u32,
    callee: u32,
}

/// What one process becomes.
struct Writer<'a> {
    trace: &'a Trace,
    process: usize,
    start: u64,
    events: Vec<Value>,
    open: Vec<Open>,
    running: Option<u32>,
    arrows: usize,
}

/// The whole trace as one JSON object. A tick of the time stamp counter is shown as a nanosecond.
#[must_use]
pub fn json(trace: &Trace) -> Value {
    let events: Vec<Value> =
        trace.parts.iter().enumerate().flat_map(|(index, part)| process(trace, index, part)).collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ns" })
}

fn process(trace: &Trace, index: usize, part: &Part) -> Vec<Value> {
    let start = part.events.iter().map(|event| event.time).find(|&time| time != 0).unwrap_or_default();
    let mut writer =
        Writer { trace, process: index + 1, start, events: Vec::new(), open: Vec::new(), running: None, arrows: 0 };
    writer.name("process_name", None, &part.name);
    writer.name("thread_name", Some(PROCESSOR), "processor");
    let mut tasks: Vec<u32> = part.events.iter().flat_map(super::rows::tasks_of).collect();
    tasks.sort_unstable();
    tasks.dedup();
    for task in tasks {
        writer.name("thread_name", Some(task), &trace.name(task));
    }
    part.events.iter().for_each(|event| writer.add(event));
    writer.close(part.events.iter().map(|event| event.time).max().unwrap_or_default());
    writer.events
}

impl Writer<'_> {
    fn name(&mut self, kind: &str, thread: Option<u32>, name: &str) {
        let thread = thread.map_or(json!(null), |thread| json!(thread));
        self.events
            .push(json!({ "ph": "M", "name": kind, "pid": self.process, "tid": thread, "args": { "name": name } }));
    }

    /// An event of this phase at a time.
    fn push(&mut self, phase: &str, thread: u32, time: u64, name: &str, more: &Value) {
        let microseconds = time.saturating_sub(self.start) as f64 / 1000.0;
        let mut event = json!({ "ph": phase, "pid": self.process, "tid": thread, "ts": microseconds, "name": name, "cat": "flatmk" });
        if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
            event.extend(more.clone());
        }
        self.events.push(event);
    }

    fn instant(&mut self, event: &Event, name: &str) {
        self.push("i", event.task, event.time, name, &json!({ "s": "t" }));
    }

    fn add(&mut self, event: &Event) {
        let other = event.first as u32;
        match event.kind {
            EventKind::Lost => {
                let text = format!("{} events are lost", event.first);
                self.push("i", PROCESSOR, event.time, &text, &json!({ "s": "p" }));
            }
            EventKind::SystemCall => self.instant(event, &operation_name(event)),
            EventKind::Failure => {
                let error = event.error().map_or_else(|| event.detail.to_string(), |error| format!("{error:?}"));
                self.instant(event, &format!("failed: {error}"));
            }
            EventKind::Call => self.begin(event, "call", other),
            EventKind::Fault => self.begin(event, &fault_name(event), other),
            EventKind::Wait => self.instant(event, &format!("waits for {}", self.trace.name(other))),
            EventKind::Stop => self.instant(event, &format!("stopped: {}", fault_name(event))),
            EventKind::Interrupt => self.instant(event, &format!("interrupt {}", event.detail)),
            EventKind::Handle => self.instant(event, &format!("handles interrupt {}", event.detail)),
            EventKind::Return => self.end(event.time, other),
            EventKind::Switch => {
                self.leave_processor(event.time);
                self.push("B", PROCESSOR, event.time, &self.trace.name(event.task), &json!({}));
                self.running = Some(event.task);
            }
        }
    }

    fn leave_processor(&mut self, time: u64) {
        if let Some(task) = self.running.take() {
            self.push("E", PROCESSOR, time, &self.trace.name(task), &json!({}));
        }
    }

    fn begin(&mut self, event: &Event, what: &str, callee: u32) {
        let caller = event.task;
        self.push("B", caller, event.time, &format!("{what}: {}", self.trace.name(callee)), &json!({}));
        self.push("B", callee, event.time, &format!("for {}", self.trace.name(caller)), &json!({}));
        self.arrows += 1;
        let id = self.process * 1_000_000 + self.arrows;
        self.push("s", caller, event.time, what, &json!({ "id": id }));
        self.push("f", callee, event.time, what, &json!({ "id": id, "bp": "e" }));
        self.open.push(Open { caller, callee });
    }

    /// The last call of a caller is answered.
    fn end(&mut self, time: u64, caller: u32) {
        let Some(index) = self.open.iter().rposition(|open| open.caller == caller) else { return };
        let Open { caller, callee } = self.open.remove(index);
        for task in [callee, caller] {
            self.push("E", task, time, "", &json!({}));
        }
    }

    /// Whatever has begun ends with the trace.
    fn close(&mut self, time: u64) {
        while let Some(Open { caller, .. }) = self.open.last() {
            self.end(time, *caller);
        }
        self.leave_processor(time);
    }
}
