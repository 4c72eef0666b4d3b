//! The trace as a sequence diagram, a picture in the format SVG: a line a task from top to bottom, and an arrow wherever another one goes on.

use std::fmt::Write;

use super::rows::{Line, Row, rows, tasks};
use super::{Part, Trace};

const TASK_WIDTH: usize = 170;
const ROW_HEIGHT: usize = 44;
const HEAD_HEIGHT: usize = 86;
const MARGIN: usize = 20;

const INK: &str = "#1d2430";
const LINE_COLOR: &str = "#44546a";
const FILLS: [&str; 6] = ["#dff0df", "#dfe9f5", "#fbe6cc", "#eadff5", "#f5dfe4", "#dff2f2"];

/// Draws some pieces of work, one below the other. The picture has a light ground of its own, so that it can be read on a dark page, too.
#[must_use]
pub fn svg(trace: &Trace, parts: &[&Part]) -> String {
    let widest = parts.iter().map(|part| tasks(part).len()).max().unwrap_or(0).max(2);
    let width = 2 * MARGIN + widest * TASK_WIDTH;
    let heights: Vec<usize> = parts.iter().map(|part| HEAD_HEIGHT + ROW_HEIGHT * rows(part).len() + MARGIN).collect();
    let height = heights.iter().sum::<usize>() + MARGIN;
    let mut text = head(width, height, trace, parts);
    let mut top = MARGIN;
    for (part, part_height) in parts.iter().zip(heights) {
        text += &draw(trace, part, top, part_height);
        top += part_height;
    }
    text + "</svg>\n"
}

/// The beginning: size, what it shows in words, and what the rest uses.
fn head(width: usize, height: usize, trace: &Trace, parts: &[&Part]) -> String {
    let (w, h) = (width - 1, height - 1);
    let description = escape(&describe(trace, parts));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
aria-labelledby=\"title desc\" font-family=\"system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif\" font-size=\"12.5\" fill=\"{INK}\">
  <title id=\"title\">What the kernel has noted</title>
  <desc id=\"desc\">{description}</desc>
  <defs>
    <marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0,0 L8,4 L0,8 z\" \
fill=\"{LINE_COLOR}\"/></marker>
  </defs>
  <rect x=\"0.5\" y=\"0.5\" width=\"{w}\" height=\"{h}\" rx=\"8\" fill=\"#fdfcf8\" stroke=\"#c9c4b4\"/>
"
    )
}

/// The same in words, for whoever does not see it.
pub(super) fn describe(trace: &Trace, parts: &[&Part]) -> String {
    let mut text = String::new();
    for part in parts {
        let _ = write!(text, "{}: ", part.name);
        let sentences: Vec<String> = rows(part).iter().map(|row| sentence(trace, row)).collect();
        let _ = write!(text, "{}. ", sentences.join("; "));
    }
    text.trim_end().to_owned()
}

fn sentence(trace: &Trace, row: &Row) -> String {
    let (from, to) = (trace.name(row.from), trace.name(row.to));
    let what = if row.text.is_empty() { "another task goes on" } else { &row.text };
    match row.line {
        Line::Note => format!("{from}: {what}"),
        _ => format!(
            "{from} to {to}: {what}{}",
            row.kernel.map_or(String::new(), |ticks| format!(", {ticks} in the kernel"))
        ),
    }
}

fn draw(trace: &Trace, part: &Part, top: usize, height: usize) -> String {
    let tasks = tasks(part);
    let x =
        |task: u32| MARGIN + TASK_WIDTH / 2 + TASK_WIDTH * tasks.iter().position(|&other| other == task).unwrap_or(0);
    let mut text = format!(
        "  <text x=\"{MARGIN}\" y=\"{}\" font-size=\"15\" font-weight=\"600\">{}</text>\n",
        top + 18,
        escape(&part.name)
    );
    let (box_top, line_top, bottom) = (top + 28, top + 60, top + height - MARGIN);
    for (index, &task) in tasks.iter().enumerate() {
        let fill = FILLS.get(index % FILLS.len()).unwrap_or(&"#ffffff");
        let center = x(task);
        let left = center - 70;
        let _ = write!(
            text,
            "  <rect x=\"{left}\" y=\"{box_top}\" width=\"140\" height=\"32\" rx=\"4\" fill=\"{fill}\" stroke=\"{LINE_COLOR}\"/>
  <text x=\"{center}\" y=\"{}\" font-size=\"14\" text-anchor=\"middle\" font-weight=\"600\">{}</text>
  <polyline points=\"{center},{line_top} {center},{bottom}\" fill=\"none\" stroke=\"{LINE_COLOR}\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>
",
            box_top + 21,
            escape(&trace.name(task))
        );
    }
    for (index, row) in rows(part).iter().enumerate() {
        text += &draw_row(row, top + HEAD_HEIGHT + ROW_HEIGHT * index + 24, &x);
    }
    text
}

fn draw_row(row: &Row, y: usize, x: &impl Fn(u32) -> usize) -> String {
    let (from, to) = (x(row.from), x(row.to));
    let mut text = String::new();
    if let Some(ticks) = row.before {
        let _ = writeln!(text, "  <text x=\"{}\" y=\"{}\" fill=\"#6a5a20\">{ticks}</text>", from + 6, y - 22);
    }
    if row.line == Line::Note || from == to {
        let _ = write!(
            text,
            "  <circle cx=\"{from}\" cy=\"{}\" r=\"4\" fill=\"{LINE_COLOR}\"/>\n  <text x=\"{}\" y=\"{y}\">{}</text>\n",
            y - 4,
            from + 9,
            escape(&label(row))
        );
        return text;
    }
    let dashes = if row.line == Line::Return { " stroke-dasharray=\"6 3\"" } else { "" };
    let weight = if row.line == Line::Switch { "1" } else { "1.75" };
    let end = if to > from { to - 2 } else { to + 2 };
    let _ = write!(
        text,
        "  <polyline points=\"{from},{y} {end},{y}\" fill=\"none\" stroke=\"{LINE_COLOR}\" stroke-width=\"{weight}\"{dashes} marker-end=\"url(#tip)\"/>
  <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>
",
        (from + to) / 2,
        y - 5,
        escape(&label(row))
    );
    text
}

/// What stands at an arrow.
fn label(row: &Row) -> String {
    match (row.kernel, row.text.is_empty()) {
        (Some(ticks), false) => format!("{}: {ticks}", row.text),
        (Some(ticks), true) => ticks.to_string(),
        (None, _) => row.text.clone(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
