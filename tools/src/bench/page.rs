//! The report: one page with tables and plots, which needs nothing but itself.

use std::path::Path;
use std::{fs, io};

use super::baselines::Baselines;
use super::plot::{Plot, PlotError};
use super::{Document, table};

/// The file in the folder of a report.
const FILE: &str = "index.html";

/// Letters and ground follow the reader's choice of light or dark; a picture keeps its own ground.
const STYLE: &str = "\
:root { color-scheme: light dark; font-family: sans-serif; line-height: 1.4 }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
pre { overflow-x: auto; font-size: 0.85rem }
svg { width: 100%; max-width: 30rem; height: auto; background: white; border-radius: 6px }
";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A picture cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A file cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

/// Writes the report into a folder, which is made if it is not there.
///
/// # Errors
///
/// If a picture cannot be drawn or a file not be written.
pub fn write(folder: &Path, document: &Document, baselines: &Baselines) -> Result<(), ReportError> {
    let page = page(document, baselines)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join(FILE), page)?;
    Ok(fs::write(folder.join("rows.json"), document.text())?)
}

/// The page.
///
/// # Errors
///
/// If a picture cannot be drawn.
pub fn page(document: &Document, baselines: &Baselines) -> Result<String, PlotError> {
    let Document { machine, rows } = document;
    let machine: Vec<String> = machine.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let machine = escape(&machine.join(", "));
    let (table, others) = (escape(&table::table(rows)), escape(&table::beside_others(rows, baselines)));
    let mut pictures = String::new();
    let unit = if rows.iter().any(|row| row.unit == "cycles") { "cycles" } else { "instructions" };
    let operations = Plot::settings(rows, unit);
    let caption = format!("What each operation costs, in {unit}; the same figures are in the first table.");
    pictures.push_str(&figure(&operations, &caption)?);
    let beside = Plot::beside_others(rows, unit, baselines);
    if !beside.rows.is_empty() {
        let caption =
            format!("The operations that others have measured, in {unit}; the same figures are in the second table.");
        pictures.push_str(&figure(&beside, &caption)?);
    }
    Ok(format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>FlatMk: what operations cost</title>
<style>
{STYLE}</style>
<h1>FlatMk: what operations cost</h1>
<p>{machine}</p>
{pictures}<h2>Rows</h2>
<pre>{table}</pre>
<h2>Beside others</h2>
<pre>{others}</pre>
</html>
"
    ))
}

fn figure(plot: &Plot, caption: &str) -> Result<String, PlotError> {
    let svg = plot.draw()?.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{caption}\" "), 1);
    Ok(format!("<figure>\n{svg}<figcaption>{caption}</figcaption>\n</figure>\n"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{bench, figures};

    fn document(unit: &str) -> Document {
        let text = format!("row min median max {unit}, 21 samples\ncall_same_space 133 133 140\ncopy 203 204 207\n");
        let rows = bench::records(&figures::read(&text).unwrap().rows, false, &[]);
        Document { machine: BTreeMap::from([("cpu".to_owned(), "a <b> & c".into())]), rows }
    }

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = page(&document("instructions"), &Baselines::read().unwrap()).unwrap();
        assert_eq!(page.matches("<svg role=\"img\" aria-label=").count(), 2);
        assert!(page.contains("a &lt;b&gt; &amp; c"), "{page}");
        let outside = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http") && !outside.contains("<script") && !outside.contains("<link"), "{page}");
    }

    #[test]
    fn cycles_stand_beside_the_cycles_of_others() {
        let page = page(&document("cycles"), &Baselines::read().unwrap()).unwrap();
        assert_eq!(page.matches("<svg ").count(), 2);
        assert!(page.contains("have measured, in cycles;"), "{page}");
        assert!(page.contains("1116/1112"), "the published cycles are in the table");
    }
}
