//! The rows that are committed, one file an emulator. Instruction counts are exact, so any difference is a change of the system; but for rows of which the timer's
//! interrupts are a part.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Document, Record};
use crate::machine::Emulator;

/// Why the committed rows cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AcceptedError {
    /// The file cannot be read or written.
    #[error("cannot read or write {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// It is not what was written.
    #[error("{path} makes no sense: {cause}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: serde_json::Error,
    },
}

/// The file of an emulator.
#[must_use]
pub fn path(repository: &Path, emulator: Emulator) -> PathBuf {
    repository.join("tools/benchmarks").join(format!("{}.json", emulator.name()))
}

/// What is committed.
///
/// # Errors
///
/// If it is not there, or makes no sense.
pub fn read(repository: &Path, emulator: Emulator) -> Result<Document, AcceptedError> {
    let path = path(repository, emulator);
    let text = fs::read_to_string(&path).map_err(|cause| AcceptedError::File { path: path.clone(), cause })?;
    serde_json::from_str(&text).map_err(|cause| AcceptedError::Format { path, cause })
}

/// Replaces what is committed.
///
/// # Errors
///
/// If it cannot be written.
pub fn write(repository: &Path, emulator: Emulator, document: &Document) -> Result<(), AcceptedError> {
    let path = path(repository, emulator);
    fs::write(&path, document.text()).map_err(|cause| AcceptedError::File { path, cause })
}

// ANCHOR: differences
/// What is not as it was accepted, a line each. A row that has shrunk is told, too: accepted, it cannot grow back unnoticed.
#[must_use]
pub fn differences(accepted: &[Record], measured: &[Record]) -> Vec<String> {
    let key = |record: &Record| (record.id.clone(), record.pcid);
    let find = |records: &[Record], wanted| records.iter().find(|record| key(record) == wanted).cloned();
    let mut lines = Vec::new();
    for new in measured {
        match find(accepted, key(new)) {
            Some(old) => lines.extend(difference(&old, new)),
            None => lines.push(format!("{} is new: {} {}", name(new), new.value, new.unit)),
        }
    }
    let gone = accepted.iter().filter(|old| find(measured, key(old)).is_none());
    lines.extend(gone.map(|old| format!("{} was not measured: it was {} {}", name(old), old.value, old.unit)));
    lines
}
// ANCHOR_END: differences

/// What is said when there are so many differences.
#[must_use]
pub fn refusal(differences: usize, emulator: Emulator) -> String {
    let name = emulator.name();
    format!(
        "differences from what is kept: {differences}; if that is meant to be: ./x bench --emulator {name} --accept"
    )
}

fn name(record: &Record) -> String {
    format!("{} with pcid {}", record.id, if record.pcid { "on" } else { "off" })
}

/// How much a row may differ because the timer interrupts at another place: in a handler's row it is measured where in the program's loop that is, and in work so
/// long that no batch is without an interrupt. Such rows have the expensive instructions of those interrupts, too. All others are exact: none.
#[must_use]
pub fn slack_of_timer(id: &str, value: u64, unit: &str) -> Option<u64> {
    const LONG: u64 = 10_000;
    match id {
        "interrupt_to_handler" => Some(2),
        _ if value >= LONG || unit != INSTRUCTIONS => Some(value / 250),
        _ => None,
    }
}

/// The same where the row may be from Bochs. There expensive instructions are not counted, the timer comes twenty times as often, and few batches are without it.
#[must_use]
pub fn slack(record: &Record) -> Option<u64> {
    let slack = slack_of_timer(&record.id, record.value, &record.unit);
    if record.expensive.is_none() { slack.or(Some(1 + record.value / 250)) } else { slack }
}

/// The unit of rows that are one operation.
const INSTRUCTIONS: &str = "instructions";

fn difference(old: &Record, new: &Record) -> Vec<String> {
    let (name, mut lines) = (name(new), Vec::new());
    if old.unit != new.unit {
        return vec![format!("{name} counts {}, not {}", new.unit, old.unit)];
    }
    let slack = slack(old);
    if old.value.abs_diff(new.value) > slack.unwrap_or(0) {
        let verb = if new.value > old.value { "grew" } else { "shrank" };
        lines.push(format!("{name} {verb} from {} to {} {}", old.value, new.value, new.unit));
    }
    if slack.is_none() && old.expensive_each_round() != new.expensive_each_round() {
        lines.push(format!("{name} has {} in place of {}", new.expensive_ones(), old.expensive_ones()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{shown, workspace};

    fn record(id: &str, value: u64, locked: u64) -> Record {
        let expensive = Some(BTreeMap::from([("locked".to_owned(), locked.into())]));
        let unit = INSTRUCTIONS.to_owned();
        Record {
            id: id.to_owned(),
            pcid: false,
            unit,
            value,
            min: value,
            median: value,
            p99: value,
            samples: 21,
            expensive,
        }
    }

    #[test]
    fn the_book_shows_what_is_said() {
        let page = Path::new("book/src/reference/benchmarks.md");
        let shown = shown::texts_on_page(workspace::root(), page).expect("the page is there").remove(0);
        let [old, new] = [134, 135].map(|value| [record("call_same_space", value, 0)]);
        let [line] = &differences(&old, &new)[..] else { panic!("one row differs") };
        let said = format!("{line}\nerror: {}", refusal(1, Emulator::Qemu));
        assert!(shown.agrees_with(&said), "{}:{} shows something else than\n{said}", page.display(), shown.line);
    }

    #[test]
    fn the_same_rows_do_not_differ() {
        let rows = [record("call", 133, 0), record("yield", 61, 0)];
        assert!(differences(&rows, &rows).is_empty());
        let mut later = rows.clone();
        later[0].median += 5;
        assert!(differences(&rows, &later).is_empty(), "where the timer comes is not up to the kernel");
    }

    #[test]
    fn where_the_timer_interrupts_changes_little() {
        let rows = |change: u64| {
            let mut workload = record("softuser_sort", 900 + 3 * change, 0);
            workload.unit = "instructions per 100 guest instructions".to_owned();
            let handler = record("interrupt_to_handler", 250 + 2 * change, change);
            [record("make_large_frame", 280_000 + 1000 * change, change), handler, workload]
        };
        assert_eq!(differences(&rows(0), &rows(1)), Vec::<String>::new());
        assert_eq!(differences(&rows(0), &rows(2)).len(), 3);
        assert_eq!(differences(&rows(2), &rows(0)).len(), 3);
        let in_bochs = |value| [Record { expensive: None, ..record("call", value, 0) }];
        assert_eq!(differences(&in_bochs(134), &in_bochs(135)), Vec::<String>::new());
        assert_eq!(differences(&in_bochs(134), &in_bochs(136)).len(), 1);
    }

    #[test]
    fn each_kind_of_change_is_named() {
        let old = [record("call", 133, 0)];
        let of = |new: &[Record]| differences(&old, new);
        assert_eq!(of(&[record("call", 134, 0)]), ["call with pcid off grew from 133 to 134 instructions"]);
        assert_eq!(of(&[record("call", 132, 0)]), ["call with pcid off shrank from 133 to 132 instructions"]);
        assert_eq!(of(&[record("call", 133, 1)]), ["call with pcid off has 1 locked in place of none"]);
        assert_eq!(of(&[]), ["call with pcid off was not measured: it was 133 instructions"]);
        let added = [record("call", 133, 0), record("yield", 61, 0)];
        assert_eq!(of(&added), ["yield with pcid off is new: 61 instructions"]);
        let mut with_pcid = old.clone();
        with_pcid[0].pcid = true;
        assert_eq!(of(&with_pcid).len(), 2, "another setting is another row");
    }
}
