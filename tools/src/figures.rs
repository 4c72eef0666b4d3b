//! What the benchmark program prints: tables, each with a head and a row a line.
//!
//! ```text
//! row                           min   median      max  ticks, 21 samples
//! null_syscall                   48       48       48
//! ```
//!
//! After the columns the head says what they count: `ticks`, or `ticks for 100 instructions` of a program that is not the processor's; `times`, where a
//! row compares two others; or `kernel events for 1000 items` of a pipe.

/// A row that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the benchmark program printed a row that makes no sense: `{0}`")]
pub struct FiguresError(String);

/// What the figures of a row count. A tick of the time stamp counter is an instruction where time is instruction-exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Ticks for one operation.
    Ticks,
    /// Ticks for 100 instructions of a RISC-V program.
    TicksForHundred,
    /// How many times more one operation costs than another.
    Times,
    /// How often the two ends of a pipe call the kernel for 1000 items.
    EventsForThousand,
}

impl Unit {
    /// As the head of a table has it.
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "ticks" => Some(Self::Ticks),
            "ticks for 100 instructions" => Some(Self::TicksForHundred),
            "times" => Some(Self::Times),
            "kernel events for 1000 items" => Some(Self::EventsForThousand),
            _ => None,
        }
    }

    /// Its name where a tick is an instruction.
    #[must_use]
    pub fn in_instructions(self) -> &'static str {
        match self {
            Self::Ticks => "instructions",
            Self::TicksForHundred => "instructions per 100 guest instructions",
            Self::Times => "times",
            Self::EventsForThousand => "kernel events per 1000 items",
        }
    }
}

/// What one operation costs.
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
    /// What they count.
    pub unit: Unit,
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
    // The head of the table that the next line may belong to.
    let mut table = None;
    for line in text.lines() {
        if line.contains(" failed: ") {
            figures.failures.push(line.to_owned());
            continue;
        }
        table = match (head(line), table) {
            (None, Some(head)) if is_row(line) => {
                figures.rows.push(row(line, head).ok_or_else(|| FiguresError(line.to_owned()))?);
                Some(head)
            }
            (head, _) => head,
        };
    }
    Ok(figures)
}

/// What a table counts, and of how many samples it is made, if this line is its head.
fn head(line: &str) -> Option<(Unit, u64)> {
    let (columns, samples) = line.split_once(", ")?;
    let mut words = columns.split_whitespace().skip(1);
    if !words.by_ref().take(3).eq(["min", "median", "max"]) {
        return None;
    }
    let unit: Vec<&str> = words.collect();
    Some((Unit::from_text(&unit.join(" "))?, samples.strip_suffix(" samples")?.parse().ok()?))
}

/// Whether the table goes on: other lines do not begin with a name and a number.
fn is_row(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|word| word.parse::<u64>().is_ok())
}

fn row(line: &str, (unit, samples): (Unit, u64)) -> Option<Row> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let mut number = || words.next()?.parse().ok();
    let row = Row { name, minimum: number()?, median: number()?, maximum: number()?, samples, unit };
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
comparison                    min   median      max  times, 21 samples
by_call                        12       12       13
comparison                    min   median      max  kernel events for 1000 items, 21 samples
events                          2        2        2
workload                      min   median      max  ticks for 100 instructions, 21 samples
sieve                         812      812      864
root task: benchmark is done, 124270 pages free
late 1 2 3
";

    #[test]
    fn rows_are_found_in_their_tables_only() {
        let Figures { rows, failures } = read(TEXT).unwrap();
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["copy", "yield_alone", "yield_pair", "by_call", "events", "sieve"]);
        let units: Vec<Unit> = rows.iter().map(|row| row.unit).collect();
        let [ticks, others] = [[Unit::Ticks; 3], [Unit::Times, Unit::EventsForThousand, Unit::TicksForHundred]];
        assert_eq!(units, [ticks, others].concat());
        let copy =
            Row { name: "copy".to_owned(), minimum: 207, median: 208, maximum: 212, samples: 21, unit: Unit::Ticks };
        assert_eq!(rows.first(), Some(&copy));
        assert_eq!(failures, ["call_same_space    failed: no memory"]);
    }

    #[test]
    fn of_many_samples_the_most_is_not_the_99th_percentile() {
        let rows = read(TEXT).unwrap().rows;
        let p99: Vec<Option<u64>> = rows.iter().map(Row::p99).collect();
        assert_eq!(p99, [Some(212), None, None, Some(13), Some(2), Some(864)]);
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
        for head in ["ticks, 21", "21 samples", "operation ", "  ticks"] {
            let rows = read(&TEXT.replace(head, "")).unwrap().rows;
            assert!(rows.iter().all(|row| row.name != "copy"), "{head}");
        }
    }
}
