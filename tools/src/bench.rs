//! The benchmark's results: a table for the screen, and JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::counts::{Batch, Row};

/// What is said about the samples of a row, in instructions a round.
struct Summary {
    minimum: u64,
    median: u64,
    /// The least sample that 99 of 100 do not exceed.
    p99: u64,
    count: usize,
}

impl Summary {
    fn of(row: &Row) -> Self {
        let samples = row.samples();
        let at = |index: usize| samples.get(index).copied().unwrap_or_default();
        let count = samples.len();
        Self { minimum: at(0), median: at(count / 2), p99: at((count * 99).div_ceil(100).saturating_sub(1)), count }
    }
}

/// The results as lines to read.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<24} {:>8} {:>8} {:>8}  expensive ones\n", "instructions", "min", "median", "p99");
    for row in rows {
        let Summary { minimum, median, p99, .. } = Summary::of(row);
        let expensive = row.least().map_or_else(String::new, expensive_ones);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<24} {minimum:>8} {median:>8} {p99:>8}  {expensive}", row.name);
    }
    text
}

/// How many there are in a round, without the kinds of which there are none.
fn expensive_ones(batch: &Batch) -> String {
    let present = batch.expensive.iter().filter(|(_, count)| **count > 0);
    let kinds = present.map(|(kind, &count)| match count.is_multiple_of(batch.rounds) {
        true => format!("{} {kind}", count / batch.rounds),
        false => format!("{count}/{} {kind}", batch.rounds),
    });
    let kinds: Vec<String> = kinds.collect();
    if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
}

/// The results as JSON. `machine` says where they were measured.
#[must_use]
pub fn json(machine: &BTreeMap<&str, Value>, rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let Summary { minimum, median, p99, count } = Summary::of(row);
        json!({
            "id": row.name,
            "pcid": false,
            "unit": "instructions",
            "value": minimum,
            "min": minimum,
            "median": median,
            "p99": p99,
            "samples": count,
            "expensive": row.least().map(per_round),
        })
    });
    json!({ "machine": machine, "rows": rows.collect::<Value>() })
}

/// Whole numbers where they are, so that nobody has to round.
fn per_round(batch: &Batch) -> Map<String, Value> {
    let number = |&count: &u64| match count.is_multiple_of(batch.rounds) {
        true => json!(count / batch.rounds),
        false => json!(count as f64 / batch.rounds as f64),
    };
    batch.expensive.iter().map(|(kind, count)| (kind.clone(), number(count))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts;

    fn rows() -> Vec<Row> {
        let batches = (0..21).map(|extra| {
            let instructions = 100_000 + extra * 1000;
            format!("call 1000 instructions={instructions} cr3_writes=2000 iretq={extra} locked=1\n")
        });
        counts::read(&batches.collect::<String>()).unwrap()
    }

    #[test]
    fn the_table_shows_what_there_is() {
        let table = table(&rows());
        let words: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["call", "100", "110", "120", "2", "cr3_writes,", "1/1000", "locked"]);
    }

    #[test]
    fn the_json_has_all_kinds() {
        let machine = BTreeMap::from([("emulator", json!("qemu"))]);
        let expected = json!({
            "machine": { "emulator": "qemu" },
            "rows": [{
                "id": "call", "pcid": false, "unit": "instructions",
                "value": 100, "min": 100, "median": 110, "p99": 120, "samples": 21,
                "expensive": { "cr3_writes": 2, "iretq": 0, "locked": 0.001 },
            }],
        });
        assert_eq!(json(&machine, &rows()), expected);
    }
}
