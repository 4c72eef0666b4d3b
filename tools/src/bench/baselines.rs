//! The figures of others: a data file, each with its unit, its machine and its source.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Record;

/// The file.
const DATA: &str = include_str!("../../benchmarks/baselines.json");

/// What the data file has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baselines {
    /// The systems, each on one machine and in one unit.
    pub sets: Vec<Set>,
}

/// What was measured of one system on one machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Whose figures.
    pub system: String,
    /// Where they were measured.
    pub machine: String,
    /// What is counted, in the words of [`Record::unit`].
    pub unit: String,
    /// Who says so, and how it was measured.
    pub source: String,
    /// The figures.
    pub rows: Vec<Figure>,
}

/// What one operation costs there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The operation, by the name of our row.
    pub id: String,
    /// Without process-context identifiers.
    pub off: u64,
    /// With them, where that was measured.
    pub on: Option<u64>,
    /// What is not the same there.
    pub differs: Option<String>,
}

/// A table: our figures and those of others in the same unit.
#[derive(Debug)]
pub struct Comparison {
    /// The unit.
    pub unit: String,
    /// For each column its title and its source. The first is ours.
    pub columns: Vec<(String, String)>,
    /// For each row its name and its cells.
    pub rows: Vec<(String, Vec<Option<String>>)>,
}

impl Set {
    /// The system and the machine in a few words.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}, {}", self.system, self.machine)
    }

    /// What it says of an operation.
    #[must_use]
    pub fn figure(&self, id: &str) -> Option<&Figure> {
        self.rows.iter().find(|figure| figure.id == id)
    }
}

impl Baselines {
    /// Reads the data file, which is part of this program.
    ///
    /// # Errors
    ///
    /// If it makes no sense.
    pub fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(DATA)
    }

    /// What others have measured of the operations of these rows, a table a unit.
    #[must_use]
    pub fn comparisons(&self, records: &[Record]) -> Vec<Comparison> {
        let mut units: Vec<&str> = records.iter().map(|record| record.unit.as_str()).collect();
        let mut seen = BTreeSet::new();
        units.retain(|unit| seen.insert(*unit));
        units.into_iter().filter_map(|unit| self.comparison(unit, records)).collect()
    }

    fn comparison(&self, unit: &str, records: &[Record]) -> Option<Comparison> {
        let sets: Vec<&Set> = self.sets.iter().filter(|set| set.unit == unit).collect();
        let mut ids: Vec<&str> =
            records.iter().filter(|record| record.unit == unit).map(|record| record.id.as_str()).collect();
        ids.dedup();
        let row = |id: &str| {
            let others: Vec<Option<String>> =
                sets.iter().map(|set| set.figure(id).map(|figure| stroke(figure.off, figure.on))).collect();
            let ours = [false, true].map(|pcid| records.iter().find(|record| record.id == id && record.pcid == pcid));
            let ours = match ours.map(|record| record.map(|record| record.value)) {
                [Some(off), on] => Some(stroke(off, on)),
                [None, Some(on)] => Some(format!("-/{on}")),
                [None, None] => None,
            };
            let is_shared = others.iter().any(Option::is_some);
            is_shared.then(|| (id.to_owned(), [vec![ours], others].concat()))
        };
        let rows: Vec<_> = ids.into_iter().filter_map(row).collect();
        let ours = ("FlatMk".to_owned(), "measured now".to_owned());
        let columns = sets.iter().map(|set| (set.title(), set.source.clone()));
        let columns = std::iter::once(ours).chain(columns).collect();
        (!rows.is_empty()).then(|| Comparison { unit: unit.to_owned(), columns, rows })
    }
}

fn stroke(off: u64, on: Option<u64>) -> String {
    on.map_or_else(|| off.to_string(), |on| format!("{off}/{on}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_makes_sense() {
        let baselines = Baselines::read().unwrap();
        assert!(baselines.sets.len() >= 4);
        for set in &baselines.sets {
            assert!(!set.rows.is_empty() && !set.source.is_empty(), "{}", set.title());
            let is_unit = ["instructions", "cycles", "instructions per 100 guest instructions"];
            assert!(is_unit.contains(&set.unit.as_str()), "{}", set.unit);
            for figure in &set.rows {
                assert!(figure.off > 0 && figure.on != Some(0), "{}: {}", set.title(), figure.id);
                assert_eq!(set.rows.iter().filter(|other| other.id == figure.id).count(), 1, "{}", figure.id);
            }
        }
    }
}
