//! What the instruction counter, the plugin in `tools/counter`, has written about a run: a line a batch of each measured row.

use std::collections::BTreeMap;

/// The file's name in the folder of the run.
pub(crate) const FILE: &str = "counts";

/// The kind that every instruction belongs to.
const ALL: &str = "instructions";

/// A line that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the instruction counter wrote a line that makes no sense: `{0}`")]
pub struct CountsError(String);

/// Many rounds of one operation, measured together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// How many rounds; not 0.
    pub rounds: u64,
    /// All instructions.
    pub instructions: u64,
    /// The expensive ones, by the names that the counter gives to their kinds. Those that never occur are there, too.
    pub expensive: BTreeMap<String, u64>,
}

/// The batches of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    batches: Vec<Batch>,
}

impl Row {
    /// The batch with the fewest instructions: into others the timer has come.
    #[must_use]
    pub fn least(&self) -> Option<&Batch> {
        self.batches.iter().min_by_key(|batch| batch.instructions)
    }

    /// The instructions of a round in each batch, the least first, in whole numbers: divided as the row's are that is printed.
    #[must_use]
    pub fn samples(&self, divided: impl Fn(u64, u64) -> u64) -> Vec<u64> {
        let batches = self.batches.iter();
        let mut samples: Vec<u64> = batches.map(|batch| divided(batch.instructions, batch.rounds)).collect();
        samples.sort_unstable();
        samples
    }
}

/// Reads the lines. Rows are in the order in which they were first measured.
///
/// # Errors
///
/// If a line is not what the counter writes.
pub fn read(text: &str) -> Result<Vec<Row>, CountsError> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines() {
        let (name, batch) = batch(line).ok_or_else(|| CountsError(line.to_owned()))?;
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.batches.push(batch),
            None => rows.push(Row { name: name.to_owned(), batches: vec![batch] }),
        }
    }
    Ok(rows)
}

fn batch(line: &str) -> Option<(&str, Batch)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let rounds = words.next()?.parse().ok().filter(|&rounds| rounds > 0)?;
    let mut expensive = BTreeMap::new();
    for word in words {
        let (kind, count) = word.split_once('=')?;
        expensive.insert(kind.to_owned(), count.parse().ok()?);
    }
    let instructions = expensive.remove(ALL)?;
    Some((name, Batch { rounds, instructions, expensive }))
}

#[cfg(test)]
mod tests {
    use std::ops::Div;

    use super::*;

    const TEXT: &str = "\
copy 50 instructions=10049 locked=0 iretq=1
delete 50 instructions=5000 locked=50 iretq=0
copy 50 instructions=10000 locked=0 iretq=0
";

    #[test]
    fn batches_are_collected_by_row() {
        let rows = read(TEXT).unwrap();
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["copy", "delete"]);
        let [copy, delete] = rows.as_slice() else { panic!("there are two") };
        assert_eq!(copy.samples(u64::div), [200, 200]);
        assert_eq!(copy.samples(u64::div_ceil), [200, 201]);
        let least = copy.least().unwrap();
        assert_eq!((least.instructions, least.expensive.get("iretq")), (10_000, Some(&0)));
        assert_eq!(delete.least().unwrap().expensive.get("locked"), Some(&50));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_refused() {
        for (good, bad) in [(" 50", ""), (" 50", " 0"), ("instructions", "instruction"), ("=50", "="), ("=0", "0")] {
            assert!(TEXT.contains(good));
            assert!(read(&TEXT.replace(good, bad)).is_err(), "{bad}");
        }
    }
}
