//! What a machine has printed, as it was kept in files: one for each setting of the kernel.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Document, records, side_by_side, uses_pcid};
use crate::figures::{self, FiguresError};

/// What was read.
#[derive(Debug)]
pub struct Printed {
    /// The rows, and the machine.
    pub document: Document,
    /// What could not be measured.
    pub failures: Vec<String>,
}

/// Why that is nothing.
#[derive(Debug, thiserror::Error)]
pub enum PrintedError {
    /// A row cannot be read.
    #[error("{0}: {1}")]
    Figures(String, FiguresError),
    /// It has no table.
    #[error("{0} has no rows of the benchmark")]
    NoRows(String),
    /// The files are of several machines.
    #[error("{} was printed on a processor `{}`, and {} on `{}`: rows of different processors do not go together", .first.0, .first.1, .other.0, .other.1)]
    OtherProcessor {
        /// The first file, and its processor.
        first: (String, String),
        /// One with another.
        other: (String, String),
    },
    /// Two files say the same.
    #[error("{first} and {other} were both measured with pcid {}: one is to go", if *.pcid { "on" } else { "off" })]
    SameSetting {
        /// The one file.
        first: String,
        /// The other.
        other: String,
        /// The setting.
        pcid: bool,
    },
}

/// Reads files, each by its name and what is in it: the same machine's, with process-context identifiers and without.
///
/// # Errors
///
/// If a file has no table, or they do not go together.
pub fn read(files: &[(String, String)]) -> Result<Printed, PrintedError> {
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let mut seen: Vec<(&str, String, bool)> = Vec::new();
    for (name, text) in files {
        let text = text.replace('\r', "");
        let printed = figures::read(&text).map_err(|error| PrintedError::Figures(name.clone(), error))?;
        if printed.rows.is_empty() {
            return Err(PrintedError::NoRows(name.clone()));
        }
        let (cpu, pcid) = (processor(&text), uses_pcid(&text));
        if let Some((first, other, _)) = seen.first().filter(|(_, other, _)| *other != cpu) {
            return Err(PrintedError::OtherProcessor {
                first: ((*first).to_owned(), other.clone()),
                other: (name.clone(), cpu),
            });
        }
        if let Some((first, ..)) = seen.iter().find(|(_, _, other)| *other == pcid) {
            return Err(PrintedError::SameSetting { first: (*first).to_owned(), other: name.clone(), pcid });
        }
        rows.extend(records(&printed.rows, pcid, &[]));
        failures.extend(printed.failures);
        seen.push((name, cpu, pcid));
    }
    let cpu = seen.first().map(|(_, cpu, _)| cpu);
    let names: Vec<&str> = seen.iter().map(|(name, ..)| *name).collect();
    let machine = BTreeMap::from([("cpu".to_owned(), json!(cpu)), ("from".to_owned(), json!(names))]);
    Ok(Printed { document: Document { machine, rows: side_by_side(rows) }, failures })
}

/// The processor's name, which stands above the table of cycles, or else in the banner.
fn processor(text: &str) -> String {
    let head = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(str::trim);
    head("cycles of the time stamp counter of ").or(head("processor: ")).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, cpu: &str, pcid: &str, cycles: u64) -> (String, String) {
        let text = format!(
            "FlatMk 0.1.0, chapter 12\r\nprocessor: {cpu}, with tsc\r\naddress spaces: pcid {pcid}, 3 global pages\r\n\
             cycles of the time stamp counter of {cpu}\r\nrow min median max cycles, 21 samples\r\n\
             null_syscall {cycles} {cycles} {cycles}\r\ncall_same_space 300 300 300\r\n"
        );
        (name.to_owned(), text)
    }

    #[test]
    fn both_settings_of_a_machine_stand_side_by_side() {
        let [on, off] = [file("1", "A", "on", 100), file("2", "A", "off (boot option)", 101)];
        let Printed { document, failures } = read(&[on, off]).unwrap();
        let rows: Vec<_> = document.rows.iter().map(|row| (row.id.as_str(), row.pcid, row.value)).collect();
        let calls = [("call_same_space", false, 300), ("call_same_space", true, 300)];
        assert_eq!(rows, [[("null_syscall", false, 101), ("null_syscall", true, 100)], calls].concat());
        assert_eq!(document.machine.get("cpu"), Some(&json!("A")));
        assert_eq!(document.machine.get("from"), Some(&json!(["1", "2"])));
        assert!(failures.is_empty());
    }

    #[test]
    fn files_that_do_not_go_together_are_refused() {
        let refused = |files: &[(String, String)]| read(files).unwrap_err().to_string();
        let said = refused(&[file("1", "A", "on", 100), file("2", "B", "off", 101)]);
        assert!(said.contains("1 was printed on a processor `A`, and 2 on `B`"), "{said}");
        let said = refused(&[file("1", "A", "on", 100), file("2", "A", "on", 101)]);
        assert_eq!(said, "1 and 2 were both measured with pcid on: one is to go");
        let said = refused(&[file("1", "A", "on", 100), ("2".to_owned(), "nothing".to_owned())]);
        assert_eq!(said, "2 has no rows of the benchmark");
    }
}
