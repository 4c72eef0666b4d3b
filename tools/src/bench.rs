//! The benchmark's results: a table for the screen, and JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::counts::{self, Batch};
use crate::figures::{self, Unit};

/// What one operation costs in one setting of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its figures, in instructions a round; or for 100 of a RISC-V program.
    pub figures: figures::Row,
    /// Whether the kernel used process-context identifiers.
    pub pcid: bool,
    /// The batch whose expensive instructions stand for the row; none if they were not counted.
    pub counted: Option<Batch>,
}

/// The rows of one run. `counted`: what the instruction counter saw of it, which may be nothing.
#[must_use]
pub fn rows(printed: Vec<figures::Row>, pcid: bool, counted: &[counts::Row]) -> Vec<Row> {
    let batch = |name: &str| counted.iter().find(|row| row.name == name)?.least().cloned();
    printed.into_iter().map(|figures| Row { counted: batch(&figures.name), figures, pcid }).collect()
}

/// Brings the rows of one operation together, in the order in which the operations were first measured: the one without
/// process-context identifiers comes before the one with them.
#[must_use]
pub fn side_by_side(mut rows: Vec<Row>) -> Vec<Row> {
    let order: Vec<String> = rows.iter().map(|row| row.figures.name.clone()).collect();
    rows.sort_by_key(|row| (order.iter().position(|name| *name == row.figures.name), row.pcid));
    rows
}

/// Whether the kernel says in its boot log that it uses process-context identifiers, in a line such as
/// `address spaces: pcid on, 2698 global pages of the kernel`. A kernel that says nothing uses none.
#[must_use]
pub fn uses_pcid(boot_log: &str) -> bool {
    let answer = boot_log.lines().find_map(|line| line.strip_prefix("address spaces: pcid "));
    answer.and_then(|answer| answer.split([' ', ',']).next()) == Some("on")
}

/// The results as lines to read: a head before the first row, and where others follow that count something else.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let (mut text, mut unit_above) = (String::new(), None);
    for Row { figures, pcid, counted } in rows {
        let figures::Row { name, minimum, median, maximum, unit, .. } = figures;
        if unit_above.replace(*unit) != Some(*unit) {
            let unit = match unit {
                Unit::Ticks => "instructions",
                Unit::TicksForHundred => "for 100 guest ones",
                Unit::Times => "times",
                Unit::EventsForThousand => "events for 1000 items",
            };
            let [pcid, minimum, median, maximum] = ["pcid", "min", "median", "max"];
            // Writing to a string does not fail.
            let _ = writeln!(text, "{unit:<24} {pcid:>4} {minimum:>8} {median:>8} {maximum:>8}  expensive ones");
        }
        let pcid = if *pcid { "on" } else { "off" };
        let expensive = counted.as_ref().map_or_else(|| "not counted".to_owned(), expensive_ones);
        let _ = writeln!(text, "{name:<24} {pcid:>4} {minimum:>8} {median:>8} {maximum:>8}  {expensive}");
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
    let rows = rows.iter().map(|Row { figures, pcid, counted }| {
        json!({
            "id": figures.name,
            "pcid": pcid,
            "unit": figures.unit.in_instructions(),
            "value": figures.minimum,
            "min": figures.minimum,
            "median": figures.median,
            "p99": figures.p99(),
            "samples": figures.samples,
            "expensive": counted.as_ref().map(per_round),
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

    const PRINTED: &str = "\
row min median max ticks, 21 samples
null_syscall 48 48 48
call 100 110 120
comparison min median max times, 21 samples
by_call 12 12 13
workload min median max ticks for 100 instructions, 21 samples
sieve 812 812 864
";
    const COUNTED: &str = "\
call 1000 instructions=110000 cr3_writes=2000 iretq=20 locked=1
call 1000 instructions=100000 cr3_writes=2000 iretq=0 locked=1
";

    fn run(pcid: bool, counted: &str) -> Vec<Row> {
        rows(figures::read(PRINTED).unwrap().rows, pcid, &counts::read(counted).unwrap())
    }

    #[test]
    fn the_table_shows_what_there_is() {
        let table = table(&run(false, COUNTED));
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [
                vec!["instructions", "pcid", "min", "median", "max", "expensive", "ones"],
                vec!["null_syscall", "off", "48", "48", "48", "not", "counted"],
                vec!["call", "off", "100", "110", "120", "2", "cr3_writes,", "1/1000", "locked"],
                vec!["times", "pcid", "min", "median", "max", "expensive", "ones"],
                vec!["by_call", "off", "12", "12", "13", "not", "counted"],
                vec!["for", "100", "guest", "ones", "pcid", "min", "median", "max", "expensive", "ones"],
                vec!["sieve", "off", "812", "812", "864", "not", "counted"],
            ]
        );
    }

    #[test]
    fn both_settings_stand_side_by_side() {
        let rows = side_by_side([run(true, ""), run(false, "")].concat());
        let order: Vec<(&str, bool)> = rows.iter().map(|row| (row.figures.name.as_str(), row.pcid)).collect();
        assert_eq!(
            order,
            [
                ("null_syscall", false),
                ("null_syscall", true),
                ("call", false),
                ("call", true),
                ("by_call", false),
                ("by_call", true),
                ("sieve", false),
                ("sieve", true)
            ]
        );
    }

    #[test]
    fn the_json_has_all_kinds() {
        let machine = BTreeMap::from([("emulator", json!("qemu"))]);
        let expected = json!({
            "machine": { "emulator": "qemu" },
            "rows": [{
                "id": "null_syscall", "pcid": true, "unit": "instructions",
                "value": 48, "min": 48, "median": 48, "p99": 48, "samples": 21,
                "expensive": null,
            }, {
                "id": "call", "pcid": true, "unit": "instructions",
                "value": 100, "min": 100, "median": 110, "p99": 120, "samples": 21,
                "expensive": { "cr3_writes": 2, "iretq": 0, "locked": 0.001 },
            }, {
                "id": "by_call", "pcid": true, "unit": "times",
                "value": 12, "min": 12, "median": 12, "p99": 13, "samples": 21,
                "expensive": null,
            }, {
                "id": "sieve", "pcid": true, "unit": "instructions per 100 guest instructions",
                "value": 812, "min": 812, "median": 812, "p99": 864, "samples": 21,
                "expensive": null,
            }],
        });
        assert_eq!(json(&machine, &run(true, COUNTED)), expected);
    }

    #[test]
    fn what_the_kernel_uses_is_what_it_says() {
        let says = |line: &str| uses_pcid(&format!("FlatMk 0.1.0, chapter 12\nmemory: 506 MiB usable\n{line}\nrow\n"));
        assert!(says("address spaces: pcid on"));
        assert!(says("address spaces: pcid on, 2698 global pages of the kernel"));
        for line in
            ["address spaces: pcid off", "address spaces: pcid off (the processor has none), 2698 global pages", ""]
        {
            assert!(!says(line), "{line}");
        }
        for line in ["warning: unknown boot option: pcid=on", "processor: X, with pcid on", "address spaces: pcid once"]
        {
            assert!(!says(line), "{line}");
        }
    }
}
