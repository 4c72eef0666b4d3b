use std::collections::BTreeMap;

use flatmk_abi::EventKind::{self, Call, Failure, Fault, Return, Switch, SystemCall};
use flatmk_abi::{Error, Event, FaultReason, Operation};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn event(time: u64, kind: EventKind, detail: u32, task: u32, first: u64) -> Event {
    Event { time, kind, detail, task, first, second: 0 }
}

/// A call of task 1 to task 2, which faults once; task 3 mends that.
fn some_trace() -> Trace {
    let events = vec![
        event(100, SystemCall, Operation::Call as u32, 1, 8),
        event(110, Call, 0, 1, 2),
        event(130, Switch, 0, 2, 1),
        event(150, Fault, FaultReason::Page as u32, 2, 3),
        event(160, Switch, 0, 3, 2),
        event(170, SystemCall, Operation::Return as u32, 3, 0),
        event(180, Return, 0, 3, 2),
        event(190, Switch, 0, 2, 3),
        event(200, SystemCall, Operation::Return as u32, 2, 0),
        event(210, Return, 0, 2, 1),
        event(220, Switch, 0, 1, 2),
        event(230, SystemCall, Operation::Poll as u32, 1, 9),
        event(240, Failure, Error::WrongKind.status().unsigned_abs() as u32, 1, 0),
    ];
    let names = [(1, "client"), (2, "server <a & b>")].map(|(number, name)| (number, name.to_owned()));
    Trace { names: names.into(), parts: vec![Part { name: "call".to_owned(), events }] }
}

/// The lines that the root task prints.
fn lines(trace: &Trace) -> String {
    let names = trace.names.iter().map(|(number, name)| format!("trace: task {number:#x} is {name}\n"));
    let parts = trace.parts.iter().map(|part| {
        let events = part.events.iter().map(|event| {
            let [a, b, c, d] = event.to_words();
            format!("trace: event {a:x} {b:x} {c:x} {d:x}\n")
        });
        format!("trace: part {}\n{}", part.name, events.collect::<String>())
    });
    names.chain(parts).collect()
}

#[test]
fn lines_are_read_among_others() {
    let trace = some_trace();
    let text = format!("FlatMk\n{}root task: done\n", lines(&trace));
    assert_eq!(Trace::read(&text), Ok(trace));
}

#[test]
fn lines_that_make_no_sense_are_named() {
    for bad in
        ["trace: event 1 2 3", "trace: part", "trace: task 7 is x", "trace: event 1 ff 0 0", "trace: something 1"]
    {
        let text = format!("trace: part call\n{bad}\n");
        assert_eq!(Trace::read(&text), Err(TraceError::Line(bad.to_owned())));
    }
    assert_eq!(Trace::read("trace: event 1 2 0 0\n"), Err(TraceError::Line("trace: event 1 2 0 0".to_owned())));
    assert_eq!(Trace::read("FlatMk\n"), Err(TraceError::Nothing));
}

/// Checks what the format asks for: each event has a phase that is one, a process and a thread; times do not go back; each slice that begins ends, on its
/// thread; each arrow that starts arrives.
fn check_format(json: &Value) {
    let mut depths: BTreeMap<(u64, u64), i64> = BTreeMap::new();
    let mut arrows: BTreeMap<u64, i64> = BTreeMap::new();
    let mut times: BTreeMap<u64, f64> = BTreeMap::new();
    for event in json["traceEvents"].as_array().expect("a list") {
        let (phase, process) = (event["ph"].as_str().expect("a phase"), event["pid"].as_u64().expect("a process"));
        assert!(event["name"].is_string());
        if phase == "M" {
            assert!(event["args"]["name"].is_string());
            continue;
        }
        let thread = (process, event["tid"].as_u64().expect("a thread"));
        let time = event["ts"].as_f64().expect("a time");
        assert!(time >= times.insert(process, time).unwrap_or(0.0), "{event}");
        match phase {
            "B" => *depths.entry(thread).or_default() += 1,
            "E" => {
                let depth = depths.entry(thread).or_default();
                *depth -= 1;
                assert!(*depth >= 0, "{event} ends nothing");
            }
            "s" => *arrows.entry(event["id"].as_u64().expect("a number")).or_default() += 1,
            "f" => *arrows.entry(event["id"].as_u64().expect("a number")).or_default() -= 1,
            "i" => assert!(matches!(event["s"].as_str(), Some("t" | "p"))),
            other => panic!("phase {other}"),
        }
    }
    assert!(depths.values().all(|&depth| depth == 0), "{depths:?}");
    assert!(arrows.values().all(|&arrow| arrow == 0), "{arrows:?}");
}

#[test]
fn each_slice_ends_and_each_arrow_arrives() {
    let json = chrome::json(&some_trace());
    check_format(&json);
    let names: Vec<&str> =
        json["traceEvents"].as_array().expect("a list").iter().filter_map(|event| event["name"].as_str()).collect();
    for name in ["call: server <a & b>", "for client", "page fault: task 0x3", "poll", "failed: WrongKind"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}

#[test]
fn what_has_not_ended_ends_with_the_trace() {
    let mut trace = some_trace();
    for length in 0..trace.parts[0].events.len() {
        trace.parts[0].events.truncate(some_trace().parts[0].events.len() - length);
        check_format(&chrome::json(&trace));
    }
}

#[test]
fn the_diagram_tells_who_calls_whom_and_what_it_costs() {
    let trace = some_trace();
    let parts: Vec<&Part> = trace.parts.iter().collect();
    assert_eq!(
        diagram::describe(&trace, &parts),
        "call: client to server <a & b>: call, 30 in the kernel; server <a & b> to task 0x3: page fault, 10 in the kernel; \
task 0x3 to server <a & b>: return, 20 in the kernel; server <a & b> to client: return, 20 in the kernel; client: failed: WrongKind."
    );
    check_picture(&diagram::svg(&trace, &parts));
}

/// Checks that each element that is opened is closed, and that no text has a character that begins one.
fn check_picture(svg: &str) {
    let tag = regex::Regex::new(r#"<(/?)([a-z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(/?)>"#).expect("a pattern");
    let mut open = Vec::new();
    for found in tag.captures_iter(svg) {
        match (&found[1], &found[4]) {
            ("/", _) => assert_eq!(open.pop().as_deref(), Some(&found[2])),
            (_, "/") => {}
            _ => open.push(found[2].to_owned()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!tag.replace_all(svg, "").contains(['<', '>']));
    assert!(svg.starts_with("<svg ") && svg.contains("<title") && svg.contains("<desc"));
}

fn any_event() -> impl Strategy<Value = (EventKind, u32, u32, u64)> {
    (prop::sample::select(EventKind::ALL.to_vec()), 0..300_u32, 1..5_u32, 1..5_u64)
}

proptest! {
    /// Whatever a kernel notes, and whatever was lost of it.
    #[test]
    fn any_events_make_a_valid_file_and_picture(events in prop::collection::vec(any_event(), 0..60)) {
        let events = (1..).zip(events).map(|(time, (kind, detail, task, first))| event(10 * time, kind, detail, task, first));
        let trace = Trace { names: BTreeMap::new(), parts: vec![Part { name: "any".to_owned(), events: events.collect() }] };
        check_format(&chrome::json(&trace));
        check_picture(&diagram::svg(&trace, &trace.parts.iter().collect::<Vec<_>>()));
    }
}
