//! The results as lines to read.

use std::fmt::Write;

use super::Record;
use super::baselines::{Baselines, Comparison};

/// The rows: a head before the first one, and where others follow that count something else.
#[must_use]
pub fn table(records: &[Record]) -> String {
    let (mut text, mut unit_above) = (String::new(), None);
    for record in records {
        let Record { id, pcid, unit, min, median, p99, samples, .. } = record;
        if unit_above.replace(unit) != Some(unit) {
            let [pcid, minimum, median, p99] = ["pcid", "min", "median", "p99"];
            // Writing to a string does not fail.
            let _ = writeln!(text, "{unit}, of {samples} samples");
            let _ = writeln!(text, "{:<24} {pcid:>4} {minimum:>8} {median:>8} {p99:>8}  expensive ones", "row");
        }
        let pcid = if *pcid { "on" } else { "off" };
        let expensive = record.expensive_ones();
        let _ = writeln!(text, "{id:<24} {pcid:>4} {min:>8} {median:>8} {p99:>8}  {expensive}");
    }
    text
}

/// The rows beside those of others that count the same: without identifiers of address spaces, and with them behind a stroke.
#[must_use]
pub fn beside_others(records: &[Record], baselines: &Baselines) -> String {
    let mut text = String::new();
    for Comparison { unit, columns, rows } in baselines.comparisons(records) {
        let _ = writeln!(text, "\nbeside others, {unit}, gross: the loop around the operation counts; pcid off/on");
        let _ = write!(text, "{:<24}", "row");
        columns.iter().for_each(|(title, _)| text.push_str(&format!(" {title:>24}")));
        text.push('\n');
        for (id, cells) in rows {
            let _ = write!(text, "{id:<24}");
            cells.iter().for_each(|cell| text.push_str(&format!(" {:>24}", cell.as_deref().unwrap_or("-"))));
            text.push('\n');
        }
        columns.iter().for_each(|(title, source)| text.push_str(&format!("  {title}: {source}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::records;
    use crate::{counts, figures};

    const PRINTED: &str = "\
row min median max instructions, 21 samples
null_syscall 48 48 48
call_same_space 100 110 120
comparison min median max times, 21 samples
by_call 12 12 13
";
    const COUNTED: &str = "call_same_space 1000 instructions=100000 cr3_writes=2000 iretq=0 locked=1\n";

    fn run() -> Vec<Record> {
        records(&figures::read(PRINTED).unwrap().rows, false, &counts::read(COUNTED).unwrap())
    }

    #[test]
    fn the_table_shows_what_there_is() {
        let table = table(&run());
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let head = vec!["row", "pcid", "min", "median", "p99", "expensive", "ones"];
        assert_eq!(
            lines,
            [
                vec!["instructions,", "of", "21", "samples"],
                head.clone(),
                vec!["null_syscall", "off", "48", "48", "48", "not", "counted"],
                vec!["call_same_space", "off", "100", "110", "120", "2", "cr3_writes,", "0.001", "locked"],
                vec!["times,", "of", "21", "samples"],
                head,
                vec!["by_call", "off", "12", "12", "13", "not", "counted"],
            ]
        );
    }

    #[test]
    fn instructions_stand_beside_instructions_only() {
        let text = beside_others(&run(), &Baselines::read().unwrap());
        let row = text.lines().find(|line| line.starts_with("call_same_space")).expect("others have measured it");
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["call_same_space", "100", "1472/1472", "413/421"]);
        assert!(!text.contains("Coffee Lake"), "{text}");
        assert!(!text.contains("by_call"), "{text}");
    }

    #[test]
    fn cycles_stand_beside_cycles_only() {
        let mut records = run();
        records.iter_mut().for_each(|record| record.unit = "cycles".to_owned());
        let text = beside_others(&records, &Baselines::read().unwrap());
        assert!(text.contains("1116/1112") && text.contains("Coffee Lake"), "{text}");
        assert!(!text.contains("413"), "{text}");
    }
}
