//! What the benchmark program prints: tables, each with a head and a row a line.
//!
//! ```text
//! row                           min   median      max  instructions, 21 samples
//! null_syscall                   48       48       48
//! ```
//!
//! After the columns the head says what they count: `instructions`, or on a processor `cycles`; either of them `for 100 guest instructions` of a program
//! that is not the processor's; `times`, where a row compares two others; or `kernel events for 1000 items` of a pipe. Of many samples there is a column
//! `p99`, too.

/// A row that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the benchmark program printed a row that makes no sense: `{0}`")]
pub struct FiguresError(String);

/// What a tick of the time stamp counter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tick {
    /// An instruction: time is instruction-exact.
    Instruction,
    /// A cycle of the counter's clock.
    Cycle,
}

/// What the figures of a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Ticks for one operation.
    Ticks(Tick),
    /// Ticks for 100 instructions of a RISC-V program.
    TicksForHundred(Tick),
    /// How many times more one operation costs than another.
    Times,
    /// How often the two ends of a pipe call the kernel for 1000 items.
    EventsForThousand,
}

impl Unit {
    const ALL: [Self; 6] = [
        Self::Ticks(Tick::Instruction),
        Self::Ticks(Tick::Cycle),
        Self::TicksForHundred(Tick::Instruction),
        Self::TicksForHundred(Tick::Cycle),
        Self::Times,
        Self::EventsForThousand,
    ];

    /// As the head of a table has it.
    fn in_head(self) -> &'static str {
        match self {
            Self::Ticks(Tick::Instruction) => "instructions",
            Self::Ticks(Tick::Cycle) => "cycles",
            Self::TicksForHundred(Tick::Instruction) => "instructions for 100 guest instructions",
            Self::TicksForHundred(Tick::Cycle) => "cycles for 100 guest instructions",
            Self::Times => "times",
            Self::EventsForThousand => "kernel events for 1000 items",
        }
    }

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TicksForHundred(Tick::Instruction) => "instructions per 100 guest instructions",
            Self::TicksForHundred(Tick::Cycle) => "cycles per 100 guest instructions",
            Self::EventsForThousand => "kernel events per 1000 items",
            Self::Ticks(_) | Self::Times => self.in_head(),
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
    /// The least that 99 of 100 samples do not exceed.
    pub p99: u64,
    /// The most.
    pub maximum: u64,
    /// How many there were.
    pub samples: u64,
    /// What they count.
    pub unit: Unit,
}

/// All tables of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The rows, in the order in which they were measured.
    pub rows: Vec<Row>,
    /// The lines that say what could not be measured, and why.
    pub failures: Vec<String>,
}

/// The head of a table.
#[derive(Clone, Copy)]
struct Head {
    unit: Unit,
    samples: u64,
    /// Whether the 99th percentile has a column of its own. Of up to 99 samples it is the most.
    has_p99: bool,
}

/// Finds the tables in what a machine wrote to its serial port. Which rows there should be is not known here.
///
/// # Errors
///
/// If a row has not its numbers, or they do not ascend from at least 1.
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

/// The head of a table, if this line is one.
fn head(line: &str) -> Option<Head> {
    let (columns, samples) = line.split_once(", ")?;
    let samples = samples.strip_suffix(" samples")?.parse().ok()?;
    let words: Vec<&str> = columns.split_whitespace().skip(1).collect();
    let (has_p99, unit) = match words.as_slice() {
        ["min", "median", "p99", "max", unit @ ..] => (true, unit),
        ["min", "median", "max", unit @ ..] if samples < 100 => (false, unit),
        _ => return None,
    };
    let unit = unit.join(" ");
    let unit = Unit::ALL.into_iter().find(|known| known.in_head() == unit)?;
    Some(Head { unit, samples, has_p99 })
}

/// Whether the table goes on: other lines do not begin with a name and a number.
fn is_row(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|word| word.parse::<u64>().is_ok())
}

fn row(line: &str, Head { unit, samples, has_p99 }: Head) -> Option<Row> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let numbers: Vec<u64> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let (minimum, median, p99, maximum) = match (numbers.as_slice(), has_p99) {
        (&[minimum, median, p99, maximum], true) => (minimum, median, p99, maximum),
        (&[minimum, median, maximum], false) => (minimum, median, maximum, maximum),
        _ => return None,
    };
    let ascends = 0 < minimum && minimum <= median && median <= p99 && p99 <= maximum;
    ascends.then_some(Row { name, minimum, median, p99, maximum, samples, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
FlatMk 0.1.0, chapter 12
memory 1 2 3
operation                     min   median      max  instructions, 21 samples
copy                          207      208      212
row                           min   median      p99      max  cycles, 200 samples
yield_alone                    61       61       70      181
call_same_space    failed: no memory
yield_pair                    116      116      117      117
comparison                    min   median      max  times, 21 samples
by_call                        12       12       13
comparison                    min   median      max  kernel events for 1000 items, 21 samples
events                          2        2        2
workload                      min   median      max  instructions for 100 guest instructions, 21 samples
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
        let ticks = [Tick::Instruction, Tick::Cycle, Tick::Cycle].map(Unit::Ticks);
        let others = [Unit::Times, Unit::EventsForThousand, Unit::TicksForHundred(Tick::Instruction)];
        assert_eq!(units, [ticks, others].concat());
        let copy = Row {
            name: "copy".to_owned(),
            minimum: 207,
            median: 208,
            p99: 212,
            maximum: 212,
            samples: 21,
            unit: Unit::Ticks(Tick::Instruction),
        };
        assert_eq!(rows.first(), Some(&copy));
        assert_eq!(failures, ["call_same_space    failed: no memory"]);
    }

    #[test]
    fn of_many_samples_the_99th_percentile_has_a_column() {
        let rows = read(TEXT).unwrap().rows;
        let p99: Vec<u64> = rows.iter().map(|row| row.p99).collect();
        assert_eq!(p99, [212, 70, 117, 13, 2, 864]);
        let without = read(&TEXT.replace("      p99", "")).unwrap().rows;
        assert!(without.iter().all(|row| row.name != "yield_alone"), "of 200 samples the most is not the percentile");
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
        for head in ["instructions, 21", "21 samples", "operation ", "  instructions"] {
            let rows = read(&TEXT.replace(head, "")).unwrap().rows;
            assert!(rows.iter().all(|row| row.name != "copy"), "{head}");
        }
    }
}
