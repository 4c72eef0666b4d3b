//! The results as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use flatmk_pipes::{Contestant, Limits, Placement};
use serde_json::{Value, json};

use super::limit::PARTS;
use super::summary::{Compared, Measured, Quartiles, Report};

/// The results for a reader.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    for (placement, title) in
        [(Placement::OneCore, "both ends on one core"), (Placement::TwoCores, "each end on a core of its own")]
    {
        let rows: Vec<&Compared> = report.rows.iter().filter(|row| row.row.ours.placement == placement).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{:<44} {:>24} {:>24}  ratio (quartiles)", title, "ns for an item", "ns for an item");
        for row in rows {
            let (name, ours, theirs) = (name(row), of(&row.ours), of(&row.theirs));
            let Quartiles { first, median, third } = row.ratio;
            let [first, median, third] = [first, median, third].map(figure);
            let _ = writeln!(text, "{name:<44} {ours:>24} {theirs:>24}  {median} ({first} to {third})");
        }
        text.push('\n');
    }
    text.push_str(&limits(report));
    text
}

/// What is sent, and how by each if not alike.
fn name(row: &Compared) -> String {
    let [ours, theirs] = [&row.row.ours, &row.row.theirs];
    let name = format!("  items of {}, {}", size(ours), sent(ours.batch));
    if ours.batch == theirs.batch { name } else { format!("{name} and {}", sent(theirs.batch)) }
}

fn size(contestant: &Contestant) -> String {
    match contestant.item_bytes {
        bytes @ ..1024 => format!("{bytes} bytes"),
        bytes => format!("{} KiB", bytes / 1024),
    }
}

fn sent(batch: usize) -> String {
    if batch == 1 { "one by one".to_owned() } else { format!("{batch} at once") }
}

fn of(measured: &Measured) -> String {
    format!("{} {:>8}", measured.contestant.channel.name(), figure(measured.quartiles.median))
}

/// With three digits, or more before the point.
fn figure(number: f64) -> String {
    let digits = match number {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$}")
}

/// Of what each figure is made, and how long the machine itself takes.
fn limits(report: &Report) -> String {
    let mut text = format!("{:<58}", "about so many of these ns for an item are");
    for part in PARTS {
        let _ = write!(text, "{part:>18}");
    }
    text.push_str("  so it is limited by\n");
    let mut seen: Vec<Contestant> = Vec::new();
    for measured in report.rows.iter().flat_map(|row| [&row.ours, &row.theirs]) {
        let Measured { contestant, quartiles, parts, .. } = measured;
        if seen.contains(contestant) {
            continue;
        }
        seen.push(*contestant);
        let cores = if contestant.placement == Placement::OneCore { "one core" } else { "two cores" };
        let place = format!("{}, {}, {}, {cores}", contestant.channel.name(), size(contestant), sent(contestant.batch));
        let _ = write!(text, "  {place:<46} {:>9}", figure(quartiles.median));
        for part in parts.0 {
            let _ = write!(text, "{:>18}", figure(part));
        }
        let (largest, share) = parts.largest(contestant.channel);
        let _ = writeln!(text, "  {largest} ({:.0} %)", share * 100.0);
    }
    let Limits { system_call, switch, copy_kib, between_cores } = report.limits;
    let [system_call, switch, copy_kib] = [system_call, switch, copy_kib].map(figure);
    let _ = writeln!(
        text,
        "\nthe machine, in the same rounds: an empty system call takes {system_call} ns, a switch to another task {switch} ns, to copy 1 KiB {copy_kib} ns"
    );
    if let Some(between) = between_cores {
        let [round_trip, copy_kib] = [between.line_round_trip, between.copy_kib].map(figure);
        let _ = writeln!(
            text,
            "from one core to the other: a cache line there and back takes {round_trip} ns, to copy 1 KiB that the other has written {copy_kib} ns"
        );
    }
    text
}

/// The results as JSON. `machine` says where they were measured.
#[must_use]
pub fn json(machine: &BTreeMap<&str, Value>, report: &Report) -> Value {
    let rows = report.rows.iter().map(|row| {
        json!({
            "id": row.row.id,
            "cores": row.row.ours.placement.cores(),
            "item_bytes": row.row.ours.item_bytes,
            "ours": measured(&row.ours),
            "theirs": measured(&row.theirs),
            "ratio": quartiles(row.ratio),
        })
    });
    let Limits { system_call, switch, copy_kib, between_cores } = report.limits;
    json!({
        "machine": machine,
        "limits_ns": {
            "system_call": system_call,
            "switch": switch,
            "copy_kib": copy_kib,
            "line_round_trip": between_cores.map(|between| between.line_round_trip),
            "copy_kib_between_cores": between_cores.map(|between| between.copy_kib),
        },
        "rounds": report.rounds,
        "rows": rows.collect::<Value>(),
    })
}

fn quartiles(Quartiles { first, median, third }: Quartiles) -> Value {
    json!({ "first_quartile": first, "median": median, "third_quartile": third })
}

fn measured(measured: &Measured) -> Value {
    let parts: BTreeMap<String, f64> = PARTS.iter().map(|part| part.replace(' ', "_")).zip(measured.parts.0).collect();
    let sum = |[producer, consumer]: [f64; 2]| producer + consumer;
    json!({
        "channel": measured.contestant.channel.name(),
        "batch": measured.contestant.batch,
        "unit": "ns per item",
        "ns": quartiles(measured.quartiles),
        "samples": measured.ns,
        "system_calls": sum(measured.calls),
        "switches": sum(measured.switches),
        "parts_ns": parts,
        "limited_by": measured.parts.largest(measured.contestant.channel).0,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use test_case::test_case;

    use super::*;
    use crate::workspace;

    /// The run that the book shows: `./x pipes --json tools/benchmarks/pipes.json --plot book/src/pictures/pipes-experiment.svg`.
    fn kept() -> Value {
        let path = workspace::root().join("tools/benchmarks/pipes.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn page() -> String {
        fs::read_to_string(workspace::root().join("book/src/chapters/pipes.md")).unwrap()
    }

    fn row<'a>(kept: &'a Value, id: &str) -> &'a Value {
        kept["rows"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()
    }

    fn shown(number: &Value) -> String {
        figure(number.as_f64().unwrap())
    }

    #[test_case(1)]
    #[test_case(2)]
    fn the_book_shows_the_run_that_is_kept(cores: u8) {
        let (kept, page) = (kept(), page());
        let rows = ["pipe_8_item", "pipe_8_batch_to_item", "pipe_8_batch", "rtrb_8_item", "rtrb_8_slice"];
        let expected = rows.map(|id| {
            let row = row(&kept, &format!("{id}_{cores}_core"));
            let [ours, theirs] = ["ours", "theirs"].map(|who| shown(&row[who]["ns"]["median"]));
            let [median, first, third] =
                ["median", "first_quartile", "third_quartile"].map(|q| shown(&row["ratio"][q]));
            format!(" {ours} | {theirs} | {median} ({first} to {third}) |")
        });
        let all: Vec<&str> =
            page.lines().skip_while(|line| !line.starts_with("| one core: ")).take(2 * rows.len()).collect();
        let part = all.chunks_exact(rows.len()).nth(usize::from(cores) - 1).unwrap();
        for (line, expected) in part.iter().zip(&expected) {
            assert!(line.ends_with(expected), "{line} is not{expected}");
        }
        let large = shown(&row(&kept, &format!("pipe_64k_item_{cores}_core"))["ratio"]["median"]);
        assert!(page.contains(&format!("{large} times")), "items of 64 KiB: {large}");
    }

    #[test]
    fn the_book_says_how_far_the_cores_are_from_each_other() {
        let round_trip = shown(&kept()["limits_ns"]["line_round_trip"]);
        assert!(page().contains(&format!("A cache line there and back takes {round_trip} ns here.")), "{round_trip}");
    }

    #[test_case("pipe_8_item_1_core", 150.0; "a Unix pipe, on one core")]
    #[test_case("pipe_8_item_2_core", 30.0; "a Unix pipe, on two cores")]
    #[test_case("pipe_8_batch_to_item_2_core", 100.0; "slices, a Unix pipe one by one")]
    #[test_case("rtrb_8_item_1_core", 1.1; "rtrb, on one core")]
    #[test_case("rtrb_8_item_2_core", 0.85; "rtrb, on two cores")]
    #[test_case("rtrb_8_slice_1_core", 0.9; "slices, rtrb, on one core")]
    #[test_case("rtrb_8_slice_2_core", 0.9; "slices, rtrb, on two cores")]
    fn the_run_that_is_kept_has_the_ratios_that_are_promised(id: &str, least: f64) {
        let ratio = row(&kept(), id)["ratio"]["median"].as_f64().unwrap();
        assert!(ratio >= least, "{id}: {ratio}, at least {least} are promised");
    }
}
