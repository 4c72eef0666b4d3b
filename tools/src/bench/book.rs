//! The book's tables and pictures of what operations cost, and the README's table, made from the committed rows alone.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use super::accepted::{self, AcceptedError};
use super::baselines::{Baselines, Comparison};
use super::plot::{Plot, PlotError};
use super::{Document, Record};
use crate::generated;
use crate::machine::Emulator;

/// The tables, which a page of the book includes.
const TABLES: &str = "tools/benchmarks/tables.md";

/// The page with one of the tables between two marks.
const README: &str = "README.md";
const BEGIN: &str = "<!-- benchmarks: begin -->\n";
const END: &str = "<!-- benchmarks: end -->\n";

/// The pictures.
const BESIDE_OTHERS: &str = "book/src/pictures/benchmarks-others.svg";
const OPERATIONS: &str = "book/src/pictures/benchmarks-operations.svg";

/// Why they cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The committed rows cannot be read.
    #[error(transparent)]
    Accepted(#[from] AcceptedError),
    /// The figures of others make no sense.
    #[error("the figures of others make no sense: {0}")]
    Baselines(#[from] serde_json::Error),
    /// A picture cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The README has no place for its table.
    #[error("{README} has no lines `{}` and `{}`", BEGIN.trim(), END.trim())]
    NoPlace,
    /// A file cannot be read or written.
    #[error("cannot write the book's tables and pictures: {0}")]
    Write(#[from] io::Error),
}

/// Writes what is not as it should be.
///
/// # Errors
///
/// If the committed rows cannot be read, or a file not be written.
pub fn update(repository: &Path) -> Result<(), BookError> {
    for (file, text) in files(repository)? {
        generated::update(&repository.join(file), &text)?;
    }
    Ok(())
}

/// Each file with its text.
fn files(repository: &Path) -> Result<[(&'static str, String); 4], BookError> {
    let [qemu, bochs] = [Emulator::Qemu, Emulator::Bochs].map(|emulator| accepted::read(repository, emulator));
    let (qemu, bochs, baselines) = (qemu?, bochs?, Baselines::read()?);
    Ok([
        (TABLES, tables(&qemu, &bochs, &baselines)),
        (README, readme(repository, &qemu, &bochs, &baselines)?),
        (BESIDE_OTHERS, Plot::beside_others(&qemu.rows, "instructions", &baselines).draw()?),
        (OPERATIONS, Plot::settings(&bochs.rows, "instructions").draw()?),
    ])
}

fn tables(qemu: &Document, bochs: &Document, baselines: &Baselines) -> String {
    let mut text = "<!-- Written by `./x bench --accept`. Changes made here are lost. -->\n".to_owned();
    let of = |document: &Document, id: &str, pcid| -> Option<u64> {
        document.rows.iter().find(|row| row.id == id && row.pcid == pcid).map(|row| row.value)
    };
    let cell = |figure: Option<u64>| figure.map_or_else(|| "–".to_owned(), |figure| figure.to_string());
    let mut unit_above = "";
    for Record { id, unit, .. } in &qemu.rows {
        if unit_above != unit {
            unit_above = unit;
            let _ = writeln!(text, "\n| {unit} | QEMU | Bochs, pcid off | Bochs, pcid on | expensive ones a round |");
            let _ = writeln!(text, "|---|---:|---:|---:|---|");
        }
        let [plain, off, on] =
            [(qemu, false), (bochs, false), (bochs, true)].map(|(document, pcid)| cell(of(document, id, pcid)));
        let row = qemu.rows.iter().find(|row| row.id == *id);
        let expensive = row.map(Record::expensive_ones).unwrap_or_default();
        let _ = writeln!(text, "| `{id}` | {plain} | {off} | {on} | {expensive} |");
    }
    text.push_str("\n### Beside others\n");
    comparisons(qemu, bochs, baselines).iter().for_each(|comparison| write_comparison(&mut text, comparison));
    text.push_str("\nWhere each figure is from, and what is not the same:\n\n");
    for set in &baselines.sets {
        let differs = set.rows.iter().filter_map(|row| Some(format!("`{}`: {}", row.id, row.differs.as_ref()?)));
        let differs: Vec<String> = std::iter::once(set.source.clone()).chain(differs).collect();
        let _ = writeln!(text, "- {} ({}): {}.", set.title(), set.unit, differs.join("; "));
    }
    text.push_str("\nPublished cycles of real processors, to hold a report of your own machine against:\n");
    for set in baselines.sets.iter().filter(|set| set.unit == "cycles") {
        let rows = set.rows.iter().map(|row| match row.on {
            Some(on) => format!("`{}` {}/{on}", row.id, row.off),
            None => format!("`{}` {}", row.id, row.off),
        });
        let _ = writeln!(text, "\n- {}: {}", set.title(), rows.collect::<Vec<_>>().join(", "));
    }
    text
}

/// FlatMk's rows beside those of others, a table for each unit.
fn comparisons(qemu: &Document, bochs: &Document, baselines: &Baselines) -> Vec<Comparison> {
    // QEMU's processors have no identifiers, so the figures with them are those of Bochs.
    let with_identifiers = bochs.rows.iter().filter(|row| row.pcid).cloned();
    let all: Vec<Record> = qemu.rows.iter().cloned().chain(with_identifiers).collect();
    baselines.comparisons(&super::side_by_side(all))
}

fn write_comparison(text: &mut String, Comparison { unit, columns, rows }: &Comparison) {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| title.as_str()).collect();
    let _ = writeln!(text, "\n| {unit}, pcid off/on | {} |\n|---|{}", titles.join(" | "), "---:|".repeat(titles.len()));
    for (id, cells) in rows {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.as_deref().unwrap_or("–")).collect();
        let _ = writeln!(text, "| `{id}` | {} |", cells.join(" | "));
    }
}

/// The README with the table of instructions between its marks.
fn readme(repository: &Path, qemu: &Document, bochs: &Document, baselines: &Baselines) -> Result<String, BookError> {
    let present = fs::read_to_string(repository.join(README))?;
    let (before, rest) = present.split_once(BEGIN).ok_or(BookError::NoPlace)?;
    let (_, after) = rest.split_once(END).ok_or(BookError::NoPlace)?;
    let mut table = String::new();
    let comparisons = comparisons(qemu, bochs, baselines);
    comparisons.iter().take(1).for_each(|comparison| write_comparison(&mut table, comparison));
    Ok(format!("{before}{BEGIN}{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn tables_and_pictures_are_those_of_the_committed_rows() {
        for (file, text) in files(workspace::root()).unwrap() {
            let present = fs::read_to_string(workspace::root().join(file)).unwrap_or_default();
            assert!(present == text, "{file} is not what the committed rows make: run ./x book");
        }
    }
}
