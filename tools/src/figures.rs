//! What the benchmark program prints: tables, each with a head and a row a line.
//!
//! ```text
//! row                           min   median      max  ticks, 21 samples
//! null_syscall                   48       48       48
//! ```

/// A row that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the benchmark program printed a row that makes no sense: `{0}`")]
pub struct FiguresError(String);

/// What one operation costs, in ticks of the time stamp counter: in instructions where an instruction is a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The least sample; not 0.
    pub minimum: u64,
    /// The one in the middle.
    pub median: u64,
    /// The most.
    pub maximum: u64,
    /// How many there were.
    pub samples: u64,
}

impl Row {
    /// The least sample that 99 of 100 do not exceed: the most, of up to 99. Of more samples it is not known.
    #[must_use]
    pub fn p99(&self) -> Option<u64> {
        (self.samples < 100).then_some(self.maximum)
    }
}

/// All tables of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The rows, in the order in which they were measured.
    pub rows: Vec<Row>,
    /// The lines that say what could not be measured, and why.
    pub failures: Vec<String>,
}

/// Finds the tables in what a machine wrote to its serial port. Which rows there should be is not known here.
///
/// # Errors
///
/// If a row has not three numbers that ascend from at least 1.
pub fn read(text: &str) -> Result<Figures, FiguresError> {
    let mut figures = Figures::default();
    // Those of the table that the next line may belong to.
    let mut samples = None;
    for line in text.lines() {
        if line.contains(" failed: ") {
            figures.failures.push(line.to_owned());
            continue;
        }
        samples = match (samples_of_head(line), samples) {
            (None, Some(samples)) if is_row(line) => {
                figures.rows.push(row(line, samples).ok_or_else(|| FiguresError(line.to_owned()))?);
                Some(samples)
            }
            (head, _) => head,
        };
    }
    Ok(figures)
}

/// How many samples a table is made of, if this line is its head.
fn samples_of_head(line: &str) -> Option<u64> {
    let mut words = line.split_whitespace().skip(1);
    if !words.by_ref().take(4).eq(["min", "median", "max", "ticks,"]) {
        return None;
    }
    let samples = words.next()?.parse().ok()?;
    words.eq(["samples"]).then_some(samples)
}

/// Whether the table goes on: other lines do not begin with a name and a number.
fn is_row(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|word| word.parse::<u64>().is_ok())
}

fn row(line: &str, samples: u64) -> Option<Row> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let mut number = || words.next()?.parse().ok();
    let row = Row { name, minimum: number()?, median: number()?, maximum: number()?, samples };
    let ascends = 0 < row.minimum && row.minimum <= row.median && row.median <= row.maximum;
    (ascends && words.next().is_none()).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
FlatMk 0.1.0, chapter 12
memory 1 2 3
operation                     min   median      max  ticks, 21 samples
copy                          207      208      212
row                           min   median      max  ticks, 100 samples
yield_alone                    61       61       61
call_same_space    failed: no memory
yield_pair                    116      116      117
root task: benchmark is done, 124270 pages free
late 1 2 3
";

    #[test]
    fn rows_are_found_in_their_tables_only() {
        let Figures { rows, failures } = read(TEXT).unwrap();
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["copy", "yield_alone", "yield_pair"]);
        let copy = Row { name: "copy".to_owned(), minimum: 207, median: 208, maximum: 212, samples: 21 };
        assert_eq!(rows.first(), Some(&copy));
        assert_eq!(failures, ["call_same_space    failed: no memory"]);
    }

    #[test]
    fn of_many_samples_the_most_is_not_the_99th_percentile() {
        let rows = read(TEXT).unwrap().rows;
        let p99: Vec<Option<u64>> = rows.iter().map(Row::p99).collect();
        assert_eq!(p99, [Some(212), None, None]);
    }

    #[test]
    fn a_row_that_makes_no_sense_is_refused() {
        let good = "207      208      212";
        for bad in ["207      206      212", "207      208      207", "0 208 212", "207 208", "207 208 x", "1 2 3 4"] {
            assert!(TEXT.contains(good));
            assert!(read(&TEXT.replace(good, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_without_a_head_has_no_rows() {
        for head in ["ticks, 21", "21 samples", "operation "] {
            let rows = read(&TEXT.replace(head, "")).unwrap().rows;
            assert!(rows.iter().all(|row| row.name != "copy"), "{head}");
        }
    }
}
