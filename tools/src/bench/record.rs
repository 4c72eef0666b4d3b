//! A row as it is written to a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::counts::Batch;
use crate::figures;

/// What one operation costs in one setting of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was measured.
    pub id: String,
    /// Whether the kernel used process-context identifiers.
    pub pcid: bool,
    /// What is counted: see [`figures::Unit::name`].
    pub unit: String,
    /// The figure to compare: the least sample.
    pub value: u64,
    /// The least sample.
    pub min: u64,
    /// The one in the middle.
    pub median: u64,
    /// The least that 99 of 100 samples do not exceed.
    pub p99: u64,
    /// How many there were.
    pub samples: u64,
    /// How many expensive instructions there are in a round, by their kinds; none if they were not counted.
    pub expensive: Option<BTreeMap<String, Number>>,
}

/// The rows of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Where they were measured.
    pub machine: BTreeMap<String, Value>,
    /// The rows.
    pub rows: Vec<Record>,
}

impl Record {
    /// A row as it was printed. `counted`: the batch whose expensive instructions stand for the row.
    #[must_use]
    pub fn new(row: &figures::Row, pcid: bool, counted: Option<&Batch>) -> Self {
        Self {
            id: row.name.clone(),
            pcid,
            unit: row.unit.name().to_owned(),
            value: row.minimum,
            min: row.minimum,
            median: row.median,
            p99: row.p99,
            samples: row.samples,
            expensive: counted.map(per_round),
        }
    }

    /// How many expensive instructions there are in a round, without the kinds of which there are none.
    #[must_use]
    pub fn expensive_ones(&self) -> String {
        let Some(expensive) = &self.expensive else { return "not counted".to_owned() };
        let present = expensive.iter().filter(|(_, count)| count.as_u64() != Some(0));
        let kinds: Vec<String> = present.map(|(kind, count)| format!("{} {kind}", short(count))).collect();
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
    }

    /// Those of which there are some in each round. Fewer than one a round come of the timer, and of pipes that run full or empty.
    #[must_use]
    pub fn expensive_each_round(&self) -> Option<BTreeMap<&str, u64>> {
        let whole = |count: &Number| count.as_f64().unwrap_or(0.0) as u64;
        Some(self.expensive.as_ref()?.iter().map(|(kind, count)| (kind.as_str(), whole(count))).collect())
    }
}

impl Document {
    /// As text, the same for the same rows.
    #[must_use]
    pub fn text(&self) -> String {
        // Only maps with keys that are no strings cannot be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// A number for a reader.
fn short(count: &Number) -> String {
    match (count.as_u64(), count.as_f64()) {
        (None, Some(fraction)) => format!("{fraction:.3}"),
        _ => count.to_string(),
    }
}

/// Whole numbers where they are, so that nobody has to round.
fn per_round(batch: &Batch) -> BTreeMap<String, Number> {
    let number = |count: u64| match count.is_multiple_of(batch.rounds) {
        true => Some(Number::from(count / batch.rounds)),
        false => Number::from_f64(count as f64 / batch.rounds as f64),
    };
    batch.expensive.iter().filter_map(|(kind, count)| Some((kind.clone(), number(*count)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::records;
    use crate::counts;

    const PRINTED: &str = "\
row min median max instructions, 21 samples
null_syscall 48 48 48
call 100 110 120
workload min median p99 max cycles for 100 guest instructions, 200 samples
sieve 812 812 864 900
";
    const COUNTED: &str = "\
call 1000 instructions=110000 cr3_writes=2000 iretq=20 locked=1
call 1000 instructions=100000 cr3_writes=2000 iretq=0 locked=1
";

    fn run() -> Vec<Record> {
        records(&figures::read(PRINTED).unwrap().rows, true, &counts::read(COUNTED).unwrap())
    }

    #[test]
    fn the_json_has_all_kinds() {
        let document = Document { machine: BTreeMap::from([("emulator".to_owned(), json!("qemu"))]), rows: run() };
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
                "id": "sieve", "pcid": true, "unit": "cycles per 100 guest instructions",
                "value": 812, "min": 812, "median": 812, "p99": 864, "samples": 200,
                "expensive": null,
            }],
        });
        assert_eq!(serde_json::to_value(&document).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Document>(&document.text()).unwrap(), document);
    }

    #[test]
    fn kinds_that_do_not_occur_are_not_named() {
        let said: Vec<String> = run().iter().map(Record::expensive_ones).collect();
        assert_eq!(said, ["not counted", "2 cr3_writes, 0.001 locked", "not counted"]);
    }
}
